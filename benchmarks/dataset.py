"""What it costs to make a date's raw songs into the dataset, as songs and stored dates grow."""

import datetime as dt
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.corpus import LyricWriter
from benchmarks.figures import Figure, show
from scrapy_project.genres import GENRE_NAMES

DATE = dt.date(2026, 11, 1)
RAW_SONGS = 200_000
SONGS_A_DATE, NEW_A_DATE = 10_000, 500
DATES_STORED = (10, 365)

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
    command = [sys.executable, "-c", BUILD, str(raw), str(index), date.isoformat()]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return dict(json.loads(done.stdout))


def measure_size(folder: Path) -> list[Figure]:
    """Measure a first date of many songs: nothing of it is known to the index."""
    raw = write_raw(folder / "raw.jsonl", range(RAW_SONGS * 10 // 16))
    rows = sum(1 for _ in raw.open("rb"))
    built = build(raw, folder / "size.sqlite", DATE)
    on = f"{rows:,} raw songs, {raw.stat().st_size / 1e6:.0f} MB, none known"
    return [
        Figure("raw to dataset", rows / built["seconds"], "songs/s", on, "at least 1,000"),
        Figure("raw to dataset: peak memory", built["peak_mb"], "MB", on, "at most 1,500"),
        Figure("raw to dataset: distinct songs", built["songs"], "songs", on),
        Figure("raw to dataset: groups of near-duplicates", built["groups"], "groups", on),
        Figure("index of texts on disk", (folder / "size.sqlite").stat().st_size / built["songs"], "bytes a song", on),
    ]


def measure_dates(folder: Path) -> list[Figure]:
    """Measure a date of which 5 % is new, with few and with many dates known to the index."""
    from lyrics_assets.lyrics.identity import normalised_hash
    from lyrics_assets.lyrics.near_duplicates import TextIndex
    from lyrics_assets.lyrics.text import normalise

    figures, seconds, filled = [], {}, 0
    path, writer = folder / "dates.sqlite", LyricWriter(1)
    index = TextIndex(f"sqlite:///{path}")
    for dates in DATES_STORED:
        known = SONGS_A_DATE + (dates - 1) * NEW_A_DATE
        for start in range(filled, known, 5_000):
            texts = [normalise(writer.write(number)) for number in range(start, min(start + 5_000, known))]
            index.group({normalised_hash(text): text for text in texts})
        filled = known + NEW_A_DATE
        raw = write_raw(folder / f"{dates}.jsonl", range(filled - SONGS_A_DATE, filled), seed=1)
        best = min(build(raw, _copy(path, folder / f"{dates}-{run}.sqlite"), DATE)["seconds"] for run in range(3))
        seconds[dates] = best
        on = f"{SONGS_A_DATE:,} songs, {known:,} texts known"
        figures.append(Figure(f"a new date after {dates} dates", best, "s", on))
    index.close()
    ratio = seconds[DATES_STORED[1]] / seconds[DATES_STORED[0]]
    return [*figures, Figure(f"after {DATES_STORED[1]} dates / after {DATES_STORED[0]}", ratio, "", "", "at most 1.5")]


def _copy(database: Path, target: Path) -> Path:
    import sqlite3

    with sqlite3.connect(database) as source, sqlite3.connect(target) as copy:
        source.backup(copy)
    return target


def measure() -> list[Figure]:
    """Return all figures; takes some minutes."""
    with tempfile.TemporaryDirectory() as folder:
        return measure_dates(Path(folder)) + measure_size(Path(folder))


if __name__ == "__main__":
    show("dataset", measure())
