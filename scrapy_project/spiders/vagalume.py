"""The spider of Vagalume.com.br: the artists of each style in a fixed but unalphabetical order, and their top songs.

The site has no chart of songs by style, and its list of artists is alphabetical: the first of it would be a sample of
the letter A. Which artists and songs of a genre are asked for, `sample` decides.
"""

from collections import deque
from collections.abc import AsyncIterator, Iterator
from hashlib import sha1
from typing import Any, NamedTuple

from scrapy import Request
from scrapy.http import Response
from twisted.python.failure import Failure

from scrapy_project.genres import Genre
from scrapy_project.items import RawSong
from scrapy_project.language import detect_language
from scrapy_project.pages import NoLyrics, PageError, vagalume
from scrapy_project.pages.text import path_of
from scrapy_project.spiders.base import LyricsSpider, fetched_at, is_absent, whole_number
from scrapy_project.spiders.sample import Sample, Turn


class WantedArtist(NamedTuple):
    """An artist on the way to a list of songs."""

    genre: Genre
    turn: Turn


class WantedSong(NamedTuple):
    """A song on its way, with what its artist's list said."""

    genre: Genre
    turn: Turn
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
        self.samples: dict[Genre, Sample] = {}
        self.styles_left = len(self.genres)

    async def start(self) -> AsyncIterator[Request]:
        """Ask for the artists of each genre."""
        for genre in self.genres:
            url = vagalume.style_url(self.base_url, genre.vagalume)
            yield self.ask(url, self.parse_style, errback=self.style_failed, genre=genre)

    def next_request(self) -> Request | None:
        """Return the request for a song that is sure to be needed, or else for an artist, so that few songs wait."""
        # Those that have the fewest songs in sight go first: all genres are then done at about the same time.
        samples = sorted(self.samples.items(), key=lambda entry: entry[1].in_sight)
        for genre, sample in samples:
            if found := sample.next_song():
                turn, link = found
                assert turn.artist is not None  # noqa: S101  # it gave the song
                return self.best_page(WantedSong(genre, turn, turn.artist, link))
        for genre, sample in samples:
            if next_turn := sample.next_artist():
                artist = WantedArtist(genre, next_turn)
                url = vagalume.index_url(next_turn.link.url)
                return self.ask(url, self.parse_index, errback=self.index_failed, artist=artist)
        return None

    def pages_to_come(self) -> float:
        """Return the pages of the songs that can still be got, at as many pages a song as so far."""
        samples = self.samples.values()
        songs = sum(sample.given + sample.under_way for sample in samples)
        to_come = sum(sample.to_come for sample in samples) + self.styles_left * self.songs_per_genre
        # At first as if all artists had songs enough, and every song a lyric.
        guess = self.songs_per_genre
        pages = self.pages_asked - len(self.genres) + guess * (1 + 1 / self.songs_per_artist)
        return to_come * pages / (songs + guess)

    def parse_style(self, response: Response, genre: Genre) -> None:
        """Want the songs of a genre's artists."""
        artists = self.read("style", vagalume.parse_style, response)
        if isinstance(artists, PageError):
            self.count_unread(artists)
        else:
            order = deque(sorted(artists, key=sampling_order))
            self.samples[genre] = Sample(self.songs_per_genre, self.songs_per_artist, order)
        self.style_settled()

    def style_failed(self, failure: Failure) -> None:
        """Go on without a genre whose artists could not be had."""
        self.give_up(failure)
        self.style_settled()

    def style_settled(self) -> None:
        """Expect no more of a genre than its artists can give."""
        self.styles_left -= 1
        self.expect_pages()

    def parse_index(self, response: Response, artist: WantedArtist) -> Iterator[Request]:
        """Want the artist's songs; ask for the artist's page where the index is not understood."""
        found = self.read("index", vagalume.parse_artist_index, response)
        if isinstance(found, PageError):
            self.logger.info("Not understood, the artist's page instead: %s", found)
            yield self.artist_page(artist)
        else:
            self.artist_listed(artist, found)

    def index_failed(self, failure: Failure) -> Iterator[Request]:
        """Ask for the artist's page where there is no index; leave out an artist that cannot be had."""
        artist: WantedArtist = failure.request.cb_kwargs["artist"]  # type: ignore[attr-defined]
        if is_absent(failure):
            self.count_page()
            yield self.artist_page(artist)
        else:
            self.give_up(failure)
            self.artist_listed(artist, None)

    def artist_page(self, artist: WantedArtist) -> Request:
        """Return the request for an artist's page."""
        self.add("index_fallbacks")
        return self.ask(artist.turn.link.url, self.parse_artist_page, errback=self.artist_failed, artist=artist)

    def parse_artist_page(self, response: Response, artist: WantedArtist) -> None:
        """Want the artist's songs; leave out an artist whose page is not understood."""
        found = self.read("artist", vagalume.parse_artist_page, response)
        if isinstance(found, PageError):
            self.count_unread(found)
            self.artist_listed(artist, None)
        else:
            self.artist_listed(artist, found)

    def artist_failed(self, failure: Failure) -> None:
        """Leave out an artist whose page cannot be had."""
        self.give_up(failure)
        self.artist_listed(failure.request.cb_kwargs["artist"], None)  # type: ignore[attr-defined]

    def artist_listed(self, artist: WantedArtist, found: vagalume.Artist | None) -> None:
        """Want the top songs of an artist whose main genre is the one wanted."""
        genre, turn = artist
        is_of_genre = found is not None and found.genre_slugs[:1] == (genre.vagalume,)
        self.samples[genre].listed(turn, found if is_of_genre else None)
        self.expect_pages()

    def best_page(self, song: WantedSong) -> Request:
        """Return the request for a song's translation where there is one, else for its own page."""
        return self.translation_page(song) if song.link.translation_url else self.song_page(song)

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

    def parse_song(self, response: Response, song: WantedSong) -> Iterator[RawSong]:
        """Yield a song with its own lyric."""
        page = self.read("song", vagalume.parse_song, response)
        if isinstance(page, PageError):
            self.count_unread(page)
            self.song_settled(song, given=False)
        else:
            yield self.item(song, page.lyrics, page.language or detect_language(page.lyrics), response)

    def parse_translation(self, response: Response, song: WantedSong) -> Iterator[RawSong | Request]:
        """Yield a song with its translated lyric; ask for its own page where there turns out to be none."""
        page = self.read("translation", vagalume.parse_translation, response)
        if isinstance(page, PageError):
            if not isinstance(page, NoLyrics):
                self.count_unread(page)
            yield self.song_page(song)
            return
        language = page.language or (detect_language(page.original) if page.original else None)
        yield self.item(song, page.lyrics, language, response, is_translation=True)

    def translation_failed(self, failure: Failure) -> Iterator[Request]:
        """Ask for the song's own page."""
        self.give_up_translation(failure)
        yield self.song_page(failure.request.cb_kwargs["song"])  # type: ignore[attr-defined]

    def song_failed(self, failure: Failure) -> None:
        """Go on without a song that cannot be had."""
        self.give_up_song(failure)
        self.song_settled(failure.request.cb_kwargs["song"], given=False)  # type: ignore[attr-defined]

    def song_settled(self, song: WantedSong, *, given: bool) -> None:
        """Tell the genre's sample whether a song was got."""
        self.samples[song.genre].settled(song.turn, given=given)
        self.expect_pages()

    def item(
        self, song: WantedSong, lyrics: str, language: str | None, response: Response, *, is_translation: bool = False
    ) -> RawSong:
        """Return the song as an item, counted."""
        self.song_settled(song, given=True)
        item = RawSong(
            source=self.name,
            genre=song.genre.name,
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
