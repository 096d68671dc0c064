"""The feature store: the history of the dataset, one row a song a date, written a date at a time.

`FeatureStore` is the interface; `DeltaFeatureStore` keeps the feature group as a Delta Lake table, local or on an
object store, and `hopsworks.HopsworksFeatureStore` in Hopsworks. All write through `schema.validate`: none can
hold what another would refuse.
"""

import datetime as dt
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import dagster as dg
from pydantic import Field

from lyrics_assets.partitions import today
from lyrics_assets.resources.object_store import delta_options

if TYPE_CHECKING:
    import pyarrow as pa
    from deltalake import DeltaTable

_ATTEMPTS = 5
_COMMITS_A_CHECKPOINT = 20
"""So many commits, each of some hundred bytes, are read at most on top of a checkpoint to open the table."""

Reader = Callable[[dt.date, dt.date, list[str] | None], "pa.Table"]
"""Reads the rows from one date to another, both included: the columns asked for, all if None."""


class StoreError(RuntimeError):
    """The feature store cannot answer; the message says what to do."""


class Commit(NamedTuple):
    """A change of the store."""

    version: int
    committed_at: dt.datetime
    """UTC."""
    operation: str


class TrainingData(NamedTuple):
    """What a model is to learn from."""

    songs: "pa.Table"
    """The newest row of each song, sorted by song_id; the columns of `schema.SCHEMA`."""
    version: str
    """Names the state of the store from which the rows were read."""


class FeatureStore(dg.ConfigurableResource, ABC):
    """The feature group of `lyrics.schema`: replace a date, read dates, read the newest row of each song."""

    def replace_date(self, songs: "pa.Table") -> None:
        """Make the table's one date hold exactly these rows.

        Raises:
            SchemaError: the table does not keep the contract; the store is as it was.
            StoreError: the store cannot be reached, or does not hold what was written.
        """
        from lyrics_assets.lyrics.schema import validate

        self._write(validate(songs, today()))

    def read_date(self, date: dt.date, columns: list[str] | None = None) -> "pa.Table":
        """Return the rows of one date."""
        return self.read_range(date, date, columns)

    def read_range(self, first: dt.date, last: dt.date, columns: list[str] | None = None) -> "pa.Table":
        """Return the rows of the dates from `first` to `last`, both included, in no order."""
        return self._reader()(first, last, columns)

    def latest(self, as_of: dt.date, window_days: int) -> "pa.Table":
        """Return the newest row of each song among the dates of the window that ends on `as_of`, by song_id.

        Reads the keys of the window and then, of each date, only if a song was last seen on it, the date's rows: at
        most one date is held besides the result.
        """
        return newest_rows(self._reader(), as_of - dt.timedelta(days=window_days - 1), as_of)

    def training_data(self, as_of: dt.date, window_days: int) -> TrainingData:
        """Return `latest`, with the name under which the store can tell what was learned from."""
        return TrainingData(self.latest(as_of, window_days), f"commit {self.commits()[0].version}")

    @abstractmethod
    def dates(self) -> list[dt.date]:
        """Return the dates that hold rows, oldest first; none if nothing was ever written."""

    @abstractmethod
    def commits(self) -> list[Commit]:
        """Return the changes of the store, newest first.

        Raises:
            StoreError: nothing was ever written.
        """

    @abstractmethod
    def _write(self, songs: "pa.Table") -> None:
        """Make the date of a valid table hold exactly its rows."""

    @abstractmethod
    def _reader(self) -> Reader:
        """Return a reader of the store as it is now.

        Raises:
            StoreError: nothing was ever written.
        """


class DeltaFeatureStore(FeatureStore):
    """The feature group as one Delta Lake table, partitioned by extraction date.

    A date is one file, written whole in one commit: there is nothing to compact, and a process that is killed leaves
    the old date or the new one. Files that a later write replaced stay for `keep_days`, in which the table can be read
    as it was; every 20th commit removes older ones, and the log of the commits that made them.
    """

    root: str = Field(description="Folder, or any object store URL that Delta Lake knows, of the tables")
    keep_days: int = Field(
        30, ge=0, description="Days for which replaced files, and so older versions of the table, are kept"
    )

    def dates(self) -> list[dt.date]:
        """Read the table's log alone."""
        table = self._find()
        return sorted(dt.date.fromisoformat(part["extraction_date"]) for part in table.partitions()) if table else []

    def commits(self) -> list[Commit]:
        """Read the table's log alone, as far back as it is kept."""
        return [
            Commit(
                entry["version"], dt.datetime.fromtimestamp(entry["timestamp"] / 1000, tz=dt.UTC), entry["operation"]
            )
            for entry in self._open().history()
        ]

    def _write(self, songs: "pa.Table") -> None:
        """Overwrite the date's partition alone: the cost grows with its rows, not with the dates stored."""
        from deltalake import WriterProperties, write_deltalake
        from deltalake.exceptions import CommitFailedError

        date = songs["extraction_date"][0].as_py()
        for attempt in range(_ATTEMPTS):
            try:
                table = self._find() or self._create()
                write_deltalake(
                    table,
                    songs,
                    mode="overwrite",
                    # A literal date lets Delta touch this partition's files only.
                    predicate=f"extraction_date = '{date.isoformat()}'",
                    writer_properties=WriterProperties(compression="ZSTD"),
                )
                break
            except CommitFailedError:
                # Another writer came first: what this one read is old, so it must open the table anew.
                if attempt == _ATTEMPTS - 1:
                    raise
        if table.version() % _COMMITS_A_CHECKPOINT == 0:
            # In full: files that a killed writer left, and those whose removal the log has forgotten, are found too.
            table.vacuum(retention_hours=24 * self.keep_days, dry_run=False, full=True)

    def _reader(self) -> Reader:
        """Read one version of the table: the partitions of the dates only, and the columns asked for only."""
        import pyarrow as pa

        from lyrics_assets.lyrics.schema import SCHEMA

        opened = self._open()

        def read(first: dt.date, last: dt.date, columns: list[str] | None) -> pa.Table:
            names = columns or SCHEMA.names
            predicate = f"extraction_date >= '{first.isoformat()}' AND extraction_date <= '{last.isoformat()}'"
            # Not to_pyarrow_dataset(): its threads now and then abort the process when it ends, after an answer.
            rows = pa.table(opened.scan(columns=names, predicate=predicate))
            return rows.select(names).cast(pa.schema([SCHEMA.field(name) for name in names]))

        return read

    @property
    def _uri(self) -> str:
        from lyrics_assets.lyrics.schema import FEATURE_GROUP, VERSION

        return f"{self.root.rstrip('/')}/{FEATURE_GROUP}_{VERSION}"

    def _find(self) -> "DeltaTable | None":
        from deltalake import DeltaTable

        if not DeltaTable.is_deltatable(self._uri, delta_options(self._uri)):
            return None
        return self._check(DeltaTable(self._uri, storage_options=delta_options(self._uri)))

    def _open(self) -> "DeltaTable":
        if (table := self._find()) is None:
            raise StoreError(f"{self._uri} holds no feature group: materialize lyrics_features for a date first")
        return table

    def _create(self) -> "DeltaTable":
        """Make the table, or open the one that another process has made meanwhile; to open reads the log twice."""
        from deltalake import DeltaTable

        from lyrics_assets.lyrics.schema import DESCRIPTION, FEATURE_GROUP, SCHEMA

        table = DeltaTable.create(
            self._uri,
            SCHEMA,
            mode="ignore",
            partition_by=["extraction_date"],
            name=FEATURE_GROUP,
            description=DESCRIPTION,
            configuration={
                "delta.deletedFileRetentionDuration": f"interval {self.keep_days} days",
                "delta.logRetentionDuration": f"interval {self.keep_days} days",
                "delta.checkpointInterval": str(_COMMITS_A_CHECKPOINT),
            },
            storage_options=delta_options(self._uri),
        )
        return self._check(table)

    def _check(self, table: "DeltaTable") -> "DeltaTable":
        """Return the table if it was made for these columns."""
        from deltalake import Schema

        from lyrics_assets.lyrics.schema import SCHEMA

        found, wanted = (
            {field.name: (field.type.to_json(), field.nullable) for field in schema.fields}
            for schema in (table.schema(), Schema.from_arrow(SCHEMA))
        )
        if found != wanted:
            raise StoreError(
                f"{self._uri} was made for other columns: {sorted(found)}. A changed column is a new VERSION in "
                "lyrics/schema.py, which begins a feature group of its own."
            )
        return table


def newest_rows(read: Reader, first: dt.date, last: dt.date) -> "pa.Table":
    """Return the newest row of each song among the dates from `first` to `last`, by song_id."""
    import pyarrow as pa
    import pyarrow.compute as pc

    keys = read(first, last, ["song_id", "extraction_date"])
    newest = keys.group_by("song_id").aggregate([("extraction_date", "max")])
    parts = [read(last, last, None).slice(0, 0)]
    for date in newest["extraction_date_max"].unique().to_pylist():
        wanted = newest.filter(pc.equal(newest["extraction_date_max"], date))["song_id"]
        rows = read(date, date, None)
        parts.append(rows.filter(pc.is_in(rows["song_id"], wanted.combine_chunks())))
    return pa.concat_tables(parts).sort_by("song_id")
