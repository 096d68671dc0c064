"""The spider of Vagalume.com.br: the artists of each style in a fixed but unalphabetical order, and their top songs.

The site has no chart of songs by style, and its list of artists is alphabetical: the first of it would be a sample of
the letter A. Each genre goes one artist at a time and asks for the next only when all songs of the last are settled:
what is asked then follows from the pages alone and never from their timing, so a replay asks for the same pages.
"""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from hashlib import sha1
from typing import Any

from scrapy import Request
from scrapy.http import Response
from twisted.python.failure import Failure

from scrapy_project.genres import Genre
from scrapy_project.items import RawSong
from scrapy_project.language import detect_language
from scrapy_project.pages import NoLyrics, PageError, vagalume
from scrapy_project.pages.text import path_of
from scrapy_project.spiders.base import LyricsSpider, fetched_at, is_absent, whole_number


@dataclass
class Quota:
    """How far a genre has come."""

    genre: Genre
    artists: Iterator[vagalume.ArtistLink]
    """Those not asked yet, in order."""
    songs: int = 0
    """Songs yielded."""
    pending: int = 0
    """Songs of the current artist that are not settled yet."""


@dataclass(frozen=True)
class WantedSong:
    """A song on its way, with what its artist's list said."""

    quota: Quota
    artist: vagalume.Artist
    link: vagalume.SongLink


class VagalumeSpider(LyricsSpider):
    """Takes an artist only for the artist's main genre.

    Args:
        songs_per_artist: how many songs of one artist to ask for at most, from 1.
        arguments: those of `LyricsSpider`.
    """

    name = "vagalume"
    site_url = "https://www.vagalume.com.br"
    argument_names = (*LyricsSpider.argument_names, "songs_per_artist")

    def __init__(self, *, songs_per_artist: str | int = 5, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.songs_per_artist = whole_number("songs_per_artist", songs_per_artist)

    async def start(self) -> AsyncIterator[Request]:
        """Ask for the artists of each genre."""
        for genre in self.genres:
            yield self.ask(vagalume.style_url(self.base_url, genre.vagalume), self.parse_style, genre=genre)

    def parse_style(self, response: Response, genre: Genre) -> Iterator[Request]:
        """Ask for the first artist of a genre."""
        with self.reading(response):
            artists = vagalume.parse_style(response.body, response.url)
            yield from self.next_artist(Quota(genre, iter(sorted(artists, key=sampling_order))))

    def next_artist(self, quota: Quota) -> Iterator[Request]:
        """Ask for the genre's next artist, while songs are wanted and artists are left."""
        artist = next(quota.artists, None) if quota.songs < self.songs_per_genre else None
        if artist is not None:
            url = vagalume.index_url(artist.url)
            yield self.ask(url, self.parse_index, errback=self.index_failed, quota=quota, artist_url=artist.url)

    def parse_index(self, response: Response, quota: Quota, artist_url: str) -> Iterator[Request]:
        """Ask for the artist's songs, or for the artist's page where the index is not understood."""
        artist = self.try_parse(vagalume.parse_artist_index, response)
        if isinstance(artist, PageError):
            self.logger.info("Not understood, the artist's page instead: %s", artist)
            yield self.artist_page(quota, artist_url)
        else:
            yield from self.artist_songs(quota, artist)

    def index_failed(self, failure: Failure) -> Iterator[Request]:
        """Ask for the artist's page where there is no index; leave out an artist that cannot be had."""
        context = failure.request.cb_kwargs  # type: ignore[attr-defined]
        if is_absent(failure):
            self.add("pages")
            yield self.artist_page(**context)
        else:
            self.give_up(failure)
            yield from self.next_artist(context["quota"])

    def artist_page(self, quota: Quota, artist_url: str) -> Request:
        """Return the request for an artist's page."""
        self.add("index_fallbacks")
        return self.ask(artist_url, self.parse_artist_page, errback=self.artist_failed, quota=quota)

    def parse_artist_page(self, response: Response, quota: Quota) -> Iterator[Request]:
        """Ask for the artist's songs; leave out an artist whose page is not understood."""
        artist = self.try_parse(vagalume.parse_artist_page, response)
        if isinstance(artist, PageError):
            self.count_unread(artist)
            yield from self.next_artist(quota)
        else:
            yield from self.artist_songs(quota, artist)

    def artist_failed(self, failure: Failure) -> Iterator[Request]:
        """Leave out an artist whose page cannot be had."""
        self.give_up(failure)
        yield from self.next_artist(failure.request.cb_kwargs["quota"])  # type: ignore[attr-defined]

    def artist_songs(self, quota: Quota, artist: vagalume.Artist) -> Iterator[Request]:
        """Ask for the top songs of an artist whose main genre is the one wanted, never for more than the quota."""
        if artist.genre_slugs[:1] != (quota.genre.vagalume,):
            yield from self.next_artist(quota)
            return
        links = artist.songs[: min(self.songs_per_artist, self.songs_per_genre - quota.songs)]
        quota.pending = len(links)
        for link in links:
            song = WantedSong(quota, artist, link)
            yield self.translation_page(song) if link.translation_url else self.song_page(song)

    def song_page(self, song: WantedSong) -> Request:
        """Return the request for a song's own page."""
        return self.ask(
            song.link.url,
            self.parse_song,
            errback=self.song_failed,
            max_age_days=self.song_max_age_days,
            song=song,
        )

    def translation_page(self, song: WantedSong) -> Request:
        """Return the request for a song's translation, in place of its own page: the index says all the rest."""
        return self.ask(
            song.link.translation_url or "",
            self.parse_translation,
            errback=self.translation_failed,
            max_age_days=self.song_max_age_days,
            song=song,
        )

    def parse_song(self, response: Response, song: WantedSong) -> Iterator[RawSong | Request]:
        """Yield a song with its own lyric."""
        with self.reading(response):
            page = vagalume.parse_song(response.body, response.url)
            language = page.language or detect_language(page.lyrics)
            yield self.item(song, page.lyrics, language, response)
        yield from self.settled(song.quota)

    def parse_translation(self, response: Response, song: WantedSong) -> Iterator[RawSong | Request]:
        """Yield a song with its translated lyric; ask for its own page where there turns out to be none."""
        page = self.try_parse(vagalume.parse_translation, response)
        if isinstance(page, PageError):
            if not isinstance(page, NoLyrics):
                self.count_unread(page)
            yield self.song_page(song)
            return
        language = page.language or (detect_language(page.original) if page.original else None)
        yield self.item(song, page.lyrics, language, response, is_translation=True)
        yield from self.settled(song.quota)

    def translation_failed(self, failure: Failure) -> Iterator[Request]:
        """Ask for the song's own page."""
        self.give_up_translation(failure)
        yield self.song_page(failure.request.cb_kwargs["song"])  # type: ignore[attr-defined]

    def song_failed(self, failure: Failure) -> Iterator[Request]:
        """Go on without a song that cannot be had."""
        self.give_up_song(failure)
        yield from self.settled(failure.request.cb_kwargs["song"].quota)  # type: ignore[attr-defined]

    def settled(self, quota: Quota) -> Iterator[Request]:
        """Go on to the genre's next artist after the last song of this one."""
        quota.pending -= 1
        if not quota.pending:
            yield from self.next_artist(quota)

    def item(
        self, song: WantedSong, lyrics: str, language: str | None, response: Response, *, is_translation: bool = False
    ) -> RawSong:
        """Return the song as an item, counted."""
        song.quota.songs += 1
        item = RawSong(
            source=self.name,
            genre=song.quota.genre.name,
            url=song.link.url,
            title=song.link.title,
            artist=song.artist.name,
            lyrics=lyrics,
            is_translation=is_translation,
            original_language=language,
            artist_genres=list(song.artist.genres),
            fetched_at=fetched_at(response),
        )
        return self.count_song(item)


def sampling_order(artist: vagalume.ArtistLink) -> str:
    """Return the key of an order that is the same on every day and has nothing to do with names."""
    return sha1(path_of(artist.url).encode(), usedforsecurity=False).hexdigest()
