"""From raw songs of one date to the dataset: one row a song, in Portuguese.

Rows are read once and a batch at a time; what is held of the accepted ones is a column store, so that a date may be
large. Three steps: sift (is this a usable Portuguese lyric?), merge (which rows are one song?), group (which songs
nearly repeat each other's text?).
"""

import datetime as dt
import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, nullcontext
from itertools import islice
from operator import itemgetter
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from lyrics_assets.lyrics.cleaning import DamagedTextError, mend
from lyrics_assets.lyrics.identity import normalised_hash, song_id
from lyrics_assets.lyrics.imports import MAX_NAME_CHARACTERS
from lyrics_assets.lyrics.language import MIN_PORTUGUESE_SHARE, PORTUGUESE, Languages, detect_languages
from lyrics_assets.lyrics.near_duplicates import TextIndex
from lyrics_assets.lyrics.schema import SCHEMA
from lyrics_assets.lyrics.text import count_lines, normalise

MIN_WORDS = 20
"""A text with fewer words is a fragment: no genre can be told from it."""
MAX_CHARACTERS = 50_000
"""A longer text is not a song: a page that was parsed wrongly, or a dump."""

_BATCH_ROWS = 2_000
_GROUPED_AT_ONCE = 5_000
_NAMES = ("source", "genre", "title", "artist")
_TYPES = {"rank": int, "is_translation": bool, "original_language": str}
_UNREADABLE = "unreadable"

_PREFERENCE = {
    "song_id": True,
    "is_translation": True,
    "n_distinct_lines": False,
    "n_words": False,
    "source": True,
    # What follows only makes the choice independent of the order of the rows.
    "text_digest": True,
    "title": True,
    "artist": True,
    "original_language": True,
}
"""By what the rows of a song are sorted, ascending or not, so that the first one's text is kept."""

RawRow = Mapping[str, Any]

_ACCEPTED = pa.schema(
    [
        *(pa.field(name, pa.string()) for name in ("song_id", *_NAMES)),
        pa.field("rank", pa.int64()),
        pa.field("is_translation", pa.bool_()),
        pa.field("original_language", pa.string()),
        pa.field("portuguese_share", pa.float64()),
        pa.field("lyrics", pa.string()),
        pa.field("lyrics_hash", pa.string()),
        pa.field("text_digest", pa.string()),
        pa.field("n_distinct_lines", pa.int64()),
        pa.field("n_lines", pa.int64()),
        pa.field("n_words", pa.int64()),
    ]
)


class Dataset(NamedTuple):
    """What `build_dataset` makes of a date."""

    songs: pa.Table
    """One row a song, columns of `schema.SCHEMA`, sorted by song_id."""
    rejects: pd.DataFrame
    """What was left out: source, genre, url, title, artist, reason, detail. Never the lyric."""
    n_raw: int
    """Rows that were read."""
    mended: dict[str, int]
    """Accepted rows of which a field was damaged and mended, by the rule of `cleaning`."""
    conflicts: dict[str, int]
    """Songs on which the rows that were merged do not agree, by what they disagree on."""


def read_raw(lines: Iterable[bytes], source: str) -> Iterator[RawRow]:
    """Yield the raw song on each line; a line that holds none is yielded too, as a row that will be rejected.

    Args:
        lines: of a raw file, with or without their line ends.
        source: what the file's source is called, for the rejects.
    """
    for number, line in enumerate(lines, start=1):
        try:
            row = json.loads(line)
        except ValueError:
            row = None
        yield row if isinstance(row, dict) else {"source": source, _UNREADABLE: f"line {number}"}


def build_dataset(rows: Iterable[RawRow], extraction_date: dt.date, index: TextIndex | None = None) -> Dataset:
    """Merge the raw rows of all sites and charts of a date into one row a song.

    The genre is the one that most sites name, then the one with the best rank, then the first in alphabetical order.
    The text is an original before a translation, then the one with more distinct lines (a refrain that is written out
    again adds nothing), then with more words, then the first site's by name.

    Args:
        rows: in the raw-song contract, in any order.
        extraction_date: of all rows.
        index: of the texts of other dates, by which `lyrics_group` is the same on all of them; this date's alone if
            None.
    """
    sieve = _Sieve()
    sieve.sift(rows)
    accepted = sieve.accepted()
    merged, conflicts = _merge(accepted)
    with nullcontext(index) if index else closing(TextIndex()) as opened:
        songs = _complete(merged, extraction_date, _groups(merged, opened))
    return Dataset(songs, sieve.rejects(), sieve.n_raw, dict(sorted(sieve.mended.items())), conflicts)


class _Checked(NamedTuple):
    """A row whose fields are right; only its language is not told yet."""

    number: int
    fields: RawRow
    digest: str
    """Of the lyric, letter for letter."""
    mended: list[str]
    """Rules of `cleaning` that were applied to any field."""


class _Sieve:
    """Parts usable Portuguese lyrics from what is none, and says why of each of those."""

    def __init__(self) -> None:
        self.n_raw = 0
        self.mended: Counter[str] = Counter()
        self._batches: list[pa.RecordBatch] = []
        self._rejects: list[tuple[int, dict[str, Any]]] = []
        self._languages: dict[str, Languages] = {}

    def sift(self, rows: Iterable[RawRow]) -> None:
        """Take in all rows."""
        remaining = iter(rows)
        with ThreadPoolExecutor(max_workers=1) as beside:
            while batch := list(islice(remaining, _BATCH_ROWS)):
                self._sift_batch(list(enumerate(batch, start=self.n_raw)), beside)
                self.n_raw += len(batch)

    def accepted(self) -> pa.Table:
        """Return the accepted rows, columns of _ACCEPTED."""
        return pa.Table.from_batches(self._batches, schema=_ACCEPTED)

    def rejects(self) -> pd.DataFrame:
        """Return the rejected rows, all columns text."""
        columns = ["source", "genre", "url", "title", "artist", "reason", "detail"]
        in_order = [reject for _, reject in sorted(self._rejects, key=itemgetter(0))]
        return pd.DataFrame(in_order, columns=columns).astype("string")

    def _sift_batch(self, batch: list[tuple[int, RawRow]], beside: ThreadPoolExecutor) -> None:
        checked: list[_Checked] = []
        for number, row in batch:
            try:
                checked.append(_check(number, row))
            except _RejectedError as rejected:
                self._reject(number, row, rejected.reason, rejected.detail)
        # Many a text stands on two sites or in two charts, letter for letter; of those one is told.
        new = {one.digest: one.fields["lyrics"] for one in checked if one.digest not in self._languages}
        # The detector is no Python and uses all cores; what Python must do with the texts is done meanwhile.
        languages = beside.submit(detect_languages, list(new.values()))
        texts = [normalise(one.fields["lyrics"]) for one in checked]
        self._languages |= zip(new, languages.result(), strict=True)
        kept = []
        for candidate, normalised in zip(checked, texts, strict=True):
            told = self._languages[candidate.digest]
            if problem := _text_problem(normalised, told):
                self._reject(candidate.number, candidate.fields, *problem)
            else:
                self.mended.update(candidate.mended)
                kept.append(_accept(candidate, normalised, told.portuguese_share))
        self._batches.append(pa.RecordBatch.from_pylist(kept, schema=_ACCEPTED))

    def _reject(self, number: int, row: RawRow, reason: str, detail: str) -> None:
        named = {name: _shown(row.get(name)) for name in ("source", "genre", "url", "title", "artist")}
        self._rejects.append((number, named | {"reason": reason, "detail": detail}))


def _accept(row: _Checked, normalised: str, portuguese_share: float) -> dict[str, Any]:
    """Return a row of _ACCEPTED."""
    fields = row.fields
    return {
        "song_id": song_id(fields["artist"], fields["title"]),
        **{name: fields[name] for name in (*_NAMES, "lyrics")},
        "rank": fields.get("rank"),
        "is_translation": bool(fields.get("is_translation")),
        "original_language": fields.get("original_language") or None,
        "portuguese_share": portuguese_share,
        "lyrics_hash": normalised_hash(normalised),
        "text_digest": row.digest,
        "n_distinct_lines": len(set(normalised.split("\n"))),
        "n_lines": count_lines(fields["lyrics"]),
        "n_words": len(normalised.split()),
    }


class _RejectedError(ValueError):
    def __init__(self, reason: str, detail: str) -> None:
        self.reason, self.detail = reason, detail


def _check(number: int, row: RawRow) -> _Checked:
    """Return the row with its texts mended.

    Raises:
        _RejectedError: a field is missing, of a wrong type or size, or damaged beyond mending.
    """
    if _UNREADABLE in row:
        raise _RejectedError("not_json", row[_UNREADABLE])
    fields, applied = dict(row), set()
    for name in (*_NAMES, "lyrics"):
        text = row.get(name)
        if not isinstance(text, str) or not text.strip():
            raise _RejectedError("missing_field", name)
        longest = MAX_CHARACTERS if name == "lyrics" else MAX_NAME_CHARACTERS
        if len(text) > longest:
            raise _RejectedError("too_long", f"{name}: {len(text)} characters")
        try:
            fields[name], rules = mend(text)
        except DamagedTextError as damage:
            raise _RejectedError(damage.reason, name) from damage
        if name != "lyrics":
            fields[name] = " ".join(fields[name].split())
        if not fields[name].strip():
            raise _RejectedError("missing_field", name)
        applied.update(rules)
    for name, kind in _TYPES.items():
        if row.get(name) is not None and type(row[name]) is not kind:
            raise _RejectedError("wrong_type", f"{name}: {kind.__name__} wanted")
    if row.get("rank") is not None and not 1 <= row["rank"] < 2**63:
        raise _RejectedError("out_of_range", "rank: 1 or more wanted")
    language = row.get("original_language")
    if language and not (len(language) == 2 and language.isascii() and language.islower()):
        raise _RejectedError("out_of_range", "original_language: an ISO 639-1 code wanted")
    digest = hashlib.blake2b(fields["lyrics"].encode(), digest_size=16).hexdigest()
    return _Checked(number, fields, digest, sorted(applied))


def _text_problem(normalised: str, languages: Languages) -> tuple[str, str] | None:
    """Return (reason, detail) for a text that is too short to tell a genre by, or not Portuguese enough."""
    words = len(normalised.split())
    if words < MIN_WORDS:
        return "too_short", f"{words} words"
    if languages.main != PORTUGUESE:
        return "not_portuguese", languages.main or "unknown"
    if languages.portuguese_share < MIN_PORTUGUESE_SHARE:
        return "mixed_languages", f"{languages.portuguese_share:.0%} Portuguese"
    return None


def _shown(value: Any) -> str | None:
    """Return a field of a rejected row as text that any file can hold; what is too long for a name is no name."""
    if value is None:
        return None
    text = str(value).encode(errors="replace").decode()
    return text if len(text) <= MAX_NAME_CHARACTERS else None


def _merge(accepted: pa.Table) -> tuple[pa.Table, dict[str, int]]:
    """Return one row a song, sorted by song_id, and how many songs the rows disagree on."""
    frame = accepted.drop_columns(["lyrics", "n_lines"]).to_pandas()
    chosen = frame.sort_values(list(_PREFERENCE), ascending=list(_PREFERENCE.values())).drop_duplicates("song_id")
    genres = _choose_genres(frame)
    texts = accepted.take(pa.array(chosen.index))
    columns = {name: texts[name] for name in _ACCEPTED.names if name in SCHEMA.names or name == "lyrics_hash"}
    columns |= {name: genres[name] for name in ("genre", "rank")}
    columns |= {"genres": _lists(frame, "genre"), "sources": _lists(frame, "source")}
    return pa.table(columns), _count_conflicts(frame)


def _choose_genres(frame: pd.DataFrame) -> dict[str, pa.Array]:
    """Return genre and rank of each song, in the order of song_id."""
    of_genre = frame.groupby(["song_id", "genre"])
    votes = pd.DataFrame({"votes": of_genre["source"].nunique(), "rank": of_genre["rank"].min()}).reset_index()
    votes = votes.sort_values(["song_id", "votes", "rank", "genre"], ascending=[True, False, True, True])
    first = votes.drop_duplicates("song_id")
    return {"genre": pa.array(first["genre"], pa.string()), "rank": pa.array(first["rank"], pa.int64())}


def _lists(frame: pd.DataFrame, column: str) -> pa.Array:
    """Return the distinct values of a column of each song, sorted, in the order of song_id."""
    pairs = frame[["song_id", column]].drop_duplicates().sort_values(["song_id", column])
    sizes = pairs.groupby("song_id").size()
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(pairs[column], pa.string()))


def _count_conflicts(frame: pd.DataFrame) -> dict[str, int]:
    """Return how many songs have rows that disagree, by what they disagree on.

    ``sites_share_no_genre``: on several sites, and no genre of it is named by more than one of them.
    """
    by_song = frame.groupby("song_id")
    sites = frame.groupby(["song_id", "genre"])["source"].nunique()
    agreed = sites.groupby("song_id").max()
    return {
        "several_genres": int((by_song["genre"].nunique() > 1).sum()),
        "sites_share_no_genre": int(((by_song["source"].nunique() > 1) & (agreed == 1)).sum()),
        "several_texts": int((by_song["lyrics_hash"].nunique() > 1).sum()),
        "original_and_translation": int((by_song["is_translation"].nunique() > 1).sum()),
    }


def _groups(songs: pa.Table, index: TextIndex) -> pa.Array:
    """Return the lyrics_group of each song."""
    order = pc.sort_indices(songs["lyrics_hash"])
    groups: dict[str, str] = {}
    for start in range(0, len(order), _GROUPED_AT_ONCE):
        part = songs.select(["lyrics_hash", "lyrics"]).take(order[start : start + _GROUPED_AT_ONCE])
        texts = zip(part["lyrics_hash"].to_pylist(), part["lyrics"].to_pylist(), strict=True)
        groups |= index.group({name: normalise(text) for name, text in texts})
    return pa.array([groups[name] for name in songs["lyrics_hash"].to_pylist()], pa.string())


def _complete(merged: pa.Table, extraction_date: dt.date, groups: pa.Array) -> pa.Table:
    """Return the merged songs with every column of SCHEMA."""
    portuguese = pc.if_else(merged["is_translation"], None, PORTUGUESE)
    columns = {name: merged[name] for name in merged.column_names if name in SCHEMA.names} | {
        "extraction_date": pa.repeat(pa.scalar(extraction_date), merged.num_rows),
        # What was not translated and is Portuguese was written in it, whatever a site does not say.
        "original_language": pc.coalesce(merged["original_language"], portuguese),
        "lyrics_group": groups,
    }
    return pa.table([columns[name] for name in SCHEMA.names], schema=SCHEMA)
