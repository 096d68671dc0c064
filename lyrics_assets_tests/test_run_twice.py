"""A date that is run twice is there once, and the second time asks the sites for nothing."""

import dagster as dg
import pytest

from lyrics_assets.definitions import build_resources
from lyrics_assets.partitions import today
from lyrics_assets.runs import open_instance
from lyrics_assets.settings import Settings
from lyrics_assets_tests.conftest import run_lyrics

SMALL = {"LYRICS_GENRES": "Samba,Rock,Gospel", "LYRICS_SONGS_PER_GENRE": "15"}


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Return the home of two runs of today."""
    home = tmp_path_factory.mktemp("twice") / "home"
    for _ in range(2):
        finished = run_lyrics("run", "--home", home, **SMALL)
        assert finished.code == 0, finished.err
    return home


def metadata(home, *key):
    """Return what the newest materialization of an asset tells."""
    with open_instance(home) as instance:
        event = instance.get_latest_materialization_event(dg.AssetKey(key))
    return {name: value.value for name, value in event.asset_materialization.metadata.items()}


@pytest.mark.parametrize("site", ["letras", "vagalume"])
def test_the_second_run_of_a_date_asks_the_sites_for_nothing(home, site):
    crawl = metadata(home, "raw", site)
    assert crawl["pages_fetched"] == 0
    assert crawl["pages_from_archive"] > 40


def test_the_second_model_is_compared_with_the_first(home):
    assert "not worse than the champion" in metadata(home, "evaluation_report")["promotion"]
    assert [model.version for model in build_resources(Settings(home=home))["tracking"].versions()] == [2, 1]


def test_the_date_is_stored_once(home):
    store = build_resources(Settings(home=home))["feature_store"]
    assert store.dates() == [today()]
    ids = store.read_date(today(), ["song_id"])["song_id"].to_pylist()
    assert len(ids) == len(set(ids)) > 20
