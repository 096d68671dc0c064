"""Letras.mus.br: the markup of its pages, without a space between tags, as the real site serves it.

Which of the site's layouts of several years a song has depends on the song alone, not on the date.
"""

import json
from dataclasses import dataclass
from html import escape
from itertools import zip_longest

from scrapy_project.genres import GENRES
from scrapy_project.sandbox.catalogue import Notice, Track
from scrapy_project.sandbox.chance import fraction, pick
from scrapy_project.sandbox.hangul import has_hangul, romanize
from scrapy_project.sandbox.songbook import Song, stanzas

NOTICES = {
    Notice.REMOVED: "Essa música foi removida em razão de solicitação do(s) titular(es) da obra.",
    Notice.NO_LYRICS: "Essa música é instrumental e não possui letra.",
}

# The lyric's container: today's, for every second song, that of mid-2024, and that of before 2023, which also had
# other titles.
_OLD_CONTAINER = "cnt-letra"
_CONTAINERS = ("lyric-original", "lyric-original", "lyric-original font --lyrics --size18", _OLD_CONTAINER)
_CHART_CLASSES = ("top-list_mus --top", "top-list_mus --top", "top-list_mus cnt-list--col1-3")
_CONTROL_CHARACTERS = ("\x00", "\x02", "\x0b", "\x1f")
_WITHOUT_COMPOSERS = 0.15
_WITHOUT_VIEWS = 0.2
_WITH_ANNOTATION = 0.2
_WITH_CONTROL_CHARACTER = 0.12


@dataclass(frozen=True, slots=True)
class Frame:
    """What a page takes from the request: the host it was asked from, and whether a mobile browser asked."""

    host: str
    is_mobile: bool = False


def address(track: Track) -> str:
    """Return the path of a song's page."""
    return f"/{track.artist_slug}/{track.slug}/"


def home() -> str:
    """Return the first page: the list of the charts."""
    rows = "".join(f'<li><a href="/mais-acessadas/{genre.letras}/">{escape(genre.name)}</a></li>' for genre in GENRES)
    body = f"<h1>Sandbox: Letras.mus.br</h1><p>Imitação local, com letras originais.</p><ul>{rows}</ul>"
    return _page("Sandbox: imitação do Letras.mus.br", body)


def not_found() -> str:
    """Return the page of an address that does not exist."""
    return _page("Página não encontrada", "<h1>Página não encontrada</h1>")


def chart(genre: str, tracks: list[Track]) -> str:
    """Return a genre's chart, the most popular song first."""
    css = pick(_CHART_CLASSES, "chart class", genre)
    # Each row of the template is a row to whoever searches the page for links.
    template = (
        '<script type="text/template"><li><a href="/%dns%/%url%/" title="%title%"><b>%title%</b></a></li></script>'
    )
    songs = f'<ol class="{css}">{"".join(map(_chart_row, tracks))}</ol>'
    artists = {track.artist_slug: track.song.artist for track in tracks}
    artist_rows = "".join(f'<li><a href="/{slug}/">{escape(name)}</a></li>' for slug, name in artists.items())
    body = f'<h1>Mais acessadas: {escape(genre)}</h1>{template}{songs}<ol class="top-list_art">{artist_rows}</ol>'
    return _page(f"Mais acessadas: {genre}", body)


def artist(tracks: list[Track]) -> str:
    """Return an artist's page: the artist's songs."""
    name = tracks[0].song.artist
    rows = "".join(f'<li><a href="{address(track)}">{escape(track.title)}</a></li>' for track in tracks)
    return _page(name, f"<h1>{escape(name)}</h1><ul>{rows}</ul>")


def song(track: Track, views: int, frame: Frame) -> str:
    """Return a song's page with its text in the language it was written in."""
    text = _with_control_character(track.song.original or track.song.lyrics, track.song)
    blocks = list(map(_verse_block if has_hangul(text) else _line_block, stanzas(text)))
    if fraction("annotation", track.song.key) < _WITH_ANNOTATION:
        blocks.insert(1, '<div class="lyricAnnotation"><span>Significado enviado por um fã</span></div>')
    info = _composers(track.song) + _views(track.song, views)
    return _song_page(track, _lyric(track, "".join(blocks), frame), frame, info)


def notice(track: Track, frame: Frame) -> str:
    """Return the page of a song that has no lyrics to show."""
    assert track.notice is not None  # noqa: S101
    return _song_page(track, _lyric(track, f"<p>{NOTICES[track.notice]}</p>", frame), frame)


def single_translation(track: Track, frame: Frame) -> str:
    """Return the translation alone."""
    blocks = "".join(map(_line_block, stanzas(track.song.lyrics)))
    css = "lyric-translation" if frame.is_mobile else "translation-single"
    return _song_page(track, f'<div class="{css}">{blocks}</div>', frame)


def paired_translation(track: Track, frame: Frame) -> str:
    """Return the translation line by line beside the original, which here stands in ``.romanization``."""
    pairs = zip_longest(stanzas(track.song.lyrics), stanzas(track.song.original), fillvalue=list[str]())
    blocks = [
        "".join(_verse(here, there) for here, there in zip_longest(translated, original, fillvalue=""))
        for translated, original in pairs
    ]
    lyric = "".join(f"<p>{block}</p>" for block in blocks)
    return _song_page(track, f'<div class="lyric-translation">{lyric}</div>', frame)


def _page(title: str, body: str, head: str = "") -> str:
    return (
        f'<!DOCTYPE html><html lang="pt-BR"><head><meta charset="utf-8"><title>{escape(title)}</title>{head}</head>'
        f"<body>{body}</body></html>"
    )


def _chart_row(track: Track) -> str:
    title, name = escape(track.title), escape(track.song.artist)
    return (
        f'<li><a href="{address(track)}" title="{title}"><b class="font --base --strong --size16">{title}</b>'
        f'<span class="font --base --size14">{name}</span></a></li>'
    )


def _song_page(track: Track, lyric: str, frame: Frame, info: str = "") -> str:
    head = f'<link rel="canonical" href="http://{escape(frame.host)}{address(track)}">'
    body = f'<article id="js-lyric-content">{_titles(track)}{lyric}</article>{info}{_json_ld(track)}'
    return _page(f"{track.title} - {track.song.artist}", body, head)


def _container(track: Track) -> str:
    return pick(_CONTAINERS, "container", track.song.key)


def _titles(track: Track) -> str:
    old = _container(track) == _OLD_CONTAINER
    one, two = ("head-title", "head-subtitle") if old else ("textStyle-primary", "textStyle-secondary")
    artist_link = f'<a href="/{track.artist_slug}/">{escape(track.song.artist)}</a>'
    titles = f'<h1 class="{one}">{escape(track.title)}</h1><h2 class="{two}">{artist_link}</h2>'
    return f'<div id="js-lyricHeader"><div class="title-content">{titles}</div></div>'


def _lyric(track: Track, inner: str, frame: Frame) -> str:
    return f'<div class="{"lyric-content" if frame.is_mobile else _container(track)}">{inner}</div>'


def _line_block(lines: list[str]) -> str:
    text = escape(lines[0], quote=False)
    for number, line in enumerate(lines[1:]):
        text += ("<br>", "<br/>")[number % 2] + escape(line, quote=False)
    return f"<p>{text}</p>"


def _verse_block(lines: list[str]) -> str:
    return f"<p>{''.join(_verse(line, romanize(line)) for line in lines)}</p>"


def _verse(line: str, below: str) -> str:
    small = f'<span class="romanization">{escape(below, quote=False)}</span>' if below else ""
    return f'<span class="verse"><span>{escape(line, quote=False)}</span>{small}</span>'


def _with_control_character(text: str, song: Song) -> str:
    if fraction("control character", song.key) >= _WITH_CONTROL_CHARACTER:
        return text
    # At the end of a word, so that taking it out restores the text.
    return text.replace(" ", pick(_CONTROL_CHARACTERS, "which character", song.key) + " ", 1)


def _composers(song: Song) -> str:
    if not song.composers or fraction("composers", song.key) < _WITHOUT_COMPOSERS:
        return ""
    names = escape(" / ".join(song.composers), quote=False)
    text = f"Composição: {names}. Essa informação está errada? Nos avise."
    return f'<div class="lyric-info-composition">{text}</div>'


def _views(song: Song, views: int) -> str:
    if fraction("views shown", song.key) < _WITHOUT_VIEWS:
        return ""
    return f'<div class="head-info-exib"><b>{views:,}</b> exibições</div>'.replace(",", ".")


def _json_ld(track: Track) -> str:
    fields: dict[str, object] = {"@context": "https://schema.org", "@type": "MusicRecording", "name": track.title}
    fields["byArtist"] = {"@type": "MusicGroup", "name": track.song.artist}
    if track.song.year is not None:
        fields["datePublished"] = str(track.song.year)
    # A title may hold "</script>".
    text = json.dumps(fields, ensure_ascii=False).replace("<", "\\u003c")
    return f'<script type="application/ld+json">{text}</script>'
