"""How a crawl tells what becomes of it: to Dagster while it runs, and to a file at its end.

Scrapy's exit code is 0 even if every callback raised, so whoever starts a crawl judges it by these stats.
"""

import asyncio
import json
import os
import time
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from scrapy import signals
from scrapy.crawler import Crawler
from scrapy.exceptions import NotConfigured
from scrapy.statscollectors import StatsCollector
from scrapy.utils.asyncio import create_looping_call

from scrapy_project.progress import CrawlProgress

if TYPE_CHECKING:
    from dagster_pipes import PipesContext


class PipesReport:
    """Reports progress every few seconds and the final stats to the Dagster process that started the crawl.

    Messages are ``{"progress": {...}}`` (the fields of `CrawlProgress`), and last ``{"stats": {...}}``.
    """

    def __init__(self, crawler: Crawler) -> None:
        from dagster_pipes import open_dagster_pipes

        self._crawler = crawler
        self._stats: StatsCollector = crawler.stats
        self._seconds = crawler.settings.getfloat("PIPES_INTERVAL")
        self._parent = os.getppid()
        self._pipes: PipesContext = open_dagster_pipes()
        self._call = create_looping_call(self.tick)
        self._started = time.monotonic()

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        """Return the extension; NotConfigured if no Dagster process started this one."""
        if "DAGSTER_PIPES_CONTEXT" not in os.environ:
            raise NotConfigured
        extension = cls(crawler)
        crawler.signals.connect(extension.engine_started, signal=signals.engine_started)
        crawler.signals.connect(extension.engine_stopped, signal=signals.engine_stopped)
        return extension

    def engine_started(self) -> None:
        """Begin to report."""
        self._call.start(self._seconds, now=False)

    def tick(self) -> None:
        """Report the progress, or end the crawl if whoever started it is gone: nobody would publish what it finds."""
        if os.getppid() != self._parent:
            self._call.stop()
            self._closing = asyncio.create_task(self._crawler.engine.close_spider_async(reason="orphaned"))
            return
        self.report_progress()

    def report_progress(self) -> None:
        """Report how far the crawl has come: a line for people in the run's log, and the same as a message."""
        now = CrawlProgress.of_stats(self._stats.get_stats(), time.monotonic() - self._started)
        self._pipes.log.info(str(now))
        self._pipes.report_custom_message({"progress": now._asdict()})

    def engine_stopped(self) -> None:
        """Report the final stats and close; the engine stops after every other part has had its say."""
        if self._call.running:
            self._call.stop()
        self.report_progress()
        self._pipes.report_custom_message({"stats": json_safe(self._stats.get_stats())})
        self._pipes.close()


class StatsFile:
    """Writes the final stats as JSON to the path in the setting STATS_FILE."""

    def __init__(self, stats: StatsCollector, path: Path) -> None:
        self._stats = stats
        self._path = path

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        """Return the extension; NotConfigured without the setting."""
        if not crawler.settings["STATS_FILE"]:
            raise NotConfigured
        extension = cls(crawler.stats, Path(crawler.settings["STATS_FILE"]))
        crawler.signals.connect(extension.engine_stopped, signal=signals.engine_stopped)
        return extension

    def engine_stopped(self) -> None:
        """Write the file, whole or not at all."""
        text = json.dumps(json_safe(self._stats.get_stats()), ensure_ascii=False, indent=2, sort_keys=True)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        part = self._path.with_name(self._path.name + ".part")
        part.write_text(text + "\n", encoding="utf-8")
        part.replace(self._path)


def json_safe(stats: dict[str, Any]) -> dict[str, Any]:
    """Return the stats with what JSON does not know as text: times as ISO 8601."""
    return dict(json.loads(json.dumps(stats, default=_as_text)))


def _as_text(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
