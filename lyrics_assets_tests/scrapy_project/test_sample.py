"""Vagalume's choice of artists and songs: that of a crawler that goes artist by artist, whatever answer comes first."""

import sqlite3
from collections import deque
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrapy_project.pages.vagalume import Artist, ArtistLink, SongLink
from scrapy_project.sandbox.launcher import running_sandbox
from scrapy_project.spiders.sample import Sample

SONGBOOK = Path(__file__).parent / "fixtures" / "songbook.jsonl"

# An artist by what becomes of the songs: True for one that is got. None is an artist to be left out.
Artists = list[list[bool] | None]
ARTISTS = st.lists(st.none() | st.lists(st.booleans(), min_size=1, max_size=7), max_size=12)


def artist_by_artist(artists: Artists, wanted: int, songs_per_artist: int) -> set[tuple[int, ...]]:
    """Return the pages that are asked for one after the other: (artist,) for a list and (artist, song)."""
    asked: set[tuple[int, ...]] = set()
    given = 0
    for number, songs in enumerate(artists):
        if given >= wanted:
            break
        asked.add((number,))
        outcomes = (songs or [])[: min(songs_per_artist, wanted - given)]
        asked |= {(number, place) for place in range(len(outcomes))}
        given += sum(outcomes)
    return asked


def sample_of(artists: Artists, wanted: int, songs_per_artist: int) -> Sample:
    return Sample(wanted, songs_per_artist, deque(ArtistLink("", str(number)) for number in range(len(artists))))


def listed(songs: list[bool]) -> Artist:
    return Artist("", (), (), tuple(SongLink("", str(place), None) for place in range(len(songs))))


@given(ARTISTS, st.integers(1, 12), st.integers(1, 5), st.data())
def test_the_pages_are_those_of_one_artist_after_the_other_whatever_comes_first(artists, wanted, per_artist, data):
    sample = sample_of(artists, wanted, per_artist)
    expected = artist_by_artist(artists, wanted, per_artist)
    asked, under_way = [], []
    while True:
        while turn := sample.next_artist():
            asked.append((int(turn.link.url),))
            under_way.append((turn, None))
        while found := sample.next_song():
            asked.append((int(found[0].link.url), int(found[1].url)))
            under_way.append(found)
        assert set(asked) <= expected  # at any time: nothing is asked for in vain
        if not under_way:
            break
        turn, link = under_way.pop(data.draw(st.integers(0, len(under_way) - 1)))
        songs = artists[int(turn.link.url)]
        if link is None:
            sample.listed(turn, None if songs is None else listed(songs))
        else:
            sample.settled(turn, given=songs[int(link.url)])
    assert set(asked) == expected
    assert len(asked) == len(expected)
    assert sample.under_way == sample.to_come == 0


@pytest.mark.parametrize(("wanted", "per_artist", "at_once"), [(100, 5, 20), (101, 5, 21), (9, 5, 2), (7, 1, 7)])
def test_so_many_artists_are_asked_for_at_once_as_could_not_be_too_many(wanted, per_artist, at_once):
    sample = sample_of([[True]] * 500, wanted, per_artist)
    turns = list(iter(sample.next_artist, None))
    assert len(turns) == at_once
    # An artist to be left out makes room for one more, and nothing else does.
    sample.listed(turns[0], listed([True] * 9))
    assert sample.next_artist() is None
    sample.listed(turns[-1], None)
    assert sample.next_artist() is not None
    assert sample.next_artist() is None


def asked_pages(crawl) -> set[str]:
    """Return the addresses that the archive of a crawl holds: every page and every absence that it asked for."""
    with sqlite3.connect(crawl.archive_url.removeprefix("sqlite:///")) as connection:
        rows = connection.execute("select url from pages").fetchall()
    connection.close()
    return {url for (url,) in rows}


@pytest.mark.parametrize(("songs", "per_artist"), [(8, 2), (3, 5)])
def test_a_slow_site_is_asked_for_the_same_pages_as_a_fast_one(crawler_in, tmp_path, songs, per_artist):
    pages = []
    for latency, concurrency in ((0, 16), (30, 16), (0, 1)):
        (folder := tmp_path / str(len(pages))).mkdir()
        crawl = crawler_in(folder)
        options = ("-a", f"songs_per_genre={songs}", "-a", f"songs_per_artist={per_artist}")
        with running_sandbox(SONGBOOK, latency_ms=latency) as sites:
            done = crawl("vagalume", sites["vagalume"], *options, "-s", f"CONCURRENT_REQUESTS={concurrency}")
        pages.append(asked_pages(crawl))
        assert len(pages[-1]) > 20
        assert done.stats["lyrics/pages"] == done.stats["lyrics/pages_expected"]
    assert pages[0] == pages[1] == pages[2]
