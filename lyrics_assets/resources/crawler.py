"""The crawler: Scrapy in a process of its own, told by arguments what to ask and by Dagster Pipes whom to tell."""

import datetime as dt
import sys
import uuid
from pathlib import Path
from typing import Any, Literal, NamedTuple
from zoneinfo import ZoneInfo

import dagster as dg
from pydantic import Field

from lyrics_assets.settings import ROOT
from scrapy_project.genres import GENRE_NAMES

TIMEZONE = "America/Sao_Paulo"
Mode = Literal["crawl", "replay"]


class CrawlRefusedError(RuntimeError):
    """A date can neither be crawled nor replayed; the message says why."""


class Crawl(NamedTuple):
    """What a spider left behind, before anybody judged it."""

    file: Path
    """Raw songs, one JSON object a line, in the scratch folder."""
    stats: dict[str, Any]
    """Scrapy's stats; empty if the process died."""
    mode: Mode


def today() -> dt.date:
    """Return the date in São Paulo, by which partitions are counted."""
    return dt.datetime.now(ZoneInfo(TIMEZONE)).date()


class Crawler(dg.ConfigurableResource):
    """Runs a spider for a date: live for today, from the page archive for the past."""

    sites: str = Field(description="sandbox or live")
    addresses: dict[str, str] = Field(description="Base address of each site, by source")
    archive_url: str = Field(description="SQLAlchemy URL of the page archive")
    scratch: str = Field(description="Folder for the files of a crawl that is not yet published, and its log")
    songs_per_genre: int = Field(100, ge=1, le=1000, description="Songs asked of each site for each genre")
    genres: list[str] = Field(list(GENRE_NAMES), description="Genres to ask for")
    contact: str = Field("", description="Contact in the User-Agent")

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

    def run(self, context: dg.AssetExecutionContext, source: str, date: dt.date) -> Crawl:
        """Run the spider to its end and return what it left; the caller decides whether that is good enough."""
        mode = self.mode(source, date)
        scratch = Path(self.scratch)
        scratch.mkdir(parents=True, exist_ok=True)
        output = scratch / f"{source}-{date}-{uuid.uuid4().hex[:8]}.jsonl"
        completed = dg.PipesSubprocessClient().run(
            context=context,
            command=self._command(source, date, mode, output),
            # The root holds scrapy.cfg, which names the settings of both projects.
            cwd=str(ROOT),
            env={"SCRAPY_PROJECT": "sandbox" if self.sites == "sandbox" else "default"},
        )
        reported = [message["stats"] for message in completed.get_custom_messages() if "stats" in message]
        return Crawl(output, reported[-1] if reported else {}, mode)

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
        }
        command = [sys.executable, "-m", "scrapy", "crawl", source, "-O", f"{output}:jsonlines"]
        for name, value in arguments.items():
            command += ["-a", f"{name}={value}"]
        for name, value in settings.items():
            command += ["-s", f"{name}={value}"]
        return command

    def _archive_holds(self, source: str, date: dt.date) -> bool:
        from scrapy_project.archive import Archive

        return Archive(self.archive_url).has_date(date, source)
