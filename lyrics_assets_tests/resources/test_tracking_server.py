"""The same registry on a real MLflow server on loopback, and what is said when no server answers."""

import json
import os
import socket
import time

import pytest

from lyrics_assets.resources.tracking import CHALLENGER, CHAMPION, RegistryError, Tracking
from lyrics_assets_tests.corpus import TWO_GENRES, scorer, songs
from lyrics_assets_tests.registry import TAGS, register, running_server

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*input example:UserWarning"),
]


@pytest.fixture(scope="module", autouse=True)
def own_environment():
    """Give back what a client of a server sets for the process."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("server")


@pytest.fixture(scope="module")
def address(folder, tmp_path_factory):
    with running_server(folder, tmp_path_factory) as address:
        yield address


@pytest.fixture(scope="module")
def tracking(address):
    return Tracking(uri=address)


@pytest.fixture(scope="module")
def first(tracking):
    """The first version, champion."""
    model = register(tracking, files={"training_songs.parquet": b"PAR1"}, dataset_digest="0" * 32)
    tracking.log_evaluation(model, {"macro_f1": 0.5}, {"report.json": b'{"macro_f1": 0.5}'}, {"macro_f1": "0.5"})
    tracking.promote(model)
    return model


def test_an_empty_server_has_no_model(address):
    other = Tracking(uri=address, model_name="another")
    assert other.find(CHAMPION) is None
    assert other.versions() == []


def test_a_model_is_registered_evaluated_and_promoted(tracking, first):
    (found,) = [model for model in tracking.versions() if model.version == first.version]
    assert found.tags == TAGS | {"dataset_digest": "0" * 32, "macro_f1": "0.5"}
    assert tracking.get(CHAMPION).version == first.version
    run = tracking._client().get_run(first.run_id)
    assert run.data.metrics["macro_f1"] == 0.5
    assert run.inputs.dataset_inputs[0].dataset.digest == "0" * 32


def test_the_files_go_through_the_server_and_back(tracking, first, folder):
    loaded = tracking.load(first)
    text = songs(*TWO_GENRES)["lyrics"][0]
    assert loaded.probabilities(text) == scorer(*TWO_GENRES).probabilities(text)
    assert json.loads(tracking.read_file(first, "report/report.json")) == {"macro_f1": 0.5}
    assert tracking.read_file(first, "training_songs.parquet") == b"PAR1"
    assert list((folder / "server-artifacts").rglob("scorer.npz"))
    assert tracking._client().get_run(first.run_id).info.artifact_uri.startswith("mlflow-artifacts:/")


def test_a_rollback_goes_over_the_server_too(tracking, first):
    second = register(tracking)
    assert tracking.get(CHALLENGER).version == second.version
    tracking.promote(second, instead_of=first.version)
    assert tracking.get(CHAMPION).version == second.version
    done = tracking.rollback()
    assert (done.before, done.after.version) == (second.version, first.version)
    assert tracking.get(CHAMPION).version == first.version


def test_a_version_that_is_not_there_is_told(tracking, first):
    with pytest.raises(RegistryError, match=r"no version 99 of lyrics-genre"):
        tracking.version(99)


def test_a_server_that_is_down_is_told_at_once_by_its_address_without_the_password():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    started = time.monotonic()
    with pytest.raises(RegistryError) as told:
        Tracking(uri=f"http://ana:secret@127.0.0.1:{port}").find(CHAMPION)
    assert time.monotonic() - started < 5
    assert str(told.value).startswith(f"no MLflow server answers at http://127.0.0.1:{port} (")
    assert "secret" not in str(told.value)


def test_a_server_that_accepts_and_never_answers_is_told_in_the_time_that_is_set():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        started = time.monotonic()
        with pytest.raises(RegistryError, match=f"no MLflow server answers at {address} .*timed out"):
            Tracking(uri=address, timeout_seconds=1).get(CHAMPION)
        assert time.monotonic() - started < 5
