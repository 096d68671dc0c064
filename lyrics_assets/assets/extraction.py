"""The sites and the raw songs of a date. One factory: adding a source is one name in SOURCES and one spider."""

import datetime as dt
from collections.abc import Iterator
from typing import Any

import dagster as dg

from lyrics_assets.lyrics.completeness import Bounds, broken_bounds
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


def raw_name(source: str, date: str) -> str:
    """Return the lake's name of the raw songs of a source and a date."""
    return f"raw/{source}/{date}.jsonl"


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
                description="Songs, genres, failures and pages not understood are within their bounds.",
            )
        ],
        kinds={"scrapy", "json"},
        pool=f"site_{source}",
    )
    def raw_songs(
        context: dg.AssetExecutionContext, crawler: Crawler, lake: Lake
    ) -> Iterator[dg.AssetCheckResult | dg.MaterializeResult]:
        date = context.partition_key
        try:
            crawl = crawler.run(context, source, dt.date.fromisoformat(date))
        except CrawlRefusedError as refusal:
            raise dg.Failure(str(refusal), allow_retries=False) from refusal
        problems = broken_bounds(crawl.stats, crawler.genres, Bounds())
        yield dg.AssetCheckResult(
            check_name="crawl_is_complete", passed=not problems, description="; ".join(problems) or "within all bounds"
        )
        if problems:
            raise dg.Failure(
                f"{source} {date} was not published: {'; '.join(problems)}. The rejected songs and the log are at "
                f"{crawl.file.with_suffix('')}.*; the last good file stays.",
                metadata=_describe(crawl),
                allow_retries=False,
            )
        address = lake.publish(str(crawl.file), raw_name(source, date))
        metadata = _describe(crawl) | {"file": dg.MetadataValue.path(address)}
        crawl.file.unlink()
        crawl.file.with_suffix(".log").unlink(missing_ok=True)
        yield dg.MaterializeResult(metadata=metadata)

    return raw_songs


def _describe(crawl: Crawl) -> dict[str, Any]:
    stats = crawl.stats
    prefix = "lyrics/genre/"
    genres = {name.removeprefix(prefix): n for name, n in sorted(stats.items()) if name.startswith(prefix)}
    rows = "\n".join(f"| {genre} | {n} |" for genre, n in genres.items())
    return {
        "dagster/row_count": sum(genres.values()),
        "mode": crawl.mode,
        "genres": dg.MetadataValue.md(f"| genre | songs |\n|---|---:|\n{rows}"),
        "pages_fetched": stats.get("httpcache/firsthand", 0),
        "pages_from_archive": stats.get("httpcache/hit", 0),
        "bytes_read": stats.get("downloader/response_bytes", 0),
        "seconds": round(stats.get("elapsed_time_seconds", 0.0), 1),
        "songs_without_lyrics": sum(n for name, n in stats.items() if name.startswith("lyrics/no_lyrics/")),
        "pages_not_understood": stats.get("lyrics/unparsed", 0),
    }


raw_assets = [_raw_songs(source) for source in SOURCES]
