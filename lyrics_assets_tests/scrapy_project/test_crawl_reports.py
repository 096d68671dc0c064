"""What a crawl tells of itself: the numbers of its progress, and the messages that Dagster reads."""

import json
from datetime import UTC, datetime

from dagster_pipes import encode_param

from scrapy_project.extensions import json_safe

CONTEXT = {
    "asset_keys": ["raw/letras"],
    "code_version_by_asset_key": {},
    "provenance_by_asset_key": {},
    "partition_key": None,
    "partition_key_range": None,
    "partition_time_window": None,
    "run_id": "1",
    "job_name": None,
    "retry_number": 0,
    "extras": {},
}


def test_stats_become_json():
    stats = {"start_time": datetime(2026, 1, 1, tzinfo=UTC), "lyrics/examples/failed": ["http://a/"], "n": 1}
    assert json.loads(json.dumps(json_safe(stats))) == stats | {"start_time": "2026-01-01T00:00:00+00:00"}


def pipes(folder):
    """Return the environment that Dagster gives a process, and the file of the process's messages."""
    (folder / "context.json").write_text(json.dumps(CONTEXT))
    messages = folder / "messages.jsonl"
    env = {"DAGSTER_PIPES_CONTEXT": encode_param({"path": str(folder / "context.json")})}
    return env | {"DAGSTER_PIPES_MESSAGES": encode_param({"path": str(messages)})}, messages


def read(messages):
    lines = [json.loads(line) for line in messages.read_text().splitlines()]
    return [line["method"] for line in lines], [
        line["params"]["payload"] for line in lines if line["method"] == "report_custom_message"
    ]


def test_dagster_hears_of_the_progress_and_last_of_the_stats(crawl, site, tmp_path):
    env, messages = pipes(tmp_path)
    done = crawl("letras", site.url, "-a", "genres=Samba", "-s", "PIPES_INTERVAL=0.05", **env)
    methods, payloads = read(messages)
    assert (methods[0], methods[-1]) == ("opened", "closed")
    assert payloads[-2]["progress"]["errors"] == 1  # the site has no chart
    assert payloads[-1]["stats"]["finish_reason"] == "finished"
    assert payloads[-1]["stats"] == done.stats


def test_dagster_hears_of_a_crawl_that_ends_by_a_signal(crawl, site, tmp_path):
    env, messages = pipes(tmp_path)
    running = []

    def end_the_crawl(_):
        running[0].terminate()
        return ("<h1>Late</h1>",)

    site.react("/mais-acessadas/samba/", end_the_crawl)
    with crawl.start("letras", site.url, "-a", "genres=Samba", **env) as process:
        running.append(process)
        process.communicate(timeout=60)
    methods, payloads = read(messages)
    assert methods[-1] == "closed"
    assert payloads[-1]["stats"]["finish_reason"] == "shutdown"
