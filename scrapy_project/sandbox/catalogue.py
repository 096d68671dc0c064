"""The songs of one site under their addresses, with the pages that hold no lyrics."""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum

from scrapy_project.genres import GENRE_NAMES
from scrapy_project.sandbox.chance import fraction, pick
from scrapy_project.sandbox.hangul import romanize
from scrapy_project.sandbox.songbook import Song


class Notice(Enum):
    """Why a song's page holds no lyrics."""

    REMOVED = "removed at the owner's request (Letras)"
    NO_LYRICS = "instrumental (Letras)"
    ICON = "instrumental, told by an icon (Vagalume)"
    IMAGE = "instrumental, told by a word and an image (Vagalume)"
    PLACEHOLDER = "instrumental, told by a user in place of the lyrics (Vagalume)"


@dataclass(frozen=True, slots=True, eq=False)
class Track:
    """A song on one site."""

    song: Song
    title: str
    """The title on this site; it may differ a little from the songbook's."""
    artist_slug: str
    slug: str
    notice: Notice | None = None


class Catalogue:
    """The tracks of one site: by artist (slug), by genre (name) and by address.

    `slug_of` makes a track's part of the address from the song and its title on the site.
    """

    def __init__(self, titled: Iterable[tuple[Song, str, Notice | None]], slug_of: Callable[[Song, str], str]) -> None:
        self.by_artist: defaultdict[str, dict[str, Track]] = defaultdict(dict)
        self.by_genre: defaultdict[str, list[Track]] = defaultdict(list)
        self._artist_slugs: dict[str, str] = {}
        for song, title, notice in titled:
            tracks = self.by_artist[self._artist_slug(song.artist)]
            slug = _unused(slug_of(song, title), tracks)
            track = Track(song, title, self._artist_slug(song.artist), slug, notice)
            tracks[slug] = track
            for genre in song.genres:
                self.by_genre[genre].append(track)

    def find(self, artist_slug: str, slug: str) -> Track | None:
        """Return the track at this address, if there is one."""
        return self.by_artist.get(artist_slug, {}).get(slug)

    def _artist_slug(self, artist: str) -> str:
        if artist not in self._artist_slugs:
            self._artist_slugs[artist] = _unused(slugify(artist), self.by_artist)
        return self._artist_slugs[artist]


def slugify(text: str) -> str:
    """Return `text` as a part of an address: lower-case ASCII letters and digits, hyphens between words."""
    ascii_text = unicodedata.normalize("NFKD", romanize(text)).encode("ascii", "ignore").decode().lower()
    # Other scripts leave nothing behind; such a name still needs an address of its own.
    return re.sub(r"[^a-z0-9]+", "-", ascii_text).strip("-") or f"x{int(fraction('slug', text) * 10**8)}"


def songs_without_lyrics(
    songs: Sequence[Song], site: str, notices: dict[str, list[Notice]]
) -> list[tuple[Song, Notice]]:
    """Return songs that no songbook holds, to stand in a genre's chart beside its artists' other songs.

    `notices` says what to add to which genre; a genre without songs on this site gets nothing.
    """
    artists: defaultdict[str, list[str]] = defaultdict(list)
    for song in songs:
        artists[song.genre].append(song.artist)
    added = []
    for genre in GENRE_NAMES:
        for notice in notices.get(genre, []) if artists[genre] else []:
            title = f"{pick(_TITLES, notice.name, genre)} ({genre})"
            artist = pick(artists[genre], site, notice.name, genre)
            added.append((Song(title=title, artist=artist, genre=genre, genres=(genre,), lyrics=""), notice))
    return added


_TITLES = ("Vinheta", "Interlúdio", "Abertura", "Passagem de Som", "Faixa Escondida", "Despedida")


def _unused(slug: str, taken: Container[str]) -> str:
    if slug not in taken:
        return slug
    number = 2
    while f"{slug}-{number}" in taken:
        number += 1
    return f"{slug}-{number}"
