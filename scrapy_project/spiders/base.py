"""What both spiders share: their arguments, how they ask for a page, and how they count what became of it.

A page that is not understood is counted and logged and never ends the crawl. The counts are Scrapy stats under
``lyrics/``; whoever started the crawl judges by them whether it is good enough.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from typing import Any, ClassVar, TypeVar
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from scrapy import Request, Spider
from scrapy.http import Response
from scrapy.settings import BaseSettings
from scrapy.spidermiddlewares.httperror import HttpError
from twisted.python.failure import Failure

from scrapy_project.genres import Genre, find_genres
from scrapy_project.items import RawSong
from scrapy_project.pages import NoLyrics, PageError

TIMEZONE = ZoneInfo("America/Sao_Paulo")
EXAMPLES = 3
"""How many addresses the stats keep for each kind of trouble."""

_T = TypeVar("_T")


class LyricsSpider(Spider):
    """A spider that fills each genre's quota of songs from one site.

    Args:
        genres: comma-separated names of `genres.GENRE_NAMES`; all of them by default.
        songs_per_genre: how many songs to ask for in each genre, from 1.
        base_url: where the site is, to crawl an imitation of it.
        extraction_date: ISO date that the crawl belongs to; today in São Paulo by default.

    Raises:
        ValueError: an argument is unknown or has a value that is not allowed.
    """

    site_url: ClassVar[str]
    argument_names: ClassVar[tuple[str, ...]] = ("genres", "songs_per_genre", "base_url", "extraction_date")

    def __init__(
        self,
        *,
        genres: str | None = None,
        songs_per_genre: str | int = 100,
        base_url: str | None = None,
        extraction_date: str | None = None,
        **unknown: str,
    ) -> None:
        super().__init__()
        if unknown:
            raise ValueError(f"{', '.join(unknown)}: no such argument; allowed: {', '.join(self.argument_names)}")
        self.genres: tuple[Genre, ...] = find_genres(genres)
        self.songs_per_genre = whole_number("songs_per_genre", songs_per_genre)
        self.base_url = site_address("base_url", base_url or self.site_url)
        self.extraction_date = iso_date("extraction_date", extraction_date)

    @classmethod
    def update_settings(cls, settings: BaseSettings) -> None:
        """Put the contact into the User-Agent, here because both can be given on the command line."""
        super().update_settings(settings)
        agent = str(settings["USER_AGENT"]).replace("{contact}", settings["CRAWLER_CONTACT"])
        settings.set("USER_AGENT", agent, priority="cmdline")

    @property
    def song_max_age_days(self) -> int:
        """How many days before the extraction date a song's page may have been downloaded."""
        return self.settings.getint("SONG_MAX_AGE_DAYS")

    def ask(
        self,
        url: str,
        callback: Callable[..., Any],
        *,
        errback: Callable[[Failure], Any] | None = None,
        max_age_days: int = 0,
        headers: dict[str, str] | None = None,
        **context: Any,
    ) -> Request:
        """Return the request for a page, counted as expected; the context is handed to the callback by keyword.

        An archived page serves if it was downloaded at most `max_age_days` before the extraction date.
        """
        self.add("pages_expected")
        # The duplicates filter would drop a redirect that ends on a page already seen, and its song with it.
        return Request(
            url,
            callback=callback,
            errback=errback or self.give_up,
            cb_kwargs=context,
            dont_filter=True,
            headers=headers,
            meta={"max_age_days": max_age_days},
        )

    @contextmanager
    def reading(self, response: Response) -> Iterator[None]:
        """Count the page as read, and a `PageError` that is raised meanwhile as its outcome."""
        self.add("pages")
        try:
            yield
        except PageError as error:
            self.count_unread(error)

    def try_parse(self, parse: Callable[[bytes, str], _T], response: Response) -> _T | PageError:
        """Return what a parser makes of a response, or the error, for pages that another page can stand in for."""
        self.add("pages")
        try:
            return parse(response.body, response.url)
        except PageError as error:
            return error

    def count_unread(self, error: PageError) -> None:
        """Count a page that gave nothing: an honest absence by its reason, markup that is not understood with a log."""
        if isinstance(error, NoLyrics):
            self.add_example(f"no_lyrics/{error.reason}", error.url)
        else:
            self.add_example("unparsed", error.url)
            self.logger.warning("Not understood: %s", error)

    def give_up(self, failure: Failure) -> None:
        """Count a page that could not be had: refused, timed out, or not in the archive."""
        self.add("pages")
        url = failure.request.url  # type: ignore[attr-defined]  # set by Scrapy
        self.add_example("failed", url)
        self.logger.warning("Not had: %s: %s", url, failure.getErrorMessage())

    def give_up_song(self, failure: Failure) -> None:
        """Count a song's page that could not be had; a page that the site says does not exist is no failure."""
        if not is_absent(failure):
            return self.give_up(failure)
        self.add("pages")
        return self.add_example("no_lyrics/not_found", failure.request.url)  # type: ignore[attr-defined]

    def give_up_translation(self, failure: Failure) -> None:
        """Count a translation that could not be had; most songs have none, which is no failure."""
        if is_absent(failure):
            self.add("pages")
        else:
            self.give_up(failure)

    def count_song(self, song: RawSong) -> RawSong:
        """Count a song and return it."""
        self.add("songs")
        self.add(f"genre/{song.genre}")
        return song

    def add(self, name: str) -> None:
        """Add one to a count under ``lyrics/``."""
        self.crawler.stats.inc_value(f"lyrics/{name}")

    def add_example(self, kind: str, url: str) -> None:
        """Add one to a count of trouble and keep the address among its first examples."""
        self.add(kind)
        examples = self.crawler.stats.get_value(f"lyrics/examples/{kind}", [])
        if len(examples) < EXAMPLES:
            self.crawler.stats.set_value(f"lyrics/examples/{kind}", [*examples, url])


def is_absent(failure: Failure) -> bool:
    """Return whether a request failed because the site says that there is no such page."""
    return isinstance(failure.value, HttpError) and failure.value.response.status in (404, 410)


def fetched_at(response: Response) -> str:
    """Return when a page was downloaded, as the archive says; now if it is not archived. UTC, ISO 8601."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return str(response.meta.get("fetched_at", now))


def whole_number(name: str, value: str | int) -> int:
    """Return a count given as an argument; ValueError unless it is a whole number from 1."""
    try:
        number = int(value)
    except ValueError:
        number = 0
    if number < 1:
        raise ValueError(f"{name}: {value!r} is not allowed; give a whole number from 1")
    return number


def site_address(name: str, value: str) -> str:
    """Return a site's address without its last slash; ValueError unless it is http or https with a host."""
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"{name}: {value!r} is not allowed; give an http or https address")
    return value.rstrip("/")


def iso_date(name: str, value: str | None) -> date:
    """Return a date given as an argument, today in São Paulo for none; ValueError unless it is YYYY-MM-DD."""
    if not value:
        return datetime.now(TIMEZONE).date()
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise ValueError(f"{name}: {value!r} is not allowed; give a date as YYYY-MM-DD") from None
