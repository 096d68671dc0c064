"""A site changes its markup: the crawl is refused and names what vanished, and a mended parser repairs the date.

The parsers are broken in a copy of the Scrapy project, which is the same as markup that they do not know.
"""

import datetime as dt
import json
import re

import dagster as dg

from lyrics_assets.assets.extraction import raw_assets, raw_name
from lyrics_assets.definitions import build_resources
from lyrics_assets.partitions import today
from lyrics_assets.resources.crawler import Crawler
from lyrics_assets.settings import ROOT, Settings
from lyrics_assets_tests.extraction import broken_project
from scrapy_project.sandbox.launcher import running_sandbox
from scrapy_project.sandbox.songbook import PACKAGED_SONGBOOK

LETRAS = raw_assets[0]
TODAY = today()
YESTERDAY = TODAY - dt.timedelta(days=1)


def materialize(home, addresses, date=TODAY, project=ROOT, **config):
    settings = Settings(
        home=home, genres="Samba,Pagode", letras_url=addresses["letras"], vagalume_url="http://127.0.0.1:9"
    )
    resources = build_resources(settings)
    crawler = Crawler(**resources["crawler"].model_dump() | {"project": str(project)})
    with dg.DagsterInstance.ephemeral() as instance:
        return dg.materialize(
            [LETRAS],
            partition_key=date.isoformat(),
            instance=instance,
            resources={"crawler": crawler, "lake": resources["lake"]},
            run_config={"ops": {"raw__letras": {"config": config}}},
            raise_on_error=False,
        )


def failure(result):
    (event,) = [event for event in result.all_node_events if event.is_step_failure]
    return event.step_failure_data.user_failure_data.description


def songs(home, date=TODAY):
    text = (home / "lake" / raw_name("letras", date.isoformat())).read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def test_a_mended_parser_repairs_an_archived_date_without_the_network(tmp_path):
    home = tmp_path / "home"
    broken = broken_project(tmp_path / "broken")
    with running_sandbox(PACKAGED_SONGBOOK) as addresses:
        refused = materialize(home, addresses, project=broken)
    assert "pages not understood" in failure(refused)
    assert not (home / "lake").exists()
    repaired = materialize(home, addresses)
    assert repaired.success
    (event,) = repaired.get_asset_materialization_events()
    assert event.materialization.metadata["pages_fetched"].value == 0
    assert len(songs(home)) > 20


def test_a_selector_family_that_vanishes_silently_is_named(tmp_path):
    home = tmp_path / "home"
    broken = broken_project(tmp_path / "broken", re.escape(".head-info-exib"), ".gone")
    with running_sandbox(PACKAGED_SONGBOOK) as addresses:
        assert materialize(home, addresses, YESTERDAY).success
        assert any(song["views"] for song in songs(home, YESTERDAY))
        refused = materialize(home, addresses, TODAY, project=broken)
        assert "views matched on" in failure(refused)
        accepted = materialize(home, addresses, TODAY, project=broken, accept_new_markup=True)
    assert accepted.success
    assert not any(song["views"] for song in songs(home, TODAY))


def test_a_bad_day_is_asked_for_anew(tmp_path):
    with running_sandbox(PACKAGED_SONGBOOK) as addresses:
        first = materialize(tmp_path, addresses)
        again = materialize(tmp_path, addresses, refresh=True)
    fetched = [
        result.get_asset_materialization_events()[0].materialization.metadata["pages_fetched"].value
        for result in (first, again)
    ]
    assert fetched[0] == fetched[1] > 0
