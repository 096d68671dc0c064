"""Downloader middlewares: the pause that a site asks for, its bounds, its daily budget, and the sandbox's date."""

import asyncio
import logging
import time
from datetime import date
from email.utils import parsedate_to_datetime
from ipaddress import ip_address
from typing import Self
from urllib.parse import urlsplit

from scrapy import Request, signals
from scrapy.crawler import Crawler
from scrapy.exceptions import IgnoreRequest, NotConfigured
from scrapy.http import Response
from scrapy.settings import BaseSettings
from scrapy.statscollectors import StatsCollector

from scrapy_project.archive import Archive

logger = logging.getLogger(__name__)

CLAIM = 10
"""How many requests of the budget a crawl claims at once; one that is killed wastes at most so many."""


class RetryAfter:
    """Sends a host no request before the time that its ``Retry-After`` header named; Scrapy itself ignores the header.

    The refused request is repeated by Scrapy's RetryMiddleware; it and all others to that host wait here, which does
    not block the reactor.
    """

    def __init__(self, settings: BaseSettings, stats: StatsCollector) -> None:
        self.default_seconds = settings.getfloat("RETRY_AFTER_DEFAULT")
        self.max_seconds = settings.getfloat("RETRY_AFTER_MAX")
        self.stats = stats
        self._pause_ends: dict[str, float] = {}

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        """Return the middleware with the crawler's settings."""
        return cls(crawler.settings, crawler.stats)

    async def process_request(self, request: Request) -> None:
        """Wait until the host's pause is over."""
        host = urlsplit(request.url).netloc
        # A request that waited may find that the pause has been prolonged meanwhile.
        while (seconds := self._pause_ends.get(host, 0.0) - time.monotonic()) > 0:
            await asyncio.sleep(seconds)

    def process_response(self, request: Request, response: Response) -> Response:
        """Note the pause that a refusal asks for."""
        if response.status in (429, 503):
            seconds = retry_after_seconds(response.headers.get("Retry-After"), time.time())
            if seconds is None:
                seconds = self.default_seconds if response.status == 429 else 0.0
            seconds = min(seconds, self.max_seconds)
            host = urlsplit(request.url).netloc
            self._pause_ends[host] = max(self._pause_ends.get(host, 0.0), time.monotonic() + seconds)
            self.stats.inc_value("retry_after/count")
            self.stats.inc_value("retry_after/seconds", seconds)  # type: ignore[arg-type]  # any number will do
        return response


class SameSite:
    """Asks nobody but the site: a link or a redirect of a page must not have this machine ask its own network.

    Scrapy's own middleware for it lets through whatever the filter of duplicates is not to see, which is every page.
    """

    def __init__(self, base_url: str) -> None:
        self.domain = _host(base_url).removeprefix("www.")

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        """Return the middleware for the spider's site."""
        base_url = getattr(crawler.spider, "base_url", None)
        if base_url is None:
            raise NotConfigured
        return cls(base_url)

    def process_request(self, request: Request) -> None:
        """Refuse a request to a host that is neither the site's nor of its domain."""
        host = _host(request.url)
        if host != self.domain and not host.endswith(f".{self.domain}"):
            raise IgnoreRequest(f"{request.url} is not of the site {self.domain}")


class DailyBudget:
    """Sends a site at most REQUESTS_PER_DAY requests for the crawl's date, over all crawls of that date.

    Every request that leaves is counted, robots.txt, retries and redirects too; an archived page is free, because the
    archive answers before this is asked. The first request beyond the budget closes the spider (`budget_spent`).

    Requests are claimed before they are sent: a killed crawl, or two at once, can never exceed the budget.
    """

    def __init__(self, crawler: Crawler) -> None:
        self.budget = crawler.settings.getint("REQUESTS_PER_DAY")
        if self.budget < 0:
            raise ValueError(f"REQUESTS_PER_DAY: {self.budget} is not allowed; give a number from 1, or 0 for no limit")
        if not self.budget:
            raise NotConfigured
        self._crawler = crawler
        assert crawler.spider is not None  # noqa: S101  # set before the middlewares are made
        self._site: str = crawler.spider.name
        self._date: date = crawler.spider.extraction_date  # type: ignore[attr-defined]  # every spider here has it
        self._archive = Archive(crawler.settings["ARCHIVE_URL"])
        self._claimed = 0
        self._closing: asyncio.Task[None] | None = None

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        """Return the middleware for the spider's site and date; NotConfigured if there is no limit."""
        middleware = cls(crawler)
        crawler.signals.connect(middleware.spider_closed, signal=signals.spider_closed)
        return middleware

    def process_request(self, request: Request) -> None:
        """Let a request pass if the budget covers it, refuse it otherwise."""
        if not self._claimed and self._closing is None:
            self._claimed = self._archive.claim_requests(self._date, self._site, CLAIM, self.budget)
        if not self._claimed:
            self._crawler.stats.inc_value("budget/refused")
            self._close_spider()
            raise IgnoreRequest(f"The budget of {self.budget} requests for {self._date} is spent")
        self._claimed -= 1

    def spider_closed(self) -> None:
        """Give back what was claimed and not sent, and tell in the stats what counts for the date now."""
        self._archive.return_requests(self._date, self._site, self._claimed)
        self._crawler.stats.set_value("budget/sent", self._archive.requests_sent(self._date, self._site))
        self._archive.close()

    def _close_spider(self) -> None:
        if self._closing is None:
            logger.warning("%s: the budget of %d requests for %s is spent", self._site, self.budget, self._date)
            # A task of its own: closing waits for the requests under way, and this is one of them.
            self._closing = asyncio.create_task(self._crawler.engine.close_spider_async(reason="budget_spent"))


class SandboxDate:
    """Tells the sandbox, which can show any date, which one the crawl is about.

    The settings for the sandbox are rude to a real site, so with them nothing is sent beyond this machine.
    """

    def __init__(self, crawler: Crawler) -> None:
        if not crawler.settings.getbool("SANDBOX"):
            raise NotConfigured
        self.date = str(getattr(crawler.spider, "extraction_date", ""))
        base_url = getattr(crawler.spider, "base_url", None)
        if base_url is not None and not is_loopback(base_url):
            raise ValueError(
                f"base_url: {base_url} is not on this machine, and the settings of the sandbox are not for real "
                f"sites; give the sandbox's address, or crawl with SCRAPY_PROJECT=default"
            )

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        """Return the middleware with the spider's date; ValueError unless the site is on this machine."""
        return cls(crawler)

    def process_request(self, request: Request) -> None:
        """Add the header; refuse a request that a redirect or a link leads elsewhere."""
        if not is_loopback(request.url):
            raise IgnoreRequest(f"{request.url} is not on this machine, as the sandbox is")
        request.headers["X-Sandbox-Date"] = self.date


def _host(url: str) -> str:
    return urlsplit(url).hostname or ""


def is_loopback(url: str) -> bool:
    """Return whether an address is this machine's own, as its text says; no name but ``localhost`` is looked up."""
    host = _host(url)
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def retry_after_seconds(value: bytes | None, now: float) -> float | None:
    """Return the seconds that a ``Retry-After`` header asks to wait, never below 0; None if it names none.

    Args:
        value: the header, a number of seconds or an HTTP date.
        now: seconds since the epoch.
    """
    text = (value or b"").decode("latin-1").strip()
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - now)
    except (ValueError, OverflowError):
        return None
