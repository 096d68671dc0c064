"""The pages of Letras.mus.br: a genre's chart, a song, its Portuguese translation.

Class names are matched as tokens, since the site adds and drops modifiers beside them; the containers that it used
in earlier years are tried after today's.
"""

import json
import re
import unicodedata
from typing import NamedTuple

from parsel import Selector

from scrapy_project.pages import NoLyrics, PageError, note
from scrapy_project.pages.text import (
    class_is,
    lines_of,
    notice_reason,
    one_line,
    parse_html,
    parse_number,
    path_of,
    read_lyrics,
    same_site_url,
    text_of,
)

SINGLE_TRANSLATION_COOKIE = "translMode=single"
"""Asks for the translation alone; without it the page shows both languages line by line."""

_CHART = f"//ol[{class_is('top-list_mus')}]"
_ORIGINAL = ("lyric-original", "cnt-letra", "lyric-content")
_TRANSLATION = ("translation-single", "lyric-translation")
# In a song's own page a romanization repeats the line in Latin script; in a translation it holds the original line.
# Either way it is not the text that was asked for.
_NOT_LYRICS = ("lyricAnnotation", "romanization")


class ChartRow(NamedTuple):
    """A row of a genre's chart."""

    rank: int
    title: str
    artist: str
    url: str


class SongPage(NamedTuple):
    """What a song's page says."""

    title: str
    artist: str
    lyrics: str
    composers: tuple[str, ...]
    views: int | None
    canonical: str | None
    """The address that the page gives itself, as written there; None if it gives none."""


def chart_url(base: str, slug: str) -> str:
    """Return the address of a genre's chart of songs."""
    return f"{base}/mais-acessadas/{slug}/"


def translation_url(song_url: str) -> str:
    """Return the address of a song's Portuguese translation."""
    return f"{song_url.rstrip('/')}/traducao.html"


def parse_chart(html: bytes, url: str, matched: set[str] | None = None) -> list[ChartRow]:
    """Return the rows of a genre's chart, the first rank first.

    Families: ``rows``.

    Raises:
        PageError: there is no chart, or none of its rows is understood.
    """
    items = parse_html(html).xpath(f"({_CHART})[1]/li")
    rows = [row for rank, item in enumerate(items, start=1) if (row := _chart_row(item, rank, url))]
    if not note(matched, "rows", rows):
        raise PageError(url, f"no row of a chart found (ol.top-list_mus > li > a, {len(items)} items)")
    return rows


def _chart_row(item: Selector, rank: int, page_url: str) -> ChartRow | None:
    link = item.xpath("(.//a[@href])[1]")
    title = text_of(link.xpath("(.//b)[1]")[0]) if link.xpath(".//b") else one_line(link.attrib.get("title", ""))
    artist = text_of(link.xpath("(.//span)[1]")[0]) if link.xpath(".//span") else ""
    url = same_site_url(page_url, link.attrib.get("href", ""))
    if not (title and artist and url and path_of(url).count("/") == 1):
        return None
    return ChartRow(rank, title, artist, url)


def parse_song(html: bytes, url: str, matched: set[str] | None = None) -> SongPage:
    """Return what a song's page says; a translation that stands beside the original is left out.

    Families: ``title``, ``artist``, ``canonical``, ``composers``, ``views``, and a container of the lyric by its class.

    Raises:
        NoLyrics: the page says that the lyric was removed, does not exist, or that the song is instrumental.
        PageError: no lyric, or no title and artist, is found where the site puts them.
    """
    page = parse_html(html)
    text = _lyric_text(page, _ORIGINAL, matched)
    title, artist = _title_and_artist(page)
    canonical = page.css("link[rel=canonical]::attr(href)").get()
    composers = _composers(page)
    views = parse_number(_first_text(page, ".head-info-exib b", ".head-info-exib"))
    # Noted before any of them can be missed.
    for family, found in (("title", title), ("artist", artist), ("canonical", canonical), ("composers", composers)):
        note(matched, family, found)
    note(matched, "views", views is not None)
    if text is None:
        # A song without a lyric need not have a container for one.
        if reason := notice_reason(" ".join(map(text_of, page.css("#js-lyric-content p")))):
            raise NoLyrics(url, reason)
        raise PageError(url, f"no lyric found (div.{', div.'.join(_ORIGINAL)})")
    lyrics = read_lyrics(text, url)
    if not (title and artist):
        raise PageError(url, "no title and artist found (h1.textStyle-primary, h1.head-title, ld+json)")
    return SongPage(
        title=title,
        artist=artist,
        lyrics=lyrics,
        composers=composers,
        views=views,
        canonical=canonical,
    )


def parse_translation(html: bytes, url: str, matched: set[str] | None = None) -> str | None:
    """Return the Portuguese lyric of a translation's page, in either view of it; None if it is the plain song page.

    Families: a container of the translation by its class.

    Raises:
        NoLyrics: the place of the translation holds a notice.
        PageError: neither a translation nor an original lyric is found.
    """
    page = parse_html(html)
    text = _lyric_text(page, _TRANSLATION, matched)
    if text is not None:
        return read_lyrics(text, url)
    if _lyric_text(page, _ORIGINAL) is None:
        raise PageError(url, f"no translation found (div.{', div.'.join(_TRANSLATION + _ORIGINAL)})")
    return None


def is_same_song(asked: ChartRow, page: SongPage, final_url: str) -> bool:
    """Return whether a page is the song asked for: the site answers an unknown one with another song of the artist.

    The address that was reached and the one that the page gives itself must be the one asked for, or, where either is
    another (a number against a name), the title must be the same.
    """
    reached = {path_of(final_url), path_of(page.canonical or final_url)}
    return reached == {path_of(asked.url)} or _folded(page.title) == _folded(asked.title)


def _folded(title: str) -> str:
    letters = unicodedata.normalize("NFKD", re.sub(r"[(\[].*?[)\]]", "", title) or title).casefold()
    return "".join(char for char in letters if char.isalnum())


def _lyric_text(page: Selector, containers: tuple[str, ...], matched: set[str] | None = None) -> str | None:
    for container in containers:
        for found in note(matched, container, page.xpath(f"(//div[{class_is(container)}])[1]")):
            stanzas = found.xpath(f".//p[not(ancestor-or-self::*[{class_is(*_NOT_LYRICS)}])]")
            return "\n\n".join(lines_of(stanza, _NOT_LYRICS) for stanza in stanzas or [found])
    return None


def _title_and_artist(page: Selector) -> tuple[str, str]:
    title = _first_text(page, "h1.textStyle-primary", "h1.head-title", "#js-lyricHeader h1")
    artist = _first_text(page, "h2.textStyle-secondary", "h2.head-subtitle", "#js-lyricHeader h2")
    if title and artist:
        return title, artist
    recording = _recording(page)
    return title or recording[0], artist or recording[1]


def _recording(page: Selector) -> tuple[str, str]:
    for script in page.xpath("//script[@type='application/ld+json']/text()").getall():
        try:
            data = json.loads(script)
        except (ValueError, RecursionError):
            continue
        match data:
            case {"@type": "MusicRecording", "name": str(title), "byArtist": {"name": str(artist)}}:
                return one_line(title), one_line(artist)
    return "", ""


def _composers(page: Selector) -> tuple[str, ...]:
    text = re.sub(
        r"^composi[cç][aã]o\s*:?|\.?\s*essa informa[cç][aã]o.*$",
        "",
        _first_text(page, ".lyric-info-composition"),
        flags=re.I,
    )
    names = (name.strip() for name in text.strip(" .").split("/"))
    return tuple(dict.fromkeys(name for name in names if name))


def _first_text(page: Selector, *selectors: str) -> str:
    for selector in selectors:
        for found in page.css(selector)[:1]:
            if text := text_of(found):
                return text
    return ""
