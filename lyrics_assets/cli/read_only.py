"""Dagster's instance and MLflow's registry as a home keeps them, read without writing: no database, no folder is made.

Both libraries set up what is missing as soon as they are asked something, which takes seconds and needs a home that can
be written to. Who only looks opens the SQLite files read-only instead.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import quote

import dagster as dg
from dagster._core.instance import InstanceType
from dagster._core.launcher.sync_in_memory_run_launcher import SyncInMemoryRunLauncher
from dagster._core.run_coordinator import DefaultRunCoordinator
from dagster._core.storage.event_log import SqliteEventLogStorage
from dagster._core.storage.noop_compute_log_manager import NoOpComputeLogManager
from dagster._core.storage.root import LocalArtifactStorage
from dagster._core.storage.runs import SqliteRunStorage
from dagster._core.storage.schedules import SqliteScheduleStorage


class _EventLog(SqliteEventLogStorage):
    """Reads the files that are there, and sets up none."""

    def __init__(self, base_dir: str) -> None:
        super().__init__(base_dir)
        self._initialized_dbs = _Everything()

    def conn_string_for_shard(self, shard_name: str) -> str:
        return _sqlalchemy_url(Path(self.path_for_shard(shard_name)))


class _Everything(set[str]):
    """Holds whatever is asked for: every file counts as set up."""

    def __contains__(self, _: object) -> bool:
        return True


@contextmanager
def open_instance_to_read(home: Path, configured: str = "") -> Iterator[dg.DagsterInstance | None]:
    """Open the instance of a home for as long as the context lasts; None if the home has none, or only half of one.

    Args:
        home: of the installation.
        configured: folder of a dagster.yaml to use instead; its databases are opened as Dagster does it.
    """
    if configured:
        with dg.DagsterInstance.from_config(configured) as instance:
            yield instance
        return
    folder = home / "dagster"
    runs, schedules = folder / "history" / "runs.db", folder / "schedules" / "schedules.db"
    events = folder / "history" / "runs"
    if not (runs.exists() and schedules.exists() and (events / "index.db").exists()):
        yield None
        return
    with dg.DagsterInstance(
        instance_type=InstanceType.PERSISTENT,
        local_artifact_storage=LocalArtifactStorage(str(folder)),
        run_storage=SqliteRunStorage(_sqlalchemy_url(runs)),
        event_storage=_EventLog(str(events)),
        schedule_storage=SqliteScheduleStorage(_sqlalchemy_url(schedules)),
        compute_log_manager=NoOpComputeLogManager(),
        run_coordinator=DefaultRunCoordinator(),
        run_launcher=SyncInMemoryRunLauncher(),
    ) as instance:
        yield instance


def read_aliases(database: Path, model: str) -> dict[str, tuple[int, dict[str, str]]]:
    """Return the version and the tags of each alias of a registered model, from MLflow's SQLite file.

    MLflow itself takes seconds to be imported.
    """
    if not database.exists():
        return {}
    with closing(sqlite3.connect(_uri(database), uri=True)) as connection:
        named = connection.execute("SELECT alias, version FROM registered_model_aliases WHERE name = ?", [model])
        aliases = {str(alias): int(version) for alias, version in named}
        select = "SELECT key, value FROM model_version_tags WHERE name = ? AND version = ?"
        tags = {version: dict(connection.execute(select, [model, version])) for version in set(aliases.values())}
    return {alias: (version, tags[version]) for alias, version in aliases.items()}


def _sqlalchemy_url(path: Path) -> str:
    return f"sqlite:///{_uri(path)}&uri=true"


def _uri(path: Path) -> str:
    """Return the address of a SQLite file that is not written to, and beside which no file is made.

    Whoever writes to it keeps what is new in a second file; where there is none, the file is whole as it is, and says
    so to SQLite, which would else make that second file to be ready for one who writes.
    """
    beside = path.with_name(f"{path.name}-wal")
    whole = not beside.exists() or not beside.stat().st_size
    return f"file:{quote(str(path.absolute()))}?mode=ro{'&immutable=1' if whole else ''}"
