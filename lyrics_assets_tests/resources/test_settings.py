"""The settings of an installation."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from lyrics_assets.definitions import build_resources
from lyrics_assets.resources.secrets import reveal
from lyrics_assets.resources.tuning import LocalTuner, WandbTuner
from lyrics_assets.settings import LIVE_ADDRESSES, ROOT, SANDBOX_ADDRESSES, Settings, SettingsError
from scrapy_project.database import open_engine
from scrapy_project.genres import GENRE_NAMES, GENRES, find_genres


def test_without_a_variable_everything_has_a_default():
    settings = Settings.from_environment({})
    assert settings == Settings()
    assert settings.home == ROOT / "var"
    assert (settings.sites, settings.addresses) == ("sandbox", SANDBOX_ADDRESSES)
    assert settings.genre_names == list(GENRE_NAMES)
    assert settings.songs_per_genre == 100
    assert settings.archive == f"sqlite:///{ROOT}/var/archive/sandbox.sqlite"
    assert settings.text_index == f"sqlite:///{ROOT}/var/text_index/sandbox.sqlite"


def test_the_root_holds_the_files_of_the_project():
    assert all((ROOT / name).exists() for name in ("workspace.yaml", "bentofile.yaml", "sweep.yaml", "scrapy.cfg"))


def test_variables_of_the_environment_are_read():
    settings = Settings.from_environment(
        {
            "LYRICS_HOME": "/data/lyrics",
            "LYRICS_SITES": "live",
            "LYRICS_SONGS_PER_GENRE": "7",
            "LYRICS_GENRES": "samba, R&B",
            "LYRICS_CONTACT": "ana@example.org",
            "PATH": "/bin",
            "LYRICS_UNKNOWN": "x",
        }
    )
    assert settings.home == Path("/data/lyrics")
    assert settings.addresses == LIVE_ADDRESSES
    assert settings.songs_per_genre == 7
    assert settings.genre_names == ["Samba", "R&B"]
    assert settings.archive == "sqlite:////data/lyrics/archive/live.sqlite"


def test_an_empty_variable_keeps_the_default():
    names = [f"LYRICS_{name.upper()}" for name in Settings.model_fields]
    assert Settings.from_environment(dict.fromkeys(names, "")) == Settings()


@pytest.mark.parametrize(
    ("variable", "value", "allowed"),
    [
        ("LYRICS_SITES", "prod", "'sandbox' or 'live'"),
        ("LYRICS_SONGS_PER_GENRE", "0", "greater than or equal to 1"),
        ("LYRICS_SONGS_PER_GENRE", "1001", "less than or equal to 1000"),
        ("LYRICS_SONGS_PER_GENRE", "many", "valid integer"),
        ("LYRICS_GENRES", "Samba,Tango", "Tango not known; allowed: Country, Forró"),
    ],
)
def test_a_bad_value_names_its_variable_and_what_is_allowed(variable, value, allowed):
    with pytest.raises(SettingsError) as caught:
        Settings.from_environment({variable: value})
    assert str(caught.value).startswith(f"{variable}: {value!r}: ")
    assert allowed in str(caught.value)


def test_an_address_of_a_site_goes_before_the_implied_one():
    settings = Settings.from_environment({"LYRICS_LETRAS_URL": "http://127.0.0.1:9", "LYRICS_SITES": "live"})
    assert settings.addresses == LIVE_ADDRESSES | {"letras": "http://127.0.0.1:9"}


def test_an_archive_elsewhere_goes_before_the_file_of_the_home():
    assert Settings(archive_url="postgresql://db/pages").archive == "postgresql://db/pages"


def test_real_and_imitated_pages_are_kept_apart():
    assert Settings(sites="live").archive != Settings(sites="sandbox").archive


def test_a_child_process_reads_the_same_settings():
    settings = Settings(home=Path("/data"), sites="live", songs_per_genre=3, genres="MPB", contact="a@b.c")
    assert Settings.from_environment(settings.to_environment()) == settings
    assert Settings.from_environment(Settings().to_environment()) == Settings()


def test_settings_do_not_change():
    with pytest.raises(ValidationError, match="frozen"):
        Settings().sites = "live"


def test_genres_are_found_by_any_case_once_and_in_the_order_asked_for():
    assert [genre.name for genre in find_genres(" rock ,SAMBA, Rock,")] == ["Rock", "Samba"]
    assert find_genres(None) == find_genres("") == GENRES


@pytest.mark.parametrize("names", [",", " ", " , "])
def test_a_list_that_names_no_genre_means_all(names):
    assert find_genres(names) == GENRES


def test_no_name_and_no_slug_stands_twice():
    for field in ("name", "letras", "vagalume"):
        assert len({getattr(genre, field) for genre in GENRES}) == len(GENRES) == 15


def test_a_tracking_server_takes_the_place_of_the_database_in_the_home(tmp_path):
    server = build_resources(Settings(home=tmp_path, tracking_uri="https://mlflow.example"))["tracking"]
    assert (server.uri, server.artifacts) == ("https://mlflow.example", "")
    assert build_resources(Settings(home=tmp_path))["tracking"].uri == f"sqlite:///{tmp_path}/mlflow/mlflow.db"


def test_a_key_for_wandb_takes_the_search_there_and_is_shown_nowhere(tmp_path, monkeypatch):
    monkeypatch.setenv("LYRICS_WANDB_API_KEY", "k" * 40)
    settings = Settings.from_environment()
    tuner = build_resources(settings)["tuner"]
    assert isinstance(tuner, WandbTuner)
    assert "k" * 40 not in repr(tuner) + repr(settings)
    assert reveal(tuner.api_key) == "k" * 40
    with pytest.raises(SettingsError, match="LYRICS_WANDB_ENTITY set, LYRICS_WANDB_API_KEY not"):
        build_resources(Settings(wandb_entity="team"))


def test_without_wandb_the_search_is_local_and_can_use_a_cluster(tmp_path):
    tuner = build_resources(Settings(home=tmp_path, dask_address="tcp://10.0.0.5:8786", wandb_offline=True))["tuner"]
    assert isinstance(tuner, LocalTuner)
    assert (tuner.dask_address, tuner.wandb_offline) == ("tcp://10.0.0.5:8786", str(tmp_path / "wandb"))


def test_imitated_songs_and_real_ones_have_an_index_of_texts_each():
    assert Settings(sites="live").text_index != Settings().text_index
    assert Settings(sites="live", text_index_url="postgresql://db/texts").text_index == "postgresql://db/texts"


def test_an_object_store_takes_the_place_of_the_folders_in_the_home(tmp_path):
    urls = {"lake_url": "s3://bucket/lake", "feature_store_url": "s3://bucket/features"}
    there, here = build_resources(Settings(home=tmp_path, **urls)), build_resources(Settings(home=tmp_path))
    assert (there["lake"].root, there["feature_store"].root) == tuple(urls.values())
    assert (here["lake"].root, here["feature_store"].root) == (f"{tmp_path}/lake", f"{tmp_path}/feature_store")


@pytest.mark.parametrize(
    ("variable", "address", "advice"),
    [
        ("LYRICS_ARCHIVE_URL", "postgresql://ana:hidden@db/pages", " and set PGPASSWORD"),
        ("LYRICS_TEXT_INDEX_URL", "postgresql://ana@db/texts?password=hidden", " and set PGPASSWORD"),
        ("LYRICS_TRACKING_URI", "https://ana:hidden@mlflow.example", " and set MLFLOW_TRACKING_USERNAME and MLFLOW_"),
        ("LYRICS_TRACKING_URI", "https://hidden@mlflow.example", " and set MLFLOW_TRACKING_USERNAME and MLFLOW_"),
        ("LYRICS_LAKE_URL", "s3://key:hidden@bucket/lake", ""),
        ("LYRICS_HF_ENDPOINT", "https://hidden@hub.example", ""),
    ],
)
def test_a_password_in_an_address_is_refused_and_not_repeated(variable, address, advice):
    with pytest.raises(SettingsError, match=f"{variable}: leave the password out{advice}") as told:
        Settings.from_environment({variable: address})
    assert "hidden" not in str(told.value)


def test_a_name_in_an_address_of_postgresql_is_no_password():
    address = "postgresql://ana@db/pages"
    assert Settings.from_environment({"LYRICS_ARCHIVE_URL": address}).archive == address


def test_the_password_of_postgresql_is_taken_from_where_its_own_programs_look(monkeypatch):
    monkeypatch.setenv("PGPASSWORD", "hidden")
    without, with_own = (open_engine(f"postgresql://{user}@db/pages") for user in ("ana", "ana:own"))
    assert (without.url.password, with_own.url.password) == ("hidden", "own")
    assert "hidden" not in repr(without)
