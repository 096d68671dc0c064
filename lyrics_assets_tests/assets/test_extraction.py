"""The raw partitions: what is crawled, replayed and refused, and that the last good file always stays."""

import datetime as dt
import json
import re

import dagster as dg
import pytest

from lyrics_assets.assets.extraction import raw_assets, raw_name
from lyrics_assets.definitions import build_resources
from lyrics_assets.partitions import today
from lyrics_assets.settings import Settings
from scrapy_project.sandbox.launcher import running_sandbox

LETRAS = raw_assets[0]
DATE = today().isoformat()
YESTERDAY = (today() - dt.timedelta(days=1)).isoformat()
SONGS = [
    {"title": f"Samba {n}", "artist": f"Trio {n % 3}", "genre": "Samba", "lyrics": f"verso {n}\noutro verso {n}"}
    for n in range(6)
]


@pytest.fixture(scope="module")
def songbook(tmp_path_factory):
    path = tmp_path_factory.mktemp("songbook") / "samba.jsonl"
    path.write_text("".join(json.dumps(song) + "\n" for song in SONGS), encoding="utf-8")
    return path


@pytest.fixture
def instance():
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


def resources(home, addresses, **settings):
    chosen = Settings(
        home=home,
        **{"genres": "Samba", "letras_url": addresses["letras"], "vagalume_url": addresses["vagalume"]} | settings,
    )
    everything = build_resources(chosen)
    return {"crawler": everything["crawler"], "lake": everything["lake"]}


def materialize(instance, wanted, date=DATE, **config):
    return dg.materialize(
        [LETRAS],
        partition_key=date,
        instance=instance,
        resources=wanted,
        run_config={"ops": {"raw__letras": {"config": config}}},
        raise_on_error=False,
    )


def _without_addresses(content):
    return re.sub(rb"127\.0\.0\.1:\d+", b"site", content)


def failure(result):
    (event,) = [event for event in result.all_node_events if event.is_step_failure]
    return event.step_failure_data.user_failure_data.description


def check_passed(result):
    (evaluation,) = result.get_asset_check_evaluations()
    return evaluation.passed


def test_today_is_crawled_then_read_from_the_archive_then_replayed_for_ever(songbook, tmp_path, instance):
    with running_sandbox(songbook) as addresses:
        wanted = resources(tmp_path, addresses)
        first = materialize(instance, wanted)
        assert first.success
        assert check_passed(first)
        published = wanted["lake"].read_bytes(raw_name("letras", DATE))
        assert {json.loads(line)["title"] for line in published.splitlines()} == {song["title"] for song in SONGS}
    # The sandbox has stopped: whatever comes now comes from the archive.
    again = materialize(instance, wanted)
    (event,) = again.get_asset_materialization_events()
    assert event.materialization.metadata["pages_fetched"].value == 0
    assert sorted(wanted["lake"].read_bytes(raw_name("letras", DATE)).splitlines()) == sorted(published.splitlines())
    assert not list((tmp_path / "scratch").iterdir())


def test_a_past_date_of_the_real_sites_without_archive_is_refused_at_once(tmp_path, instance):
    nowhere = {"letras": "http://127.0.0.1:9", "vagalume": "http://127.0.0.1:9"}
    wanted = resources(tmp_path, nowhere, sites="live")
    result = materialize(instance, wanted, YESTERDAY)
    assert not result.success
    assert "is past and the page archive holds nothing of letras" in failure(result)
    assert not (tmp_path / "scratch").exists(), "a refusal must not begin to crawl"


def test_a_past_date_of_the_real_sites_is_replayed_from_the_archive(songbook, tmp_path, instance):
    with running_sandbox(songbook) as addresses:
        wanted = resources(tmp_path, addresses)
        assert materialize(instance, wanted, YESTERDAY).success
    crawled = wanted["lake"].read_bytes(raw_name("letras", YESTERDAY))
    nowhere = {"letras": "http://127.0.0.1:9", "vagalume": "http://127.0.0.1:9"}
    archive = wanted["crawler"].archive_url
    replayed = materialize(instance, resources(tmp_path, nowhere, sites="live", archive_url=archive), YESTERDAY)
    (event,) = replayed.get_asset_materialization_events()
    metadata = event.materialization.metadata
    assert (metadata["mode"].value, metadata["pages_fetched"].value) == ("replay", 0)
    again = wanted["lake"].read_bytes(raw_name("letras", YESTERDAY))
    assert _without_addresses(again) == _without_addresses(crawled)


def test_only_today_can_be_refreshed(songbook, tmp_path, instance):
    with running_sandbox(songbook) as addresses:
        wanted = resources(tmp_path, addresses)
        assert materialize(instance, wanted, YESTERDAY).success
        archive = wanted["crawler"].archive_url
        wanted = resources(tmp_path, addresses, sites="live", archive_url=archive)
        refused = materialize(instance, wanted, YESTERDAY, refresh=True)
    assert "is past: only today's pages can be asked for anew" in failure(refused)
    assert materialize(instance, wanted, YESTERDAY).success, "the archive has lost pages"


def test_a_second_date_tells_what_is_new(songbook, tmp_path, instance):
    with running_sandbox(songbook) as addresses:
        assert materialize(instance, resources(tmp_path, addresses), YESTERDAY).success
    more = tmp_path / "more.jsonl"
    new = {"title": "Samba novo", "artist": "Trio 9", "genre": "Samba", "lyrics": "um verso novo"}
    more.write_text(songbook.read_text(encoding="utf-8") + json.dumps(new) + "\n", encoding="utf-8")
    with running_sandbox(more) as addresses:
        (event,) = materialize(instance, resources(tmp_path, addresses)).get_asset_materialization_events()
    metadata = event.materialization.metadata
    assert metadata["new_songs"].value == 1
    # robots.txt, the chart, the new song: a chart's row without a lyric is no song, but its page is archived too.
    assert metadata["pages_fetched"].value == 3
    assert metadata["pages_from_archive"].value >= len(SONGS)


def test_a_crawl_that_finds_nothing_leaves_the_last_good_file_and_names_the_bound(songbook, tmp_path, instance):
    with running_sandbox(songbook) as addresses:
        assert materialize(instance, resources(tmp_path, addresses)).success
        wanted = resources(tmp_path, addresses, genres="Samba,Rock")
        before = wanted["lake"].read_bytes(raw_name("letras", DATE))
        result = materialize(instance, wanted)
    assert not result.success
    assert not check_passed(result)
    assert "fewer songs than 1 a genre: Rock 0" in failure(result)
    assert "/mais-acessadas/rock/" in failure(result)
    assert result.get_asset_materialization_events() == []
    assert wanted["lake"].read_bytes(raw_name("letras", DATE)) == before
    kept = {path.name for path in (tmp_path / "scratch" / "rejected").iterdir()}
    assert kept == {f"letras-{DATE}.jsonl", f"letras-{DATE}.log"}
    assert f"{tmp_path / 'scratch' / 'rejected' / f'letras-{DATE}'}.*" in failure(result)


def test_a_site_that_is_down_fails_the_crawl_and_publishes_nothing(tmp_path, instance):
    nowhere = {"letras": "http://127.0.0.1:9", "vagalume": "http://127.0.0.1:9"}
    wanted = resources(tmp_path, nowhere)
    result = materialize(instance, wanted)
    assert not result.success
    assert "pages not had" in failure(result)
    assert not wanted["lake"].exists(raw_name("letras", DATE))
