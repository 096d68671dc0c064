"""Hopsworks as the feature store and as a second model registry, through its own client.

What holds for the embedded feature store holds for this one: the same rows, the same errors, a date replaced as a
whole. Hopsworks gives fewer promises than a Delta table written alone, so what was written is always read back.
"""

import contextlib
import datetime as dt
import hashlib
import importlib.metadata
import json
import os
import random
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field

from lyrics_assets.resources.feature_store import (
    Commit,
    FeatureStore,
    Reader,
    StoreError,
    TrainingData,
    newest_rows,
)
from lyrics_assets.resources.hopsworks_connection import HopsworksConnection, quietly, without_data
from lyrics_assets.resources.model_mirror import MirrorError, ModelMirror

if TYPE_CHECKING:
    import pyarrow as pa
    from hsfs.feature import Feature
    from hsfs.feature_group import FeatureGroup
    from hsfs.feature_view import FeatureView

FEATURE_VIEW = "lyrics_genre"
LABEL = "genre"
_ATTEMPTS = 6
_LOCK_SECONDS = 600
_GROUP_EXISTS, _VIEW_EXISTS = 270089, 270179
_REGISTRATION_SECONDS = 30


class HopsworksFeatureStore(HopsworksConnection, FeatureStore):
    """The feature group `lyrics` of a Hopsworks project, stored as a Delta table by the client itself."""

    storage_connector: str = Field(
        "",
        description="Name of the data source (S3, GCS, ADLS) in which the feature group is made; empty for the "
        "project's HopsFS, into which only the package hops-deltalake can write",
    )
    online_enabled: bool = Field(
        False, description="Make the feature group in the online store too; needs confluent-kafka and fastavro"
    )

    def dates(self) -> list[dt.date]:
        """Read the column of the extraction dates alone."""
        with self._store_errors():
            group = self._find_group()
            if group is None:
                return []
            found: set[dt.date] = set()
            try:
                with self._batches(group.select(["extraction_date"])) as batches:
                    for batch in batches:
                        found.update(batch.column("extraction_date").unique().to_pylist())
            except Exception as error:
                if not without_data(error):
                    raise
            return sorted(found)

    def commits(self) -> list[Commit]:
        """Read the commits that Hopsworks keeps; the version of each is its number there, milliseconds since 1970."""
        with self._store_errors():
            try:
                details = self._group().commit_details()
            except KeyError:  # the client takes an answer without commits to be broken
                details = {}
            if not details:
                raise StoreError(self._nothing_written())
            return [
                Commit(int(number), dt.datetime.fromtimestamp(int(number) / 1000, tz=dt.UTC), _operation(counts))
                for number, counts in sorted(details.items(), key=lambda entry: -int(entry[0]))
            ]

    def training_data(self, as_of: dt.date, window_days: int) -> TrainingData:
        """Return `latest` as a new training dataset of the feature view, by which Hopsworks keeps the provenance.

        The client hands over the rows of the whole window at once, so they must fit into memory.
        """
        import pyarrow as pa
        import pyarrow.compute as pc

        from lyrics_assets.lyrics.schema import SCHEMA

        first = as_of - dt.timedelta(days=window_days - 1)
        with self._store_errors(), quietly():
            view = self._view()
            # The end is exclusive, and the server may cut it to a date: midnight after it is right in any case.
            features, labels = view.training_data(
                start_time=first,
                end_time=as_of + dt.timedelta(days=1),
                description=f"Newest row of each song, {first} to {as_of}",
                statistics_config=False,
                primary_key=True,
                event_time=True,
            )
            number = view.get_last_accessed_training_dataset()
        frame = features.assign(**{LABEL: labels[LABEL]})[SCHEMA.names]
        rows = _as_written(pa.Table.from_pandas(frame, schema=_nullable(SCHEMA.names), preserve_index=False))
        del features, labels, frame

        def read(first: dt.date, last: dt.date, columns: list[str] | None) -> pa.Table:
            dates = rows["extraction_date"]
            return rows.filter(pc.and_(pc.greater_equal(dates, first), pc.less_equal(dates, last))).select(
                columns or SCHEMA.names
            )

        return TrainingData(newest_rows(read, first, as_of), f"{FEATURE_VIEW}_{view.version} training dataset {number}")

    def _write(self, songs: "pa.Table") -> None:
        """Insert the rows, remove what the date held besides, and compare what is stored with what was given.

        The client inserts and removes in two commits, and appends to a date that is new without looking for keys. So
        writers of one date wait for each other on one machine; those on two machines see each other in the
        comparison, wait at random and write again, until the date holds the rows of the last one alone.

        A crash between the two commits leaves rows of an earlier run beside the new ones: the check
        `every_row_was_stored` fails then, and the next run of the date mends it.
        """
        from deltalake.exceptions import DeltaError

        date = songs["extraction_date"][0].as_py()
        wanted = songs.sort_by("song_id")
        with self._store_errors(), self._alone_on_this_machine(date):
            for attempt in range(_ATTEMPTS):
                if attempt:
                    time.sleep(random.uniform(0.1, 0.3) * 2**attempt)
                try:
                    if self._replace(date, wanted):
                        return
                except DeltaError:
                    # Another writer's commit came first: what this one read is old.
                    if attempt == _ATTEMPTS - 1:
                        raise
        raise StoreError(
            f"{self._name()} does not hold the {len(songs)} rows written for {date}, after {_ATTEMPTS} attempts: "
            "does something else write this date? materialize lyrics_features for it again"
        )

    def _replace(self, date: dt.date, wanted: "pa.Table") -> bool:
        """Write the date once, and tell whether it now holds exactly these rows."""
        import pandas as pd

        group = self._find_group() or self._create_group()
        read = self._read_from(group)
        # Arrow's own types: NumPy's know neither a list of strings nor an integer that is null.
        group.insert(
            wanted.to_pandas(types_mapper=pd.ArrowDtype), validation_options={"fetch_expectation_suite": False}
        )
        stored = read(date, date, None).sort_by("song_id")
        if stored.equals(wanted):
            return True
        surplus = _surplus(stored, wanted)
        if surplus.num_rows == 0:
            return False
        group.remove_rows(surplus.to_pandas(types_mapper=pd.ArrowDtype))
        return bool(read(date, date, None).sort_by("song_id").equals(wanted))

    def _reader(self) -> Reader:
        """Read through the Query Service: the dates and the columns asked for alone leave the server."""
        with self._store_errors():
            return self._read_from(self._group())

    def _read_from(self, group: "FeatureGroup") -> Reader:
        import pyarrow as pa

        from lyrics_assets.lyrics.schema import SCHEMA

        def read(first: dt.date, last: dt.date, columns: list[str] | None) -> pa.Table:
            names = columns or SCHEMA.names
            date = group["extraction_date"]
            query = group.select(names).filter((date >= first.isoformat()) & (date <= last.isoformat()))
            with self._store_errors(), self._batches(query) as batches:
                found = [batch.select(names).cast(_nullable(names)) for batch in batches]
            return _as_written(pa.Table.from_batches(found, schema=_nullable(names)))

        return read

    def _batches(self, query: Any) -> Any:
        return query.read_batches(read_options={"arrow_flight_config": {"timeout": self.timeout_seconds}})

    def _find_group(self) -> "FeatureGroup | None":
        """Return the feature group, None if it was never made.

        Raises:
            StoreError: it is there, but was made otherwise than this version of the project makes it.
        """
        from lyrics_assets.lyrics.schema import FEATURE_GROUP, VERSION

        group = self.connect().get_feature_store().get_feature_group(FEATURE_GROUP, VERSION)
        if group is None:
            return None
        if differences := _differences(group):
            raise StoreError(
                f"{self._name()} was made otherwise ({'; '.join(differences)}): delete it there, or raise VERSION"
            )
        return group

    def _group(self) -> "FeatureGroup":
        group = self._find_group()
        if group is None:
            raise StoreError(self._nothing_written())
        return group

    def _create_group(self) -> "FeatureGroup":
        from hopsworks_common.client.exceptions import RestAPIError

        from lyrics_assets.lyrics.schema import DESCRIPTION, FEATURE_GROUP, VERSION

        store = self.connect().get_feature_store()
        with quietly():
            group = store.create_feature_group(
                name=FEATURE_GROUP,
                version=VERSION,
                description=DESCRIPTION,
                primary_key=["song_id"],
                event_time="extraction_date",
                partition_key=["extraction_date"],
                time_travel_format="DELTA",
                online_enabled=self.online_enabled,
                features=features(self.online_enabled),
                statistics_config=False,
                stream=False,
                storage_connector=self._connector(store),
            )
            try:
                group.save()
            except RestAPIError as error:
                if error.error_code != _GROUP_EXISTS:
                    raise
                return self._group()  # another writer made it in the meantime
        return group

    def _connector(self, store: Any) -> Any:
        if not self.storage_connector:
            if not _writes_to_hopsfs():
                raise StoreError(
                    f"{self._name()} would be made in HopsFS, into which the package deltalake cannot write: set "
                    "storage_connector to a data source of the project (S3, GCS, ADLS), or use hops-deltalake instead"
                )
            return None
        connector = store.get_storage_connector(self.storage_connector)
        if connector is None:
            raise StoreError(
                f"project {self.project} has no data source {self.storage_connector}: make it in Hopsworks"
            )
        return connector

    def _view(self) -> "FeatureView":
        from hopsworks_common.client.exceptions import RestAPIError

        from lyrics_assets.lyrics.schema import SCHEMA, VERSION

        group, store = self._group(), self.connect().get_feature_store()
        found = store.get_feature_view(FEATURE_VIEW, VERSION)
        if found is not None:
            return found
        try:
            return store.create_feature_view(
                name=FEATURE_VIEW,
                version=VERSION,
                query=group.select(SCHEMA.names),
                labels=[LABEL],
                description="Songs with the genre to learn",
            )
        except RestAPIError as error:
            if error.error_code != _VIEW_EXISTS:
                raise
            return store.get_feature_view(FEATURE_VIEW, VERSION)

    @contextlib.contextmanager
    def _alone_on_this_machine(self, date: dt.date) -> Iterator[None]:
        from filelock import FileLock, Timeout

        place = hashlib.sha256(f"{self.host}:{self.port}/{self.project}".encode()).hexdigest()[:16]
        folder = Path(tempfile.gettempdir()) / f"lyrics-hopsworks-{os.getuid()}"
        folder.mkdir(mode=0o700, exist_ok=True)
        try:
            with FileLock(folder / f"{place}-{date}.lock", timeout=_LOCK_SECONDS):
                yield
        except Timeout as error:
            raise StoreError(f"another process writes {date} since {_LOCK_SECONDS} s: end it and try again") from error

    @contextlib.contextmanager
    def _store_errors(self) -> Iterator[None]:
        """Turn whatever Hopsworks, its client and Delta raise into a StoreError."""
        from deltalake.exceptions import DeltaError

        try:
            yield
        except StoreError:
            raise
        except Exception as error:
            if without_data(error):
                raise StoreError(self._nothing_written()) from error
            sentence = self.explain(error)
            if sentence is None and isinstance(error, DeltaError | OSError):
                sentence = f"{self._name()}: its files cannot be written ({error}): check the data source"
            if sentence is None:
                raise
            raise StoreError(sentence) from error

    def _name(self) -> str:
        from lyrics_assets.lyrics.schema import FEATURE_GROUP, VERSION

        return f"feature group {FEATURE_GROUP}_{VERSION} of project {self.project} at {self.host}"

    def _nothing_written(self) -> str:
        from lyrics_assets.lyrics.schema import FEATURE_GROUP, VERSION

        return (
            f"project {self.project} at {self.host}: {FEATURE_GROUP}_{VERSION} holds no feature group: "
            "materialize lyrics_features for a date first"
        )


class HopsworksModelRegistry(HopsworksConnection, ModelMirror):
    """Publishes models in the model registry of a Hopsworks project."""

    model_name: str = Field(
        "lyrics_genre", pattern=r"^[a-zA-Z0-9_]+$", description="Name of the model in Hopsworks' registry"
    )

    def publish(self, folder: Path, version: int, metrics: Mapping[str, float], tags: Mapping[str, str]) -> str | None:
        """Upload the files and register them under the same version number.

        The tags go into the file tags.json beside the model's: those of Hopsworks need a schema that its administrator
        made first. Files of a version that was never registered, as a crash leaves them, are replaced.
        """
        with self._mirror_errors():
            project = self.connect()
            registry = project.get_model_registry()
            found = registry.get_model(self.model_name, version)
            if found is None:
                with quietly():
                    self._remove_unregistered(project, version)
                    self._register(registry, folder, version, metrics, tags)
                found = registry.get_model(self.model_name, version)
            if found is None:
                raise MirrorError(
                    f"{self.host}: {self.model_name} {version} was uploaded but is not registered: try again"
                )
            return str(found.get_url())

    def _register(
        self, registry: Any, folder: Path, version: int, metrics: Mapping[str, float], tags: Mapping[str, str]
    ) -> None:
        with tempfile.TemporaryDirectory() as scratch:
            files = Path(scratch) / "model"
            shutil.copytree(folder, files)
            (files / "tags.json").write_text(json.dumps(dict(tags), ensure_ascii=False, indent=2), encoding="utf-8")
            model = registry.python.create_model(
                self.model_name,
                version=version,
                metrics=dict(metrics),
                description="Musical genre of Portuguese lyrics; the number is that of the project's own registry",
            )
            # The client looks for the registration every 5 s, and fails on itself if it saw none.
            with contextlib.suppress(AttributeError):
                model.save(str(files), await_registration=_REGISTRATION_SECONDS)

    def _remove_unregistered(self, project: Any, version: int) -> None:
        path, datasets = f"Models/{self.model_name}/{version}", project.get_dataset_api()
        if datasets.exists(path):
            datasets.remove(path)

    @contextlib.contextmanager
    def _mirror_errors(self) -> Iterator[None]:
        from hopsworks_common.client.exceptions import DatasetException, ModelRegistryException

        try:
            yield
        except MirrorError:
            raise
        except Exception as error:
            sentence = self.explain(error)
            if sentence is None and isinstance(error, DatasetException | ModelRegistryException | AssertionError):
                sentence = f"{self.host} refused the model: {error}"
            if sentence is None:
                raise
            raise MirrorError(sentence) from error


def features(online: bool) -> "list[Feature]":
    """Return the features of the group as schema.COLUMNS describes the columns."""
    from hsfs.feature import Feature

    from lyrics_assets.lyrics.schema import COLUMNS

    return [
        Feature(
            column.name,
            type=_offline_type(column.type),
            description=f"{column.description} ({column.unit})" if column.unit else column.description,
            online_type=column.online_type if online else None,
        )
        for column in COLUMNS
    ]


def _offline_type(of: "pa.DataType") -> str:
    """Return what Hopsworks calls a type in the offline store."""
    import pyarrow as pa

    if pa.types.is_list(of):
        return f"array<{_offline_type(of.value_type)}>"
    names = {"int64": "bigint", "double": "double", "string": "string", "bool": "boolean", "date32[day]": "date"}
    return names[str(of)]


def _differences(group: "FeatureGroup") -> list[str]:
    """Return a sentence for each way in which a feature group is not what `_create_group` makes."""
    wanted = {feature.name: feature.type for feature in features(online=False)}
    found = {feature.name: (feature.type or "").lower() for feature in group.columns}
    sentences = [f"{name} missing" for name in sorted(wanted.keys() - found.keys())]
    sentences += [f"{name} unknown" for name in sorted(found.keys() - wanted.keys())]
    sentences += [
        f"{name} is {found[name]}, not {kind}" for name, kind in wanted.items() if name in found and found[name] != kind
    ]
    keys = {
        "primary key": (group.primary_key, ["song_id"]),
        "event time": (group.event_time, "extraction_date"),
        "partition": (group.partition_key, ["extraction_date"]),
        "time travel format": (group.time_travel_format, "DELTA"),
    }
    return sentences + [f"{what} is {is_}, not {should}" for what, (is_, should) in keys.items() if is_ != should]


def _surplus(stored: "pa.Table", wanted: "pa.Table") -> "pa.Table":
    """Return the keys of the rows to remove: those not wanted, and those that stand there more than once."""
    import pyarrow.compute as pc

    from lyrics_assets.lyrics.schema import KEY

    keys = stored.select(KEY).group_by(list(KEY)).aggregate([([], "count_all")])
    foreign = pc.invert(pc.is_in(keys["song_id"], wanted["song_id"].combine_chunks()))
    return keys.filter(pc.or_(foreign, pc.greater(keys["count_all"], 1))).select(KEY)


def _operation(counts: Mapping[str, Any]) -> str:
    """Say what a commit did to the rows."""
    words = {"rowsInserted": "inserted", "rowsUpdated": "updated", "rowsDeleted": "deleted"}
    done = [f"{counts[name]} {word}" for name, word in words.items() if counts.get(name)]
    return ", ".join(done) or "none changed"


def _nullable(names: list[str]) -> "pa.Schema":
    """Return the schema of these columns as Hopsworks hands them over: each may be null."""
    import pyarrow as pa

    from lyrics_assets.lyrics.schema import SCHEMA

    return pa.schema([SCHEMA.field(name).with_nullable(True) for name in names])


def _as_written(rows: "pa.Table") -> "pa.Table":
    """Return the rows in SCHEMA's own types."""
    import pyarrow as pa

    from lyrics_assets.lyrics.schema import SCHEMA

    return rows.cast(pa.schema([SCHEMA.field(name) for name in rows.column_names]))


def _writes_to_hopsfs() -> bool:
    try:
        return bool(importlib.metadata.version("hops-deltalake"))
    except importlib.metadata.PackageNotFoundError:
        return False
