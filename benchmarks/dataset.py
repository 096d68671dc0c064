"""What it costs to make a date's raw songs into the dataset, as songs and stored dates grow."""

import datetime as dt
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from benchmarks.child import found_by
from benchmarks.corpus import LyricWriter
from benchmarks.figures import Figure
from scrapy_project.genres import GENRE_NAMES

DATE = dt.date(2026, 11, 1)
RUNS = 3


class Sizes(NamedTuple):
    """What is measured."""

    raw_songs: int
    songs_a_date: int
    """Of which 5 % are new."""
    dates_stored: tuple[int, int]
    """Before the date that is measured."""


QUICK, FULL = Sizes(4_000, 1_000, (10, 60)), Sizes(200_000, 10_000, (10, 365))

BUILD = """
import datetime as dt, json, sys, time
from lyrics_assets.memory import peak_of_process
from lyrics_assets.lyrics.dataset import build_dataset, read_raw
from lyrics_assets.lyrics.near_duplicates import TextIndex
raw, index, date = sys.argv[1], TextIndex(f"sqlite:///{sys.argv[2]}"), dt.date.fromisoformat(sys.argv[3])
started = time.perf_counter()
with open(raw, "rb") as lines:
    dataset = build_dataset(read_raw(lines, "bench"), date, index)
seconds = time.perf_counter() - started
peak = peak_of_process() / 2**20
groups = len(dataset.songs["lyrics_group"].unique())
print(json.dumps({"seconds": seconds, "peak_mb": peak, "songs": dataset.songs.num_rows, "groups": groups}))
"""


def write_raw(path: Path, numbers: range, seed: int = 0) -> Path:
    """Write raw songs as two sites would: of ten songs, six stand on both, and every twentieth is a cover."""
    with path.open("w", encoding="utf-8") as file:
        for row in _raw_rows(numbers, seed):
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
    return path


def _raw_rows(numbers: range, seed: int) -> Iterator[dict[str, object]]:
    writer = LyricWriter(seed)
    for number in numbers:
        # A cover has the words of the song before it, but for a line.
        lyrics = writer.write(number - 1 if number % 20 == 19 else number)
        if number % 20 == 19:
            lyrics += "\n" + writer.write(number)[:40]
        genre = GENRE_NAMES[number % len(GENRE_NAMES)]
        for source in ("letras", "vagalume") if number % 10 < 6 else (("letras", "vagalume")[number % 2],):
            yield {
                "source": source,
                "genre": genre,
                "title": f"Canção {number}" + (" (Ao Vivo)" if source == "vagalume" and number % 7 == 0 else ""),
                "artist": f"Artista {number // 5}",
                "url": f"https://{source}.example/{number}/",
                "rank": number // len(GENRE_NAMES) + 1 if source == "letras" else None,
                "lyrics": lyrics if source == "letras" or number % 2 else lyrics.upper(),
                "is_translation": False,
                "original_language": None,
            }


def build(raw: Path, index: Path, date: dt.date) -> dict[str, float]:
    """Build the dataset in a process of its own; return its seconds, peak memory, songs and groups."""
    return dict(found_by(BUILD, raw, index, date))


def measure_size(folder: Path, raw_songs: int) -> list[Figure]:
    """Measure a first date of many songs: nothing of it is known to the index."""
    raw = write_raw(folder / "raw.jsonl", range(raw_songs * 10 // 16))
    rows = sum(1 for _ in raw.open("rb"))
    built = build(raw, folder / "size.sqlite", DATE)
    on = f"{rows:,} raw songs, {raw.stat().st_size / 1e6:.0f} MB, none known before"
    on_disk = (folder / "size.sqlite").stat().st_size / built["songs"]
    return [
        Figure("raw songs made into the dataset", rows / built["seconds"], "1/s", on, "at least 1,000"),
        Figure("peak memory of that", built["peak_mb"], "MB", on, "at most 1,500"),
        Figure("distinct songs; groups of near-duplicates", (built["songs"], built["groups"]), "", on),
        Figure("index of texts on disk", on_disk, "bytes a song", on),
    ]


def measure_dates(folder: Path, songs_a_date: int, dates_stored: tuple[int, int]) -> list[Figure]:
    """Measure a date of which 5 % is new, with few and with many dates known to the index."""
    from lyrics_assets.lyrics.identity import normalised_hash
    from lyrics_assets.lyrics.near_duplicates import TextIndex
    from lyrics_assets.lyrics.text import normalise

    seconds, texts_known, filled, new_a_date = [], [], 0, songs_a_date // 20
    path, writer = folder / "dates.sqlite", LyricWriter(1)
    index = TextIndex(f"sqlite:///{path}")
    for dates in dates_stored:
        known = songs_a_date + (dates - 1) * new_a_date
        for start in range(filled, known, 5_000):
            texts = [normalise(writer.write(number)) for number in range(start, min(start + 5_000, known))]
            index.group({normalised_hash(text): text for text in texts})
        filled = known + new_a_date
        raw = write_raw(folder / f"{dates}.jsonl", range(filled - songs_a_date, filled), seed=1)
        best = min(build(raw, _copy(path, folder / f"{dates}-{run}.sqlite"), DATE)["seconds"] for run in range(RUNS))
        seconds.append(best)
        texts_known.append(f"{known:,}")
    index.close()
    few, many = dates_stored
    on = f"{songs_a_date:,} songs, 5 % new; {few}; {many} dates before ({'; '.join(texts_known)} texts known)"
    return [
        Figure("making a date into the dataset", tuple(seconds), "s", on),
        Figure("the same: many / few dates before", seconds[1] / seconds[0], "times", on, "at most 1.5"),
    ]


def _copy(database: Path, target: Path) -> Path:
    import sqlite3

    with sqlite3.connect(database) as source, sqlite3.connect(target) as copy:
        source.backup(copy)
    return target


def measure(sizes: Sizes) -> list[Figure]:
    """Return all figures."""
    with tempfile.TemporaryDirectory() as folder:
        dates = measure_dates(Path(folder), sizes.songs_a_date, sizes.dates_stored)
        return measure_size(Path(folder), sizes.raw_songs) + dates
