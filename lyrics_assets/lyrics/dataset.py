"""From raw songs of one date to the dataset: one row a song, in Portuguese."""

import datetime as dt
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import pandas as pd
import pyarrow as pa

from lyrics_assets.lyrics.identity import lyrics_hash, song_id
from lyrics_assets.lyrics.language import detect_languages
from lyrics_assets.lyrics.schema import SCHEMA
from lyrics_assets.lyrics.text import count_lines, count_words

MIN_WORDS = 20
"""A text with fewer words is a fragment: no genre can be told from it."""
MAX_CHARACTERS = 50_000
"""A longer text is not a song: a page that was parsed wrongly, or a dump."""

_NEEDED = ("source", "genre", "title", "artist", "lyrics")
_TYPES = {"rank": int, "is_translation": bool, "original_language": str}
_SURROGATE = re.compile("[\ud800-\udfff]")
"""Half a character: JSON can write it, but no file and no store can hold it."""

RawRow = Mapping[str, Any]


class Dataset(NamedTuple):
    """What `build_dataset` makes of a date."""

    songs: pa.Table
    """One row a song, columns of `schema.SCHEMA`."""
    rejects: pd.DataFrame
    """What was left out: source, genre, url, title, artist, reason, detail. Never the lyric."""
    conflicts: dict[str, int]
    """How many merged songs had more than one genre, or more than one text."""


def build_dataset(rows: Iterable[RawRow], extraction_date: dt.date) -> Dataset:
    """Merge the raw rows of all sites and charts of a date into one row a song.

    The genre is the one that most sites name, then the one with the best rank, then the first in alphabetical order.
    The text is an original before a translation, then the one with more lines, then the first site's by name.
    """
    candidates = list(rows)
    reasons = _reject_reasons(candidates)
    kept: dict[str, list[RawRow]] = {}
    for row, reason in zip(candidates, reasons, strict=True):
        if reason is None:
            kept.setdefault(song_id(row["artist"], row["title"]), []).append(row)
    merged = [_merge(key, versions, extraction_date) for key, versions in sorted(kept.items())]
    conflicts = {
        "several_genres": sum(len(song["genres"]) > 1 for song in merged),
        "several_texts": sum(len({lyrics_hash(row["lyrics"]) for row in rows}) > 1 for rows in kept.values()),
    }
    return Dataset(pa.Table.from_pylist(merged, schema=SCHEMA), _rejects(candidates, reasons), conflicts)


def _reject_reasons(rows: list[RawRow]) -> list[tuple[str, str] | None]:
    """Return (reason, detail) for each row that is no usable Portuguese lyric, None for the others."""
    reasons = [_shape_problem(row) for row in rows]
    usable = [index for index, reason in enumerate(reasons) if reason is None]
    languages = detect_languages([rows[index]["lyrics"] for index in usable])
    for index, language in zip(usable, languages, strict=True):
        if language != "pt":
            reasons[index] = ("not_portuguese", language or "unknown")
    return reasons


def _shape_problem(row: RawRow) -> tuple[str, str] | None:
    for name in _NEEDED:
        if not isinstance(row.get(name), str) or not row[name].strip():
            return "missing_field", name
        if not row[name].isprintable() and _SURROGATE.search(row[name]):
            return "not_unicode", name
    for name, kind in _TYPES.items():
        if row.get(name) is not None and type(row[name]) is not kind:
            return "wrong_type", f"{name}: {kind.__name__} wanted"
    if len(row["lyrics"]) > MAX_CHARACTERS:
        return "too_long", f"{len(row['lyrics'])} characters"
    words = count_words(row["lyrics"])
    return ("too_short", f"{words} words") if words < MIN_WORDS else None


def _merge(key: str, versions: list[RawRow], extraction_date: dt.date) -> dict[str, Any]:
    genre = _choose_genre(versions)
    best = min(versions, key=_text_preference)
    ranks = [row["rank"] for row in versions if row["genre"] == genre and row.get("rank") is not None]
    return {
        "song_id": key,
        "extraction_date": extraction_date,
        "title": best["title"],
        "artist": best["artist"],
        "genre": genre,
        "genres": sorted({row["genre"] for row in versions}),
        "sources": sorted({row["source"] for row in versions}),
        "is_translation": bool(best.get("is_translation")),
        "original_language": _original_language(best),
        "rank": min(ranks, default=None),
        "lyrics": best["lyrics"],
        "n_lines": count_lines(best["lyrics"]),
        "n_words": count_words(best["lyrics"]),
    }


def _choose_genre(versions: list[RawRow]) -> str:
    votes: Counter[str] = Counter(genre for _, genre in {(row["source"], row["genre"]) for row in versions})

    def preference(genre: str) -> tuple[int, float, str]:
        ranks = [row["rank"] for row in versions if row["genre"] == genre and row.get("rank") is not None]
        return -votes[genre], min(ranks, default=float("inf")), genre

    return min(votes, key=preference)


def _text_preference(row: RawRow) -> tuple[Any, ...]:
    # What follows the site's name only makes the choice independent of the order of the rows.
    order = row["source"], row["lyrics"], row["title"], row["artist"], str(row.get("original_language"))
    return bool(row.get("is_translation")), -count_lines(row["lyrics"]), *order


def _original_language(row: RawRow) -> str | None:
    if row.get("original_language"):
        return str(row["original_language"])
    return None if row.get("is_translation") else "pt"


def _rejects(rows: list[RawRow], reasons: list[tuple[str, str] | None]) -> pd.DataFrame:
    columns = ["source", "genre", "url", "title", "artist"]
    records = [
        {**{column: row.get(column) for column in columns}, "reason": reason[0], "detail": reason[1]}
        for row, reason in zip(rows, reasons, strict=True)
        if reason is not None
    ]
    return pd.DataFrame(records, columns=[*columns, "reason", "detail"]).astype("string")
