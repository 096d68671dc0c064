"""The whole graph once, over real HTTP, by the command that a newcomer runs. The tests only look at it."""

import datetime as dt
import email
import email.policy
import json
from html import unescape

import dagster as dg
import httpx
import pytest

from lyrics_assets.costs.history import Table
from lyrics_assets.definitions import build_resources
from lyrics_assets.partitions import today
from lyrics_assets.runs import open_instance
from lyrics_assets.settings import Settings
from lyrics_assets_tests.conftest import run_lyrics, start_lyrics
from lyrics_assets_tests.serving.browser import Browser, find_chromium
from lyrics_assets_tests.serving.parts import free_port
from scrapy_project.genres import GENRE_NAMES

DRAFT = """Senhor, eu venho ao teu altar
com as mãos vazias te louvar
aleluia, tua graça me alcançou
no deserto a tua voz me chamou
Espírito, vem sobre nós"""


@pytest.fixture(scope="module")
def resources(demo):
    return build_resources(Settings(home=demo.home))


def test_the_demonstration_succeeds_and_sums_up(demo):
    assert demo.finished.code == 0, demo.finished.err
    for expected in (
        "dates stored",
        "3, ",
        "genres",
        "tuned",
        "word_min_df",
        "macro-F1",
        "lyrics_genre:",
        "report.html",
        "answered:",
    ):
        assert expected in demo.finished.out


def test_three_dates_are_materialized_partitions(demo):
    dates = {(today() - dt.timedelta(days=days)).isoformat() for days in (0, 1, 2)}
    with open_instance(demo.home) as instance:
        for key in (["raw", "letras"], ["raw", "vagalume"], ["lyrics"], ["lyrics_features"]):
            assert dates <= set(instance.get_materialized_partitions(dg.AssetKey(key)))


def test_every_asset_was_materialized_and_no_blocking_check_failed(demo):
    with open_instance(demo.home) as instance:
        keys = {key.to_user_string() for key in instance.all_asset_keys()}
        runs = instance.get_runs()
        kind = dg.DagsterEventType.ASSET_CHECK_EVALUATION
        events = [event for run in runs for event in instance.all_logs(run.run_id, of_type=kind)]
    assert keys >= {"raw/letras", "lyrics", "lyrics_features", "training_set", "best_hyperparameters"}
    assert keys >= {"genre_classifier", "evaluation_report", "lyrics_service", "huggingface_space"}
    assert keys >= {"trends_report", "drift_report", "pipeline_costs"}
    evaluations = [event.dagster_event.event_specific_data for event in events]
    assert {evaluation.check_name for evaluation in evaluations} >= {"crawl_is_complete", "answers_a_known_song"}
    assert [evaluation.check_name for evaluation in evaluations if evaluation.blocking and not evaluation.passed] == []


def test_the_feature_store_holds_each_date_with_all_genres_and_both_sites(resources):
    store = resources["feature_store"]
    assert len(store.dates()) == 3
    for date in store.dates():
        songs = store.read_date(date).to_pandas()
        assert set(songs["genre"]) == set(GENRE_NAMES)
        assert set(songs["sources"].explode()) == {"letras", "vagalume"}
        assert songs["sources"].map(len).eq(2).any(), "no song of both sites was merged into one"
        assert songs["is_translation"].any()
        assert songs["song_id"].is_unique


def test_the_champion_is_registered_with_its_dates(resources):
    champion = resources["tracking"].get("champion")
    assert champion.version == 1
    assert champion.tags["last_extraction_date"] == today().isoformat()
    assert float(champion.tags["macro_f1_low"]) < float(champion.tags["macro_f1"]) < 1


def test_three_quiet_dates_are_no_drift(resources):
    report = resources["lake"].read_json("reports/drift/newest.json")
    assert (report["date"], report["drifted"], report["warned"]) == (today().isoformat(), [], [])
    assert {"genre_mix", "vocabulary", "confidence", "performance"} <= set(report["measures"])
    assert list(report["not_measured"]) == ["traffic"]


def test_the_report_keeps_its_contract_and_holds_no_lyric(demo, resources):
    (path,) = (demo.home / "lake" / "reports").glob("*-*/report.json")
    report = json.loads(path.read_text())
    for name in ("macro_f1", "accuracy", "mcc"):
        low, high = report[f"{name}_interval"]
        assert low <= report[name] <= high
    assert set(report["per_genre"]) == set(GENRE_NAMES)
    assert {"n_train", "n_test", "expected_calibration_error", "slices", "baselines", "champion"} <= set(report)
    assert {"seconds", "peak_memory_mb", "libraries"} <= set(report["environment"])
    html = path.with_name("report.html").read_text()
    assert "data:image/png;base64," in html
    lines = _long_lines(resources["feature_store"])
    assert not [line for line in lines if line in html or line in path.read_text()]


def test_the_report_was_mailed_once_with_its_figures(demo, resources):
    (path,) = (demo.home / "outbox").glob("*.eml")
    message = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
    assert "macro-F1" in message["Subject"]
    (attached,) = message.iter_attachments()
    assert attached.get_filename() == "report.json"
    shown = [part.get_filename() for part in message.get_body(("related",)).iter_attachments()]
    assert shown == ["confusion_matrix.png", "calibration.png", "learning_curve.png"]
    said = message.get_body(("plain",)).get_content() + unescape(message.get_body(("html",)).get_content())
    said += str(json.loads(attached.get_content()))
    assert not [line for line in _long_lines(resources["feature_store"]) if line in said]


def test_the_space_holds_its_model_and_how_to_start_and_no_lyric(demo, resources):
    space = demo.home / "space"
    assert (space / "README.md").read_text().startswith("---\ntitle:")
    assert "app_port: 7860" in (space / "README.md").read_text()
    for name in (
        "Dockerfile",
        "requirements.txt",
        "release.json",
        "model/scorer.npz",
        "lyrics_assets/serving/service.py",
    ):
        assert (space / name).is_file(), name
    files = [path.read_bytes() for path in space.rglob("*") if path.is_file()]
    lines = [line.encode() for line in _long_lines(resources["feature_store"])]
    assert not [line for line in lines if any(line in content for content in files)]


def test_the_bento_answers_over_http_from_the_exact_model(resources):
    store = resources["bento_store"]
    with store.serving(store.newest()) as address:
        answer = httpx.post(f"{address}/classify", json={"lyrics": DRAFT}).raise_for_status().json()
        assert answer["genre"] == "Gospel"
        assert sum(answer["probabilities"].values()) == pytest.approx(1)
        assert answer["model"]["version"] == resources["tracking"].get("champion").version
        local = resources["tracking"].load(resources["tracking"].get("champion")).probabilities(DRAFT)
        assert answer["probabilities"] == pytest.approx(local)
        page = httpx.get(address)
        assert page.headers["content-type"].startswith("text/html")
        assert '<html lang="pt-BR"' in page.text
        assert httpx.post(f"{address}/classify", json={"lyrics": "  ♪ "}).status_code == 400
        assert httpx.post(f"{address}/classify", json={"lyrics": "a" * 20_001}).status_code == 400


def test_the_built_bentos_page_follows_a_draft_in_a_browser(resources, tmp_path):
    program = find_chromium()
    if not program:
        pytest.skip("no Chromium on this machine (Debian: apt-get install chromium)")
    store = resources["bento_store"]
    with store.serving(store.newest()) as address, Browser(program, tmp_path / "chromium") as browser:
        expected = httpx.post(f"{address}/classify", json={"lyrics": DRAFT}).json()
        with browser.page(width=390, height=844) as page:
            page.open(address)
            page.click("#lyrics")
            page.insert(DRAFT)
            page.wait_for("document.querySelector('#title').textContent === 'Gospel'")
            page.wait_for("[...document.querySelectorAll('#mirror span')].some((word) => word.className)")
            assert page.text("#bars li:first-child .share") == f"{expected['confidence']:.0%}"
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
            assert page.told("Runtime.exceptionThrown") == []
            asked = {event["request"]["url"] for event in page.told("Network.requestWillBeSent")}
            assert not [url for url in asked if not url.startswith((address, "about:"))]


def test_no_draft_reaches_the_log_even_if_it_is_refused(demo, tmp_path):
    marker = "palavra-que-ninguém-escreveria"
    log = tmp_path / "service.log"
    port = free_port()
    with log.open("wb") as output:
        process = start_lyrics("serve", "--home", demo.home, output=output, LYRICS_SERVICE_PORT=str(port))
        try:
            transport = httpx.HTTPTransport(retries=8)  # with a pause that doubles: bounded by about a minute
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", transport=transport, timeout=30) as client:
                assert client.post("/classify", json={"lyrics": marker}).status_code == 200
                for refused in (marker * 1000, [marker], None):
                    assert client.post("/classify", json={"lyrics": refused}).status_code == 400
                assert client.post("/classify", content=f'{{"lyrics": "{marker}').status_code == 400
        finally:
            process.terminate()
            process.wait(timeout=30)
    said = log.read_text(encoding="utf-8")
    assert "initialized" in said
    assert "palavra-que" not in said


def test_the_command_line_classifies_with_the_champion(demo, tmp_path):
    draft = tmp_path / "draft.txt"
    draft.write_text(DRAFT, encoding="utf-8")
    from_file = run_lyrics("classify", "--home", demo.home, draft)
    assert (from_file.code, from_file.out.split()[0]) == (0, "Gospel")
    from_stdin = run_lyrics("classify", "-", stdin=DRAFT, LYRICS_HOME=str(demo.home))
    assert from_stdin.out == from_file.out


def test_what_every_step_took_is_in_the_history_and_on_the_page(demo, resources):
    steps = {row["name"]: row for row in Table.of_steps(resources["lake"]).read()}
    assert {"raw/letras", "lyrics", "lyrics: schema", "genre_classifier", "lyrics_service"} <= set(steps)
    assert [name for name, row in steps.items() if row["cpu_s"] is None or row["state"] != "done"] == []
    spider = steps["raw/letras"]
    assert 0 < spider["children_cpu_s"] < spider["cpu_s"]
    assert spider["child_peak_mb"] > 50, "a Python with Scrapy in it takes more"
    assert spider["pages_fetched"] + spider["pages_from_archive"] > 300
    assert 0 < spider["bytes_fetched"] <= spider["bytes_read"]
    assert steps["lyrics_service: answers_a_known_song"]["children_cpu_s"] > 0.5, "the Bento's processes count"
    assert steps["lyrics"]["rows_in"] > steps["lyrics"]["rows_out"] == steps["lyrics: schema"]["rows_in"]
    report = resources["lake"].read_json("reports/costs/report.json")
    assert [date["date"] for date in report["dates"]] == [str(today() - dt.timedelta(days=days)) for days in (2, 1, 0)]
    assert {"archive", "bentoml", "dagster", "feature_store", "lake", "mlflow", "text_index"} <= set(report["stores"])
    html = resources["lake"].read_bytes("reports/costs/report.html").decode()
    assert "lyrics_<wbr>service" in html
    assert not [line for line in _long_lines(resources["feature_store"]) if line in html]


def test_the_status_of_the_demonstration_is_healthy(demo):
    told = run_lyrics("status", "--json", "--home", demo.home)
    assert (told.code, json.loads(told.out)["problems"]) == (0, [])
    assert "✔ healthy" in run_lyrics("status", "--home", demo.home).out


def test_what_was_written_is_for_its_owner_alone(demo):
    open_to_others = [path for path in (demo.home, *demo.home.rglob("*")) if path.lstat().st_mode & 0o077]
    # Copies of program text keep their mode, in folders that are closed themselves.
    copies = {path for path in open_to_others if path.relative_to(demo.home).parts[0] in ("bentoml", "mlflow", "space")}
    assert [path for path in open_to_others if path.is_dir() or path not in copies] == []


def _long_lines(store):
    """Return lines of stored lyrics that are long enough to be recognised."""
    lyrics = store.read_date(store.dates()[-1], ["lyrics"])["lyrics"].to_pylist()
    return [line for text in lyrics for line in text.split("\n") if len(line) > 30]
