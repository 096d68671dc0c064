"""A small home that is moved to PostgreSQL, an object store and an MLflow server: whole, once, and again."""

import datetime as dt
import shutil
from contextlib import ExitStack, closing
from typing import NamedTuple

import dagster as dg
import pytest
import sqlalchemy as sa

from lyrics_assets.cli.migration import MigrationError, migrate
from lyrics_assets.definitions import build_resources
from lyrics_assets.lyrics.near_duplicates import TABLES, TextIndex
from lyrics_assets.resources.lake import Lake
from lyrics_assets.runs import open_instance
from lyrics_assets.settings import ROOT, Settings
from lyrics_assets_tests import production
from lyrics_assets_tests.conftest import run_lyrics
from lyrics_assets_tests.object_server import environment, make_bucket, running_object_store
from lyrics_assets_tests.registry import empty_database, register
from lyrics_assets_tests.resources.feature_store_contract import songs, titles
from lyrics_assets_tests.serving.parts import free_port
from scrapy_project.archive import PAGES, REQUESTS, Archive, Page
from scrapy_project.database import open_engine

IS_STORY = True
"""A migration takes long: what is done after it is done one after the other."""
DATE = dt.date(2026, 10, 1)
NOW = dt.datetime(2026, 10, 1, 8, tzinfo=dt.UTC)
TEXTS = {f"{number:032x}": f"um texto de prova que tem o número {number} e nada mais" for number in range(1200)}


class Moved(NamedTuple):
    """An installation before and after."""

    old: Settings
    new: Settings
    values: dict[str, str]
    parts: dict[str, tuple[int, int]]
    """What the first migration said: found and copied, by name."""


@dg.asset
def something():
    """Return something."""
    return dg.MaterializeResult(metadata={"songs": 3})


@dg.asset_check(asset=something, blocking=True)
def something_is_good():
    """Hold."""
    return dg.AssetCheckResult(passed=True)


def run_something(home):
    """Materialize an asset with a check in the home's instance; return the run's id."""
    defs = dg.Definitions(assets=[something], asset_checks=[something_is_good], jobs=[dg.define_asset_job("a_job")])
    with open_instance(home) as instance:
        return defs.resolve_job_def("a_job").execute_in_process(instance=instance).run_id


def fill(settings, tmp_path_factory):
    """Put a little of everything into a home."""
    resources = build_resources(settings)
    resources["lake"].write_bytes("raw/letras/2026-10-01.jsonl", b'{"title": "\xc3\x81gua"}\n')
    resources["lake"].write_json("reports/r1/report.json", {"macro_f1": 0.5})
    resources["feature_store"].replace_date(songs("Um", "Dois"))
    resources["feature_store"].replace_date(songs("Três", date=DATE + dt.timedelta(days=1)))
    with closing(Archive(settings.archive)) as archive:
        for number in range(1100):
            page = Page(f"https://site.example/{number}", 200, {"A": ["b"]}, b"\x00\xff" * number, NOW)
            archive.store(f"{number:040x}", DATE, "letras", page)
        archive.claim_requests(DATE, "letras", 7, 10)
    with closing(TextIndex(settings.text_index)) as index:
        index.group(TEXTS)
    (settings.home / "mlflow").mkdir()
    shutil.copyfile(empty_database(tmp_path_factory), settings.home / "mlflow" / "mlflow.db")
    for number in (1, 2):
        model = register(resources["tracking"], files={"training_songs.parquet": b"PAR1"}, number=str(number))
        resources["tracking"].promote(model, instead_of=number - 1 or None)
    (settings.home / "tuning").mkdir()
    (settings.home / "tuning" / "journal.json").write_text("{}")
    run_something(settings.home)
    with open_instance(settings.home) as instance:
        instance.report_runless_asset_event(dg.AssetMaterialization(["raw", "imported"], partition="2026-10-01"))


@pytest.fixture(scope="module")
def moved(postgres, tmp_path_factory):
    """A home, moved."""
    folder = tmp_path_factory.mktemp("migration")
    old = Settings(home=folder / "old")
    fill(old, tmp_path_factory)
    dagster_home = folder / "dagster"
    dagster_home.mkdir()
    shutil.copyfile(ROOT / "deploy" / "dagster.yaml", dagster_home / "dagster.yaml")
    image = production.image_environment(dagster_home, folder / "new")
    with ExitStack() as stack:
        own, port = postgres(), str(free_port())
        values = stack.enter_context(running_object_store()) | {
            "DAGSTER_LOG_BUCKET": "lyrics",
            "DAGSTER_DATABASE_URL": production.psycopg(postgres()),
            "MLFLOW_BACKEND_STORE_URI": production.psycopg(postgres()),
            "MLFLOW_ARTIFACTS_DESTINATION": "s3://lyrics/mlflow",
            "MLFLOW_HOST": "127.0.0.1",
            "MLFLOW_PORT": port,
            "LYRICS_HOME": str(folder / "new"),
            "LYRICS_DAGSTER_HOME": str(dagster_home),
            "LYRICS_LAKE_URL": "s3://lyrics/lake",
            "LYRICS_FEATURE_STORE_URL": "s3://lyrics/feature_store",
            "LYRICS_ARCHIVE_URL": own,
            "LYRICS_TEXT_INDEX_URL": own,
            "LYRICS_TRACKING_URI": f"http://127.0.0.1:{port}",
        }
        make_bucket(values, "lyrics")
        stack.enter_context(environment(values))
        server = stack.enter_context(production.running("mlflow", values, image, folder))
        production.wait_for_url(server, f"{values['LYRICS_TRACKING_URI']}/health", folder / "mlflow.log")
        new = Settings.from_environment(values)
        parts = {part.name: (part.found, part.copied) for part in migrate(old.home, new, values)}
        yield Moved(old, new, values, parts)


@pytest.fixture(scope="module")
def old(moved):
    return build_resources(moved.old)


@pytest.fixture(scope="module")
def new(moved):
    return build_resources(moved.new)


def test_everything_that_was_found_was_copied(moved):
    # The server has an experiment and a workspace of its own from the start.
    there = {name: found - copied for name, (found, copied) in moved.parts.items() if found != copied}
    assert there == {"MLflow's experiments": 1, "MLflow's other rows": 1}
    for name, found in {
        "files of the home": 1,
        "files of the lake": 2,
        "dates of the feature store": 2,
        "pages": 1100,
        "requests": 1,
        "texts": 1200,
        "MLflow's runs": 2,
        "MLflow's model versions": 2,
        "MLflow's registered model aliases": 2,
        "runs of Dagster": 1,
        "events of no run": 1,
    }.items():
        assert moved.parts[name][0] == found, name


def test_the_lake_and_the_feature_store_are_as_they_were(old, new):
    assert new["lake"].root.startswith("s3://")
    assert new["lake"].all_names() == old["lake"].all_names()
    assert all(new["lake"].read_bytes(name) == old["lake"].read_bytes(name) for name in old["lake"].all_names())
    for date in old["feature_store"].dates():
        before, after = (store["feature_store"].read_date(date).sort_by("song_id") for store in (old, new))
        assert after.equals(before)


def test_pages_and_texts_are_as_they_were(moved):
    for table in (PAGES, REQUESTS, *TABLES):
        url = moved.old.archive if table in (PAGES, REQUESTS) else moved.old.text_index
        rows = rows_of(url, table)
        assert rows, table.name
        assert rows_of(moved.new.archive, table) == rows


def rows_of(url, table):
    engine = open_engine(url)
    with engine.connect() as connection:
        rows = connection.execute(sa.select(table).order_by(*table.primary_key)).all()
    engine.dispose()
    return rows


def test_a_text_joins_the_group_that_it_joined_before(moved):
    alike = {"f" * 32: TEXTS[f"{7:032x}"] + " mesmo"}
    groups = []
    for url in (moved.old.text_index, moved.new.text_index):
        with closing(TextIndex(url)) as index:
            groups.append(index.group(alike))
    assert groups[0] == groups[1]


def test_the_registry_and_its_files_are_as_they_were_and_count_on(old, new):
    before, after = old["tracking"], new["tracking"]
    assert after.versions() == before.versions()
    champion = after.get("champion")
    assert champion == before.get("champion")
    assert after.load(champion).classes == before.load(champion).classes
    assert after.read_file(champion, "training_songs.parquet") == b"PAR1"
    assert [name for name in Lake(root="s3://lyrics/mlflow").all_names() if name.endswith("scorer.npz")]
    third = register(after)
    assert third.version == 3
    assert after.load(third).classes
    assert after.rollback().after.version == 1


def test_the_history_is_as_it_was(moved):
    with open_instance(moved.old.home) as old, dg.DagsterInstance.from_config(moved.new.dagster_home) as new:
        (before,), (after,) = old.get_run_records(), new.get_run_records()
        assert after.dagster_run == before.dagster_run
        assert after.create_timestamp == before.create_timestamp
        assert after.end_time == pytest.approx(before.end_time, abs=0.01)
        logs = [[dg.serialize_value(event) for event in i.all_logs(before.dagster_run.run_id)] for i in (old, new)]
        assert logs[0] == logs[1]
        event = new.get_latest_materialization_event(dg.AssetKey("something"))
        assert event.asset_materialization.metadata["songs"].value == 3
        assert new.get_materialized_partitions(dg.AssetKey(["raw", "imported"])) == {"2026-10-01"}
        (check,) = new.event_log_storage.get_asset_check_execution_history(something_is_good.check_key, limit=5)
        assert check.status.value == "SUCCEEDED"


def test_a_second_migration_copies_what_has_come_since_and_writes_nothing_over(moved, old, new):
    old["lake"].write_bytes("raw/letras/2026-10-02.jsonl", b"{}\n")
    old["lake"].write_json("reports/r1/report.json", {"macro_f1": 0.9})
    run_something(moved.old.home)
    again = {part.name: part.copied for part in migrate(moved.old.home, moved.new, moved.values)}
    assert {name: copied for name, copied in again.items() if copied} == {
        "files of the lake": 1,
        "runs of Dagster": 1,
        # The text that the index was asked for on both sides is there.
    }
    assert new["lake"].read_json("reports/r1/report.json") == {"macro_f1": 0.5}
    assert titles(new["feature_store"].read_date(DATE)) == ["Dois", "Um"]


def test_an_interrupted_run_is_copied_whole_the_next_time(moved):
    run_id = run_something(moved.old.home)
    with open_instance(moved.old.home) as old, dg.DagsterInstance.from_config(moved.new.dagster_home) as new:
        new.run_storage.add_historical_run(old.get_run_by_id(run_id), NOW)
        events = old.all_logs(run_id)
        for event in events[:-2]:
            new.event_log_storage.store_event(event)
    list(migrate(moved.old.home, moved.new, moved.values))
    with dg.DagsterInstance.from_config(moved.new.dagster_home) as new:
        assert [event.message for event in new.all_logs(run_id)] == [event.message for event in events]
        assert new.get_run_record_by_id(run_id).create_timestamp > NOW


def test_the_command_reads_the_file_of_variables_and_says_what_it_did(moved, tmp_path):
    file = tmp_path / "env"
    file.write_text("".join(f"{name}={value}\n" for name, value in moved.values.items()))
    done = run_lyrics("migrate", moved.old.home, "--to-env", file)
    assert done.code == 0, done.err
    assert "pages" in done.out
    assert "of them new         0" in done.out


def test_a_server_that_has_numbered_other_models_alike_is_refused(moved, old):
    register(old["tracking"])  # the third, as on the server, but another one
    with pytest.raises(MigrationError, match=r"model_versions: lyrics-genre 3 is .*the server has been in use"):
        list(migrate(moved.old.home, moved.new, moved.values))


@pytest.mark.parametrize("missing", ["LYRICS_LAKE_URL", "LYRICS_ARCHIVE_URL", "MLFLOW_BACKEND_STORE_URI"])
def test_a_part_that_has_nowhere_to_go_is_told_before_anything_is_copied(moved, missing):
    values = {name: value for name, value in moved.values.items() if name != missing}
    with pytest.raises(MigrationError, match=f"{missing} not set"):
        next(migrate(moved.old.home, Settings.from_environment(values), values))


def test_a_folder_that_is_no_home_is_told(moved, tmp_path):
    with pytest.raises(MigrationError, match="holds no lake"):
        next(migrate(tmp_path, moved.new, moved.values))


def test_a_run_that_is_going_on_is_told(moved, tmp_path):
    home = tmp_path / "home"
    shutil.copytree(moved.old.home, home)
    with open_instance(home) as instance:
        run = instance.create_run_for_job(dg.Definitions(assets=[something]).resolve_implicit_global_asset_job_def())
    with pytest.raises(MigrationError, match=f"1 runs are not finished, {run.run_id} among them|model_versions"):
        list(migrate(home, moved.new, moved.values))
