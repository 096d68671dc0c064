"""The command `lyrics status`, on a home with a real registry, instance, store and Bento folder."""

import datetime as dt
import json
import shutil
import signal
import sqlite3
import subprocess
import sys
from zoneinfo import ZoneInfo

import dagster as dg
import pytest
import yaml
from click.testing import CliRunner
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.remote_origin import InProcessCodeLocationOrigin, RemoteInstigatorOrigin, RemoteRepositoryOrigin
from dagster._core.scheduler.instigation import (
    InstigatorState,
    InstigatorStatus,
    ScheduleInstigatorData,
    TickData,
    TickStatus,
)
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from dagster._daemon.types import DaemonHeartbeat
from dagster._utils.error import SerializableErrorInfo

from lyrics_assets.assets.extraction import SOURCES, raw_name
from lyrics_assets.cli import main
from lyrics_assets.cli.status import find_problems, read_status
from lyrics_assets.costs.report import build_report
from lyrics_assets.definitions import build_resources
from lyrics_assets.partitions import TIMEZONE, today
from lyrics_assets.runs import open_instance
from lyrics_assets.settings import Settings
from lyrics_assets_tests.conftest import Finished, run_lyrics
from lyrics_assets_tests.corpus import dataset
from lyrics_assets_tests.registry import empty_database, register
from lyrics_assets_tests.test_costs import NOW, QUIET, days, store_row

pytestmark = [pytest.mark.filterwarnings("ignore:.*input example:UserWarning")]

FIGURES = {"macro_f1": "0.512345", "macro_f1_low": "0.431", "macro_f1_high": "0.59", "n_test": "75"}


@pytest.fixture(scope="module", autouse=True)
def own_signal():
    """Give back what the command sets for its process, which is this one."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


@dg.op
def work(context):
    """Do as the run is told."""
    if context.run.tags.get("fails"):
        raise dg.Failure("told to fail", allow_retries=False)


@dg.job
def extraction_job():
    """Stand for the job of that name, whose runs are told apart by it."""
    work()


def run_job(home, **tags):
    with open_instance(home) as instance:
        return extraction_job.execute_in_process(instance=instance, raise_on_error=False, tags=tags).run_id


def write_bento(home, version, name="aaaa"):
    place = home / "bentoml" / "bentos" / "lyrics_genre" / name
    place.mkdir(parents=True)
    described = {"creation_time": f"2026-11-2{version}T08:00:00", "labels": {"model_version": str(version)}}
    (place / "bento.yaml").write_text(yaml.safe_dump(described), encoding="utf-8")


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """A home that is healthy today: both sources, the store, a champion, its Bento, a run, a mail."""
    home = tmp_path_factory.mktemp("status") / "home"
    (home / "mlflow").mkdir(parents=True)
    shutil.copyfile(empty_database(tmp_path_factory), home / "mlflow" / "mlflow.db")
    resources = build_resources(Settings(home=home))
    now = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
    resources["tracking"].promote(register(resources["tracking"], **FIGURES, trained_at=now))
    for date in (today() - dt.timedelta(days=1), today()):
        resources["feature_store"].replace_date(dataset("Samba", "Gospel", date=date).songs)
        for source in SOURCES:
            resources["lake"].write_bytes(raw_name(source, str(date)), b"{}\n")
    drift = {"date": str(today()), "drifted": [], "warned": ["traffic"]}
    resources["lake"].write_json("reports/drift/newest.json", drift)
    resources["mailer"].send("Lyrics classifier: version 1", "text")
    write_bento(home, 1)
    run_job(home)
    with open_instance(home) as instance:
        for key in (*(["raw", source] for source in SOURCES), ["lyrics_features"]):
            instance.report_runless_asset_event(dg.AssetMaterialization(key, partition=str(today())))
    return home


@pytest.fixture
def home(tmp_path, filled):
    shutil.copytree(filled, tmp_path / "home")
    text = (tmp_path / "home" / "dagster" / "dagster.yaml").read_text().replace(str(filled), str(tmp_path / "home"))
    (tmp_path / "home" / "dagster" / "dagster.yaml").write_text(text)
    return tmp_path / "home"


def status(home, *arguments):
    """Run the command in this process."""
    done = CliRunner().invoke(main, ["status", "--home", str(home), *arguments])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return Finished(done.exit_code, done.stdout, done.stderr)


def facts(home):
    return json.loads(status(home, "--json").out)


def looks(home):
    """Return what somebody would have to change to write to a folder: files, and the times of files and folders."""
    return {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in [home, *home.rglob("*")]}


def test_a_healthy_home_is_told_at_a_glance(filled):
    finished = status(filled)
    assert (finished.code, finished.err) == (0, "")
    for expected in (
        f"songs of letras    {today()}",
        f"{today()}, 2 dates since {today() - dt.timedelta(days=1)}",
        "version 1, macro-F1 0.512, trained",
        f"{today()}: none; warned of: traffic",
        "lyrics_genre:aaaa, model version 1",
        "extraction_job: success",
        "Lyrics classifier: version 1",
        "GB free of",
        "daily_extraction",
        "✔ healthy",
    ):
        assert expected in finished.out
    assert "\x1b" not in finished.out


def test_the_same_as_json_for_programs(filled):
    told = facts(filled)
    assert (told["healthy"], told["problems"], told["unreadable"]) == (True, [], {})
    assert told["dates"]["sources"] == {source: str(today()) for source in SOURCES}
    assert told["models"]["champion"]["version"] == 1
    assert told["models"]["champion"]["age_days"] < 1
    assert told["disk"]["stores"]["mlflow"] > 0
    assert {schedule["on"] for schedule in told["automation"]["schedules"]} == {False}
    assert told["runs"]["newest"]["state"] == "success"


def test_the_installed_command_tells_the_same_and_writes_nothing(filled):
    before = looks(filled)
    told = json.loads(run_lyrics("status", "--json", "--home", filled, timeout=60).out)
    assert looks(filled) == before
    here = facts(filled)
    assert [name for name in told if name not in ("at", "models", "disk") and told[name] != here[name]] == []


def test_to_look_needs_no_heavy_library(filled):
    code = (
        "import sys; from lyrics_assets.cli import main\n"
        f"try: main(['status', '--home', {str(filled)!r}])\n"
        "except SystemExit as end: print(end.code, [name for name in ('mlflow', 'bentoml', 'matplotlib', 'pandas')"
        " if name in sys.modules])"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert ended.stdout.splitlines()[-1] == "0 []", ended.stderr


def test_a_home_whose_databases_are_being_written_to_is_read_as_it_is(home):
    """With a second connection open, what is new lies beside the file."""
    database = home / "dagster" / "history" / "runs.db"
    with open_instance(home) as instance, sqlite3.connect(database) as other:
        other.execute("BEGIN")
        other.execute("SELECT count(*) FROM runs").fetchone()
        run_id = extraction_job.execute_in_process(instance=instance).run_id
        assert database.with_name("runs.db-wal").stat().st_size > 0
        assert facts(home)["runs"]["newest"]["run_id"] == run_id
        other.rollback()


@pytest.mark.parametrize("made", [False, True])
def test_an_empty_home_says_what_to_run_and_stays_empty(tmp_path, made):
    home = tmp_path / "home"
    if made:
        home.mkdir()
    finished = status(home)
    assert finished.code == 1
    assert f"nothing is in {home} yet: run `lyrics demo`" in finished.out.replace("\n", " ")
    assert home.exists() is made
    assert not made or list(home.iterdir()) == []
    assert facts(home)["healthy"] is False


def test_failed_runs_count_until_one_succeeds(home):
    for _ in range(2):
        failed = run_job(home, fails="yes")
    finished = status(home)
    assert finished.code == 1
    assert f"extraction_job failed 2 times since it last succeeded, last {today_said()}" in finished.out
    assert f"run {failed[:8]}" in finished.out
    run_job(home)
    assert status(home).code == 0


def today_said():
    return str(dt.datetime.now(ZoneInfo(TIMEZONE)).date())


def test_what_is_late_is_told_with_since_when(filled):
    settings = Settings(home=filled)
    now = dt.datetime.now(dt.UTC)
    late = read_status(settings, now + dt.timedelta(hours=settings.stale_after_hours + 5))
    (problem,) = find_problems(late)
    due = (now + dt.timedelta(hours=settings.stale_after_hours)).astimezone(ZoneInfo(TIMEZONE))
    assert problem.startswith(f"late since {due:%Y-%m-%d}")
    for name in ("raw/letras", "raw/vagalume", "lyrics_features"):
        assert name in problem
    assert find_problems(read_status(settings, now + dt.timedelta(hours=settings.stale_after_hours - 1))) == []


def test_drift_and_an_old_bento_and_a_missing_source_are_problems(home):
    lake = build_resources(Settings(home=home))["lake"]
    drift = {"date": str(today()), "drifted": ["vocabulary", "genres"], "warned": []}
    lake.write_json("reports/drift/newest.json", drift)
    shutil.rmtree(home / "lake" / "raw" / "vagalume")
    write_bento(home, 2, "bbbb")
    assert facts(home)["problems"] == [
        "no raw songs of vagalume: run the extraction job",
        "the newest Bento serves version 2, champion is 1: run release_job",
        f"{today()} has drifted from what the champion learned: vocabulary, genres",
    ]


def test_without_a_champion_it_is_said_what_to_run(home):
    (home / "mlflow" / "mlflow.db").unlink()
    assert "no model is champion: run the training job" in facts(home)["problems"]
    assert not (home / "mlflow" / "mlflow.db").exists()


def test_what_cannot_be_read_is_told_and_hides_nothing_else(home):
    (home / "mlflow" / "mlflow.db").write_bytes(b"this is no database at all, " * 100)
    told = facts(home)
    assert told["problems"] == ["models: cannot be read: DatabaseError: file is not a database"]
    assert told["dates"]["store"]["dates"] == 2
    assert "models: cannot be read" in status(home).out


def test_an_instance_out_of_reach_is_told_and_hides_nothing_else(filled, tmp_path):
    address = "postgresql://nobody@127.0.0.1:1/nothing"
    config = {"storage": {"postgres": {"postgres_url": address}}}
    (tmp_path / "dagster.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    told = read_status(Settings(home=filled, dagster_home=str(tmp_path)), dt.datetime.now(dt.UTC))
    (problem,) = find_problems(told)
    assert problem.startswith("instance: cannot be read: ")
    assert told["models"]["champion"]["version"] == 1


def test_a_disk_that_fills_up_and_what_costs_more_are_shown(home):
    lake = build_resources(Settings(home=home))["lake"]
    rows = [store_row(-day, "archive", 5_000_000 - 1_000_000 * day) for day in range(3)]
    report = build_report(days(*QUIET, 27.0), rows, [], NOW, 90)
    lake.write_json("reports/costs/report.json", report)
    finished = status(home)
    assert finished.code == 1
    assert "the disk is full in 8 days at this rate" in finished.out
    assert "lyrics costs more than before" in finished.out


# Schedules and sensors


def switch_on(home, name, kind, data=None, error=None):
    """Store what the UI stores when somebody turns a schedule or a sensor on."""
    location = InProcessCodeLocationOrigin(LoadableTargetOrigin(module_name="lyrics_assets.definitions"))
    origin = RemoteInstigatorOrigin(RemoteRepositoryOrigin(location, "__repository__"), name)
    state = InstigatorState(origin, kind, InstigatorStatus.RUNNING, data)
    with open_instance(home) as instance:
        instance.add_instigator_state(state)
        if error:
            tick = TickData(
                state.instigator_origin_id,
                name,
                kind,
                TickStatus.FAILURE,
                dt.datetime.now().timestamp(),
                selector_id=state.selector_id,
                error=SerializableErrorInfo(error, [], None),
            )
            instance.create_tick(tick)


def beat(home, ago):
    with open_instance(home) as instance:
        when = (dt.datetime.now(dt.UTC) - ago).timestamp()
        instance.add_daemon_heartbeat(DaemonHeartbeat(when, "SCHEDULER", "one", []))


def test_schedules_that_are_on_tell_their_next_tick_in_sao_paulo_and_need_a_daemon(home):
    switch_on(home, "daily_extraction", InstigatorType.SCHEDULE, ScheduleInstigatorData("0 5 * * *", 0.0))
    switch_on(home, "failure_mail", InstigatorType.SENSOR)
    finished = status(home)
    assert finished.code == 1
    assert (
        "Dagster's daemon has not run yet, so nothing comes of what is on (daily_extraction, failure_mail)"
        in finished.out
    )
    beat(home, dt.timedelta(seconds=20))
    told = facts(home)
    assert told["healthy"], told["problems"]
    on = {item["name"]: item for kind in ("schedules", "sensors") for item in told["automation"][kind] if item["on"]}
    assert set(on) == {"daily_extraction", "failure_mail"}
    next_tick = dt.datetime.fromisoformat(on["daily_extraction"]["next"])
    assert next_tick > dt.datetime.now(dt.UTC)
    assert (next_tick.utcoffset(), next_tick.hour in (5, 11, 17)) == (dt.timedelta(hours=-3), True)
    assert on["failure_mail"]["every_seconds"] > 0
    assert "Dagster's daemon is running" in status(home).out


def test_a_daemon_that_fell_silent_and_a_tick_that_failed_are_problems(home):
    beat(home, dt.timedelta(hours=2))
    switch_on(home, "failure_mail", InstigatorType.SENSOR, error="no server answers\nat all")
    problems = facts(home)["problems"]
    assert len(problems) == 2
    assert problems[0].startswith("Dagster's daemon has not run since ")
    assert problems[0].endswith(", so nothing comes of what is on (failure_mail): start it")
    assert problems[1] == "the last tick of failure_mail failed: no server answers"
