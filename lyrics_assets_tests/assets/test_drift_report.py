"""The asset drift_report on a real Delta table, a real registry, a real lake and a real prediction log."""

import datetime as dt
import io
import json
import re

import dagster as dg
import pytest

from lyrics_assets import checks
from lyrics_assets.assets.monitoring import drift_report
from lyrics_assets.assets.training import LEARNED_SONGS
from lyrics_assets.definitions import build_defs
from lyrics_assets.model.drift.champion import NOT_KNOWN
from lyrics_assets.partitions import today
from lyrics_assets.resources.feature_store import DeltaFeatureStore
from lyrics_assets.resources.lake import Lake
from lyrics_assets.resources.prediction_history import PredictionHistory
from lyrics_assets.resources.tracking import RegistryError
from lyrics_assets.settings import Settings
from lyrics_assets_tests import charts
from lyrics_assets_tests.charts import Charts, date_table, train_champion
from lyrics_assets_tests.drafts import Songwriters, write_log
from lyrics_assets_tests.lyrics.trends.histories import lines_told
from lyrics_assets_tests.registry import new_tracking

pytestmark = [pytest.mark.filterwarnings("ignore:.*input example:UserWarning")]

IS_STORY = True
"""One project, judged again and again: the newest report is that of the test before."""
LEARNED, QUIET = 4, 2
FIRST = today() - dt.timedelta(days=LEARNED + QUIET - 1)
QUICK = {"draws": 300}


class Project:
    """A store, a lake, a registry and a prediction log of their own."""

    def __init__(self, folder, tmp_path_factory):
        self.lake = Lake(root=str(folder / "lake"))
        self.store = DeltaFeatureStore(root=str(folder / "store"))
        self.tracking = new_tracking(folder / "mlflow", tmp_path_factory)
        self.predictions = folder / "predictions"

    def register(self, served, *, knows_songs=True):
        learned = io.BytesIO()
        served.learned.to_parquet(learned)
        files = {LEARNED_SONGS: learned.getvalue()} if knows_songs else {}
        tags = served.tags | {"trained_at": dt.datetime.now(dt.UTC).isoformat(timespec="seconds")}
        model = self.tracking.register(served.scorer, {}, {}, tags, files)
        champion = self.tracking.find("champion")
        self.tracking.promote(model, champion.version if champion else None)
        return model.version

    def materialize(self, **config):
        result = dg.materialize(
            [drift_report, checks.no_drift],
            resources={
                "lake": self.lake,
                "feature_store": self.store,
                "tracking": self.tracking,
                "prediction_history": PredictionHistory(folder=str(self.predictions)),
            },
            run_config={"ops": {"drift_report": {"config": QUICK | config}}},
            selection=dg.AssetSelection.assets(drift_report),
        )
        (event,) = result.asset_materializations_for_node("drift_report")
        (check,) = result.get_asset_check_evaluations()
        return {name: value.value for name, value in event.metadata.items()}, check

    def report(self, name):
        return self.lake.read_json(f"reports/drift/{name}.json")


def day(number):
    return FIRST + dt.timedelta(days=number)


@pytest.fixture(scope="module")
def world():
    """Charts, and the songs of each of their days."""
    here = Charts(5, n_genres=8, songs_a_genre=40, n_words=50, newcomers=0.8)
    days = here.days()
    return here, [next(days) for _ in range(LEARNED + QUIET)]


@pytest.fixture(scope="module")
def served(world):
    return train_champion(
        {day(number): date_table(rows, day(number)) for number, rows in enumerate(world[1][:LEARNED])}
    )


@pytest.fixture(scope="module")
def project(tmp_path_factory, world, served):
    project = Project(tmp_path_factory.mktemp("drift"), tmp_path_factory)
    for number, rows in enumerate(world[1]):
        project.store.replace_date(date_table(rows, day(number)))
    project.register(served)
    return project


@pytest.fixture(scope="module")
def quiet(project):
    """The report of the newest date, after that of the one before it."""
    project.materialize(date=str(day(LEARNED)))
    metadata, check = project.materialize()
    return metadata, check, project.lake.read_bytes(f"reports/drift/{metadata['date']}.html").decode()


@pytest.fixture
def drifted_project(project, quiet, world):
    """The project with something planted on the newest date, which is taken back afterwards."""
    here, days = world
    newest = day(LEARNED + QUIET - 1)
    project.store.replace_date(date_table(charts.shorter(days[-1], 0.5, here), newest))
    yield project
    project.store.replace_date(date_table(days[-1], newest))
    project.materialize()


def test_a_quiet_date_keeps_the_contract_of_metadata_and_files(project, quiet, world):
    metadata, check, _ = quiet
    newest = str(day(LEARNED + QUIET - 1))
    assert (metadata["drifted"], metadata["warned"]) == ([], [])
    assert (metadata["date"], metadata["is_newest"], metadata["songs"]) == (newest, True, len(world[1][-1]))
    assert "| genre_mix |  | " in metadata["measures"]
    assert metadata["not_measured"] == {
        "traffic": "0 answers of the service on 0 days in the last 7 days are too few: 200 on 4 days are needed"
    }
    assert check.passed
    report = project.report(newest)
    assert report == project.report("newest")
    assert metadata["report"] == project.lake.url(f"reports/drift/{newest}.json")
    assert (report["date"], report["drifted"], report["learned"]["dates"]) == (newest, [], LEARNED)
    for measure in report["measures"].values():
        assert {"seen", "allowed", "n", "bound", "beyond", "kind", "unit"} <= set(measure)
    assert {"performance", "confidence", "data_age", "model_age"} <= set(report["measures"])


def test_the_page_draws_the_reports_before_and_reproduces_no_lyric(project, quiet, world):
    metadata, _, page = quiet
    assert metadata["page"] == project.lake.url(f"reports/drift/{metadata['date']}.html")
    assert "1 earlier report." in page
    songs = [row for rows in world[1] for row in rows]
    told = json.dumps(project.report("newest")) + json.dumps({name: str(value) for name, value in metadata.items()})
    assert lines_told(re.sub(r"<[^>]*>", " ", page) + told, songs) == []


def test_drift_is_told_and_the_check_warns(drifted_project):
    metadata, check = drifted_project.materialize()
    assert "length" in metadata["drifted"]
    assert "| length | drift | " in metadata["measures"]
    assert (check.passed, check.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert check.metadata["drifted"].value == metadata["drifted"]
    assert drifted_project.report("newest")["measures"]["length"]["beyond"]


def test_an_old_date_that_is_judged_again_does_not_become_the_newest(project, quiet):
    before = project.lake.read_bytes("reports/drift/newest.json")
    metadata, check = project.materialize(date=str(day(1)))
    assert (metadata["date"], metadata["is_newest"]) == (str(day(1)), False)
    assert project.report(str(day(1)))["date"] == str(day(1))
    assert project.lake.read_bytes("reports/drift/newest.json") == before
    assert check.metadata["date"].value == quiet[0]["date"]


def test_other_traffic_is_a_warning_that_asks_for_no_training(project, quiet, tmp_path):
    now = dt.datetime.now(dt.UTC).date()
    week_ago = now - dt.timedelta(days=7)
    project.predictions = write_log(tmp_path / "log", Songwriters(0).days(week_ago, 28))
    write_log(project.predictions, Songwriters(1, foreign=0.5).days(now, 7))
    with (project.predictions / f"{now}.jsonl").open("a") as file:
        file.write('{"at": "torn')
    metadata, check = project.materialize()
    assert metadata["drifted"] == []
    assert "traffic_languages" in metadata["warned"]
    assert check.passed
    assert check.metadata["warned"].value == metadata["warned"]
    assert "1 line of the prediction log" in " ".join(project.report("newest")["notes"])


def test_bounds_are_configured(project, quiet):
    metadata, _ = project.materialize(max_model_age_days=0, max_data_age_days=0, floor=0.9)
    assert (metadata["drifted"], metadata["warned"]) == ([], [])
    assert project.report("newest")["measures"]["genre_mix"]["allowed"] == 0.9


def test_a_date_that_is_not_stored_is_refused_with_what_is(project, quiet):
    for wrong in ("2020-01-01", "yesterday"):
        with pytest.raises(dg.Failure, match=f"date: '{wrong}' is not stored; the store holds {day(0)} to"):
            project.materialize(date=wrong)


def test_a_champion_whose_run_names_no_songs_is_told_and_the_rest_is_measured(project, quiet, served):
    before = project.tracking.get("champion").version
    project.register(served, knows_songs=False)
    metadata, _ = project.materialize()
    assert metadata["drifted"] == []
    assert metadata["not_measured"]["performance"] == NOT_KNOWN
    assert "vocabulary" in project.report("newest")["measures"]
    project.tracking.rollback(before)


def test_without_a_champion_the_error_says_what_to_run(tmp_path, tmp_path_factory, world):
    project = Project(tmp_path, tmp_path_factory)
    project.store.replace_date(date_table(world[1][0], day(0)))
    with pytest.raises(RegistryError, match="no champion of lyrics-genre: run the training job first"):
        project.materialize()
    assert not project.lake.exists("reports/drift/newest.json")


def test_an_empty_store_says_what_to_materialize(tmp_path, tmp_path_factory):
    with pytest.raises(dg.Failure, match="holds no date: materialize lyrics_features first"):
        Project(tmp_path, tmp_path_factory).materialize()


def test_one_date_is_judged_against_itself(tmp_path, tmp_path_factory, world):
    project = Project(tmp_path, tmp_path_factory)
    table = date_table(world[1][0], day(0))
    project.store.replace_date(table)
    project.register(train_champion({day(0): table}))
    metadata, check = project.materialize(max_data_age_days=LEARNED + QUIET)
    assert (metadata["drifted"], metadata["warned"], check.passed) == ([], [], True)
    assert "The champion learned from 1 stored date" in project.report("newest")["notes"][0]


# What follows from it


@pytest.fixture
def defs(tmp_path):
    return build_defs(Settings(home=tmp_path))


def materialized(instance, asset, partition=None, **metadata):
    key = dg.AssetKey(asset)
    instance.report_runless_asset_event(dg.AssetMaterialization(key, partition=partition, metadata=metadata))


@pytest.mark.parametrize(("is_newest", "requests"), [(True, 1), (False, 0)])
def test_an_old_date_that_is_judged_again_asks_for_no_training(defs, instance, is_newest, requests):
    materialized(instance, "drift_report", drifted=["length"], date="2026-11-20", is_newest=is_newest)
    repository = defs.get_repository_def()
    sensor = repository.get_sensor_def("retrain_on_drift")
    resources = {key: defs.resources[key] for key in sensor.required_resource_keys}
    with dg.build_sensor_context(
        instance, repository_def=repository, sensor_name=sensor.name, resources=resources
    ) as context:
        assert len(sensor.evaluate_tick(context).run_requests) == requests


def checked(instance, asset, name, passed):
    evaluation = dg.AssetCheckEvaluation(
        asset_key=dg.AssetKey(asset), check_name=name, passed=passed, blocking=True, metadata={}
    )
    instance.report_runless_asset_event(evaluation)


@pytest.mark.parametrize(("stored", "follows"), [(True, 1), (False, 0)])
def test_the_champion_is_watched_though_the_last_challenger_lost_to_guessing(defs, instance, stored, follows):
    materialized(instance, "lyrics_features", partition="2026-02-01")
    materialized(instance, "evaluation_report")
    before = dg.evaluate_automation_conditions(defs, instance)
    checked(instance, "evaluation_report", "beats_baseline", passed=False)
    materialized(instance, "lyrics_features", partition=today().isoformat())
    checked(instance, "lyrics_features", "every_row_was_stored", passed=stored)
    now = dg.evaluate_automation_conditions(defs, instance, cursor=before.cursor)
    assert now.get_num_requested(dg.AssetKey("drift_report")) == follows


def test_a_new_champion_is_judged_as_soon_as_its_report_is_there(defs, instance):
    materialized(instance, "lyrics_features", partition=today().isoformat())
    checked(instance, "lyrics_features", "every_row_was_stored", passed=True)
    materialized(instance, "evaluation_report")
    before = dg.evaluate_automation_conditions(defs, instance)
    materialized(instance, "drift_report")
    between = dg.evaluate_automation_conditions(defs, instance, cursor=before.cursor)
    materialized(instance, "evaluation_report")
    after = dg.evaluate_automation_conditions(defs, instance, cursor=between.cursor)
    key = dg.AssetKey("drift_report")
    assert (between.get_num_requested(key), after.get_num_requested(key)) == (0, 1)
