"""What a crawl costs: pages a second against the ceiling and a sequential client, a second date, memory."""

import datetime as dt
import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx

from benchmarks.corpus import write_songbook
from benchmarks.figures import Figure, show
from scrapy_project.sandbox.launcher import running_sandbox

ROOT = Path(__file__).resolve().parents[1]
LATENCY_MS = 100
CONCURRENCY = 16
SEQUENTIAL_PAGES = 200
FIRST_DATE, SECOND_DATE = dt.date(2026, 11, 1), dt.date(2026, 11, 2)
SOURCES = ("letras", "vagalume")


def crawl(folder: Path, source: str, address: str, date: dt.date, songs_per_genre: int) -> dict[str, Any]:
    """Run a spider in a process of its own; return its stats and the process's peak memory as ``peak_mb``."""
    stats = folder / f"{source}-{date}.json"
    command = [sys.executable, "-m", "scrapy", "crawl", source, "-O", f"{folder / f'{source}-{date}.jsonl'}:jsonlines"]
    arguments = {"base_url": address, "extraction_date": date, "songs_per_genre": songs_per_genre}
    settings = {"ARCHIVE_URL": f"sqlite:///{folder / 'pages.sqlite'}", "STATS_FILE": stats, "LOG_LEVEL": "ERROR"}
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


def addresses_of(folder: Path, source: str, date: dt.date) -> list[str]:
    """Return the addresses of the songs that a crawl wrote."""
    text = (folder / f"{source}-{date}.jsonl").read_text(encoding="utf-8")
    return [re.sub(r"^https?://[^/]+", "", json.loads(line)["url"]) for line in text.splitlines()]


def sequential_rate(address: str, paths: list[str]) -> float:
    """Return the pages a second of a client that asks for one page after another on one connection."""
    with httpx.Client(base_url=address) as client:
        started = time.perf_counter()
        for path in paths[:SEQUENTIAL_PAGES]:
            client.get(path).raise_for_status()
        return len(paths[:SEQUENTIAL_PAGES]) / (time.perf_counter() - started)


def measure_speed(folder: Path) -> list[Figure]:
    """Measure a first and a second date of each site with 1,500 songs and 100 ms latency."""
    figures = []
    ceiling = CONCURRENCY / (LATENCY_MS / 1000)
    on = f"1,500 songs, {LATENCY_MS} ms latency"
    for source in SOURCES:
        with running_sandbox(write_songbook(folder / "first.jsonl", 100), latency_ms=LATENCY_MS) as sites:
            first = crawl(folder, source, sites[source], FIRST_DATE, 200)
            alone = sequential_rate(sites[source], addresses_of(folder, source, FIRST_DATE))
        rate = first["httpcache/firsthand"] / first["elapsed_time_seconds"]
        figures += [
            Figure(f"{source}: pages a second", rate, "1/s", f"{on}, {first['httpcache/firsthand']} pages"),
            Figure(f"{source}: share of the ceiling {ceiling:g}/s", rate / ceiling, "", on, "at least 0.9"),
            Figure(
                f"{source}: times a sequential client",
                rate / alone,
                "x",
                f"its first {SEQUENTIAL_PAGES} songs",
                "at least 6",
            ),
        ]
        with running_sandbox(write_songbook(folder / "second.jsonl", 105)) as sites:
            second = crawl(folder, source, sites[source], SECOND_DATE, 200)
        known = set(addresses_of(folder, source, FIRST_DATE))
        new = set(addresses_of(folder, source, SECOND_DATE)) - known
        lists = 1 + (15 if source == "letras" else 15 + 2 * 15 * 21)
        figures.append(
            Figure(
                f"{source}: pages fetched on a second date",
                second["httpcache/firsthand"],
                "pages",
                f"{len(known)} songs known, {len(new)} new",
                f"at most {lists + len(new) + 15}: lists, new songs, 15 pages without a lyric",
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
                home = folder / f"memory-{songs_per_genre}"
                home.mkdir(exist_ok=True)
                stats = crawl(home, source, sites[source], FIRST_DATE, 1000)
                figures.append(
                    Figure(f"{source}: peak memory", stats["peak_mb"], "MB", f"{stats['lyrics/songs']:,} songs")
                )
    return figures


def measure() -> list[Figure]:
    """Return all figures; takes some minutes."""
    with tempfile.TemporaryDirectory() as folder:
        return measure_speed(Path(folder)) + measure_memory(Path(folder))


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    show("crawl", measure())
