"""What the feature store costs: replacing a date, reading one, the newest row of each song, a scan of two columns."""

import datetime as dt
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa

from benchmarks.corpus import LyricWriter
from benchmarks.figures import Figure, side_by_side
from lyrics_assets.lyrics.schema import SCHEMA
from lyrics_assets.resources.feature_store import DeltaFeatureStore, FeatureStore

LAST_DATE = dt.date(2026, 10, 31)
WINDOW_DAYS = 30
RUNS = 5


class Sizes(NamedTuple):
    """What is measured."""

    rows_a_date: int
    """Of which 5 % are new."""
    dates: tuple[int, int]
    """That a Delta store holds."""
    dates_side_by_side: int
    """That a Delta store and Hopsworks' client hold."""


QUICK, FULL = Sizes(1_000, (10, 60), 10), Sizes(10_000, (10, 365), 30)


class Dates:
    """Tables of consecutive dates; of the songs of each, 5 % were not there the day before."""

    def __init__(self, rows_a_date: int, texts: int = 2_000) -> None:
        self._rows = rows_a_date
        self._new = rows_a_date // 20
        writer = LyricWriter()
        # Fewer texts than songs: what a store costs depends on how long they are, not on what they say.
        self._texts = [writer.write(number) for number in range(texts)]

    def table(self, date: dt.date) -> pa.Table:
        """Return the rows of a date."""
        first = (date - dt.date(2025, 1, 1)).days * self._new
        numbers = range(first, first + self._rows)
        ids = [f"{number:032x}" for number in numbers]
        texts = [self._texts[number % len(self._texts)] for number in numbers]
        columns = {
            "song_id": ids,
            "extraction_date": [date] * self._rows,
            "title": [f"Canção {number}" for number in numbers],
            "artist": [f"Artista {number // 5}" for number in numbers],
            "genre": ["Samba"] * self._rows,
            "genres": [["Samba", "Pagode"]] * self._rows,
            "sources": [["letras", "vagalume"]] * self._rows,
            "is_translation": [False] * self._rows,
            "original_language": ["pt"] * self._rows,
            "portuguese_share": [1.0] * self._rows,
            "rank": list(range(1, self._rows + 1)),
            "lyrics": texts,
            "lyrics_group": ids,
            "n_lines": [text.count("\n") + 1 for text in texts],
            "n_words": [text.count(" ") + 1 for text in texts],
        }
        return pa.table(columns, schema=SCHEMA)


def median_seconds(work: Callable[[], object], runs: int = RUNS) -> float:
    """Return the median wall seconds of some calls."""
    seconds = []
    for _ in range(runs):
        started = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds)


def measure_store(name: str, store: FeatureStore, dates: Dates, n_dates: int, rows: int) -> list[Figure]:
    """Measure a store that holds the last `n_dates` dates of so many rows each."""
    first = LAST_DATE - dt.timedelta(days=n_dates - 1)
    table = dates.table(LAST_DATE)
    date = median_seconds(lambda: store.read_date(LAST_DATE))
    latest, n_latest = _timed(lambda: store.latest(LAST_DATE, WINDOW_DAYS))
    scan, n_scanned = _timed(lambda: store.read_range(first, LAST_DATE, ["genre", "n_words"]))
    return [
        Figure(f"{name}: replace a date", median_seconds(lambda: store.replace_date(table)), "s", ""),
        Figure(f"{name}: read a date", rows / date, "rows/s", ""),
        Figure(f"{name}: newest row of each song in {WINDOW_DAYS} days", n_latest / latest, "rows/s", ""),
        Figure(f"{name}: scan of two columns", n_scanned / scan, "rows/s", ""),
        Figure(f"{name}: list the dates", median_seconds(store.dates), "s", ""),
    ]


def _timed(read: Callable[[], pa.Table]) -> tuple[float, int]:
    found: list[pa.Table] = []
    seconds = median_seconds(lambda: found.append(read()), runs=3)
    return seconds, found[-1].num_rows


def fill(store: FeatureStore, dates: Dates, wanted: Sequence[dt.date]) -> None:
    """Write the dates."""
    for date in wanted:
        store.replace_date(dates.table(date))


def last_dates(number: int) -> list[dt.date]:
    """Return the last so many dates, newest first."""
    return [LAST_DATE - dt.timedelta(days=days) for days in range(number)]


def measure_growth(folder: Path, sizes: Sizes) -> list[Figure]:
    """Measure a Delta store with few and with many dates."""
    columns, dates, held = [], Dates(sizes.rows_a_date), 0
    store = DeltaFeatureStore(root=str(folder / "delta"))
    for n_dates in sizes.dates:
        fill(store, dates, last_dates(n_dates)[held:])
        held = n_dates
        columns.append(measure_store("Delta", store, dates, n_dates, sizes.rows_a_date))
    on = f"{sizes.dates[0]}; {sizes.dates[1]} dates of {sizes.rows_a_date:,} rows"
    replaced, *others = side_by_side(columns, on)
    few, many = replaced.value
    ratio = Figure("Delta: replace a date: many / few dates", many / few, "times", on, "at most 1.5")
    return [replaced._replace(wanted="under 0.5"), ratio, *others]


def measure_side_by_side(folder: Path, sizes: Sizes) -> list[Figure]:
    """Measure a Delta store and Hopsworks' client on the contract server, with the same dates."""
    from lyrics_assets.resources.hopsworks import HopsworksFeatureStore

    command = [sys.executable, "-m", "lyrics_assets_tests.hopsworks_server", "--folder", str(folder / "hopsworks")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        stores = {
            "Delta": DeltaFeatureStore(root=str(folder / "delta")),
            "Hopsworks": HopsworksFeatureStore(**json.loads(server.stdout.readline())),
        }
        columns, dates, n_dates = [], Dates(sizes.rows_a_date), sizes.dates_side_by_side
        for store in stores.values():
            fill(store, dates, last_dates(n_dates))
            columns.append(measure_store("Delta; Hopsworks", store, dates, n_dates, sizes.rows_a_date))
        server.stdin.close()
    return side_by_side(columns, f"{n_dates} dates of {sizes.rows_a_date:,} rows; Hopsworks' client, contract server")


def measure(sizes: Sizes) -> list[Figure]:
    """Return all figures."""
    with tempfile.TemporaryDirectory() as alone, tempfile.TemporaryDirectory() as together:
        return measure_growth(Path(alone), sizes) + measure_side_by_side(Path(together), sizes)
