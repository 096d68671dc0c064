"""Training runs and the model registry, in a real MLflow on SQLite."""

import shutil
import sys

import pytest

from lyrics_assets.resources.tracking import CHALLENGER, CHAMPION, RegistryError, Tracking
from lyrics_assets_tests.corpus import TWO_GENRES, scorer, songs
from lyrics_assets_tests.registry import TAGS, empty_database, new_tracking, register

# What the tests share is made once: they run in one process.
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*input example:UserWarning"),
]


@pytest.fixture
def tracking(tmp_path, tmp_path_factory):
    return new_tracking(tmp_path, tmp_path_factory)


@pytest.fixture(scope="module")
def three(tmp_path_factory):
    """A registry of three versions of which none is champion; tests copy its database."""
    folder = tmp_path_factory.mktemp("three")
    tracking = new_tracking(folder, tmp_path_factory)
    for _ in range(3):
        register(tracking)
    return folder


@pytest.fixture
def registry(tmp_path, three):
    shutil.copyfile(three / "mlflow.db", tmp_path / "mlflow.db")
    return Tracking(uri=f"sqlite:///{tmp_path / 'mlflow.db'}")


def promote(registry, *versions):
    """Promote the versions one after another, each against the champion of its time."""
    for version in versions:
        champion = registry.find(CHAMPION)
        registry.promote(registry.version(version), champion.version if champion else None)


def test_the_folder_of_the_database_is_made(tmp_path, monkeypatch):
    import mlflow

    monkeypatch.setattr(mlflow, "MlflowClient", lambda *uris: uris)
    Tracking(uri=f"sqlite:///{tmp_path / 'deeper' / 'mlflow.db'}")._client()
    assert (tmp_path / "deeper").is_dir()


def test_an_empty_registry_has_neither_champion_nor_challenger(tracking):
    assert tracking.find(CHAMPION) is None
    assert tracking.find(CHALLENGER) is None
    assert tracking.versions() == []
    with pytest.raises(RegistryError, match="no champion of lyrics-genre: run the training job first"):
        tracking.get(CHAMPION)
    with pytest.raises(RegistryError, match="nothing to go back to: no version was ever champion of lyrics-genre"):
        tracking.rollback()


def test_to_look_for_a_model_makes_no_database(tmp_path):
    nowhere = Tracking(uri=f"sqlite:///{tmp_path / 'none' / 'mlflow.db'}")
    assert nowhere.find(CHAMPION) is None
    assert nowhere.versions() == []
    assert list(tmp_path.iterdir()) == []


def test_a_registered_model_is_the_challenger_with_its_tags(tracking):
    model = register(tracking, dagster_run_id="r1")
    assert (model.version, model.aliases) == (1, (CHALLENGER,))
    assert model.tags == TAGS | {"dagster_run_id": "r1"}
    assert tracking.get(CHALLENGER) == model
    assert tracking.find(CHAMPION) is None
    assert tracking.versions() == [model]


def test_the_run_holds_parameters_metrics_and_tags_and_no_path_of_a_program(tracking):
    model = register(tracking)
    run = tracking._client().get_run(model.run_id)
    assert run.data.params == {"C": "8.0", "balanced": "True"}
    assert run.data.metrics == {"n_train": 48, "fit_seconds": 0.5}
    assert TAGS.items() <= run.data.tags.items()
    assert run.info.status == "FINISHED"
    assert run.data.tags["mlflow.source.name"] == "lyrics_assets"


def test_the_run_names_the_dataset_that_taught_it(tracking):
    digest = "0123456789abcdef0123456789abcdef"
    model = register(tracking, dataset_digest=digest, store_version="commit 7")
    (used,) = tracking._client().get_run(model.run_id).inputs.dataset_inputs
    assert (used.dataset.name, used.dataset.digest) == ("training_set", digest)
    assert "commit 7" in used.dataset.source
    assert [tag.value for tag in used.tags] == ["training"]
    assert tracking._client().get_run(register(tracking).run_id).inputs.dataset_inputs == []


def test_files_of_a_run_come_back_by_name(tracking):
    model = register(tracking, files={"training_songs.parquet": b"PAR1"})
    assert tracking.read_file(model, "training_songs.parquet") == b"PAR1"
    assert tracking.read_file(model, "other.parquet") is None
    tracking.log_evaluation(model, {}, {"report.json": b"{}"})
    assert tracking.read_file(model, "report/report.json") == b"{}"
    assert tracking.read_file(model, "report/none.json") is None


def test_a_new_model_takes_the_alias_and_the_champion_keeps_his(tracking):
    first = register(tracking)
    tracking.promote(first)
    second = register(tracking)
    assert second.version == 2
    assert tracking.get(CHALLENGER).version == 2
    champion = tracking.get(CHAMPION)
    assert (champion.version, champion.aliases) == (1, (CHAMPION,))
    tracking.promote(second, instead_of=1)
    assert tracking.get(CHAMPION).version == 2
    assert sorted(tracking.version(2).aliases) == [CHALLENGER, CHAMPION]
    assert tracking.version(1).aliases == ()
    assert [(model.version, model.aliases) for model in tracking.versions()] == [(2, (CHALLENGER, CHAMPION)), (1, ())]


def test_a_version_that_is_not_there_is_told(registry):
    with pytest.raises(RegistryError, match="no version 9 of lyrics-genre"):
        registry.version(9)


def test_a_challenger_that_was_compared_with_another_champion_is_not_promoted(registry):
    promote(registry, 1, 2)
    with pytest.raises(RegistryError, match="version 2 has become champion while version 3 was compared with version"):
        registry.promote(registry.version(3), instead_of=1)
    with pytest.raises(RegistryError, match="compared with none: materialize evaluation_report again"):
        registry.promote(registry.version(3))
    assert registry.get(CHAMPION).version == 2
    # To promote the champion once more changes nothing.
    registry.promote(registry.version(2), instead_of=1)
    assert registry.rollback().after.version == 1


def test_a_rollback_makes_the_previous_champion_champion_again(registry):
    promote(registry, 1, 2, 3)
    done = registry.rollback()
    assert (done.before, done.after.version, done.after.aliases) == (3, 2, (CHAMPION,))
    assert registry.get(CHAMPION).version == 2
    assert "rolled_back_at" in registry.version(3).tags
    assert registry.get(CHALLENGER).version == 3
    # Once more: one step further back, not to and fro.
    assert registry.rollback().after.version == 1
    with pytest.raises(RegistryError, match="nothing to go back to: version 1 is the first champion of lyrics-genre"):
        registry.rollback()
    assert registry.get(CHAMPION).version == 1


def test_a_rollback_to_a_version_goes_to_earlier_champions_alone(registry):
    promote(registry, 1, 3)
    with pytest.raises(RegistryError, match="version 2 never was the champion before this one; earlier champions: 1"):
        registry.rollback(to=2)
    with pytest.raises(RegistryError, match="version 3 is the champion already"):
        registry.rollback(to=3)
    promote(registry, 2)
    assert registry.rollback(to=1) == (2, registry.get(CHAMPION))
    assert registry.get(CHAMPION).version == 1
    with pytest.raises(RegistryError, match="nothing to go back to"):
        registry.rollback()


def test_after_a_rollback_a_new_champion_has_the_old_one_before_it(registry):
    promote(registry, 1, 2)
    registry.rollback()
    promote(registry, 3)
    assert registry.rollback().after.version == 1


def test_a_champion_that_was_named_by_hand_can_be_rolled_back_too(registry):
    promote(registry, 1)
    registry._client().set_registered_model_alias(registry.model_name, CHAMPION, "3")
    done = registry.rollback()
    assert (done.before, done.after.version) == (3, 1)


def test_if_the_champions_alias_was_removed_the_last_champion_comes_back(registry):
    promote(registry, 1, 2)
    registry._client().delete_registered_model_alias(registry.model_name, CHAMPION)
    done = registry.rollback()
    assert (done.before, done.after.version) == (None, 2)


def test_a_rollback_to_a_version_that_was_deleted_changes_nothing(registry):
    promote(registry, 1, 2, 3)
    registry._client().delete_model_version(registry.model_name, "2")
    with pytest.raises(RegistryError, match="no version 2 of lyrics-genre"):
        registry.rollback()
    assert registry.get(CHAMPION).version == 3
    assert registry.rollback(to=1).after.version == 1


def test_a_loaded_model_gives_the_same_probabilities(tracking):
    loaded = tracking.load(register(tracking))
    for text in songs(*TWO_GENRES)["lyrics"][::7]:
        assert loaded.probabilities(text) == scorer(*TWO_GENRES).probabilities(text)


def test_the_files_of_a_model_are_the_scorers_own_and_go_after_use(tracking):
    with tracking.files(register(tracking)) as folder:
        assert {path.name for path in folder.iterdir()} >= {"scorer.json", "scorer.npz"}
    assert not folder.exists()


def test_mlflow_itself_serves_the_model_without_a_pickle(tracking, tmp_path):
    import mlflow
    import pandas as pd

    model = register(tracking)
    served = mlflow.pyfunc.load_model(f"models:/{tracking.model_name}/{model.version}")
    lyrics = list(songs(*TWO_GENRES)["lyrics"][:3])
    answers = served.predict(pd.DataFrame({"lyrics": lyrics}))
    assert answers.to_dict("records") == [scorer(*TWO_GENRES).probabilities(text) for text in lyrics]
    files = [path for path in (tmp_path / "artifacts").rglob("*") if path.is_file()]
    assert [path for path in files if path.suffix in (".pkl", ".pickle", ".joblib", ".skops")] == []
    # By their beginning too: a pickle of protocol 2 or later.
    assert [path for path in files if path.read_bytes()[:1] == b"\x80"] == []
    sys.modules.pop("mlflow_model", None)


def test_an_evaluation_adds_files_and_figures_to_the_run_and_tags_to_the_version(tracking):
    import mlflow

    model = register(tracking)
    files = {"report.json": b"{}", "confusion_matrix.png": b"\x89PNG"}
    metrics = {"macro_f1": 0.6123456789, "mcc": 0.5, "f1/forro": 0.25}
    tracking.log_evaluation(model, metrics, files, {"macro_f1": "0.612346", "promotion": "because"})
    assert tracking.version(1).tags == TAGS | {"macro_f1": "0.612346", "promotion": "because"}
    run = tracking._client().get_run(model.run_id)
    assert run.data.metrics == metrics | {"n_train": 48, "fit_seconds": 0.5}
    folder = mlflow.artifacts.list_artifacts(run_id=model.run_id, artifact_path="report")
    assert sorted(file.path for file in folder) == ["report/confusion_matrix.png", "report/report.json"]


def test_a_failed_evaluation_does_not_leave_a_run_open(tracking, tmp_path):
    import mlflow

    model = register(tracking)
    with pytest.raises(FileNotFoundError):
        tracking.log_evaluation(model, {}, {"no such folder/report.json": b"{}"})
    assert mlflow.active_run() is None


def test_registries_are_apart(tracking, tmp_path, tmp_path_factory):
    register(tracking)
    shutil.copyfile(empty_database(tmp_path_factory), tmp_path / "other.db")
    other = Tracking(uri=f"sqlite:///{tmp_path / 'other.db'}", artifacts=str(tmp_path / "other"))
    assert other.find(CHALLENGER) is None
    assert tracking.get(CHALLENGER).version == 1
