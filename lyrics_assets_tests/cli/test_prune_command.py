"""What is removed when it is old, and what never is."""

import datetime as dt
import os
import shutil
import time

import dagster as dg
import pytest
import time_machine

from lyrics_assets.definitions import build_defs, build_resources
from lyrics_assets.partitions import today
from lyrics_assets.retention import carry_out
from lyrics_assets.runs import open_instance
from lyrics_assets.settings import Settings
from lyrics_assets_tests.conftest import run_lyrics
from lyrics_assets_tests.registry import empty_database
from lyrics_assets_tests.registry import register as register_version
from scrapy_project.archive import Archive, Page

DAY = dt.timedelta(days=1)
OLD = today() - 400 * DAY
TODAY = today()


@pytest.fixture
def home(tmp_path):
    return tmp_path / "home"


@pytest.fixture
def registry(home, tmp_path_factory):
    """Set up the home's MLflow by a copy, which is quicker."""
    (home / "mlflow").mkdir(parents=True)
    shutil.copyfile(empty_database(tmp_path_factory), home / "mlflow" / "mlflow.db")


@pytest.fixture
def resources(home):
    return build_resources(Settings(home=home))


@pytest.fixture
def instance(home):
    with open_instance(home) as instance:
        yield instance


def plan(resources, instance):
    stores = (resources[name] for name in ("lake", "tracking", "bento_store"))
    return list(resources["retention"].plan(instance, *stores))


def prune(resources, instance):
    removals = plan(resources, instance)
    assert carry_out(removals, lambda removal: None) == []
    return sorted((removal.kind, removal.name) for removal in removals)


def register(resources, first, last, champion=False):
    """Register a version that learned from the dates of a window."""
    tracking = resources["tracking"]
    dates = {"first_extraction_date": str(first), "last_extraction_date": str(last)}
    model = register_version(tracking, **dates, dagster_run_id=f"run-{last}")
    if champion:
        present = tracking.find("champion")
        tracking.promote(model, present.version if present else None)
    return model


def fill_dates(resources, *dates):
    """Put a raw file, a dataset and archived pages of each date into the home."""
    archive = Archive(resources["crawler"].archive_url)
    for date in dates:
        page = Page("https://a.example/", 200, {}, os.urandom(2_000), dt.datetime.now(dt.UTC))
        archive.store(f"page of {date}", date, "letras", page)
        for name in (f"raw/letras/{date}.jsonl", f"raw_stats/letras/{date}.json", f"lyrics/{date}.parquet"):
            resources["lake"].write_bytes(name, b"x")
    archive.close()


def held_dates(resources):
    archive = Archive(resources["crawler"].archive_url)
    pages = set(archive.dates())
    archive.close()
    lake = resources["lake"]
    return pages, {dt.date.fromisoformat(name.split("/")[-1].split(".")[0]) for name in lake.names("raw/letras")}


def test_an_empty_home_has_nothing_to_remove_and_gets_no_files(home):
    finished = run_lyrics("prune", "--dry-run", "--home", home)
    assert finished.code == 0, finished.err
    assert "all is younger than what the settings keep" in finished.out
    assert not (home / "archive").exists()
    assert not (home / "mlflow").exists()


def test_old_dates_go_and_young_ones_stay(resources, instance):
    fill_dates(resources, OLD, TODAY - 100 * DAY, TODAY)
    prune(resources, instance)
    pages, raw = held_dates(resources)
    assert pages == {TODAY}
    assert raw == {TODAY - 100 * DAY, TODAY}
    assert plan(resources, instance) == []


@pytest.mark.usefixtures("registry")
def test_what_the_champion_learned_from_stays_however_old_with_the_pages_it_can_be_replayed_from(resources, instance):
    register(resources, OLD, OLD + 3 * DAY, champion=True)
    before, pages_read, after = OLD - 31 * DAY, OLD - 30 * DAY, OLD + 4 * DAY
    fill_dates(resources, before, pages_read, OLD, OLD + 3 * DAY, after)
    prune(resources, instance)
    pages, raw = held_dates(resources)
    assert pages == {pages_read, OLD, OLD + 3 * DAY}
    assert raw == {OLD, OLD + 3 * DAY}


@pytest.mark.usefixtures("registry")
def test_champion_challenger_and_the_champion_before_stay_of_all_models(home, instance):
    resources = build_resources(Settings(home=home, keep_models=1))
    first, second, third = (register(resources, OLD, OLD, champion=True) for _ in range(3))
    fourth, fifth = (register(resources, OLD, OLD) for _ in range(2))
    removed = prune(resources, instance)
    assert removed == [("models", f"version {first.version}"), ("models", f"version {fourth.version}")]
    tracking = resources["tracking"]
    assert [model.version for model in tracking.versions()] == [fifth.version, third.version, second.version]
    artifacts = home / "mlflow" / "artifacts"
    assert not (artifacts / first.run_id).exists()
    assert len(list((artifacts / "models").glob("*/artifacts"))) == 3
    assert tracking.rollback().after.version == second.version
    assert tracking.load(tracking.get("champion")).classes


@pytest.mark.usefixtures("registry")
def test_a_version_in_use_cannot_be_removed_by_anyone(resources):
    champion = register(resources, OLD, OLD, champion=True)
    with pytest.raises(RuntimeError, match="it cannot be removed"):
        resources["tracking"].remove(champion)


def some_job():
    @dg.asset(partitions_def=dg.StaticPartitionsDefinition(["a", "b"]))
    def written():
        return None

    return dg.Definitions(assets=[written], jobs=[dg.define_asset_job("some_job", [written])])


def test_a_run_goes_when_all_that_it_wrote_was_written_again(home, resources, instance):
    job = some_job().resolve_job_def("some_job")
    with time_machine.travel(dt.datetime.now(dt.UTC) - 100 * DAY):
        runs = [job.execute_in_process(partition_key=key, instance=instance).run_id for key in ("a", "a", "b")]
    again = job.execute_in_process(partition_key="b", instance=instance).run_id
    removed = prune(resources, instance)
    assert removed == [("runs", f"some_job {run_id[:8]}") for run_id in sorted((runs[0], runs[2]))]
    assert {run.run_id for run in instance.get_runs()} == {runs[1], again}
    assert instance.get_materialized_partitions(dg.AssetKey("written")) == {"a", "b"}
    assert not list((home / "dagster").rglob(runs[0]))


def test_old_mails_and_days_of_the_prediction_log_go(home, resources, instance):
    for name in ("outbox/old.eml", "outbox/new.eml", "predictions/old.jsonl", "predictions/new.jsonl"):
        path = home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{}")
        if "old" in name:
            os.utime(path, (time.time() - 91 * 86_400,) * 2)
    assert prune(resources, instance) == [("mails", "old.eml"), ("prediction log", "old.jsonl")]
    assert sorted(path.name for path in home.glob("*/new.*")) == ["new.eml", "new.jsonl"]


def test_old_receipts_of_mails_go(resources, instance):
    for date in (OLD, TODAY):
        resources["lake"].write_bytes(f"mails/{date}/0123.json", b"{}")
    prune(resources, instance)
    assert resources["lake"].folders("mails") == [TODAY.isoformat()]


@pytest.mark.usefixtures("registry")
def test_old_reports_go_but_for_those_of_standing_models(resources, instance):
    champion = register(resources, OLD, OLD, champion=True)
    lake = resources["lake"]
    for run_id in (champion.tags["dagster_run_id"], "forgotten"):
        lake.write_bytes(f"reports/{run_id}/report.json", b"{}")
        lake.write_bytes(f"reports/{run_id}/report.html", b"<p>")
    for date in (OLD, TODAY):
        lake.write_bytes(f"reports/drift/{date}.json", b"{}")
        lake.write_bytes(f"reports/trends/{date}/report.json", b"{}")
    with time_machine.travel(dt.datetime.now(dt.UTC) + 200 * DAY, tick=False):
        removed = prune(resources, instance)
    gone = {name for _, name in removed}
    assert {"reports/forgotten", f"reports/trends/{OLD}", f"reports/drift/{OLD}.json"} <= gone
    assert f"reports/{champion.tags['dagster_run_id']}" not in gone
    assert not lake.exists("reports/forgotten/report.html")


def test_zero_keeps_all_for_ever(home, instance):
    limits = {name: 0 for name in Settings.model_fields if name.startswith("keep_")}
    resources = build_resources(Settings(home=home, **limits))
    fill_dates(resources, OLD)
    assert plan(resources, instance) == []


def test_a_removal_that_fails_is_told_and_the_others_go_on(resources, instance):
    fill_dates(resources, OLD)

    def breaks():
        raise PermissionError("read-only")

    removals = plan(resources, instance)
    told = []
    failures = carry_out([removals[0]._replace(carry_out=breaks), *removals[1:]], told.append)
    assert failures == [f"archived pages: {removals[0].name}: read-only"]
    assert told == removals[1:]


def test_a_dry_run_tells_and_removes_nothing_and_a_real_one_removes_it(home, resources, instance):
    fill_dates(resources, OLD, TODAY)
    told = run_lyrics("prune", "--dry-run", "--home", home)
    assert "What would be removed" in told.out
    assert held_dates(resources)[1] == {OLD, TODAY}
    done = run_lyrics("prune", "--home", home)
    assert done.code == 0, done.err
    assert held_dates(resources)[1] == {TODAY}


def test_the_job_does_the_same_as_the_command(home, resources, instance):
    fill_dates(resources, OLD, TODAY)
    job = build_defs(Settings(home=home)).resolve_job_def("pruning_job")
    assert job.execute_in_process(instance=instance).success
    assert held_dates(resources)[1] == {TODAY}


def test_the_room_of_dropped_pages_is_given_back_to_the_disk(home, resources, instance):
    fill_dates(resources, *(OLD + n * DAY for n in range(60)))
    file = home / "archive" / "sandbox.sqlite"
    before = file.stat().st_size
    prune(resources, instance)
    assert file.stat().st_size < before / 3
