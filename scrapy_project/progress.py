"""How far a crawl has come: told by the crawl, read by whoever shows it. Nothing of Scrapy is needed for either."""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple, Self

_COUNT = r"(\d{1,12})"
_LINE = re.compile(rf"{_COUNT} of {_COUNT} pages, {_COUNT} songs, {_COUNT} errors, (\d{{1,12}}\.\d) pages/s", re.ASCII)


class CrawlProgress(NamedTuple):
    """How far a crawl has come; its text is one line for people, and `parse` reads that back."""

    pages: int
    """Pages dealt with."""
    pages_expected: int
    """Pages dealt with at the end: an estimate until then."""
    songs: int
    errors: int
    """Pages that failed or were not understood, and exceptions."""
    rate: float
    """Pages a second since the start, with one decimal."""

    def __str__(self) -> str:
        """Return the line, for example ``120 of 308 pages, 97 songs, 0 errors, 90.2 pages/s``."""
        return (
            f"{self.pages} of {self.pages_expected} pages, {self.songs} songs, {self.errors} errors, "
            f"{self.rate:.1f} pages/s"
        )

    @property
    def seconds_left(self) -> float:
        """How long the rest takes at this rate; 0 if nothing is left or no page was read yet."""
        return max(0, self.pages_expected - self.pages) / self.rate if self.rate else 0.0

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Return the progress that a line tells of; None if it is no such line."""
        numbers = _LINE.fullmatch(text)
        if numbers is None:
            return None
        pages, expected, songs, errors, rate = numbers.groups()
        found = cls(int(pages), int(expected), int(songs), int(errors), float(rate))
        return found if str(found) == text else None

    @classmethod
    def of_stats(cls, stats: Mapping[str, Any], seconds: float) -> Self:
        """Return how far a crawl has come by its stats, so many seconds after its start."""
        pages = stats.get("lyrics/pages", 0)
        return cls(
            pages=pages,
            pages_expected=stats.get("lyrics/pages_expected", 0),
            songs=stats.get("lyrics/songs", 0),
            errors=sum(stats.get(name, 0) for name in ("lyrics/failed", "lyrics/unparsed", "spider_exceptions/count")),
            rate=round(pages / seconds, 1) if seconds > 0 else 0.0,
        )
