"""Training runs and the model registry, in a real MLflow on SQLite."""

import shutil
import sys

import pytest

from lyrics_assets.resources.tracking import CHALLENGER, CHAMPION, RegistryError, Tracking
from lyrics_assets_tests.corpus import TWO_GENRES, scorer, songs

# What the tests share is made once: they run in one process.
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*input example:UserWarning"),
]

PARAMETERS = {"C": 8.0, "balanced": True}
TAGS = {"first_extraction_date": "2026-11-20", "n_train": "48"}


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory):
    """The file of a database that MLflow has set up, which takes seconds; tests copy it."""
    path = tmp_path_factory.mktemp("mlflow") / "deeper" / "mlflow.db"
    Tracking(uri=f"sqlite:///{path}")._client()
    return path


@pytest.fixture
def tracking(tmp_path, empty_database):
    shutil.copyfile(empty_database, tmp_path / "mlflow.db")
    return Tracking(uri=f"sqlite:///{tmp_path / 'mlflow.db'}", artifacts=str(tmp_path / "artifacts"))


def register(tracking, **tags):
    return tracking.register(scorer(*TWO_GENRES), PARAMETERS, {"n_train": 48, "fit_seconds": 0.5}, TAGS | tags)


def test_the_folder_of_the_database_is_made(empty_database):
    assert empty_database.stat().st_size > 0


def test_an_empty_registry_has_neither_champion_nor_challenger(tracking):
    assert tracking.find(CHAMPION) is None
    assert tracking.find(CHALLENGER) is None
    with pytest.raises(RegistryError, match="no champion of lyrics-genre: run the training job first"):
        tracking.get(CHAMPION)


def test_to_look_for_a_model_makes_no_database(tmp_path):
    assert Tracking(uri=f"sqlite:///{tmp_path / 'none' / 'mlflow.db'}").find(CHAMPION) is None
    assert list(tmp_path.iterdir()) == []


def test_a_registered_model_is_the_challenger_with_its_tags(tracking):
    model = register(tracking, dagster_run_id="r1")
    assert (model.version, model.aliases) == (1, (CHALLENGER,))
    assert model.tags == TAGS | {"dagster_run_id": "r1"}
    assert tracking.get(CHALLENGER) == model
    assert tracking.find(CHAMPION) is None


def test_the_run_holds_parameters_metrics_and_tags(tracking):
    model = register(tracking)
    run = tracking._client().get_run(model.run_id)
    assert run.data.params == {"C": "8.0", "balanced": "True"}
    assert run.data.metrics == {"n_train": 48, "fit_seconds": 0.5}
    assert TAGS.items() <= run.data.tags.items()
    assert run.info.status == "FINISHED"


def test_a_new_model_takes_the_alias_and_the_champion_keeps_his(tracking):
    first = register(tracking)
    tracking.promote(first)
    second = register(tracking)
    assert second.version == 2
    assert tracking.get(CHALLENGER).version == 2
    champion = tracking.get(CHAMPION)
    assert (champion.version, champion.aliases) == (1, (CHAMPION,))
    tracking.promote(second)
    assert tracking.get(CHAMPION).version == 2
    assert sorted(tracking.version(2).aliases) == [CHALLENGER, CHAMPION]
    assert tracking.version(1).aliases == ()


def test_a_loaded_model_gives_the_same_probabilities(tracking):
    loaded = tracking.load(register(tracking))
    for text in songs(*TWO_GENRES)["lyrics"][::7]:
        assert loaded.probabilities(text) == scorer(*TWO_GENRES).probabilities(text)


def test_the_files_of_a_model_are_the_scorers_own_and_go_after_use(tracking):
    with tracking.files(register(tracking)) as folder:
        assert sorted(path.name for path in folder.iterdir()) == ["scorer.json", "scorer.npz"]
    assert not folder.exists()


def test_mlflow_itself_serves_the_model_without_a_pickle(tracking, tmp_path):
    import mlflow
    import pandas as pd

    model = register(tracking)
    served = mlflow.pyfunc.load_model(f"models:/{tracking.model_name}/{model.version}")
    lyrics = list(songs(*TWO_GENRES)["lyrics"][:3])
    answers = served.predict(pd.DataFrame({"lyrics": lyrics}))
    assert answers.to_dict("records") == [scorer(*TWO_GENRES).probabilities(text) for text in lyrics]
    assert [path for path in (tmp_path / "artifacts").rglob("*") if path.suffix in (".pkl", ".pickle", ".joblib")] == []
    sys.modules.pop("mlflow_model", None)


def test_an_evaluation_adds_files_to_the_run_and_figures_to_the_version(tracking):
    import mlflow

    model = register(tracking)
    files = {"report.json": b"{}", "confusion_matrix.png": b"\x89PNG"}
    tracking.log_evaluation(model, {"macro_f1": 0.6123456789, "mcc": 0.5}, files)
    assert tracking.version(1).tags == TAGS | {"macro_f1": "0.612346", "mcc": "0.500000"}
    run = tracking._client().get_run(model.run_id)
    assert run.data.metrics["macro_f1"] == 0.6123456789
    assert run.data.metrics["n_train"] == 48
    folder = mlflow.artifacts.list_artifacts(run_id=model.run_id, artifact_path="report")
    assert sorted(file.path for file in folder) == ["report/confusion_matrix.png", "report/report.json"]


def test_a_failed_evaluation_does_not_leave_a_run_open(tracking, tmp_path):
    import mlflow

    model = register(tracking)
    with pytest.raises(FileNotFoundError):
        tracking.log_evaluation(model, {}, {"no such folder/report.json": b"{}"})
    assert mlflow.active_run() is None


def test_registries_are_apart(tracking, tmp_path, empty_database):
    register(tracking)
    shutil.copyfile(empty_database, tmp_path / "other.db")
    other = Tracking(uri=f"sqlite:///{tmp_path / 'other.db'}", artifacts=str(tmp_path / "other"))
    assert other.find(CHALLENGER) is None
    assert tracking.get(CHALLENGER).version == 1
