"""Each fixture is one oddity of a site: a page, the parser that reads it, and what it must make of it."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scrapy_project.pages import NoLyrics, PageError, letras, vagalume

FIXTURES = Path(__file__).parent / "fixtures"
SITES = {"letras": letras, "vagalume": vagalume}
PARSERS = (
    letras.parse_chart,
    letras.parse_song,
    letras.parse_translation,
    vagalume.parse_style,
    vagalume.parse_artist_index,
    vagalume.parse_artist_page,
    vagalume.parse_song,
    vagalume.parse_translation,
)
ADDRESS = "https://www.letras.mus.br/artista/cancao/"


class Fixture(NamedTuple):
    name: str
    body: bytes
    parser: Any
    url: str
    told: dict[str, Any]


def read_fixture(told_path: Path) -> Fixture:
    told = json.loads(told_path.read_text(encoding="utf-8"))
    (page,) = (path for path in told_path.parent.glob(f"{told_path.stem}.*") if path.suffix != ".json")
    site = told_path.parent.name
    parser = getattr(SITES[site], told["parser"])
    return Fixture(f"{site}-{told_path.stem}", page.read_bytes(), parser, told["url"], told)


ALL = [read_fixture(path) for path in sorted(FIXTURES.glob("*/*.json"))]


def plain(value: Any) -> Any:
    """Return a parser's answer as JSON would hold it, with tuples' field names."""
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return {name: plain(field) for name, field in value._asdict().items()}
    return [plain(item) for item in value] if isinstance(value, (list, tuple)) else value


def answer(parser: Any, body: bytes, url: str) -> Any:
    """Return what the parser makes of a page, or the `PageError`; any other exception is a failure."""
    try:
        return parser(body, url)
    except PageError as error:
        return error


@pytest.mark.parametrize("fixture", ALL, ids=lambda fixture: fixture.name)
def test_a_page_is_read_as_its_fixture_says(fixture):
    found = answer(fixture.parser, fixture.body, fixture.url)
    if "error" not in fixture.told:
        assert plain(found) == fixture.told["expected"]
        return
    assert type(found).__name__ == fixture.told["error"], found
    assert fixture.url in str(found)
    if isinstance(found, NoLyrics):
        assert found.reason == fixture.told["reason"]


@settings(deadline=None, max_examples=300)
@given(st.sampled_from(PARSERS), st.binary(max_size=400))
def test_random_bytes_are_answered_or_refused_as_a_page_error(parser, body):
    answer(parser, body, ADDRESS)


PIECES = st.sampled_from(
    [
        *(
            "<ol class=top-list_mus>",
            "<li>",
            "<a href=http://[>",
            "<a href=/a/b/>",
            "<b>",
            "</ol>",
            "<p>",
            "<br>",
            "<!--",
        ),
        *(
            "<div id=lyrics>",
            "<div class=lyric-original>",
            "<div class=lyric-translation>",
            "<span class=verse>",
            "<h1>",
        ),
        *("<div id=lyricsPair>", "<div class='trad pair'>", "<script id=vData>", "<script type=application/ld+json>"),
        *(
            '{"artist":',
            '{"desc":1,',
            '"lyrics":[{"item":[{}]}]',
            "[[[[",
            "]",
            "}",
            '"\\ud800"',
            "\x00",
            "\x1b",
            "\ufeff",
        ),
        *(
            "<meta charset=utf-16>",
            "<meta charset=rot13>",
            "&#0;",
            "&#xD800;",
            "9" * 30,
            "Refrão",
            "A1" * 50,
            "( ( (2x",
        ),
    ]
)


@settings(deadline=None, max_examples=400)
@given(st.sampled_from(PARSERS), st.lists(PIECES, max_size=25))
def test_scrambled_markup_is_answered_or_refused_as_a_page_error(parser, pieces):
    answer(parser, "".join(pieces).encode(), ADDRESS)


@settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(ALL), st.sampled_from(PARSERS), st.data())
def test_a_truncated_page_is_answered_or_refused_as_a_page_error(fixture, parser, data):
    end = data.draw(st.integers(0, len(fixture.body)))
    answer(fixture.parser, fixture.body[:end], fixture.url)
    answer(parser, fixture.body[:end], fixture.url)


def test_a_deeply_nested_index_is_a_page_error():
    assert isinstance(answer(vagalume.parse_artist_index, b"[" * 100_000, ADDRESS), PageError)


def test_an_error_names_the_page_and_what_was_looked_for():
    with pytest.raises(PageError, match=r"https://www\.letras\.mus\.br/artista/cancao/: .*ol\.top-list_mus"):
        letras.parse_chart(b"<html></html>", ADDRESS)


def test_the_bytes_are_utf_8_unless_the_page_declares_otherwise():
    page = "<div id=lyricContent><h1>Canção</h1><h2>Fê</h2><div id=lyrics>maçã é pão</div></div>"
    assert vagalume.parse_song(page.encode(), ADDRESS).lyrics == "maçã é pão"
    declared = "<meta charset=iso-8859-1>" + page
    assert vagalume.parse_song(declared.encode("latin-1"), ADDRESS).lyrics == "maçã é pão"


RECORDING = '{"@type": "MusicRecording", "name": "Canção  Nova", "byArtist": {"name": "Trio"}}'


def test_data_of_anything_but_a_recording_gives_no_names():
    page = '<div class="lyric-original"><p>o luar caiu no barro<br>e a viola respondeu</p></div>'
    others = ('{"@type": "BreadcrumbList"}', '{"@type": "MusicRecording", "name": 3}', "[]", "{not json")
    scripts = [f'<script type="application/ld+json">{data}</script>' for data in (*others, RECORDING)]
    found = letras.parse_song(("".join(scripts) + page).encode(), ADDRESS)
    assert (found.title, found.artist) == ("Canção Nova", "Trio")
    with pytest.raises(PageError):
        letras.parse_song(("".join(scripts[:-1]) + page).encode(), ADDRESS)


def test_an_empty_heading_leaves_the_word_to_the_next():
    first, next_one = '<h2 class="textStyle-secondary"> </h2>', '<h2 class="head-subtitle">Trio</h2>'
    page = '<h1 class="textStyle-primary">Um</h1><div class="lyric-original"><p>o luar caiu<br>no barro</p></div>'
    assert letras.parse_song((page + first + next_one).encode(), ADDRESS).artist == "Trio"


def test_a_translation_beside_an_original_that_holds_no_lyric_stands_alone():
    pair = "<div class='orig pair'><p>{}</p></div><div class='trad pair'><p>{}</p></div>"
    body = pair.format("One", "Um") + pair.format("", "o luar caiu no barro<br>e a viola respondeu")
    found = vagalume.parse_translation(f"<meta charset=utf-8><div id=lyricsPair>{body}</div>".encode(), ADDRESS)
    assert (found.lyrics, found.original) == ("o luar caiu no barro\ne a viola respondeu", None)


@pytest.mark.parametrize(
    "broken", [{"desc": " "}, {"desc": 3}, {"url": None}, {"url": "https://elsewhere.example/a/b.html"}, {"url": "/a/"}]
)
def test_a_listed_song_without_a_title_or_an_address_is_passed_over(broken):
    songs = [{"desc": "Um", "url": "/a/um.html"}, {"desc": "Dois", "url": "/a/dois.html"} | broken]
    index = json.dumps({"artist": {"desc": "A", "lyrics": {"item": songs}}})
    found = vagalume.parse_artist_index(index.encode(), "https://www.vagalume.com.br/a/index.js")
    assert [song.title for song in found.songs] == ["Um"]


BASE = "https://www.letras.mus.br"
ASKED = letras.ChartRow(1, "Sal & Sol (part. Nina Fogo)", "Ana & Beto", f"{BASE}/ana-e-beto/104512/")


def page_of(title: str, canonical: str | None) -> letras.SongPage:
    return letras.SongPage(title, "Ana & Beto", "letra", (), None, canonical)


@pytest.mark.parametrize(
    ("title", "canonical", "final_url", "same"),
    [
        ("Sal & Sol", None, ASKED.url, True),
        ("Outro nome", ASKED.url, ASKED.url.rstrip("/"), True),
        ("Sal & Sol (part. Nina Fogo)", f"{BASE}/ana-e-beto/sal-e-sol/", f"{BASE}/ana-e-beto/sal-e-sol/", True),
        ("SAL & SOL", f"{BASE}/ana-e-beto/sal-e-sol/", ASKED.url, True),
        ("Maré Baixa", f"{BASE}/ana-e-beto/mare-baixa/", f"{BASE}/ana-e-beto/mare-baixa/", False),
        ("Maré Baixa", f"{BASE}/ana-e-beto/mare-baixa/", ASKED.url, False),
        ("Maré Baixa", None, f"{BASE}/ana-e-beto/mare-baixa/", False),
    ],
)
def test_a_redirect_is_the_same_song_only_if_address_or_title_says_so(title, canonical, final_url, same):
    assert letras.is_same_song(ASKED, page_of(title, canonical), final_url) is same


def test_addresses_are_built_as_the_sites_expect_them():
    assert letras.chart_url(BASE, "forro") == f"{BASE}/mais-acessadas/forro/"
    assert letras.translation_url(f"{BASE}/a/123/") == f"{BASE}/a/123/traducao.html"
    assert vagalume.style_url("http://v", "k-pop-k-rock") == "http://v/browse/style/k-pop-k-rock.html"
    assert vagalume.index_url("http://v/artist/") == "http://v/artist/index.js"
