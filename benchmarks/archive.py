"""What the page archive costs: bytes a page, milliseconds a look-up and a store, as it grows."""

import datetime as dt
import hashlib
import tempfile
import time
import zlib
from pathlib import Path
from typing import NamedTuple

from benchmarks.corpus import write_songbook
from benchmarks.figures import Figure, side_by_side
from scrapy_project.archive import COMPRESSION_LEVEL, PAGES, Archive, Page
from scrapy_project.sandbox.songbook import load_songbook

LOOK_UPS, STORED = 2_000, 200
DAYS = 20
DATE = dt.date(2026, 11, 1)
CHUNK = 5_000


class Sizes(NamedTuple):
    """What is measured."""

    pages: tuple[int, ...]
    """That the archive holds, ever more."""


QUICK, FULL = Sizes((2_000, 20_000)), Sizes((10_000, 200_000))


def fingerprint(number: int) -> str:
    """Return a key as Scrapy makes them: 40 hexadecimal digits."""
    return hashlib.sha1(str(number).encode(), usedforsecurity=False).hexdigest()


def sample_pages(folder: Path) -> list[bytes]:
    """Return pages of the size of a song's: made-up lyrics in as much markup around them."""
    songs = load_songbook(write_songbook(folder / "songs.jsonl", 10))
    frame = "<div class=menu>" + "".join(f"<a href=/item/{n}/>Item {n}</a>" for n in range(400)) + "</div>"
    return [f"<html>{frame}<h1>{song.title}</h1><p>{song.lyrics}</p></html>".encode() for song in songs]


def fill(archive: Archive, pages: list[bytes], start: int, stop: int) -> None:
    """Add pages in bulk, spread over days; faster than a crawl would, which stores them one by one."""
    bodies = [zlib.compress(page, COMPRESSION_LEVEL) for page in pages]
    for first in range(start, stop, CHUNK):
        rows = [
            {
                "fingerprint": fingerprint(number),
                "fetched_on": DATE + dt.timedelta(days=number % DAYS),
                "fetched_at": dt.datetime(2026, 11, 1, tzinfo=dt.UTC).replace(tzinfo=None),
                "site": "letras",
                "status": 200,
                "url": f"https://letras.example/{number}/",
                "headers": "{}",
                "body": bodies[number % len(bodies)],
            }
            for number in range(first, min(first + CHUNK, stop))
        ]
        with archive._engine.begin() as connection:
            connection.execute(PAGES.insert(), rows)


def measure(sizes: Sizes) -> list[Figure]:
    """Return all figures."""
    columns = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pages = sample_pages(folder)
        archive, filled = Archive(f"sqlite:///{folder / 'pages.sqlite'}"), 0
        for size in sizes.pages:
            fill(archive, pages, filled, size)
            filled = size
            started = time.perf_counter()
            for number in range(LOOK_UPS):
                archive.find(fingerprint(number * (size // LOOK_UPS)), DATE + dt.timedelta(days=DAYS), 30)
            look_up = (time.perf_counter() - started) / LOOK_UPS * 1000
            started = time.perf_counter()
            for number in range(STORED):
                page = Page("https://letras.example/", 200, {}, pages[number % len(pages)], dt.datetime.now(dt.UTC))
                archive.store(fingerprint(-number - 1), DATE, "letras", page)
            store = (time.perf_counter() - started) / STORED * 1000
            on_disk = (folder / "pages.sqlite").stat().st_size / size
            columns.append(
                [
                    Figure("a look-up", look_up, "ms", ""),
                    Figure("storing a page", store, "ms", ""),
                    Figure("on disk", on_disk, "bytes a page", ""),
                ]
            )
        archive.close()
    mean = sum(map(len, pages)) / len(pages)
    on = "; ".join(f"{size:,}" for size in sizes.pages)
    figures = side_by_side(columns, f"{on} pages, SQLite")
    return [*figures, Figure("a page as it was downloaded", mean, "bytes", f"{len(pages)} made-up song pages")]
