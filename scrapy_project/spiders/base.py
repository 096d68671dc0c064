"""What both spiders share: their arguments, how they ask for a page, and how they count what became of it.

A spider keeps what it still wants as small tuples and makes a request of one only when Scrapy has room for it, so that
the memory of a crawl does not grow with its size.

A page that is not understood is counted and logged and never ends the crawl. The counts are Scrapy stats under
``lyrics/``; whoever started the crawl judges by them whether it is good enough.
"""

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any, ClassVar, Self, TypeVar
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from scrapy import Request, Spider, signals
from scrapy.crawler import Crawler
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

    # What Scrapy does with every page by default and this project has no use for: a third of a page's CPU time.
    custom_settings = {  # noqa: RUF012
        "CONCURRENT_ITEMS": 1,  # tasks started for the items of a page; no pipeline here makes one wait
        "WARN_ON_GENERATOR_RETURN_VALUE": False,  # compiles the source of the callback again for every page
        "SPIDER_MIDDLEWARES": {
            "scrapy.spidermiddlewares.metacopy.MetaCopyDetectionMiddleware": None,
            "scrapy.spidermiddlewares.depth.DepthMiddleware": None,
            "scrapy.spidermiddlewares.urllength.UrlLengthMiddleware": None,
        },
    }
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
        self.pages_asked = 0

    @classmethod
    def from_crawler(cls, crawler: Crawler, *args: Any, **kwargs: Any) -> Self:
        """Return the spider, to be told when Scrapy has room for another page."""
        spider = super().from_crawler(crawler, *args, **kwargs)
        # Requests that are yielded wait in Scrapy's memory, those of `start` as well: it reads them without a pause.
        crawler.signals.connect(spider.ask_next, signal=signals.scheduler_empty)
        return spider

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

    def next_request(self) -> Request | None:
        """Return the request for the next page that is wanted; None if none is, for now."""
        raise NotImplementedError

    def pages_to_come(self) -> float:
        """Return how many pages will be asked for beside those asked already: an estimate, 0 at the end."""
        raise NotImplementedError

    def ask_next(self) -> None:
        """Give Scrapy the next page that is wanted."""
        request = self.next_request()
        if request is not None:
            assert self.crawler.engine is not None  # noqa: S101  # it has just told of its room
            self.crawler.engine.crawl(request)

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
        self.pages_asked += 1
        self.expect_pages()
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

    def read(self, kind: str, parse: Callable[[bytes, str, set[str]], _T], response: Response) -> _T | PageError:
        """Return what a parser makes of a page, or the error; the page is counted, and what matched on it by its kind.

        ``lyrics/matched/<site> <kind>/<family>`` of ``lyrics/parsed/<site> <kind>`` pages had a family of selectors.
        """
        self.count_page()
        self.add(f"parsed/{self.name} {kind}")
        matched: set[str] = set()
        try:
            return parse(response.body, response.url, matched)
        except PageError as error:
            return error
        finally:
            for family in matched:
                self.add(f"matched/{self.name} {kind}/{family}")

    def count_page(self) -> None:
        """Count a page as dealt with, whatever became of it."""
        self.add("pages")
        self.expect_pages()

    def expect_pages(self) -> None:
        """State how many pages the crawl is expected to ask for in all."""
        self.crawler.stats.set_value("lyrics/pages_expected", self.pages_asked + round(self.pages_to_come()))

    def count_unread(self, error: PageError) -> None:
        """Count a page that gave nothing: an honest absence by its reason, markup that is not understood with a log."""
        if isinstance(error, NoLyrics):
            self.add_example(f"no_lyrics/{error.reason}", error.url)
        else:
            self.add_example("unparsed", error.url)
            self.logger.warning("Not understood: %s", error)

    def give_up(self, failure: Failure) -> None:
        """Count a page that could not be had: refused, timed out, or not in the archive."""
        self.count_page()
        url = failure.request.url  # type: ignore[attr-defined]  # set by Scrapy
        self.add_example("failed", url)
        self.logger.warning("Not had: %s: %s", url, failure.getErrorMessage())

    def give_up_song(self, failure: Failure) -> None:
        """Count a song's page that could not be had; a page that the site says does not exist is no failure."""
        if not is_absent(failure):
            return self.give_up(failure)
        self.count_page()
        return self.add_example("no_lyrics/not_found", failure.request.url)  # type: ignore[attr-defined]

    def give_up_translation(self, failure: Failure) -> None:
        """Count a translation that could not be had; most songs have none, which is no failure."""
        if is_absent(failure):
            self.count_page()
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
