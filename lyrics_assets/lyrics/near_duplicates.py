"""Which texts nearly repeat each other: covers, live versions, two sites' spellings of one lyric.

A text's shingles (three words in a row) are sketched by MinHash, which tells how many of them two texts share, and
found by locality-sensitive hashing (Broder 1997; Leskovec, Rajaraman, Ullman, "Mining of Massive Datasets", chapter 3).
The first text of its kind leads a group; a later one joins the group of the leader that it resembles most, if it
resembles it enough, and else leads its own. Only leaders are compared with, so groups do not chain: a text that
resembles two groups joins one of them and does not weld them together.

What was once grouped stays so. The index remembers every text that it saw, in SQLite or PostgreSQL, and so a date costs
what its new texts cost, however many dates there were.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import sqlalchemy as sa

from scrapy_project.database import create_tables, insert_into, open_engine

if TYPE_CHECKING:
    import numpy as np

SHINGLE_WORDS = 3
PERMUTATIONS = 128
"""Hashes of a sketch; the standard error of a similarity of 0.5 is 0.044."""
BANDS = 32
"""Two texts are compared if one band of PERMUTATIONS / BANDS hashes is equal: 87 % of those at 0.5, 99 % at 0.62."""
MIN_SIMILARITY = 0.5
"""Jaccard similarity of two texts' shingles from which one counts as a version of the other."""
SEED = 1

_KEYS_A_QUERY = 5_000
_WRITER_LOCK = 7_205_760
"""Any number that no other program locks in the same PostgreSQL database."""

_metadata = sa.MetaData()
_TEXTS = sa.Table(
    "texts",
    _metadata,
    sa.Column("lyrics_hash", sa.String(32), primary_key=True),
    sa.Column("lyrics_group", sa.String(32), nullable=False),
    sqlite_with_rowid=False,
)
_LEADERS = sa.Table(
    "leaders",
    _metadata,
    sa.Column("leader", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("lyrics_group", sa.String(32), nullable=False),
    sa.Column("sketch", sa.LargeBinary, nullable=False),
)
_BAND_KEYS = sa.Table(
    "band_keys",
    _metadata,
    sa.Column("key", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("leader", sa.BigInteger, primary_key=True, autoincrement=False),
    sqlite_with_rowid=False,
)
TABLES = (_TEXTS, _LEADERS, _BAND_KEYS)
"""All that the index remembers."""


def sketch(texts: Iterable[str]) -> "np.ndarray":
    """Return the MinHash of each normalised text: uint32, (texts, PERMUTATIONS); for ever the same for a text."""
    import zlib

    import numpy as np
    from datasketch import MinHash

    shingled = ([shingle.encode() for shingle in _shingles(text)] for text in texts)
    found = MinHash.generator(shingled, num_perm=PERMUTATIONS, seed=SEED, hashfunc=zlib.crc32)
    return np.array([minhash.hashvalues for minhash in found], dtype=np.uint32).reshape(-1, PERMUTATIONS)


def similarity(one: "np.ndarray", other: "np.ndarray") -> Any:
    """Return the estimated share, 0 to 1, of shingles that texts have in common, of all that either has."""
    return (one == other).mean(axis=-1)


class TextIndex:
    """The groups of all texts seen so far.

    Args:
        url: of a SQLite file, which is created, or of a PostgreSQL database; in memory by default.

    Raises:
        ValueError: the URL names another kind of database.
        sqlalchemy.exc.SQLAlchemyError: the database cannot be had; `group` raises it too.
    """

    def __init__(self, url: str = "sqlite://") -> None:
        self._engine = open_engine(url)
        create_tables(self._engine, _TEXTS, _LEADERS, _BAND_KEYS)

    def group(self, texts: Mapping[str, str]) -> dict[str, str]:
        """Return the group of each text, a hash of 32 digits like the texts' own; new ones are remembered.

        What is added is one transaction. Of several writers at once each waits for the one before.

        Args:
            texts: normalised texts by their `lyrics_hash`; some thousands at once are fastest.
        """
        with self._engine.connect() as connection:
            groups = self._known(connection, texts)
        # In the order of their hashes: which text leads must not depend on the order of a file's lines.
        new = sorted(texts.keys() - groups.keys())
        if not new:
            return groups
        # Before the others are made to wait.
        sketches = dict(zip(new, sketch(texts[name] for name in new), strict=True))
        with self._engine.begin() as connection:
            self._wait_for_other_writers(connection)
            groups |= self._known(connection, new)
            return groups | self._add(connection, {name: sketches[name] for name in new if name not in groups})

    def close(self) -> None:
        """Close the connections."""
        self._engine.dispose()

    def _known(self, connection: sa.Connection, names: Iterable[str]) -> dict[str, str]:
        rows = self._select(connection, _TEXTS.c.lyrics_hash, names)
        return {row.lyrics_hash: row.lyrics_group for row in rows}

    def _add(self, connection: sa.Connection, sketches: "Mapping[str, np.ndarray]") -> dict[str, str]:
        keys = _band_keys(list(sketches.values()))
        leaders_by_key: defaultdict[int, list[int]] = defaultdict(list)
        for row in self._select(connection, _BAND_KEYS.c.key, {key for of_text in keys for key in of_text}):
            leaders_by_key[row.key].append(row.leader)
        near = {leader for found in leaders_by_key.values() for leader in found}
        leaders = {
            row.leader: _Leader(row.lyrics_group, _unpack(row.sketch))
            for row in self._select(connection, _LEADERS.c.leader, near)
        }
        groups: dict[str, str] = {}
        new: dict[int, list[int]] = {}
        for (name, own), own_keys in zip(sketches.items(), keys, strict=True):
            candidates = {leader for key in own_keys for leader in leaders_by_key.get(key, ())}
            groups[name] = _choose(own, [leaders[leader] for leader in candidates]) or name
            if groups[name] == name:
                number = _number(name)
                leaders[number], new[number] = _Leader(name, own), own_keys
                for key in own_keys:
                    leaders_by_key[key].append(number)
        self._insert(connection, _TEXTS, list(groups.items()))
        self._insert(
            connection,
            _LEADERS,
            [(number, leaders[number].lyrics_group, leaders[number].sketch.tobytes()) for number in new],
        )
        # Sorted, because a tree that is filled in its order is filled faster.
        self._insert(connection, _BAND_KEYS, sorted((key, number) for number, keys in new.items() for key in keys))
        return groups

    def _wait_for_other_writers(self, connection: sa.Connection) -> None:
        # What is read must still hold when it is written.
        if self._engine.dialect.name == "postgresql":
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_WRITER_LOCK)))
        else:
            connection.exec_driver_sql("BEGIN IMMEDIATE")

    @staticmethod
    def _select(connection: sa.Connection, column: sa.Column[Any], values: Iterable[Any]) -> list[sa.Row[Any]]:
        wanted = sorted(values)
        query = sa.select(column.table).where(column.in_(sa.bindparam("wanted", expanding=True)))
        rows: list[sa.Row[Any]] = []
        for start in range(0, len(wanted), _KEYS_A_QUERY):
            rows += connection.execute(query, {"wanted": wanted[start : start + _KEYS_A_QUERY]}).all()
        return rows

    def _insert(self, connection: sa.Connection, table: sa.Table, rows: list[tuple[Any, ...]]) -> None:
        if rows:
            # The driver's own way: a date may bring a million rows, and SQLAlchemy's care costs more than they do.
            statement = insert_into(self._engine, table).on_conflict_do_nothing()
            compiled = str(statement.compile(dialect=self._engine.dialect, column_keys=list(table.c.keys())))
            connection.exec_driver_sql(compiled, rows)


class _Leader(NamedTuple):
    lyrics_group: str
    sketch: "np.ndarray"


def _shingles(text: str) -> set[str]:
    words = text.split()
    return {" ".join(words[start : start + SHINGLE_WORDS]) for start in range(max(1, len(words) - SHINGLE_WORDS + 1))}


def _band_keys(sketches: "Sequence[np.ndarray]") -> list[list[int]]:
    """Return a number for each band of each sketch, the same for equal bands in the same place only."""
    import numpy as np

    rows = np.array(sketches, dtype=np.uint64).reshape(-1, BANDS, PERMUTATIONS // BANDS)
    keys = np.broadcast_to(np.arange(1, BANDS + 1, dtype=np.uint64), rows.shape[:2])
    for column in range(rows.shape[2]):
        # Knuth's multiplier for a linear congruential generator; overflow is meant.
        keys = (keys ^ rows[:, :, column]) * np.uint64(6364136223846793005) + np.uint64(1442695040888963407)
    return cast("list[list[int]]", keys.view(np.int64).tolist())


def _choose(own: "np.ndarray", leaders: Sequence[_Leader]) -> str | None:
    """Return the group of the leader that a text resembles most, None if it resembles none enough."""
    alike = [(-float(similarity(own, leader.sketch)), leader.lyrics_group) for leader in leaders]
    unlikeness, group = min(alike, default=(0.0, ""))
    return group if -unlikeness >= MIN_SIMILARITY else None


def _number(name: str) -> int:
    """Return the first half of a hash as a number, which a database keeps in a quarter of the room."""
    return int.from_bytes(bytes.fromhex(name[:16]), "big", signed=True)


def _unpack(packed: bytes) -> "np.ndarray":
    import numpy as np

    return np.frombuffer(packed, dtype=np.uint32)
