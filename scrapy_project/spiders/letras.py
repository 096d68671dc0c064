"""The spider of Letras.mus.br: the charts of the genres, their top songs, and the translations of the foreign ones."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Any

from scrapy import Request
from scrapy.http import Response
from twisted.python.failure import Failure

from scrapy_project.genres import Genre
from scrapy_project.items import RawSong
from scrapy_project.language import detect_language
from scrapy_project.pages import PageError, letras
from scrapy_project.pages.text import path_of
from scrapy_project.spiders.base import LyricsSpider, fetched_at


@dataclass
class ChartedSong:
    """A song and its place in every chart that holds it."""

    row: letras.ChartRow
    ranks: dict[str, int] = field(default_factory=dict)
    """Rank by the genre's name."""


class LetrasSpider(LyricsSpider):
    """Reads all charts first, so that a song of several charts is fetched once and yields one item for each."""

    name = "letras"
    site_url = "https://www.letras.mus.br"

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.songs: dict[str, ChartedSong] = {}
        self.charts_left = len(self.genres)

    async def start(self) -> AsyncIterator[Request]:
        """Ask for the chart of each genre."""
        for genre in self.genres:
            url = letras.chart_url(self.base_url, genre.letras)
            yield self.ask(url, self.parse_chart, errback=self.chart_failed, genre=genre)

    def parse_chart(self, response: Response, genre: Genre) -> Iterator[Request]:
        """Note the top songs of a chart."""
        with self.reading(response):
            for row in letras.parse_chart(response.body, response.url)[: self.songs_per_genre]:
                self.songs.setdefault(row.url, ChartedSong(row)).ranks.setdefault(genre.name, row.rank)
        yield from self.chart_done()

    def chart_failed(self, failure: Failure) -> Iterator[Request]:
        """Go on without a chart that could not be had."""
        self.give_up(failure)
        yield from self.chart_done()

    def chart_done(self) -> Iterator[Request]:
        """Ask for every song, once the last chart is settled."""
        self.charts_left -= 1
        if self.charts_left:
            return
        for song in self.songs.values():
            yield self.ask(
                song.row.url,
                self.parse_song,
                errback=self.give_up_song,
                max_age_days=self.song_max_age_days,
                song=song,
            )

    def parse_song(self, response: Response, song: ChartedSong) -> Iterator[RawSong | Request]:
        """Yield a Portuguese song; ask for the translation of any other."""
        page = self.try_parse(letras.parse_song, response)
        if isinstance(page, PageError) and path_of(response.url) == path_of(song.row.url):
            self.count_unread(page)
            return
        # An unknown song can also end on a page that is no song at all.
        if isinstance(page, PageError) or not letras.is_same_song(song.row, page, response.url):
            self.add_example("wrong_song", song.row.url)
            return
        language = detect_language(page.lyrics)
        items = self.items(song, page, language, fetched_at(response))
        if language == "pt":
            yield from map(self.count_song, items)
        else:
            yield self.translation_page(song, items)

    def translation_page(self, song: ChartedSong, items: list[RawSong]) -> Request:
        """Return the request for a song's translation; the items wait for it."""
        return self.ask(
            letras.translation_url(song.row.url),
            self.parse_translation,
            errback=self.translation_failed,
            max_age_days=self.song_max_age_days,
            headers={"Cookie": letras.SINGLE_TRANSLATION_COOKIE},
            items=items,
        )

    def parse_translation(self, response: Response, items: list[RawSong]) -> Iterator[RawSong]:
        """Yield the song with its translated lyric, or with its own where the site has no translation."""
        lyrics = self.try_parse(letras.parse_translation, response)
        if isinstance(lyrics, PageError):
            self.count_unread(lyrics)
        for item in items:
            if isinstance(lyrics, str):
                item.lyrics, item.is_translation, item.fetched_at = lyrics, True, fetched_at(response)
            yield self.count_song(item)

    def translation_failed(self, failure: Failure) -> Iterator[RawSong]:
        """Yield the song with its own lyric; a translation that does not exist is no failure."""
        self.give_up_translation(failure)
        yield from map(self.count_song, failure.request.cb_kwargs["items"])  # type: ignore[attr-defined]

    def items(self, song: ChartedSong, page: letras.SongPage, language: str | None, when: str) -> list[RawSong]:
        """Return one item for each chart that holds the song."""
        return [
            RawSong(
                source=self.name,
                genre=genre,
                url=song.row.url,
                title=page.title,
                artist=page.artist,
                lyrics=page.lyrics,
                rank=rank,
                original_language=language,
                composers=list(page.composers),
                views=page.views,
                fetched_at=when,
            )
            for genre, rank in song.ranks.items()
        ]
