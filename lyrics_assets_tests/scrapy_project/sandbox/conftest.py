"""One sandbox for all tests of this folder, with a songbook written here so that every oddity of the sites occurs."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
from parsel import Selector

from lyrics_assets_tests.corpus import write_songbook
from scrapy_project.sandbox.launcher import running_sandbox

DAY = "2026-03-10"
KOREAN = "안녕 서울\nhello 나의 밤\n\n다시 안녕"
KOREAN_LYRICS = "Olá Seul\nolá minha noite\n\nOlá de novo"
N_SAMBAS = 120


class Sites(NamedTuple):
    """A client for each site; both show DAY unless a request says otherwise."""

    letras: httpx.Client
    vagalume: httpx.Client


def samba(number: int) -> dict[str, Any]:
    """A Portuguese song; five of them have the same artist."""
    chorus = f"O refrão {number}\ncanta"
    return {
        "title": f"Roda & Viola {number}",
        "artist": f"Sambista {number // 5}",
        "genre": "Samba",
        "lyrics": f"Primeira linha {number}, amor\nsegunda < linha\n\n{chorus}\n\nO fim\n\n{chorus}",
        "composers": ["Ana Farol", "Zé da Ponte"],
    }


def rock(number: int) -> dict[str, Any]:
    """An English song with a translation, on both sites."""
    return {
        "title": f"Stone {number}",
        "artist": f"Band {number // 2}",
        "genre": "Rock",
        "lyrics": f"A pedra {number} rola\nno morro\n\nAté o fim",
        "language": "en",
        "original": f"The stone {number} rolls\non the hill\n\nTo the end",
    }


@pytest.fixture(scope="session")
def songs() -> list[dict[str, Any]]:
    korean = {"genre": "K-Pop", "language": "ko", "original": KOREAN, "lyrics": KOREAN_LYRICS}
    return [
        *map(samba, range(N_SAMBAS)),
        *map(rock, range(20)),
        {"title": "Untranslated", "artist": "Band 0", "genre": "Rock", "language": "en", "original": "Nobody\ncared"},
        {"title": "밤", "artist": "서울", "sites": ["letras"], **korean},
        {
            "title": "Só Um",
            "artist": "Duas Casas",
            "genre": "MPB",
            "genres": ["MPB", "Samba"],
            "lyrics": "Só\num",
            "year": 1999,
        },
        {"title": "Só Dois", "artist": "Duas Casas", "genre": "MPB", "lyrics": "Só\ndois"},
        {"title": "Só Três", "artist": "Duas Casas", "genre": "Pagode", "lyrics": "Só\ntrês"},
        {"title": "Sozinha", "artist": "Miúda", "genre": "Pagode", "lyrics": "Uma\nsó", "sites": ["vagalume"]},
    ]


@pytest.fixture(scope="session")
def songbook(songs: list[dict[str, Any]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_songbook(tmp_path_factory.mktemp("songbook") / "songs.jsonl", songs)


@pytest.fixture(scope="session")
def sites(songbook: Path) -> Iterator[Sites]:
    headers = {"X-Sandbox-Date": DAY}
    with (
        running_sandbox(songbook) as addresses,
        httpx.Client(base_url=addresses["letras"], headers=headers) as letras,
        httpx.Client(base_url=addresses["vagalume"], headers=headers) as vagalume,
    ):
        yield Sites(letras, vagalume)


def page(client: httpx.Client, path: str, **options: Any) -> Selector:
    """Fetch a page that must be there."""
    response = client.get(path, **options)
    assert response.status_code == 200, (path, response.status_code)
    return Selector(response.content.decode("utf-8"))


def chart_paths(letras: httpx.Client, slug: str, **options: Any) -> list[str]:
    return page(letras, f"/mais-acessadas/{slug}/", **options).css("ol.top-list_mus > li > a::attr(href)").getall()


@pytest.fixture(scope="session")
def letras_songs(sites: Sites) -> dict[str, str]:
    """The page of every song in three charts of Letras, by path."""
    paths = [path for slug in ("samba", "rock", "k-pop") for path in chart_paths(sites.letras, slug)]
    return {path: sites.letras.get(path).text for path in paths}


@pytest.fixture(scope="session")
def vagalume_artists(sites: Sites) -> dict[str, str]:
    """The page of every artist of four styles of Vagalume, by path."""
    paths = [path for style in ("samba", "rock", "mpb", "pagode") for path in artist_paths(sites.vagalume, style)]
    return {path: sites.vagalume.get(path).text for path in paths}


@pytest.fixture(scope="session")
def vagalume_songs(sites: Sites, vagalume_artists: dict[str, str]) -> dict[str, str]:
    """The page of every song of those artists, by path."""
    paths = [
        path
        for text in vagalume_artists.values()
        for path in Selector(text).css("#alfabetMusicList a.nameMusic::attr(href)").getall()
    ]
    return {path: sites.vagalume.get(path).text for path in paths}


def artist_paths(vagalume: httpx.Client, style: str, **options: Any) -> list[str]:
    selector = page(vagalume, f"/browse/style/{style}.html", **options)
    return selector.css(".moreNamesContainer")[0].css("a::attr(href)").getall()
