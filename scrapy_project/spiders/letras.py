"""The spider of Letras.mus.br: the charts of the genres, their top songs, and the translations of the foreign ones."""

from collections import deque
from collections.abc import AsyncIterator, Iterator
from typing import Any, NamedTuple

from scrapy import Request
from scrapy.http import Response
from twisted.python.failure import Failure

from scrapy_project.genres import Genre
from scrapy_project.items import RawSong
from scrapy_project.language import detect_language
from scrapy_project.pages import PageError, letras
from scrapy_project.pages.text import path_of
from scrapy_project.spiders.base import LyricsSpider, fetched_at


class Place(NamedTuple):
    """A song's place in a chart."""

    genre: str
    rank: int


class ChartedSong(NamedTuple):
    """A song and its places in every chart that holds it, one a genre."""

    row: letras.ChartRow
    places: tuple[Place, ...]


class LetrasSpider(LyricsSpider):
    """Reads all charts first, so that a song of several charts is fetched once and yields one item for each."""

    name = "letras"
    site_url = "https://www.letras.mus.br"

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.charts: dict[str, list[letras.ChartRow]] = {}
        self.charts_left = len(self.genres)
        self.songs: deque[ChartedSong] = deque()
        """Those not asked for yet."""
        self.songs_read = 0
        self.translations_asked = 0

    async def start(self) -> AsyncIterator[Request]:
        """Ask for the chart of each genre."""
        for genre in self.genres:
            url = letras.chart_url(self.base_url, genre.letras)
            yield self.ask(url, self.parse_chart, errback=self.chart_failed, genre=genre)

    def next_request(self) -> Request | None:
        """Return the request for the next song, once the last chart is settled."""
        if not self.songs:
            return None
        song = self.songs.popleft()
        return self.ask(
            song.row.url, self.parse_song, errback=self.give_up_song, max_age_days=self.song_max_age_days, song=song
        )

    def pages_to_come(self) -> float:
        """Return the songs of the charts, read or not, and as many translations of them as of the songs read so far."""
        songs = len(self.songs) + sum(map(len, self.charts.values())) + self.charts_left * self.songs_per_genre
        return songs * (1 + self.translations_asked / max(1, self.songs_read))

    def parse_chart(self, response: Response, genre: Genre) -> None:
        """Note the top songs of a chart."""
        rows = self.read("chart", letras.parse_chart, response)
        if isinstance(rows, PageError):
            self.count_unread(rows)
        else:
            self.charts[genre.name] = rows[: self.songs_per_genre]
        self.chart_settled()

    def chart_failed(self, failure: Failure) -> None:
        """Go on without a chart that could not be had."""
        self.give_up(failure)
        self.chart_settled()

    def chart_settled(self) -> None:
        """Want every song, once no chart is left."""
        self.charts_left -= 1
        if not self.charts_left:
            self.songs = charted_songs({genre.name: self.charts.get(genre.name, []) for genre in self.genres})
            self.charts.clear()
        self.expect_pages()

    def parse_song(self, response: Response, song: ChartedSong) -> Iterator[RawSong | Request]:
        """Yield a Portuguese song; ask for the translation of any other."""
        self.songs_read += 1
        page = self.read("song", letras.parse_song, response)
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
        self.translations_asked += 1
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
        lyrics = self.read("translation", letras.parse_translation, response)
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
                genre=place.genre,
                url=song.row.url,
                title=page.title,
                artist=page.artist,
                lyrics=page.lyrics,
                rank=place.rank,
                original_language=language,
                composers=list(page.composers),
                views=page.views,
                fetched_at=when,
            )
            for place in song.places
        ]


def charted_songs(charts: dict[str, list[letras.ChartRow]]) -> deque[ChartedSong]:
    """Return every song of the charts once, in their order, with its first place in each chart."""
    songs: dict[str, ChartedSong] = {}
    for genre, rows in charts.items():
        for row in rows:
            first, places = songs.get(row.url, ChartedSong(row, ()))
            if not places or places[-1].genre != genre:
                songs[row.url] = ChartedSong(first, (*places, Place(genre, row.rank)))
    return deque(songs.values())
