"""The feature store: the history of the dataset, one row a song a date, written a date at a time.

`FeatureStore` is the interface; `DeltaFeatureStore` keeps the feature group as a Delta Lake table, local or on an
object store. Every implementation writes through `schema.validate`: none can hold what another would refuse.
"""

import datetime as dt
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

import dagster as dg
from pydantic import Field

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa
    from deltalake import DeltaTable

_ATTEMPTS = 5


class StoreError(RuntimeError):
    """The feature store cannot answer; the message says what to do."""


class FeatureStore(dg.ConfigurableResource, ABC):
    """The feature group of `lyrics.schema`: replace a date, read dates, read the newest row of each song."""

    @abstractmethod
    def replace_date(self, songs: "pa.Table") -> None:
        """Make the table's one date hold exactly these rows, in one commit.

        Raises:
            SchemaError: the table does not keep the contract; the store is as it was.
        """

    @abstractmethod
    def read_range(self, first: dt.date, last: dt.date, columns: list[str] | None = None) -> "pa.Table":
        """Return the rows of the dates from `first` to `last`, both included."""

    @abstractmethod
    def dates(self) -> list[dt.date]:
        """Return the dates that hold rows, oldest first; none if nothing was ever written."""

    @abstractmethod
    def commits(self) -> list[dict[str, Any]]:
        """Return version, time and operation of each commit, newest first."""

    def read_date(self, date: dt.date, columns: list[str] | None = None) -> "pa.Table":
        """Return the rows of one date."""
        return self.read_range(date, date, columns)

    def latest(self, as_of: dt.date, window_days: int) -> "pd.DataFrame":
        """Return the newest row of each song among the dates of the window that ends on `as_of`."""
        rows = self.read_range(as_of - dt.timedelta(days=window_days - 1), as_of).to_pandas()
        newest = rows.sort_values("extraction_date", kind="stable").drop_duplicates("song_id", keep="last")
        return newest.sort_values("song_id").reset_index(drop=True)


class DeltaFeatureStore(FeatureStore):
    """The feature group as one Delta Lake table, partitioned by extraction date."""

    root: str = Field(description="Folder, or any object store URL that Delta Lake knows, of the tables")

    def replace_date(self, songs: "pa.Table") -> None:
        """Overwrite the date's partition alone: the cost grows with its rows, not with the dates stored."""
        from deltalake import write_deltalake
        from deltalake.exceptions import CommitFailedError

        from lyrics_assets.lyrics.schema import validate

        songs = validate(songs)
        date = songs["extraction_date"][0].as_py()
        for attempt in range(_ATTEMPTS):
            try:
                write_deltalake(
                    self._create(),
                    songs,
                    mode="overwrite",
                    # A literal date lets Delta touch this partition's files only.
                    predicate=f"extraction_date = '{date.isoformat()}'",
                )
                return
            except CommitFailedError:
                # Another writer came first: what this one read is old, so it must open the table anew.
                if attempt == _ATTEMPTS - 1:
                    raise

    def read_range(self, first: dt.date, last: dt.date, columns: list[str] | None = None) -> "pa.Table":
        """Read the partitions of the dates only, and the columns asked for only."""
        import pyarrow as pa

        from lyrics_assets.lyrics.schema import SCHEMA

        names = columns or SCHEMA.names
        predicate = f"extraction_date >= '{first.isoformat()}' AND extraction_date <= '{last.isoformat()}'"
        # Not to_pyarrow_dataset(): its threads now and then abort the process when it ends, after a correct answer.
        rows = pa.table(self._open().scan(columns=names, predicate=predicate))
        return rows.select(names).cast(pa.schema([SCHEMA.field(name) for name in names]))

    def dates(self) -> list[dt.date]:
        """Read the table's log alone."""
        from deltalake import DeltaTable

        if not DeltaTable.is_deltatable(self._uri):
            return []
        return sorted(dt.date.fromisoformat(part["extraction_date"]) for part in self._open().partitions())

    def commits(self) -> list[dict[str, Any]]:
        """Read the table's log alone."""
        return [
            {
                "version": entry["version"],
                "committed_at": dt.datetime.fromtimestamp(entry["timestamp"] / 1000, tz=dt.UTC),
                "operation": entry["operation"],
            }
            for entry in self._open().history()
        ]

    @property
    def _uri(self) -> str:
        from lyrics_assets.lyrics.schema import FEATURE_GROUP, VERSION

        return f"{self.root.rstrip('/')}/{FEATURE_GROUP}_{VERSION}"

    def _open(self) -> "DeltaTable":
        from deltalake import DeltaTable

        if not DeltaTable.is_deltatable(self._uri):
            raise StoreError(f"{self._uri} holds no feature group: materialize lyrics_features for a date first")
        return DeltaTable(self._uri)

    def _create(self) -> "DeltaTable":
        from deltalake import DeltaTable

        from lyrics_assets.lyrics.schema import FEATURE_GROUP, SCHEMA

        return DeltaTable.create(
            self._uri,
            SCHEMA,
            mode="ignore",
            partition_by=["extraction_date"],
            name=FEATURE_GROUP,
            description="Portuguese song lyrics by extraction date: one row a song a date",
        )
