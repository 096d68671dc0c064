"""How the sites move from date to date."""

import re
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path

import httpx
import pytest

from lyrics_assets_tests.scrapy_project.sandbox.conftest import DAY, N_SAMBAS, Sites, artist_paths, chart_paths, page
from scrapy_project.sandbox.launcher import running_sandbox


def on(day: date | str) -> dict[str, dict[str, str]]:
    return {"headers": {"X-Sandbox-Date": str(day)}}


def days(count: int) -> list[date]:
    return [date.fromisoformat(DAY) + timedelta(number) for number in range(count)]


def without_lyrics(path: str) -> bool:
    return path.endswith("-samba/")


def test_the_same_date_gives_the_same_bytes_in_another_process(sites: Sites, songbook: Path) -> None:
    paths = ["/mais-acessadas/samba/", "/mais-acessadas/rock/", "/sambista-3/"]
    with running_sandbox(songbook) as addresses:
        # Another date first, in another order: what was asked before must not matter.
        httpx.get(addresses["letras"] + paths[0], **on("2030-01-01"))
        for path in reversed(paths):
            assert httpx.get(addresses["letras"] + path, **on(DAY)).content == sites.letras.get(path).content
        for path in ("/browse/style/samba.html", "/sambista-3/", "/sambista-3/index.js"):
            assert httpx.get(addresses["vagalume"] + path, **on(DAY)).content == sites.vagalume.get(path).content


def test_another_seed_gives_another_chart(sites: Sites, songbook: Path) -> None:
    with running_sandbox(songbook, seed=1) as addresses:
        chart = httpx.get(addresses["letras"] + "/mais-acessadas/samba/", **on(DAY)).text
    assert chart != sites.letras.get("/mais-acessadas/samba/").text


def test_a_chart_changes_from_day_to_day_but_mostly_stays(sites: Sites) -> None:
    charts = [chart_paths(sites.letras, "samba", **on(day)) for day in days(8)]
    for before, after in pairwise(charts):
        assert before != after
        assert len(set(before) ^ set(after)) <= 8
        moves = [abs(before.index(path) - after.index(path)) for path in set(before) & set(after)]
        assert sum(moves) / len(moves) < 5
    assert set(charts[0]) != set(charts[-1])


def test_most_songs_stand_on_any_date(sites: Sites) -> None:
    for day in days(400)[::40]:
        songs = [path for path in chart_paths(sites.letras, "samba", **on(day)) if not without_lyrics(path)]
        assert 0.9 <= len(songs) / (N_SAMBAS + 1) <= 0.96


def test_every_song_comes_and_goes_and_comes_back(sites: Sites) -> None:
    charts = [set(chart_paths(sites.letras, "samba", **on(day))) for day in days(150)[::5]]
    songs = {path for path in set().union(*charts) if not without_lyrics(path) and "duas-casas" not in path}
    assert len(songs) == N_SAMBAS
    assert not [path for path in songs if all(path in chart for chart in charts)]


def test_a_small_genre_stays_whole(sites: Sites) -> None:
    for day in days(150)[::15]:
        assert {"/duas-casas/so-um/", "/duas-casas/so-dois/"} <= set(chart_paths(sites.letras, "mpb", **on(day)))


def test_a_song_that_is_away_is_away_from_every_page(sites: Sites) -> None:
    later = days(30)[-1]
    here, there = chart_paths(sites.letras, "samba"), chart_paths(sites.letras, "samba", **on(later))
    gone = next(path for path in here if path not in there and "roda-viola" in path)
    response = sites.letras.get(gone, **on(later))
    assert response.status_code == 302
    assert response.headers["location"] != gone
    artist, slug = gone.strip("/").split("/")
    links = page(sites.vagalume, f"/{artist}/", **on(later)).css("a.nameMusic::attr(href)").getall()
    assert links
    assert not [link for link in links if re.match(rf"/{artist}/{slug}(\.html|-part)", link)]


def test_views_grow(sites: Sites, letras_songs: dict[str, str]) -> None:
    # The site shows the views of most songs, not of all.
    path = next(path for path, text in letras_songs.items() if "exibições" in text)
    counts = []
    for day in days(3):
        text = sites.letras.get(path, **on(day)).text
        counts += [int(number.replace(".", "")) for number in re.findall(r"<b>([\d.]+)</b> exibições", text)]
    assert len(counts) == 3
    assert counts == sorted(set(counts))


def test_without_the_header_a_site_shows_today(sites: Sites) -> None:
    with httpx.Client(base_url=sites.letras.base_url) as client:
        assert client.get("/mais-acessadas/samba/").status_code == 200


@pytest.mark.parametrize("text", ["10/03/2026", "2026-02-30", "20260310", "2026-W10-2", ""])
def test_a_malformed_date_is_refused(sites: Sites, text: str) -> None:
    for client, path in ((sites.letras, "/mais-acessadas/samba/"), (sites.vagalume, "/browse/style/samba.html")):
        response = client.get(path, **on(text))
        assert response.status_code == 400
        assert "X-Sandbox-Date" in response.text


def test_vagalume_artists_are_those_with_a_song_on_the_date(sites: Sites) -> None:
    for day in days(150)[::50]:
        for path in artist_paths(sites.vagalume, "rock", **on(day)):
            assert page(sites.vagalume, path, **on(day)).css("#alfabetMusicList a.nameMusic")
