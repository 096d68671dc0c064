"""The crawler: Scrapy in a process of its own, told by arguments what to ask and by Dagster Pipes whom to tell."""

import datetime as dt
import sys
import time
import uuid
from contextlib import AbstractContextManager, closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import dagster as dg
from dagster._core.errors import DagsterPipesExecutionError
from pydantic import Field

from lyrics_assets.partitions import TIMEZONE, today
from lyrics_assets.settings import ROOT
from scrapy_project.genres import GENRE_NAMES

if TYPE_CHECKING:
    from scrapy_project.archive import Archive

Mode = Literal["crawl", "replay"]
_DAY_SECONDS = 24 * 60 * 60


class CrawlRefusedError(RuntimeError):
    """A date can neither be crawled nor replayed; the message says why."""


class Crawl(NamedTuple):
    """What a spider left behind, before anybody judged it."""

    file: Path
    """Raw songs, one JSON object a line, in the scratch folder."""
    stats: dict[str, Any]
    """Scrapy's stats; empty if the process died."""
    mode: Mode


class Crawler(dg.ConfigurableResource):
    """Runs a spider for a date: live for today, from the page archive for the past."""

    sites: str = Field(description="sandbox or live")
    addresses: dict[str, str] = Field(description="Base address of each site, by source")
    archive_url: str = Field(description="SQLAlchemy URL of the page archive")
    scratch: str = Field(description="Folder for the files of a crawl that is not yet published, and its log")
    songs_per_genre: int = Field(100, ge=1, le=1000, description="Songs asked of each site for each genre")
    genres: list[str] = Field(list(GENRE_NAMES), description="Genres to ask for")
    contact: str = Field("", description="Contact in the User-Agent")
    project: str = Field(str(ROOT), description="Folder of the Scrapy project: of its scrapy.cfg")
    scrapy_settings: dict[str, str] = Field({}, description="Scrapy settings laid over the project's own, by name")

    def mode(self, source: str, date: dt.date) -> Mode:
        """Decide how a date is got.

        Raises:
            CrawlRefusedError: a past date that the archive does not hold (a site shows only today), or a future one.
        """
        if date > today():
            raise CrawlRefusedError(f"{date} has not come yet; today is {today()} in {TIMEZONE}")
        if date == today() or self.sites == "sandbox":
            return "crawl"
        if self._archive_holds(source, date):
            return "replay"
        raise CrawlRefusedError(
            f"{date} is past and the page archive holds nothing of {source} for it: the site shows only today"
        )

    def run(self, context: dg.AssetExecutionContext, source: str, date: dt.date, *, refresh: bool = False) -> Crawl:
        """Run the spider to its end and return what it left; the caller decides whether that is good enough.

        Args:
            context: of the asset that is materialized; its log shows the crawl's progress.
            source: name of the spider.
            date: extraction date.
            refresh: forget the date's archived pages first.

        Raises:
            CrawlRefusedError: see `mode`; or a date was to be refreshed that can only be replayed.
        """
        mode = self.mode(source, date)
        if refresh:
            self._forget(source, date, mode)
        scratch = Path(self.scratch)
        scratch.mkdir(parents=True, exist_ok=True)
        output = scratch / f"{source}-{date}-{uuid.uuid4().hex[:8]}.jsonl"
        client = dg.PipesSubprocessClient()
        environment = {"SCRAPY_PROJECT": "sandbox" if self.sites == "sandbox" else "default"}
        try:
            completed = client.run(
                context=context, command=self._command(source, date, mode, output), cwd=self.project, env=environment
            )
        except DagsterPipesExecutionError:
            # The process was killed, or would not begin; its log says why.
            return Crawl(output, {}, mode)
        reported = [message["stats"] for message in completed.get_custom_messages() if "stats" in message]
        return Crawl(output, reported[-1] if reported else {}, mode)

    def keep_rejected(self, crawl: Crawl, source: str, date: str) -> Path:
        """Keep a rejected crawl's songs and log aside, in the place of an earlier one of that date.

        Returns:
            The path of both files without their endings.
        """
        kept = Path(self.scratch) / "rejected" / f"{source}-{date}"
        kept.parent.mkdir(exist_ok=True)
        for ending in (".jsonl", ".log"):
            if crawl.file.with_suffix(ending).exists():
                crawl.file.with_suffix(ending).replace(kept.with_suffix(ending))
        return kept

    def discard(self, crawl: Crawl) -> None:
        """Remove a published crawl's scratch files, and those of crawls that were killed over a day ago."""
        for ending in (".jsonl", ".log"):
            crawl.file.with_suffix(ending).unlink(missing_ok=True)
        for leftover in Path(self.scratch).glob("*-????????.*"):
            if time.time() - leftover.stat().st_mtime > _DAY_SECONDS:
                leftover.unlink(missing_ok=True)

    def _command(self, source: str, date: dt.date, mode: Mode, output: Path) -> list[str]:
        arguments = {
            "base_url": self.addresses[source],
            "extraction_date": date.isoformat(),
            "genres": ",".join(self.genres),
            "songs_per_genre": self.songs_per_genre,
        }
        settings = {
            "ARCHIVE_URL": self.archive_url,
            "HTTPCACHE_IGNORE_MISSING": mode == "replay",
            "LOG_FILE": output.with_suffix(".log"),
            "CRAWLER_CONTACT": self.contact or "contact not given",
            **self.scrapy_settings,
        }
        command = [sys.executable, "-m", "scrapy", "crawl", source, "-O", f"{output}:jsonlines"]
        for name, value in arguments.items():
            command += ["-a", f"{name}={value}"]
        for name, value in settings.items():
            command += ["-s", f"{name}={value}"]
        return command

    def _archive_holds(self, source: str, date: dt.date) -> bool:
        with self._archive() as archive:
            return archive.has_date(date, source)

    def _forget(self, source: str, date: dt.date, mode: Mode) -> None:
        if mode == "replay":
            raise CrawlRefusedError(f"{date} is past: only today's pages can be asked for anew, so none is dropped")
        with self._archive() as archive:
            archive.drop_date(date, source)

    def _archive(self) -> "AbstractContextManager[Archive]":
        from scrapy_project.archive import Archive

        return closing(Archive(self.archive_url))
