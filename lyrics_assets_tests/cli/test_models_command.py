"""The commands `lyrics models` and `lyrics rollback`, on a real registry."""

import shutil
import signal

import httpx
import pyarrow as pa
import pytest
from click.testing import CliRunner

from lyrics_assets.assets.training import TRAINING_SET
from lyrics_assets.cli import main
from lyrics_assets.definitions import build_resources
from lyrics_assets.resources.tracking import CHAMPION
from lyrics_assets.settings import Settings
from lyrics_assets_tests.conftest import Finished, run_lyrics
from lyrics_assets_tests.corpus import TWO_GENRES
from lyrics_assets_tests.corpus import songs as learned
from lyrics_assets_tests.registry import empty_database, register

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*input example:UserWarning"),
]

FIGURES = {"macro_f1": "0.512345", "macro_f1_low": "0.431000", "macro_f1_high": "0.590000", "n_test": "75"}
TRAINED = {"trained_at": "2026-11-24T08:15:00+00:00"}


@pytest.fixture(scope="module", autouse=True)
def own_signal():
    """Give back what the command sets for its process, which is this one."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


def lyrics(*arguments):
    """Run the command in this process: each start of its own would import MLflow anew."""
    done = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return Finished(done.exit_code, done.stdout, done.stderr)


def tracking_of(home):
    return build_resources(Settings(home=home))["tracking"]


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """A home with three versions: the first two became champion, the third stays challenger."""
    home = tmp_path_factory.mktemp("models") / "home"
    (home / "mlflow").mkdir(parents=True)
    shutil.copyfile(empty_database(tmp_path_factory), home / "mlflow" / "mlflow.db")
    tracking = tracking_of(home)
    promoted = {"promoted": "true", "promotion": "the first model that beats guessing"}
    tracking.promote(register(tracking, **FIGURES, **TRAINED, **promoted))
    tracking.promote(register(tracking, **FIGURES, **TRAINED, promoted="true", promotion="not worse"), instead_of=1)
    register(tracking, **FIGURES, **TRAINED, promoted="false", promotion="worse than the champion: gain -0.100")
    return home


@pytest.fixture
def home(tmp_path, filled):
    shutil.copytree(filled, tmp_path / "home")
    return tmp_path / "home"


def test_the_versions_are_a_table_with_figures_aliases_and_reasons(filled):
    finished = lyrics("models", "--home", filled)
    assert finished.code == 0, finished.err
    for expected in ("champion", "challenger", "0.512", "0.431 to 0.590", "75 songs", "2026-11-24 08:15", "2026-11-20"):
        assert expected in finished.out
    assert "no: worse than the champion: gain" in finished.out
    assert "yes: the first model that beats guessing" in finished.out
    rows = [line for line in finished.out.splitlines() if "│" in line and line.split("│")[1].strip().isdigit()]
    assert [line.split("│")[1].strip() for line in rows] == ["3", "2", "1"]
    assert "\x1b" not in finished.out


def test_without_a_model_it_is_said_what_to_do(tmp_path):
    for command in ("models", "rollback"):
        finished = lyrics(command, "--home", tmp_path / "home")
        assert finished.code == 1
        assert "Traceback" not in finished.err
    assert not (tmp_path / "home").exists()
    assert "no model is registered: run the training job first" in lyrics("models", "--home", tmp_path).err


def test_one_command_goes_back_and_says_what_it_did(home):
    finished = lyrics("rollback", "--no-release", "--home", home)
    assert finished.code == 0, finished.err
    assert finished.out.startswith(
        "Version 1 is champion again instead of version 2 (macro-F1 0.512, lyrics up to 2026-11-24)."
    )
    assert "The last Bento stays as it is" in finished.out
    assert tracking_of(home).get(CHAMPION).version == 1
    again = lyrics("rollback", "--no-release", "--home", home)
    assert again.code == 1
    assert "nothing to go back to: version 1 is the first champion" in again.err
    assert "rolled back" in lyrics("models", "--home", home).out


def test_the_champion_that_is_back_is_released(home):
    """A Bento is built and answers, as after a training."""
    songs = learned(*TWO_GENRES).assign(split="train")
    lake, store = (build_resources(Settings(home=home))[name] for name in ("lake", "bento_store"))
    lake.write_table(TRAINING_SET, pa.Table.from_pandas(songs))
    finished = run_lyrics("rollback", "--home", home)
    assert finished.code == 0, finished.err
    assert "lyrics_service: answers_a_known_song" in finished.out
    with store.serving(store.newest()) as address:
        assert httpx.get(f"{address}/model", timeout=20).json()["version"] == 1


def test_the_installed_command_prints_the_same_table(filled):
    assert run_lyrics("models", "--home", filled, timeout=60) == lyrics("models", "--home", filled)


def test_a_version_that_never_was_champion_is_refused(home):
    finished = lyrics("rollback", "--to", "3", "--home", home)
    assert finished.code == 1
    assert "version 3 never was the champion before this one; earlier champions: 1" in finished.err
    assert lyrics("rollback", "--to", "0", "--home", home).code == 2
    assert tracking_of(home).get(CHAMPION).version == 2


def test_a_registry_without_champion_says_that_none_is_served(home):
    tracking = tracking_of(home)
    tracking._client().delete_registered_model_alias(tracking.model_name, CHAMPION)
    finished = lyrics("models", "--home", home)
    assert finished.code == 0, finished.err
    assert "No version is champion, so none is served" in finished.out
