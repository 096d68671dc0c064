"""A date that is run again, by two commands at once and then by a third, is there once; its sites are asked once."""

import dagster as dg
import pytest

from lyrics_assets.partitions import today
from lyrics_assets.runs import open_instance
from lyrics_assets_tests.runs import contents

DATE = today()


def metadata(home, *key):
    """Return what the newest materialization of an asset tells."""
    with open_instance(home) as instance:
        event = instance.get_latest_materialization_event(dg.AssetKey(key))
    return {name: value.value for name, value in event.asset_materialization.metadata.items()}


def test_of_two_that_begin_together_one_completes_and_nothing_is_there_twice(runs):
    assert sorted(finished.code for finished in runs.together) == [0, 1], runs.together
    (refused,) = [finished for finished in runs.together if finished.code]
    assert "is in use by `lyrics run`" in refused.err
    assert runs.left | {"songs": []} == {"models": [1], "bentos": 1, "dates": [DATE], "songs": [], "mails": 1}


@pytest.mark.parametrize("site", ["letras", "vagalume"])
def test_the_next_run_asks_the_sites_for_nothing(runs, site):
    assert runs.third.code == 0, runs.third.err
    crawl = metadata(runs.home, "raw", site)
    assert crawl["pages_fetched"] == 0
    assert crawl["pages_from_archive"] > 40


def test_its_model_is_compared_with_the_first(runs):
    assert "not worse than the champion" in metadata(runs.home, "evaluation_report")["promotion"]
    assert contents(runs.home)["models"] == [2, 1]


def test_the_date_is_stored_once_with_the_same_songs(runs):
    now = contents(runs.home)
    assert now["dates"] == [DATE]
    assert sorted(now["songs"]) == sorted(runs.left["songs"])
    assert len(set(now["songs"])) == len(now["songs"]) > 20
