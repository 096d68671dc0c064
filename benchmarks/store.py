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

import pyarrow as pa

from benchmarks.corpus import LyricWriter
from benchmarks.figures import Figure, show
from lyrics_assets.lyrics.schema import SCHEMA
from lyrics_assets.resources.feature_store import DeltaFeatureStore, FeatureStore

LAST_DATE = dt.date(2026, 10, 31)
ROWS_A_DATE, NEW_A_DATE = 10_000, 500
DATES = (10, 365)
WINDOW_DAYS = 30
RUNS = 5


class Dates:
    """Tables of consecutive dates; of the songs of each, 5 % were not there the day before."""

    def __init__(self, rows_a_date: int = ROWS_A_DATE, texts: int = 2_000) -> None:
        self._rows = rows_a_date
        self._new = rows_a_date * NEW_A_DATE // ROWS_A_DATE
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
    window = min(n_dates, WINDOW_DAYS)
    table = dates.table(LAST_DATE)
    on = f"{n_dates} dates of {rows:,} rows"
    date = median_seconds(lambda: store.read_date(LAST_DATE))
    latest, n_latest = _timed(lambda: store.latest(LAST_DATE, window))
    scan, n_scanned = _timed(lambda: store.read_range(first, LAST_DATE, ["genre", "n_words"]))
    return [
        Figure(f"{name}: replace a date", median_seconds(lambda: store.replace_date(table)), "s", on),
        Figure(f"{name}: read a date", rows / date, "rows/s", on),
        Figure(f"{name}: newest row of each song, {window} dates", n_latest / latest, "rows/s", on),
        Figure(f"{name}: scan of two columns", n_scanned / scan, "rows/s", on),
        Figure(f"{name}: list the dates", median_seconds(store.dates), "s", on),
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


def measure_growth(folder: Path) -> list[Figure]:
    """Measure a Delta store with few and with many dates."""
    figures, dates, held = [], Dates(), 0
    store = DeltaFeatureStore(root=str(folder / "delta"))
    replaced = {}
    for n_dates in DATES:
        fill(store, dates, last_dates(n_dates)[held:])
        held = n_dates
        measured = measure_store("Delta", store, dates, n_dates, ROWS_A_DATE)
        replaced[n_dates] = measured[0].value
        figures += [measured[0]._replace(wanted="under 0.5"), *measured[1:]]
    ratio = replaced[DATES[1]] / replaced[DATES[0]]
    return [*figures, Figure(f"replace a date: {DATES[1]} / {DATES[0]} dates", ratio, "", "", "at most 1.5")]


def measure_side_by_side(folder: Path) -> list[Figure]:
    """Measure a Delta store and Hopsworks' client on the contract server, with the same dates."""
    from lyrics_assets.resources.hopsworks import HopsworksFeatureStore

    command = [sys.executable, "-m", "lyrics_assets_tests.hopsworks_server", "--folder", str(folder / "hopsworks")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        stores = {
            "Delta": DeltaFeatureStore(root=str(folder / "delta")),
            "Hopsworks": HopsworksFeatureStore(**json.loads(server.stdout.readline())),
        }
        figures, dates = [], Dates()
        for name, store in stores.items():
            fill(store, dates, last_dates(WINDOW_DAYS))
            figures += measure_store(name, store, dates, WINDOW_DAYS, ROWS_A_DATE)
        server.stdin.close()
    return figures


def measure() -> list[Figure]:
    """Return all figures; takes some minutes."""
    with tempfile.TemporaryDirectory() as alone, tempfile.TemporaryDirectory() as together:
        return measure_growth(Path(alone)) + measure_side_by_side(Path(together))


if __name__ == "__main__":
    show("store", measure())
