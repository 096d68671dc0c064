"""What a crawl costs: pages a second against the ceiling and a sequential client, a second date, memory."""

import datetime as dt
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import httpx

from benchmarks.corpus import write_songbook
from benchmarks.figures import Figure, side_by_side
from scrapy_project.sandbox.launcher import running_sandbox

ROOT = Path(__file__).resolve().parents[1]
LATENCY_MS = 100
FIRST_DATE, SECOND_DATE = dt.date(2026, 11, 1), dt.date(2026, 11, 2)
SOURCES = ("letras", "vagalume")
ASKED_FOR = 1_000
"""Songs asked of each site for each genre: all that there are."""


class Sizes(NamedTuple):
    """What is measured; each of the 15 genres has that many songs."""

    songs_per_genre: int
    concurrencies: tuple[int, ...]
    """Requests at once."""
    sequential_pages: int
    memory_songs_per_genre: tuple[int, ...]


QUICK, FULL = Sizes(20, (8,), 50, (20,)), Sizes(100, (8, 16), 200, (100, 1_000))


def crawl(
    folder: Path, source: str, address: str, date: dt.date, songs_per_genre: int, concurrency: int = 16
) -> dict[str, Any]:
    """Run a spider in a process of its own; return its stats and the process's peak memory as ``peak_mb``."""
    stats = folder / f"{source}-{date}.json"
    command = [sys.executable, "-m", "scrapy", "crawl", source, "-O", f"{folder / f'{source}-{date}.jsonl'}:jsonlines"]
    arguments = {"base_url": address, "extraction_date": date, "songs_per_genre": songs_per_genre}
    settings = {"ARCHIVE_URL": f"sqlite:///{folder / 'pages.sqlite'}", "STATS_FILE": stats, "LOG_LEVEL": "ERROR"}
    settings |= {"CONCURRENT_REQUESTS": concurrency, "CONCURRENT_REQUESTS_PER_DOMAIN": concurrency}
    for name, value in arguments.items():
        command += ["-a", f"{name}={value}"]
    for name, value in settings.items():
        command += ["-s", f"{name}={value}"]
    process = subprocess.Popen(command, cwd=ROOT, env=os.environ | {"SCRAPY_PROJECT": "sandbox"})
    _, code, usage = os.wait4(process.pid, 0)
    if code:
        raise SystemExit(f"{' '.join(map(str, command))} failed")
    # Linux counts kilobytes, macOS bytes.
    peak = usage.ru_maxrss / (1024 if sys.platform == "linux" else 1024**2)
    return json.loads(stats.read_text(encoding="utf-8")) | {"peak_mb": peak}


def _home(folder: Path, name: str) -> Path:
    (folder / name).mkdir()
    return folder / name


def addresses_of(folder: Path, source: str, date: dt.date) -> list[str]:
    """Return the addresses of the songs that a crawl wrote."""
    text = (folder / f"{source}-{date}.jsonl").read_text(encoding="utf-8")
    return [re.sub(r"^https?://[^/]+", "", json.loads(line)["url"]) for line in text.splitlines()]


def sequential_rate(address: str, paths: list[str]) -> float:
    """Return the pages a second of a client that asks for one page after another on one connection."""
    with httpx.Client(base_url=address, headers={"X-Sandbox-Date": FIRST_DATE.isoformat()}) as client:
        started = time.perf_counter()
        for path in paths:
            client.get(path).raise_for_status()
        return len(paths) / (time.perf_counter() - started)


def measure_speed(folder: Path, sizes: Sizes) -> list[Figure]:
    """Measure a first date of each site, whose answers begin after 100 ms, and a sequential client beside it."""
    figures = []
    songbook = write_songbook(folder / "speed.jsonl", sizes.songs_per_genre)
    widths = "; ".join(map(str, sizes.concurrencies))
    on = f"{15 * sizes.songs_per_genre:,} songs, answers after {LATENCY_MS} ms, {widths} requests at once"
    for source in SOURCES:
        columns = [_speed(folder, source, songbook, sizes, concurrency) for concurrency in sizes.concurrencies]
        figures += side_by_side(columns, on)
    return figures


def _speed(folder: Path, source: str, songbook: Path, sizes: Sizes, concurrency: int) -> list[Figure]:
    with running_sandbox(songbook, latency_ms=LATENCY_MS) as sites:
        small, whole = (_home(folder, f"{source}-{concurrency}-{name}") for name in ("small", "whole"))
        begun = crawl(small, source, sites[source], FIRST_DATE, 3, concurrency)
        first = crawl(whole, source, sites[source], FIRST_DATE, ASKED_FOR, concurrency)
        alone = sequential_rate(sites[source], addresses_of(whole, source, FIRST_DATE)[: sizes.sequential_pages])
    ceiling = concurrency / (LATENCY_MS / 1000)
    pages, seconds = first["httpcache/firsthand"], first["elapsed_time_seconds"]
    # What a small crawl takes too (robots.txt, lists, the last answers) is no part of the steady rate.
    steady = (pages - begun["httpcache/firsthand"]) / (seconds - begun["elapsed_time_seconds"])
    return [
        Figure(f"{source}: pages a second", pages / seconds, "1/s", ""),
        Figure(
            f"{source}: share of what can be (requests at once / latency)",
            pages / seconds / ceiling,
            "",
            "",
            "at least 0.9",
        ),
        Figure(f"{source}: the same without begin and end", steady / ceiling, "", "", "at least 0.9"),
        Figure(f"{source}: times a client that asks one after another", pages / seconds / alone, "", "", "at least 6"),
    ]


def measure_second_date(folder: Path, sizes: Sizes) -> list[Figure]:
    """Measure what a second date asks for, with 5 % more songs in the songbook."""
    figures = []
    for source in SOURCES:
        home = _home(folder, f"{source}-dates")
        with running_sandbox(write_songbook(folder / "first.jsonl", sizes.songs_per_genre)) as sites:
            crawl(home, source, sites[source], FIRST_DATE, ASKED_FOR)
        grown = write_songbook(folder / "second.jsonl", sizes.songs_per_genre * 105 // 100)
        with running_sandbox(grown) as sites:
            second = crawl(home, source, sites[source], SECOND_DATE, ASKED_FOR)
        known = set(addresses_of(home, source, FIRST_DATE))
        new = set(addresses_of(home, source, SECOND_DATE)) - known
        kinds = ("letras chart", "vagalume style", "vagalume index", "vagalume artist")
        lists = second.get("lyrics/index_fallbacks", 0) + sum(second.get(f"lyrics/parsed/{kind}", 0) for kind in kinds)
        # The sandbox hands its pages without a lyric to other artists when its songbook grows.
        empty = sum(count for name, count in second.items() if name.startswith("lyrics/no_lyrics/"))
        bound = 1 + lists + len(new) + empty
        figures.append(
            Figure(
                f"{source}: pages fetched on a second date",
                second["httpcache/firsthand"],
                "pages",
                f"{len(known):,} songs known, {len(new)} new",
                f"at most {bound}: robots.txt, {lists} lists, new songs, {empty} without lyric",
                at_any_size=True,
            )
        )
    return figures


def measure_memory(folder: Path, sizes: Sizes) -> list[Figure]:
    """Measure the peak memory of the spider's process as the songs grow."""
    figures = []
    for source in SOURCES:
        peaks, songs = [], []
        for songs_per_genre in sizes.memory_songs_per_genre:
            home = _home(folder, f"{source}-memory-{songs_per_genre}")
            with running_sandbox(write_songbook(folder / "memory.jsonl", songs_per_genre)) as sites:
                stats = crawl(home, source, sites[source], FIRST_DATE, ASKED_FOR)
            peaks.append(stats["peak_mb"])
            songs.append(f"{stats['lyrics/songs']:,}")
        figures.append(Figure(f"{source}: peak memory", tuple(peaks), "MB", f"{'; '.join(songs)} songs"))
    return figures


def measure(sizes: Sizes) -> list[Figure]:
    """Return all figures."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        return measure_speed(home, sizes) + measure_second_date(home, sizes) + measure_memory(home, sizes)
