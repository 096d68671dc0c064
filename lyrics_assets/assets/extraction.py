"""The sites and the raw songs of a date. One factory: adding a source is one name in SOURCES and one spider."""

import datetime as dt
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import dagster as dg
from pydantic import Field

from lyrics_assets.assets.markdown import table
from lyrics_assets.lyrics.completeness import Bounds, broken_bounds, lost_markup
from lyrics_assets.partitions import daily
from lyrics_assets.resources.crawler import Crawl, Crawler, CrawlRefusedError
from lyrics_assets.resources.lake import Lake

SOURCES = {"letras": "Letras.mus.br", "vagalume": "Vagalume.com.br"}

web_sites = [
    dg.AssetSpec(
        ["web", source],
        group_name="extraction",
        description=f"The site {name}, as it stands today.",
        kinds={"html"},
    )
    for source, name in SOURCES.items()
]

imported_songs = dg.AssetSpec(
    ["raw", "imported"],
    group_name="extraction",
    description="Songs of existing dumps, brought in by `lyrics import` under a source name of their own.",
    partitions_def=daily,
    kinds={"json"},
)


def raw_name(source: str, date: str) -> str:
    """Return the lake's name of the raw songs of a source and a date."""
    return f"raw/{source}/{date}.jsonl"


def raw_names(lake: Lake, date: str) -> list[str]:
    """Return the lake's names of the raw songs of a date, also of sources imported under names of their own."""
    return [name for source in lake.folders("raw") if lake.exists(name := raw_name(source, date))]


def stats_name(source: str, date: str) -> str:
    """Return the lake's name of what the spider counted when it wrote those songs."""
    return f"raw_stats/{source}/{date}.json"


class CrawlConfig(dg.Config):
    """What an operator may ask of one crawl."""

    refresh: bool = Field(False, description="Drop today's archived pages first, and ask the site for all of them anew")
    accept_new_markup: bool = Field(
        False, description="Publish although a selector family matches nothing any more: the site has changed for good"
    )


def _raw_songs(source: str) -> dg.AssetsDefinition:
    @dg.asset(
        key=["raw", source],
        group_name="extraction",
        description=f"Songs that {SOURCES[source]} lists under each genre on the extraction date, as the site shows "
        "them.\n\nToday is crawled, the past is replayed from the page archive. A crawl that breaks a bound is kept "
        "aside and the last good file stays.",
        partitions_def=daily,
        deps=[dg.AssetKey(["web", source])],
        check_specs=[
            dg.AssetCheckSpec(
                "crawl_is_complete",
                asset=["raw", source],
                blocking=True,
                description="Songs, genres, failures, pages not understood and markup are within their bounds.",
            )
        ],
        kinds={"scrapy", "json"},
        pool=f"site_{source}",
    )
    def raw_songs(
        context: dg.AssetExecutionContext, config: CrawlConfig, crawler: Crawler, lake: Lake
    ) -> Iterator[dg.AssetCheckResult | dg.MaterializeResult]:
        date = context.partition_key
        try:
            crawl = crawler.run(context, source, dt.date.fromisoformat(date), refresh=config.refresh)
        except CrawlRefusedError as refusal:
            raise dg.Failure(str(refusal), allow_retries=False) from refusal
        problems = broken_bounds(crawl.stats, crawler.genres, Bounds())
        problems += file_problems(crawl.file, crawl.stats)
        if not config.accept_new_markup:
            problems += lost_markup(crawl.stats, _stats_before(lake, source, date))
        yield dg.AssetCheckResult(
            check_name="crawl_is_complete", passed=not problems, description="; ".join(problems) or "within all bounds"
        )
        if problems:
            kept = crawler.keep_rejected(crawl, source, date)
            raise dg.Failure(
                f"{source} {date} was not published: {'; '.join(problems)}. The rejected songs and the log are at "
                f"{kept}.*; the last good file stays.",
                metadata=_describe(crawl),
                allow_retries=False,
            )
        sort_songs(crawl.file)
        metadata = _describe(crawl) | {"new_songs": _count_new(lake, source, date, crawl)}
        address = lake.publish(str(crawl.file), raw_name(source, date))
        lake.write_json(stats_name(source, date), crawl.stats)
        crawler.discard(crawl)
        yield dg.MaterializeResult(metadata=metadata | {"file": dg.MetadataValue.path(address)})

    return raw_songs


def file_problems(file: Path, stats: dict[str, Any]) -> list[str]:
    """Return a sentence if a raw file does not hold every song that the spider counted, each on a whole line."""
    content = file.read_bytes() if file.exists() else b""
    whole, wanted = content.count(b"\n"), stats.get("lyrics/songs", 0)
    if whole == wanted and (not content or content.endswith(b"\n")):
        return []
    return [f"the file holds {whole} whole songs of {wanted}; is the disk full?"]


def sort_songs(file: Path) -> None:
    """Put a raw file's lines in the order of genre, rank, address: a crawl ends its pages in any order."""
    with file.open("rb") as lines:
        rows = [(_place(json.loads(line)), line) for line in lines]
    file.write_bytes(b"".join(line for _, line in sorted(rows)))


def _place(song: dict[str, Any]) -> tuple[str, int, str]:
    return song["genre"], song["rank"] or 0, song["url"]


def _stats_before(lake: Lake, source: str, date: str) -> dict[str, Any]:
    """Return what was counted on the newest published date before this one; nothing if there is none."""
    earlier = [name for name in lake.names(f"raw_stats/{source}") if name < stats_name(source, date)]
    return dict(lake.read_json(earlier[-1])) if earlier else {}


def _count_new(lake: Lake, source: str, date: str, crawl: Crawl) -> int:
    """Return how many songs were not there on the newest published date before this one."""
    earlier = [name for name in lake.names(f"raw/{source}") if name < raw_name(source, date)]
    known = {_path(song) for song in lake.read_json_lines(earlier[-1])} if earlier else set()
    with crawl.file.open("rb") as lines:
        return len({_path(json.loads(line)) for line in lines} - known)


def _path(song: dict[str, Any]) -> str:
    """Return a song's address without the host: the imitated sites stand somewhere else each time."""
    return urlsplit(song["url"]).path


def _describe(crawl: Crawl) -> dict[str, Any]:
    stats = crawl.stats
    prefix = "lyrics/genre/"
    genres = [
        {"genre": name.removeprefix(prefix), "songs": n} for name, n in sorted(stats.items()) if name.startswith(prefix)
    ]
    return {
        "dagster/row_count": sum(row["songs"] for row in genres),
        "mode": crawl.mode,
        "genres": dg.MetadataValue.md(table(genres) if genres else "none"),
        "pages_fetched": stats.get("httpcache/firsthand", 0),
        "pages_from_archive": stats.get("httpcache/hit", 0),
        "pages_in_archive": stats.get("archive/pages", 0),
        "archive_megabytes": round(stats.get("archive/bytes", 0) / 1e6, 2),
        "bytes_fetched": stats.get("archive/bytes_fetched", 0),
        "bytes_read": stats.get("downloader/response_bytes", 0),
        "seconds": round(stats.get("elapsed_time_seconds", 0.0), 1),
        "songs_without_lyrics": sum(n for name, n in stats.items() if name.startswith("lyrics/no_lyrics/")),
        "pages_not_understood": stats.get("lyrics/unparsed", 0),
    }


raw_assets = [_raw_songs(source) for source in SOURCES]
