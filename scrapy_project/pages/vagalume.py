"""The pages of Vagalume.com.br: a style's artists, an artist's songs (as JSON and as a page), a song, its translation.

The site's markup is minified: values stand unquoted and end tags are left out, which the parser mends by itself.
"""

import json
import re
from collections.abc import Iterable
from typing import Any, NamedTuple

from parsel import Selector

from scrapy_project.pages import NoLyrics, PageError, note
from scrapy_project.pages.text import (
    class_is,
    lines_of,
    one_line,
    parse_html,
    path_of,
    read_lyrics,
    same_site_url,
    text_of,
    to_text,
)

_LANGUAGE_IDS = {"1": "pt", "2": "en", "3": "es"}
_LANGUAGE_FLAGS = {"bra": "pt", "eng": "en"}


class ArtistLink(NamedTuple):
    """An artist in a style's list."""

    name: str
    url: str


class SongLink(NamedTuple):
    """A song in an artist's list."""

    title: str
    url: str
    translation_url: str | None
    """Address of the Portuguese translation; None where the site has none."""


class Artist(NamedTuple):
    """What the site says of an artist."""

    name: str
    genres: tuple[str, ...]
    """The site's names of the artist's genres, the main one first."""
    genre_slugs: tuple[str, ...]
    """The same as slugs of `style_url`."""
    songs: tuple[SongLink, ...]
    """Every song once: the most played first, then the others as listed."""


class SongPage(NamedTuple):
    """What a song's page says."""

    title: str
    artist: str
    lyrics: str
    language: str | None
    """ISO 639-1 code of the lyric's language, as the site says; None where it does not."""


class Translation(NamedTuple):
    """What a translation's page says."""

    lyrics: str
    original: str | None
    """The original lyric; None where the page shows the translation alone."""
    language: str | None
    """ISO 639-1 code of the original's language, as the site says; None where it does not."""


def style_url(base: str, slug: str) -> str:
    """Return the address of a style's list of artists."""
    return f"{base}/browse/style/{slug}.html"


def index_url(artist_url: str) -> str:
    """Return the address of the JSON that lists an artist's songs."""
    return f"{artist_url.rstrip('/')}/index.js"


def parse_style(html: bytes, url: str, matched: set[str] | None = None) -> list[ArtistLink]:
    """Return the artists of a style, in the site's (alphabetical) order.

    Families: ``artists``.

    Raises:
        PageError: no artist is found.
    """
    links = parse_html(html).xpath(f"(//div[{class_is('moreNamesContainer')}])[1]//ul//a[@href]")
    artists: dict[str, ArtistLink] = {}
    for link in links:
        name, address = text_of(link), same_site_url(url, link.attrib["href"])
        if name and address and re.fullmatch(r"[^/.]+", path_of(address)):
            artists.setdefault(address, ArtistLink(name, address))
    if not note(matched, "artists", artists):
        raise PageError(url, f"no artist found (.moreNamesContainer ul a, {len(links)} links)")
    return list(artists.values())


def parse_artist_index(body: bytes, url: str, matched: set[str] | None = None) -> Artist:
    """Return what an artist's ``index.js`` says.

    Families: ``genres``, ``top songs``, ``songs``, ``translations``.

    Raises:
        PageError: it is not JSON, or holds no artist or no song.
    """
    try:
        artist = json.loads(to_text(body))["artist"]
        name = one_line(str(artist["desc"]))
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise PageError(url, f"not an artist's index ({type(error).__name__}; artist.desc)") from error
    genres = [genre for genre in _dicts(artist.get("genre")) if genre.get("name") and genre.get("url")]
    parts = {"top songs": artist.get("toplyrics"), "songs": artist.get("lyrics")}
    songs: list[dict[str, Any]] = []
    for family, part in parts.items():
        songs += note(matched, family, [song for listed in _dicts(part) for song in _dicts(listed.get("item"))])
    links = _merged(_song_link(url, song.get("desc"), song.get("url"), song.get("turl")) for song in songs)
    note(matched, "genres", genres)
    note(matched, "translations", any(link.translation_url for link in links))
    return _artist(
        url, name, [(genre["name"], genre["url"]) for genre in genres], links, "artist.toplyrics, artist.lyrics"
    )


def parse_artist_page(html: bytes, url: str, matched: set[str] | None = None) -> Artist:
    """Return what an artist's page says.

    Families: ``genres``, ``top list``, ``full list``, ``translations``.

    Raises:
        PageError: no name or no song is found.
    """
    page = parse_html(html)
    name = text_of(heading[0]) if (heading := page.css("#artHeaderTitle h1")) else ""
    if not name:
        raise PageError(url, "no artist found (#artHeaderTitle h1)")
    tags = note(matched, "genres", page.css("ul.subHeaderTags a[href*='/browse/style/']"))
    genres = [(text_of(tag), tag.attrib["href"]) for tag in tags]
    top = note(matched, "top list", page.css("#topMusicList > li"))
    links = _merged(_song_row(row, url) for row in top + note(matched, "full list", page.css("#alfabetMusicList > li")))
    note(matched, "translations", any(link.translation_url for link in links))
    return _artist(url, name, genres, links, "#topMusicList, #alfabetMusicList")


def parse_song(html: bytes, url: str, matched: set[str] | None = None) -> SongPage:
    """Return what a song's page says.

    Families: ``lyrics``, ``titles``, ``langID``.

    Raises:
        NoLyrics: the page is the site's error page, the song is instrumental, or chords, or without a lyric.
        PageError: no lyric, or no title and artist, is found where the site puts them.
    """
    page = parse_html(html)
    language = _language(page, matched)
    title, artist = (text_of(found[0]) if (found := page.css(f"#lyricContent {tag}")) else "" for tag in ("h1", "h2"))
    note(matched, "titles", title and artist)
    lyrics = _lyrics(page, url, matched, "lyrics")
    if not (title and artist):
        raise PageError(url, "no title and artist found (#lyricContent h1, h2)")
    return SongPage(title, artist, lyrics, language)


def parse_translation(html: bytes, url: str, matched: set[str] | None = None) -> Translation:
    """Return the Portuguese lyric of a translation's page, in either layout: line pairs, or the translation alone.

    Families: ``pair layout``, ``plain layout``, ``langID``.

    Raises:
        NoLyrics: as for `parse_song`.
        PageError: neither layout is found.
    """
    page = parse_html(html)
    pairs = note(matched, "pair layout", page.css("#lyricsPair"))
    language = _language(page, matched)
    language = None if language == "pt" else language
    if not pairs:
        return Translation(_lyrics(page, url, matched, "plain layout"), None, language)
    lyrics = read_lyrics(_pair_text(pairs[0], "trad"), url)
    try:
        original = read_lyrics(_pair_text(pairs[0], "orig"), url)
    except NoLyrics:
        original = None
    return Translation(lyrics, original, language)


def _lyrics(page: Selector, url: str, matched: set[str] | None, family: str) -> str:
    if page.css(".errorContentBg .errorContent, .errorContent"):
        raise NoLyrics(url, "not_found")
    if page.css(".instrumental-icon"):
        raise NoLyrics(url, "instrumental")
    containers = note(matched, family, page.css("#lyrics"))
    if not containers:
        raise PageError(url, "no lyric found (#lyrics)")
    if containers[0].xpath(f"self::*[{class_is('cifra')}]"):
        raise NoLyrics(url, "chords")
    return read_lyrics(lines_of(containers[0]), url)


def _pair_text(pairs: Selector, side: str) -> str:
    """Return one side of the line pairs without the first, which is the song's title.

    Pairs of several lines are stanzas; where each holds one line, an empty pair parts the stanzas.
    """
    cells = pairs.xpath(f".//div[{class_is(side)}]")[1:]
    texts = ["\n".join(lines_of(part) for part in cell.xpath(".//p") or [cell]) for cell in cells]
    return ("\n\n" if any("\n" in text for text in texts) else "\n").join(texts)


def _language(page: Selector, matched: set[str] | None) -> str | None:
    data = page.xpath("string(//script[@id='vData'])").get("")
    if found := note(matched, "langID", re.search(r"[\"']?langID[\"']?\s*:\s*[\"']?(\d+)", data)):
        return _LANGUAGE_IDS.get(found.group(1))
    flags = re.findall(r"langBg-(\w+)", page.css("#songTab li:first-child i::attr(class)").get(""))
    return _LANGUAGE_FLAGS.get(flags[0]) if flags else None


def _song_row(row: Selector, page_url: str) -> SongLink | None:
    names = row.xpath(f".//a[{class_is('nameMusic')}][@href]")
    if not names:
        return None
    translation = row.xpath(f".//a[{class_is('translateWrapper')}]/@href").get()
    return _song_link(page_url, text_of(names[0]), names[0].attrib["href"], translation)


def _song_link(page_url: str, title: Any, href: Any, translation: Any) -> SongLink | None:
    if not (isinstance(title, str) and isinstance(href, str) and one_line(title)):
        return None
    url = same_site_url(page_url, href)
    if (
        url is None
        or not re.fullmatch(r"[^/]+/[^/]+\.html", path_of(url))
        or url.endswith(("-cifrada.html", "-traducao.html"))
    ):
        return None
    return SongLink(
        one_line(title), url, same_site_url(page_url, translation) if isinstance(translation, str) else None
    )


def _merged(links: Iterable[SongLink | None]) -> tuple[SongLink, ...]:
    """Return each song once, at its first place; a translation that any of its rows names is kept."""
    songs: dict[str, SongLink] = {}
    for link in links:
        if link is not None:
            first = songs.setdefault(link.url, link)
            songs[link.url] = first._replace(translation_url=first.translation_url or link.translation_url)
    return tuple(songs.values())


def _artist(url: str, name: str, genres: list[tuple[Any, Any]], songs: tuple[SongLink, ...], looked_for: str) -> Artist:
    if not songs:
        raise PageError(url, f"no song of the artist found ({looked_for})")
    named = [
        (one_line(str(title)), path_of(str(href)).rpartition("/")[2].removesuffix(".html")) for title, href in genres
    ]
    return Artist(name, tuple(title for title, _ in named), tuple(slug for _, slug in named), songs)


def _dicts(value: Any) -> list[dict[str, Any]]:
    """Return the objects of a JSON list; an object that stands alone is a list of one."""
    values = value if isinstance(value, list) else [value]
    return [item for item in values if isinstance(item, dict)]
