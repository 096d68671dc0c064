"""From the feature store to a champion and its report, as Dagster runs it, in a real MLflow on SQLite."""

import datetime as dt
import io
import json
import sqlite3

import dagster as dg
import pandas as pd
import pyarrow as pa
import pytest

from lyrics_assets import checks
from lyrics_assets.assets.training import (
    HYPERPARAMETERS,
    LEARNED_SONGS,
    TRAINING_SET,
    evaluation_report,
    fit,
    genre_classifier,
    training_set,
)
from lyrics_assets.model.classifier import Hyperparameters
from lyrics_assets.model.provenance import digest
from lyrics_assets.resources.feature_store import DeltaFeatureStore
from lyrics_assets.resources.lake import Lake
from lyrics_assets.resources.model_mirror import ModelMirror
from lyrics_assets.resources.tracking import CHALLENGER, CHAMPION
from lyrics_assets_tests.corpus import DATE, GENRES, SMALL, dataset
from lyrics_assets_tests.corpus import songs as corpus_songs
from lyrics_assets_tests.registry import new_tracking

# What the tests share is made once: they run in one process.
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*input example:UserWarning"),
]

EARLIER = DATE - dt.timedelta(days=12)
QUICK = {"original_script": False, "random_split": False, "learning_curve_max_songs": 0}
PARTED = {"test_share": 0.4}
BLOCKING = {"no_leakage_between_splits", "reloads_and_agrees"}
POOR = SMALL.model_copy(update={"word_min_df": 35, "char_min_df": 48})
"""Hyperparameters that leave next to no n-gram to learn from."""


class NotedMirror(ModelMirror):
    """Notes what it is asked to publish."""

    folder: str

    def publish(self, folder, version, metrics, tags):
        noted = {"files": sorted(path.name for path in folder.iterdir()), "metrics": metrics, "tags": tags}
        Lake(root=self.folder).write_json(f"{version}.json", noted)
        return f"https://mirror.example/{version}"


class Project:
    """The training assets on a lake, a store of two dates and a registry of their own."""

    def __init__(self, folder, instance, tmp_path_factory):
        self.folder = folder
        self.lake = Lake(root=str(folder / "lake"))
        self.store = DeltaFeatureStore(root=str(folder / "store"))
        self.tracking = new_tracking(folder / "mlflow", tmp_path_factory)
        self.mirror = NotedMirror(folder=str(folder / "mirror"))
        self.instance = instance
        self.use(SMALL)

    def use(self, parameters):
        self.lake.write_json(HYPERPARAMETERS, {"parameters": parameters.model_dump(), "trials": []})

    def materialize(self, *assets, raise_on_error=True, **config):
        resources = {
            "lake": self.lake,
            "feature_store": self.store,
            "tracking": self.tracking,
            "model_mirror": self.mirror,
        }
        return dg.materialize(
            [training_set, genre_classifier, evaluation_report, *CHECKS],
            selection=dg.AssetSelection.assets(*assets),
            resources=resources,
            instance=self.instance,
            raise_on_error=raise_on_error,
            run_config={"ops": {name: {"config": values} for name, values in config.items()}},
        )

    def train(self, report=QUICK):
        assets = (training_set, genre_classifier, evaluation_report)
        return self.materialize(*assets, training_set=PARTED, evaluation_report=report)

    def failure(self, *assets, **config):
        """Return what a run that fails says."""
        result = self.materialize(*assets, raise_on_error=False, **config)
        (event,) = [event for event in result.all_events if event.event_type == dg.DagsterEventType.STEP_FAILURE]
        return event.step_failure_data.user_failure_data.description

    def report(self, result):
        return self.lake.read_json(f"{metadata(result, 'evaluation_report')['folder']}/report.json")


CHECKS = [checks.no_leakage_between_splits, checks.every_genre_is_represented, checks.beats_baseline]


def metadata(result, asset):
    (event,) = result.asset_materializations_for_node(asset)
    return {name: value.value for name, value in event.metadata.items()}


@pytest.fixture(scope="module")
def instance():
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


@pytest.fixture(scope="module")
def project(tmp_path_factory, instance):
    project = Project(tmp_path_factory.mktemp("training"), instance, tmp_path_factory)
    project.store.replace_date(dataset(*GENRES[:3], date=EARLIER).songs)
    project.store.replace_date(dataset(*GENRES, date=DATE).songs)
    return project


@pytest.fixture(scope="module")
def first(project):
    """The first run: everything is measured."""
    return project.train(report={})


@pytest.fixture(scope="module")
def second(project, first):
    """The same songs once more."""
    return project.train()


@pytest.fixture(scope="module")
def poor(project, second):
    """A challenger that learned next to nothing."""
    project.use(POOR)
    yield project.train()
    project.use(SMALL)


def test_the_training_set_says_what_it_holds(project, first):
    found = metadata(first, "training_set")
    songs = project.lake.read_table(TRAINING_SET).to_pandas()
    assert found["dagster/row_count"] == len(songs) == len(corpus_songs(*GENRES))
    assert (found["first_date"], found["last_date"]) == (str(EARLIER), str(DATE))
    assert found["digest"] == digest(songs)
    assert sum(found["songs_by_split"].values()) == len(songs)


def test_the_checks_of_training_hold_on_the_songbook(first):
    found = {check.check_name: check.passed for check in first.get_asset_check_evaluations()}
    assert set(found) == {*BLOCKING, "every_genre_is_represented", "beats_baseline"}
    assert all(found[name] for name in BLOCKING)


def test_the_window_takes_the_dates_that_are_asked_for(project, first):
    result = project.materialize(training_set, training_set={"as_of": str(EARLIER), "window_days": 5})
    assert metadata(result, "training_set")["dagster/row_count"] == len(corpus_songs(*GENRES[:3]))
    assert metadata(result, "training_set")["first_date"] == str(EARLIER)
    # Put back what the other tests look at.
    again = project.materialize(training_set, training_set=PARTED)
    assert metadata(again, "training_set")["digest"] == metadata(first, "training_set")["digest"]


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"as_of": "yesterday"}, "as_of: 'yesterday' is no date; write YYYY-MM-DD"),
        ({"as_of": "2020-01-01"}, "no date is stored in the 30 days up to 2020-01-01; the store holds 2026-11-12 to"),
    ],
)
def test_a_window_without_songs_is_told(project, first, config, said):
    assert said in project.failure(training_set, training_set=config)


def test_an_empty_store_is_told(tmp_path, instance, tmp_path_factory):
    assert "the feature store is empty" in Project(tmp_path, instance, tmp_path_factory).failure(training_set)


def test_the_version_says_what_it_came_from(project, first):
    model = project.tracking.version(1)
    assert model.tags["dataset_digest"] == metadata(first, "training_set")["digest"]
    assert model.tags["store_version"] == metadata(first, "training_set")["store_version"]
    assert (model.tags["first_extraction_date"], model.tags["last_extraction_date"]) == (str(EARLIER), str(DATE))
    assert Hyperparameters.model_validate_json(model.tags["hyperparameters"]) == SMALL
    assert model.tags["code_version"].startswith("0.")
    assert model.tags["dagster_run_id"] == first.run_id
    assert {"n_train", "trained_at", "macro_f1", "macro_f1_low", "macro_f1_high"} <= set(model.tags)
    run = project.tracking._client().get_run(model.run_id)
    assert run.data.params["word_ngram_max"] == "2"
    assert run.data.params["window_days"] == "30"
    assert run.data.params["half_life_days"] == "None"
    assert run.inputs.dataset_inputs[0].dataset.digest == model.tags["dataset_digest"]


def test_the_run_keeps_which_songs_taught_it(project, first):
    learned = pd.read_parquet(io.BytesIO(project.tracking.read_file(project.tracking.version(1), LEARNED_SONGS)))
    songs = project.lake.read_table(TRAINING_SET).to_pandas()
    assert set(learned["song_id"]) == set(songs.loc[songs["split"] == "train", "song_id"])
    assert list(learned.columns) == ["song_id", "artist_key", "lyrics_group"]


def test_the_first_model_is_champion_with_its_report_in_lake_and_registry(project, first):
    report = project.report(first)
    assert report["promotion"]["reason"] == "the first model that beats guessing"
    assert report["model_version"] == 1
    folder = metadata(first, "evaluation_report")["folder"]
    names = {name.rsplit("/", 1)[-1] for name in project.lake.names(folder)}
    assert names == {"report.json", "report.html", "confusion_matrix.png", "calibration.svg", "learning_curve.svg"}
    model = project.tracking.version(1)
    assert json.loads(project.tracking.read_file(model, "report/report.json")) == report
    metrics = project.tracking._client().get_run(model.run_id).data.metrics
    assert metrics["macro_f1"] == report["macro_f1"]
    assert metrics["macro_f1_low"] == report["macro_f1_interval"][0]
    assert metrics["f1/samba"] == report["per_genre"]["Samba"]["f1"]
    assert (model.tags["promoted"], model.tags["promotion"]) == ("true", report["promotion"]["reason"])


def test_the_model_is_published_in_the_second_registry_with_its_figures(project, first):
    noted = Lake(root=project.mirror.folder).read_json("1.json")
    assert {"scorer.json", "scorer.npz"} <= set(noted["files"])
    assert noted["metrics"]["macro_f1"] == project.report(first)["macro_f1"]
    assert noted["tags"]["promoted"] == "true"
    assert metadata(first, "evaluation_report")["mirrored_at"] == "https://mirror.example/1"


def test_the_same_songs_make_the_same_model_which_is_not_worse(project, second):
    report = project.report(second)
    assert (report["model_version"], report["champion"]["version"]) == (2, 1)
    assert report["champion"]["gain"] == 0
    assert report["champion"]["n_compared"] == report["n_test"]
    assert "not worse than the champion" in report["promotion"]["reason"]
    assert project.tracking.version(2).tags["promoted"] == "true"


def test_a_challenger_that_is_not_shown_to_be_as_good_stays_challenger_and_says_why(project, poor):
    report = project.report(poor)
    assert not report["promotion"]["promoted"]
    assert report["champion"]["version"] == 2
    assert project.tracking.get(CHAMPION).version == 2
    assert project.tracking.get(CHALLENGER).version == 3
    assert project.tracking.version(3).tags["promotion"] == report["promotion"]["reason"]
    page = project.lake.read_bytes(f"{metadata(poor, 'evaluation_report')['folder']}/report.html").decode()
    assert "Stays challenger" in page


def test_a_report_is_refused_on_songs_that_may_have_taught_the_model(project, second):
    songs = project.lake.read_table(TRAINING_SET)
    learned = project.tracking.get(CHALLENGER).tags["dataset_digest"]
    changed = songs.to_pandas()
    changed.loc[0, "split"] = "left_out"
    project.lake.write_table(TRAINING_SET, pa.Table.from_pandas(changed))
    try:
        said = project.failure(evaluation_report)
    finally:
        project.lake.write_table(TRAINING_SET, songs)
    assert f"learned from training set {learned}, but the one that is there now is {digest(changed)}" in said
    assert "materialize genre_classifier again" in said


def test_a_second_report_of_the_champion_compares_it_with_nobody(tmp_path, instance, tmp_path_factory):
    project = Project(tmp_path, instance, tmp_path_factory)
    project.store.replace_date(dataset(*GENRES[:2], date=DATE).songs)
    project.train()
    again = project.materialize(evaluation_report, evaluation_report=QUICK)
    report = project.report(again)
    assert report["champion"] is None
    assert (report["promotion"]["promoted"], report["promotion"]["reason"]) == (True, "it is the champion already")
    assert project.tracking.get(CHAMPION).version == 1


def test_recent_songs_weigh_more_if_asked(project, first):
    songs = project.lake.read_table(TRAINING_SET).to_pandas()
    gospel = songs["genre"] == "Gospel"
    songs.loc[gospel, "extraction_date"] = EARLIER
    texts = list(songs.loc[gospel, "lyrics"])
    # Balanced, the weights of a genre whose songs are all as old would make no difference.
    parameters = SMALL.model_copy(update={"balanced": False})
    alike, faded = (fit(songs, parameters, half_life) for half_life in (None, 2.0))
    column = list(alike.classes_).index("Gospel")
    assert faded.predict_proba(texts)[:, column].mean() < alike.predict_proba(texts)[:, column].mean() - 0.05


def test_no_lyric_is_in_the_report_or_in_mlflow(project, first):
    titles = " ".join(corpus_songs(*GENRES)["title"]).casefold()
    lines = {line for text in corpus_songs(*GENRES)["lyrics"] for line in text.split("\n") if len(line.split()) > 3}
    lines = {line.encode() for line in lines if line.casefold() not in titles}
    assert len(lines) > 500
    kept = [path for root in ("lake/reports", "mlflow") for path in (project.folder / root).rglob("*")]
    contents = [path.read_bytes() for path in kept if path.is_file()]
    assert len(contents) > 10
    with sqlite3.connect(project.folder / "mlflow" / "mlflow.db") as database:
        contents.append("\n".join(database.iterdump()).encode())
    database.close()
    learned = pd.read_parquet(io.BytesIO(project.tracking.read_file(project.tracking.version(1), LEARNED_SONGS)))
    contents.append(learned.to_csv().encode())
    assert [line for line in lines if any(line in content for content in contents)] == []
