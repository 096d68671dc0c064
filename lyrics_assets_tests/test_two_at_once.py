"""Two processes at once on one home: those that would mix their files are refused, the others lose nothing."""

import multiprocessing
import os
import re
import shutil
import subprocess
import sys
import time

import dagster as dg
import psutil
import pytest

from lyrics_assets.definitions import build_defs, build_resources
from lyrics_assets.home_guard import HomeError, hold
from lyrics_assets.partitions import today
from lyrics_assets.runs import open_instance, run_job, write_instance_config
from lyrics_assets.settings import ROOT, Settings
from lyrics_assets_tests.conftest import SMALL, run_lyrics, start_lyrics
from lyrics_assets_tests.registry import empty_database, register
from lyrics_assets_tests.serving.parts import free_port
from scrapy_project.sandbox.launcher import running_sandbox
from scrapy_project.sandbox.songbook import PACKAGED_SONGBOOK

DATE = today()
PATIENCE_SECONDS = 60


def wait_until(happened):
    ends = time.monotonic() + PATIENCE_SECONDS
    while not happened():
        assert time.monotonic() < ends, "it did not happen in time"
        time.sleep(0.02)


def names_holder(home, name="run"):
    """Tell whether a lock says by whom it is held; to try it would be to hold it for a moment."""
    file = home / f"{name}.lock"
    return file.exists() and file.stat().st_size


def is_held(home, name="run"):
    """Tell whether somebody holds a home, as a process that asks for it learns."""
    try:
        with hold(home, name, "test"):
            return False
    except HomeError:
        return True


def kill_with_children(process):
    children = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    process.wait()
    psutil.wait_procs(children, timeout=30)


def test_a_second_command_is_refused_and_told_by_whom_until_the_first_is_killed(tmp_path):
    home = tmp_path / "home"
    first = start_lyrics("demo", "--home", home, **SMALL)
    try:
        wait_until(lambda: names_holder(home))
        for arguments in (["run"], ["demo"]):
            second = run_lyrics(*arguments, "--home", home, **SMALL)
            assert second.code == 1
            assert second.err.count("\n") == 1
            for said in (str(home), "`lyrics demo`", f"process {first.pid} ", "wait until it has ended", "--home"):
                assert said in second.err
        assert run_lyrics("status", "--home", home).code in (0, 1), "who only looks is not refused"
    finally:
        kill_with_children(first)
    assert not is_held(home)


def test_a_rollback_that_is_refused_has_changed_nothing(tmp_path, tmp_path_factory):
    (tmp_path / "mlflow").mkdir()
    shutil.copyfile(empty_database(tmp_path_factory), tmp_path / "mlflow" / "mlflow.db")
    tracking = build_resources(Settings(home=tmp_path))["tracking"]
    for before in (None, 1):
        tracking.promote(register(tracking), before)
    with hold(tmp_path, "run", "lyrics run"):
        refused = run_lyrics("rollback", "--home", tmp_path)
    assert refused.code == 1
    assert "is in use by `lyrics run`" in refused.err
    assert tracking.get("champion").version == 2


def test_a_second_ui_is_refused_even_if_the_first_command_was_killed_and_its_daemon_lives(tmp_path):
    home, instance = tmp_path / "home", tmp_path / "instance"
    instance.mkdir()
    # Nothing is crawled: all schedules are stopped.
    live = {
        "LYRICS_DAGSTER_HOME": str(instance),
        "LYRICS_SITES": "live",
        "LYRICS_LETRAS_URL": "http://127.0.0.1:9",
        "LYRICS_VAGALUME_URL": "http://127.0.0.1:9",
    }
    first = start_lyrics("ui", "--home", home, "--port", free_port(), **live)
    own = psutil.Process(first.pid)
    try:
        wait_until(lambda: own.children() and names_holder(home, "ui"))
        second = run_lyrics("ui", "--home", home, "--port", free_port(), **live)
        assert second.code == 1
        assert "`lyrics ui`" in second.err
        assert f"process {first.pid} " in second.err
        assert not is_held(home, "run"), "a run beside it is allowed"
        (dagster,) = own.children()
        first.kill()
        first.wait()
        assert is_held(home, "ui")
        assert not (home / "dagster").exists(), "another instance than the one that was named"
    finally:
        started = [*own.children(recursive=True)] if own.is_running() else []
        started += [dagster, *dagster.children(recursive=True)] if "dagster" in locals() else []
        for process in started:
            if process.is_running():
                process.kill()
        psutil.wait_procs(started, timeout=30)
        first.kill()
        first.wait()
    assert not is_held(home, "ui")


def extract(settings):
    """Run the extraction as `lyrics run` does."""
    with open_instance(settings.home) as instance:
        run_job(build_defs(settings), "extraction_job", instance, lambda progress: None, DATE.isoformat())


def crawl_by_dagster(settings):
    """Start the crawls as Dagster's webserver and daemon do: a process for the run, one more for each step."""
    environment = os.environ | settings.to_environment()
    environment["DAGSTER_HOME"] = str(write_instance_config(settings.home))
    command = [sys.executable, "-m", "dagster", "asset", "materialize", "-m", "lyrics_assets.definitions"]
    command += ["--select", "group:extraction", "--partition", DATE.isoformat()]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    return subprocess.Popen(command, env=environment, cwd=ROOT, **quiet)


def stored(settings):
    """Return the raw songs but for the times, and the rows of the feature store."""
    resources = build_resources(settings)
    raw = [
        re.sub(r'"fetched_at": "[^"]*"', "", resources["lake"].read_bytes(f"raw/{source}/{DATE}.jsonl").decode())
        for source in ("letras", "vagalume")
    ]
    return raw, resources["feature_store"].read_date(DATE).sort_by("song_id").to_pylist()


def pages_fetched(settings):
    """Return, of each materialization of the raw songs, how many pages were asked of the site."""
    with open_instance(settings.home) as instance:
        return {
            source: sorted(
                record.asset_materialization.metadata["pages_fetched"].value
                for record in instance.fetch_materializations(dg.AssetKey(["raw", source]), limit=10).records
            )
            for source in ("letras", "vagalume")
        }


@pytest.mark.timeout(300)
def test_runs_of_one_date_at_once_ask_for_each_page_once_and_store_the_date_once(tmp_path):
    with running_sandbox(PACKAGED_SONGBOOK, latency_ms=20) as addresses:
        urls = {f"{name}_url": address for name, address in addresses.items()}
        alone, together = (
            Settings(home=tmp_path / name, genres="Samba,Rock", songs_per_genre=15, **urls) for name in ("one", "two")
        )
        extract(alone)
        ours = [multiprocessing.get_context("spawn").Process(target=extract, args=(together,)) for _ in range(2)]
        theirs = crawl_by_dagster(together)
        for process in ours:
            process.start()
        for process in ours:
            process.join(PATIENCE_SECONDS * 2)
        assert [*(process.exitcode for process in ours), theirs.wait(PATIENCE_SECONDS * 2)] == [0, 0, 0]
    assert stored(together) == stored(alone)
    once = pages_fetched(alone)
    assert min(min(pages) for pages in once.values()) > 10
    assert pages_fetched(together) == {source: [0, 0, *pages] for source, pages in once.items()}
    assert build_resources(together)["feature_store"].dates() == [DATE]
