"""Vagalume.com.br: the markup of its pages, as the site's minifier leaves it.

Attribute values are unquoted where they can be, optional end tags are left out, ``&`` stands raw in text.
"""

import json
from itertools import pairwise, zip_longest

from scrapy_project.genres import GENRES
from scrapy_project.sandbox.catalogue import Notice, Track
from scrapy_project.sandbox.chance import fraction, pick
from scrapy_project.sandbox.songbook import stanzas
from scrapy_project.sandbox.variants import vagalume_text

TOP_SONGS = 25
"""Rows of an artist's top songs."""
SMALL_ARTIST = 2
"""Songs. An artist with fewer has no list of top songs."""

_SLUGS = {genre.name: genre.vagalume for genre in GENRES}
# The numbers and flags of other languages are not known; the pages then carry these guesses.
_LANGUAGE_NUMBERS = {"pt": "1", "en": "2", "es": "3"}
_OTHER_NUMBER = "0"
_FLAGS = {"en": "eng", "es": "esp", "ko": "kor"}
_OTHER_FLAG = "unk"
_CHORDS = ("G       D", "C   G", "Em    C", "Am  D7", "F       G7")


def home() -> str:
    """Return the first page: the list of the styles."""
    rows = "".join(f"<li><a href=/browse/style/{genre.vagalume}.html>{_text(genre.name)}</a>" for genre in GENRES)
    body = f"<h1>Sandbox: Vagalume</h1><p>Imitação local, com letras originais.<ul>{rows}</ul>"
    return _page("Sandbox: imitação do Vagalume", body)


def not_found() -> str:
    """Return the page of an address that does not exist."""
    error = "<div class=errorContentBg><div class=errorContent><h1>Ops!</h1><p>Página não encontrada</div></div>"
    return _page("Página não encontrada - VAGALUME", error)


def style(genre: str, artists: list[tuple[str, str]]) -> str:
    """Return a style's page: its artists (slug, name) in two columns, and other names below."""
    rows = [f"<li><a href=/{slug}/>{_text(name)}</a>" for slug, name in artists]
    half = (len(rows) + 1) // 2
    columns = "".join(f"<ul class=namesColumn>{''.join(part)}</ul>" for part in (rows[:half], rows[half:]))
    others = "".join(f"<li><a href=/browse/style/{slug}.html>{_text(name)}</a>" for name, slug in _SLUGS.items())
    body = (
        f'<h1>{_text(genre)}</h1><div class="moreNamesContainer h16">{columns}</div>'
        f"<h2>Outros estilos</h2><div class=moreNamesContainer><ul class=namesColumn>{others}</ul></div>"
    )
    return _page(f"{genre} - Artistas - VAGALUME", body, {"style": _SLUGS[genre]})


def artist(top: list[Track], tracks: list[Track], genres: list[str]) -> str:
    """Return an artist's page: genres, the top songs, and all songs by title."""
    slug, name = tracks[0].artist_slug, _text(tracks[0].song.artist)
    tags = "".join(f"<li><a href=/browse/style/{_SLUGS[genre]}.html>{_text(genre)}</a>" for genre in genres)
    header = (
        f'<div id=artHeaderTitle><h1 class=darkBG><a href=/{slug}/>{name}</a></h1><ul class="subHeaderTags h14">{tags}'
        "</ul></div>"
    )
    best = "".join(_top_row(number, track) for number, track in enumerate(top[:TOP_SONGS], start=1))
    best_list = f"<h3>Top músicas</h3><ol id=topMusicList>{best}</ol>" if len(top) >= SMALL_ARTIST else ""
    letters = [track.title[0].upper() for track in tracks]
    # A letter is shown once, at its first song.
    marks = [letter if letter != before else "" for before, letter in pairwise(["", *letters])]
    every = "".join(map(_row, tracks, marks))
    body = f"{header}{best_list}<h3>Todas as músicas</h3><ol id=alfabetMusicList>{every}</ol>"
    return _page(f"{name} - VAGALUME", body, {"style": _SLUGS[genres[0]]})


def index(top: list[Track], tracks: list[Track], genres: list[str], related: list[tuple[str, str]]) -> str:
    """Return an artist's page as JSON; `related` holds slug and name of other artists."""
    slug = tracks[0].artist_slug
    fields = {
        "id": _identity(slug),
        "desc": tracks[0].song.artist,
        "url": f"/{slug}/",
        "rank": {"pos": str(1 + int(1000 * fraction("rank", slug))), "views": "0"},
        "genre": [{"name": genre, "url": f"/browse/style/{_SLUGS[genre]}.html"} for genre in genres],
        "related": [{"id": _identity(other), "name": name, "url": f"/{other}/"} for other, name in related[:10]],
        "toplyrics": {"item": [_item(track) for track in top[:TOP_SONGS]]},
        "lyrics": {"item": [_item(track, with_translation=True) for track in tracks]},
        "albums": {"item": []},
    }
    return json.dumps({"artist": fields}, ensure_ascii=False, separators=(",", ":"))


def has_translation(track: Track) -> bool:
    """Tell whether the song has a page with its Portuguese translation."""
    return track.song.language != "pt" and bool(track.song.lyrics)


def song(track: Track, genres: list[str], *, has_chords: bool) -> str:
    """Return a song's page with its text in the language it was written in."""
    text = _broken(vagalume_text(track.song.original or track.song.lyrics, track.song))
    link = f"<a href={_address(track, '-cifrada')}>Ver cifra</a>" if has_chords else ""
    return _song_page(track, genres, f"{_tabs(track)}<div id=lyrics>{text}</div>{link}")


def notice(track: Track) -> str:
    """Return the page of a song that has no lyrics to show."""
    image = "Instrumental<br><img src=/img/etc/instrumental.png>"
    lyric = {
        Notice.ICON: "<div class=instrumental-icon></div>",
        Notice.IMAGE: f"<div id=lyrics>{image}</div>",
        Notice.PLACEHOLDER: "<div id=lyrics>[música não tem letra]</div>",
    }
    assert track.notice is not None  # noqa: S101
    return _song_page(track, [track.song.genre], lyric[track.notice])


def translation(track: Track, genres: list[str]) -> str:
    """Return the page of a song's translation in one of the site's two layouts."""
    translated = vagalume_text(track.song.lyrics, track.song)
    if fraction("translation layout", track.song.key) < 0.5:
        return _song_page(track, genres, f"{_tabs(track)}<div id=lyrics>{_broken(translated)}</div>")
    original = vagalume_text(track.song.original, track.song)
    pairs = zip_longest(stanzas(original), stanzas(translated), fillvalue=list[str]())
    rows = "".join(_pair("<br>".join(map(_text, there)), "<br>".join(map(_text, here))) for there, here in pairs)
    title = _pair(_text(track.title), _text(track.title))
    return _song_page(track, genres, f"{_tabs(track)}<div id=lyricsPair>{title}{rows}</div>")


def chords(track: Track, genres: list[str]) -> str:
    """Return a song's page for players: chords above the lines."""
    lines = vagalume_text(track.song.original or track.song.lyrics, track.song).split("\n")
    played = [f"<b>{pick(_CHORDS, 'chord', line)}</b>\n{_text(line)}" if line else "" for line in lines]
    return _song_page(track, genres, f"<div id=lyrics class=cifra><pre>{chr(10).join(played)}</pre></div>")


def _text(text: str) -> str:
    return text.replace("<", "&lt;")


def _broken(text: str) -> str:
    return _text(text).replace("\n", "<br>")


def _page(title: str, body: str, data: dict[str, str] | None = None) -> str:
    text = json.dumps(data or {}, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    return (
        f"<!doctype html><html lang=pt-br><meta charset=utf-8><title>{_text(title)}</title>"
        f"<script id=vData>window.vData={text}</script>{body}"
    )


def _address(track: Track, kind: str = "") -> str:
    return f"/{track.artist_slug}/{track.slug}{kind}.html"


def _identity(name: str) -> str:
    return f"3ade{int(fraction('id', name) * 16**12):012x}"


def _top_row(number: int, track: Track) -> str:
    link = f"<a href={_address(track)} class=nameMusic>{_text(track.title)}</a>"
    play = f"<a href={_address(track)}#play><button></button></a>"
    slider = f'<div class="songSlider hideMobile"><div class=songSliderItem>{_translate_link(track)}{play}</div></div>'
    left = f"<div class=lineColLeft><span class=numMusic>{number:02}.</span>{link}{slider}</div>"
    return f"<li><div class=flexSpcBet>{left}</div>"


def _row(track: Track, letter: str) -> str:
    mark = f"<p class=letterMusic id={ord(letter)}>{_text(letter)}</p>" if letter else ""
    link = f'<a href={_address(track)} class="nameMusic w1">{_text(track.title)}</a>'
    left = f"<div class=lineColLeft>{mark}{link}{_translate_link(track)}</div>"
    return f'<li><div class=flexSpcBet data-added="{_added(track)}">{left}</div>'


def _added(track: Track) -> str:
    number = fraction("added", track.song.key)
    return f"20{10 + int(number * 15)}-{1 + int(number * 1000) % 12:02}-{1 + int(number * 10000) % 28:02} 16:30:21"


def _translate_link(track: Track) -> str:
    if not has_translation(track):
        return ""
    return f"<a href={_address(track, '-traducao')} class=translateWrapper><p>TRADUÇÃO</p></a>"


def _item(track: Track, *, with_translation: bool = False) -> dict[str, str]:
    item = {"id": _identity(track.song.key), "desc": track.title, "url": _address(track)}
    return item | {"turl": _address(track, "-traducao")} if with_translation and has_translation(track) else item


def _tabs(track: Track) -> str:
    if not has_translation(track):
        return ""
    flag = _FLAGS.get(track.song.language, _OTHER_FLAG)
    original = f'<li><a class=active>Original<i class="lang langBg-{flag}"></i></a>'
    return f'<ul id=songTab>{original}<li><a>Tradução<i class="lang langBg-bra"></i></a></ul>'


def _pair(original: str, translated: str) -> str:
    return f'<div class="orig pair"><p>{original}</p></div><div class="trad pair"><p>{translated}</p></div>'


def _song_page(track: Track, genres: list[str], lyric: str) -> str:
    name = _text(track.song.artist)
    titles = f"<h1>{_text(track.title)}</h1><h2><a href=/{track.artist_slug}/>{name}</a></h2>"
    data = {"style": _SLUGS[genres[0]], "langID": _LANGUAGE_NUMBERS.get(track.song.language, _OTHER_NUMBER)}
    body = f"<div id=lyricContent><div class=col1-2-1>{titles}{lyric}</div></div>"
    return _page(f"{track.title} - {name} - VAGALUME", body, data)
