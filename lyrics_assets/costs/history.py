"""The history of what things cost: tables in the lake, a Parquet file a month, which outlive the runs they tell of.

A month is replaced whole, and a row takes the place of one with the same keys: what was interrupted is written again.
"""

import datetime as dt
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

    from lyrics_assets.resources.lake import Lake

Row = dict[str, Any]

_TIME, _TEXT, _FLOAT, _INT = "timestamp", "text", "float", "int"

STEP_COLUMNS = {
    "run_id": _TEXT,
    "step": _TEXT,
    "name": _TEXT,
    "is_check": _INT,
    "job": _TEXT,
    "partition": _TEXT,
    "state": _TEXT,
    "started_at": _TIME,
    "ended_at": _TIME,
    "attempts": _INT,
    "wall_s": _FLOAT,
    "cpu_s": _FLOAT,
    "children_cpu_s": _FLOAT,
    "peak_mb": _FLOAT,
    "peak_of": _TEXT,
    "child_peak_mb": _FLOAT,
    "rows_in": _INT,
    "rows_out": _INT,
    "pages_fetched": _INT,
    "pages_from_archive": _INT,
    "bytes_fetched": _INT,
    "bytes_read": _INT,
    "run_updated_at": _TIME,
}
"""Of a step of a run. `name` is that for people, such as ``raw/letras`` or ``lyrics: schema``. `state` is done, failed,
or cut off: it was under way when its run ended."""
STORE_COLUMNS = {"measured_at": _TIME, "store": _TEXT, "bytes": _INT, "disk_free": _INT, "disk_total": _INT}
LATENCY_COLUMNS = {
    "date": _TIME,
    "model_version": _INT,
    "answers": _INT,
    "p50_ms": _FLOAT,
    "p99_ms": _FLOAT,
    "max_ms": _FLOAT,
}


class Table:
    """One of the tables."""

    def __init__(self, lake: "Lake", folder: str, columns: dict[str, str], keys: tuple[str, ...], time: str) -> None:
        self._lake, self._folder, self._columns, self._keys, self._time = lake, folder, columns, keys, time

    @classmethod
    def of_steps(cls, lake: "Lake") -> "Table":
        """Return the table of the steps of all runs that have ended."""
        # By the end of the run: all steps of a run are in one file, so that it is there whole or not at all.
        return cls(lake, "costs/steps", STEP_COLUMNS, ("run_id", "step"), "run_updated_at")

    @classmethod
    def of_stores(cls, lake: "Lake") -> "Table":
        """Return the table of how large each store was at a time."""
        return cls(lake, "costs/stores", STORE_COLUMNS, ("measured_at", "store"), "measured_at")

    @classmethod
    def of_latency(cls, lake: "Lake") -> "Table":
        """Return the table of how long the service took for an answer on a UTC day, by the version of its model."""
        return cls(lake, "costs/latency", LATENCY_COLUMNS, ("date", "model_version"), "date")

    def read(self, since: dt.datetime | None = None) -> list[Row]:
        """Return the rows, oldest first, of all months or of those that are not over before a time."""
        return [row for name in self._names(since) for row in self._read(name)]

    def newest(self) -> dt.datetime | None:
        """Return the time of the newest row; None if there is no row."""
        import pyarrow.compute as pc

        names = self._lake.names(self._folder)
        return pc.max(self._lake.read_table(names[-1])[self._time]).as_py() if names else None

    def values(self, column: str, since: dt.datetime) -> set[Any]:
        """Return what a column holds in the months that are not over before a time."""
        names = self._names(since)
        return {value for name in names for value in self._lake.read_table(name)[column].to_pylist()}

    def put(self, rows: Iterable[Row]) -> None:
        """Add rows, each in the place of the one with its keys if there is one; a column not given is unknown."""
        months: dict[str, list[Row]] = {}
        for row in rows:
            months.setdefault(f"{row[self._time].astimezone(dt.UTC):%Y-%m}", []).append(row)
        for month, new in sorted(months.items()):
            name = f"{self._folder}/{month}.parquet"
            held = {self._key(row): row for row in self._read(name)} if self._lake.exists(name) else {}
            held |= {self._key(row): {column: row.get(column) for column in self._columns} for row in new}
            ordered = sorted(held.values(), key=lambda row: (row[self._time], *map(str, self._key(row))))
            self._lake.write_table(name, self._to_arrow(ordered))

    def _names(self, since: dt.datetime | None) -> list[str]:
        month = f"{since.astimezone(dt.UTC):%Y-%m}" if since else ""
        return [name for name in self._lake.names(self._folder) if _month_of(name) >= month]

    def _key(self, row: Row) -> tuple[Any, ...]:
        return tuple(row[name] for name in self._keys)

    def _read(self, name: str) -> list[Row]:
        # A file of an older version of this table lacks some columns.
        return [
            {column: row.get(column) for column in self._columns} for row in self._lake.read_table(name).to_pylist()
        ]

    def _to_arrow(self, rows: list[Row]) -> "pa.Table":
        import pyarrow as pa

        types = {_TIME: pa.timestamp("us", tz="UTC"), _TEXT: pa.string(), _FLOAT: pa.float64(), _INT: pa.int64()}
        schema = pa.schema([(name, types[kind]) for name, kind in self._columns.items()])
        return pa.Table.from_pylist(rows, schema=schema)


def _month_of(name: str) -> str:
    return name.rsplit("/", 1)[-1].removesuffix(".parquet")
