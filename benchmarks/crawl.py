"""What a crawl costs: pages a second against the ceiling and a sequential client, a second date, memory."""

import datetime as dt
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from itertools import product
from pathlib import Path
from typing import Any

import httpx

from benchmarks.corpus import write_songbook
from benchmarks.figures import Figure, show
from scrapy_project.sandbox.launcher import running_sandbox

ROOT = Path(__file__).resolve().parents[1]
LATENCY_MS = 100
SEQUENTIAL_PAGES = 200
FIRST_DATE, SECOND_DATE = dt.date(2026, 11, 1), dt.date(2026, 11, 2)
SOURCES = ("letras", "vagalume")


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
        for path in paths[:SEQUENTIAL_PAGES]:
            client.get(path).raise_for_status()
        return len(paths[:SEQUENTIAL_PAGES]) / (time.perf_counter() - started)


def measure_speed(folder: Path) -> list[Figure]:
    """Measure a first date of each site with 1,500 songs and 100 ms latency, at two widths of the door."""
    figures = []
    songbook = write_songbook(folder / "speed.jsonl", 100)
    for source, concurrency in product(SOURCES, (8, 16)):
        ceiling = concurrency / (LATENCY_MS / 1000)
        on = f"1,500 songs, {LATENCY_MS} ms, {concurrency} at once"
        with running_sandbox(songbook, latency_ms=LATENCY_MS) as sites:
            small, whole = (_home(folder, f"{source}-{concurrency}-{name}") for name in ("small", "whole"))
            begun = crawl(small, source, sites[source], FIRST_DATE, 3, concurrency)
            first = crawl(whole, source, sites[source], FIRST_DATE, 200, concurrency)
            alone = sequential_rate(sites[source], addresses_of(whole, source, FIRST_DATE))
        pages, seconds = first["httpcache/firsthand"], first["elapsed_time_seconds"]
        # What a small crawl takes too (robots.txt, lists, the last answers) is no part of the steady rate.
        steady = (pages - begun["httpcache/firsthand"]) / (seconds - begun["elapsed_time_seconds"])
        wanted = f"0.9 of {ceiling:g}/s"
        figures += [
            Figure(f"{source}: pages a second, whole crawl", pages / seconds, "1/s", on),
            Figure(f"{source}: share of the ceiling, whole crawl", pages / seconds / ceiling, "", on, wanted),
            Figure(f"{source}: share of the ceiling, steady", steady / ceiling, "", on, wanted),
            Figure(f"{source}: times a sequential client", pages / seconds / alone, "x", on, "at least 6"),
        ]
    return figures


def measure_second_date(folder: Path) -> list[Figure]:
    """Measure what a second date asks for, with 5 % more songs in the songbook."""
    figures = []
    for source in SOURCES:
        home = _home(folder, f"{source}-dates")
        with running_sandbox(write_songbook(folder / "first.jsonl", 100)) as sites:
            crawl(home, source, sites[source], FIRST_DATE, 200)
        with running_sandbox(write_songbook(folder / "second.jsonl", 105)) as sites:
            second = crawl(home, source, sites[source], SECOND_DATE, 200)
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
                f"{len(known)} songs known, {len(new)} new",
                f"at most {bound}: robots.txt, {lists} lists, new songs, {empty} without lyric",
            )
        )
    return figures


def measure_memory(folder: Path) -> list[Figure]:
    """Measure the peak memory of a crawl of 1,500 and of 15,000 songs."""
    figures = []
    for songs_per_genre in (100, 1000):
        songbook = write_songbook(folder / "memory.jsonl", songs_per_genre)
        with running_sandbox(songbook) as sites:
            for source in SOURCES:
                home = _home(folder, f"{source}-memory-{songs_per_genre}")
                stats = crawl(home, source, sites[source], FIRST_DATE, 1000)
                figures.append(
                    Figure(f"{source}: peak memory", stats["peak_mb"], "MB", f"{stats['lyrics/songs']:,} songs")
                )
    return figures


def measure() -> list[Figure]:
    """Return all figures; takes some minutes."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        return measure_speed(home) + measure_second_date(home) + measure_memory(home)


if __name__ == "__main__":
    show("crawl", measure())
