"""Two small downloader middlewares: the pause that a site asks for, and the date that the sandbox shows."""

import asyncio
import time
from email.utils import parsedate_to_datetime
from typing import Self
from urllib.parse import urlsplit

from scrapy import Request
from scrapy.crawler import Crawler
from scrapy.exceptions import NotConfigured
from scrapy.http import Response
from scrapy.settings import BaseSettings
from scrapy.statscollectors import StatsCollector


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


class SandboxDate:
    """Tells the sandbox, which can show any date, which one the crawl is about."""

    def __init__(self, crawler: Crawler) -> None:
        if not crawler.settings.getbool("SANDBOX"):
            raise NotConfigured
        self.date = str(getattr(crawler.spider, "extraction_date", ""))

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        """Return the middleware with the spider's date."""
        return cls(crawler)

    def process_request(self, request: Request) -> None:
        """Add the header."""
        request.headers["X-Sandbox-Date"] = self.date


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
