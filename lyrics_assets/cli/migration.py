"""From the embedded default to servers: what a home holds is copied to where the settings of an installation point.

Nothing is removed from the home, and nothing that the installation has already is written over: a migration that was
interrupted is finished by the next one, and one that is repeated copies what has come since. Each part is counted
afterwards on the other side. Schedules, sensors and their ticks are not copied: they begin anew, stopped.
"""

import datetime as dt
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from lyrics_assets.settings import Settings

if TYPE_CHECKING:
    import dagster as dg
    import sqlalchemy as sa

    from lyrics_assets.resources.feature_store import FeatureStore
    from lyrics_assets.resources.lake import Lake

BACKEND, ARTIFACTS = "MLFLOW_BACKEND_STORE_URI", "MLFLOW_ARTIFACTS_DESTINATION"
"""The variables by which an MLflow server knows its database and its files."""

_FOLDERS = ("bentoml", "outbox", "space", "tuning")
"""Of a home, what an installation keeps in a folder too."""
_MIGRATED = "migrated"
"""Folder of the runs' files among those of the MLflow server."""
_ROWS_A_BATCH = 500


class MigrationError(RuntimeError):
    """What was found cannot be migrated; nothing of that part was written. The message says what to do."""


class Part(NamedTuple):
    """One kind of thing that was copied."""

    name: str
    found: int
    """So many the home holds."""
    copied: int
    """So many of them were not there yet."""


def migrate(home: Path, target: Settings, environment: Mapping[str, str]) -> Iterator[Part]:
    """Copy everything, part by part, each of them counted on the other side before it is yielded.

    Args:
        home: folder of the embedded installation, in which nothing runs meanwhile.
        target: where to.
        environment: names the database and the files of the MLflow server, see BACKEND and ARTIFACTS.

    Raises:
        MigrationError: a part cannot be copied, or is not whole on the other side.
    """
    from lyrics_assets.definitions import build_resources
    from lyrics_assets.lyrics.near_duplicates import TABLES
    from scrapy_project.archive import PAGES, REQUESTS

    source = Settings(home=home.absolute(), sites=target.sites)
    _check(source, target, environment)
    old, new = build_resources(source), build_resources(target)
    yield _copy_files(source.home, target.home.absolute())
    yield _copy_lake(old["lake"], new["lake"])  # type: ignore[arg-type]
    yield _copy_dates(old["feature_store"], new["feature_store"])  # type: ignore[arg-type]
    yield from _copy_database(source.archive, target.archive, (PAGES, REQUESTS))
    yield from _copy_database(source.text_index, target.text_index, TABLES)
    yield from _copy_mlflow(source.home / "mlflow", environment)
    if target.dagster_home:
        yield from _copy_history(source.home, target)


def _check(source: Settings, target: Settings, environment: Mapping[str, str]) -> None:
    if not (source.home / "lake").is_dir():
        raise MigrationError(f"{source.home} holds no lake: is it the home of an installation?")
    unset = [
        name for name in ("lake_url", "archive_url", "text_index_url", "tracking_uri") if not getattr(target, name)
    ]
    if unset:
        names = ", ".join(f"LYRICS_{name.upper()}" for name in unset)
        raise MigrationError(f"{names} not set: there is nothing to migrate to; see deploy/.env.example")
    missing = [name for name in (BACKEND, ARTIFACTS) if not environment.get(name)]
    if missing:
        raise MigrationError(f"{' and '.join(missing)} not set: they name what the MLflow server keeps its runs in")


def _copy_files(old: Path, new: Path) -> Part:
    """Copy the folders that are folders in production too."""
    found = [path for folder in _FOLDERS for path in sorted((old / folder).rglob("*")) if path.is_file()]
    copied = 0
    for path in found:
        target = new / path.relative_to(old)
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            part = target.with_name(f"{target.name}.part")
            shutil.copy2(path, part)
            part.rename(target)
            copied += 1
    return Part("files of the home", len(found), copied)


def _copy_lake(old: "Lake", new: "Lake") -> Part:
    found = old.all_names()
    there = set(new.all_names())
    fresh = [name for name in found if name not in there]
    for name in fresh:
        new.write_bytes(name, old.read_bytes(name))
    _must_hold("files of the lake", found, new.all_names())
    wrong = [name for name in fresh if new.size(name) != old.size(name)]
    if wrong:
        raise MigrationError(f"{wrong[0]} and {len(wrong) - 1} more are of another size in {new.root}")
    return Part("files of the lake", len(found), len(fresh))


def _copy_dates(old: "FeatureStore", new: "FeatureStore") -> Part:
    found, there = old.dates(), set(new.dates())
    fresh = [date for date in found if date not in there]
    for date in fresh:
        songs = old.read_date(date)
        new.replace_date(songs)
        stored = new.read_date(date, ["song_id"]).num_rows
        if stored != songs.num_rows:
            raise MigrationError(f"{date}: {stored} songs of {songs.num_rows} are in the feature store")
    _must_hold("dates of the feature store", found, new.dates())
    return Part("dates of the feature store", len(found), len(fresh))


def _copy_database(old: str, new: str, tables: "Sequence[sa.Table]") -> Iterator[Part]:
    """Copy the rows of one of the project's own databases, table by table."""
    from scrapy_project.database import create_tables, open_engine

    engines = open_engine(old), open_engine(new)
    try:
        for engine in engines:
            create_tables(engine, *tables)
        for table in tables:
            yield _copy_rows(*engines, table, table.name.replace("_", " "))
    finally:
        for engine in engines:
            engine.dispose()


def _copy_rows(
    old: "sa.Engine",
    new: "sa.Engine",
    table: "sa.Table",
    name: str,
    change: Callable[[Any], Any] = lambda value: value,
) -> Part:
    """Copy the rows that the other side does not have, by their primary key."""
    import sqlalchemy as sa

    from scrapy_project.database import insert_into

    statement = insert_into(new, table).on_conflict_do_nothing()
    key = sa.tuple_(*table.primary_key)
    before, found = _count(new, table), 0
    with old.connect() as reader:
        rows = reader.execution_options(yield_per=_ROWS_A_BATCH).execute(sa.select(table)).mappings()
        for batch in rows.partitions():
            found += len(batch)
            keys = [tuple(row[column.name] for column in table.primary_key) for row in batch]
            with new.begin() as writer:
                writer.execute(statement, [{name: change(value) for name, value in row.items()} for row in batch])
                there = writer.execute(sa.select(sa.func.count()).select_from(table).where(key.in_(keys))).scalar_one()
            if there != len(batch):
                raise MigrationError(f"{len(batch) - there} of {len(batch)} rows of {table.name} have not arrived")
    return Part(name, found, _count(new, table) - before)


def _count(engine: "sa.Engine", table: "sa.Table") -> int:
    import sqlalchemy as sa

    with engine.connect() as connection:
        return int(connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one())


def _copy_mlflow(folder: Path, environment: Mapping[str, str]) -> Iterator[Part]:
    """Copy runs and registry as they are, by the tables of their database, and the runs' files."""
    import sqlalchemy as sa
    from mlflow.store.db import utils  # noqa: F401  which knows all tables
    from mlflow.store.db.base_sql_model import Base

    from lyrics_assets.resources.lake import Lake

    database = folder / "mlflow.db"
    if not database.exists():
        yield Part("MLflow's runs", 0, 0)
        return
    engines = sa.create_engine(f"sqlite:///{database}"), sa.create_engine(environment[BACKEND])
    try:
        _compare_registries(*engines)
        old, new = Lake(root=str(folder / "artifacts")), Lake(root=f"{environment[ARTIFACTS].rstrip('/')}/{_MIGRATED}")
        yield _copy_lake(old, new)._replace(name="MLflow's files")
        change = _relocation(engines[0])
        others = Part("MLflow's other rows", 0, 0)
        for table in Base.metadata.sorted_tables:
            part = _copy_rows(*engines, table, f"MLflow's {table.name.replace('_', ' ')}", change)
            if table.name in ("experiments", "runs", "model_versions", "registered_model_aliases"):
                yield part
            else:
                others = Part(others.name, others.found + part.found, others.copied + part.copied)
        yield others
        _advance_numbers(engines[1], Base.metadata.sorted_tables)
    finally:
        for engine in engines:
            engine.dispose()


def _compare_registries(old: "sa.Engine", new: "sa.Engine") -> None:
    """Refuse databases of different releases, and a server that has meanwhile numbered other things alike."""
    import sqlalchemy as sa

    if not sa.inspect(new).has_table("alembic_version"):
        raise MigrationError(
            f"the database of {BACKEND} is empty: start the MLflow server once, which makes its tables"
        )
    identities = {
        "alembic_version": "SELECT 'release', version_num FROM alembic_version",
        "experiments": "SELECT experiment_id, name FROM experiments",
        "model_versions": "SELECT name || ' ' || version, run_id FROM model_versions",
    }
    for table, query in identities.items():
        here, there = ({str(key): value for key, value in _rows(engine, query)} for engine in (old, new))
        for key in here.keys() & there.keys():
            if here[key] != there[key]:
                raise MigrationError(
                    f"{table}: {key} is {here[key]} in the home and {there[key]} on the server: the server has been "
                    "in use, or is of another release of MLflow; migrate to an empty one"
                )


def _rows(engine: "sa.Engine", query: str) -> "Sequence[sa.Row[Any]]":
    with engine.connect() as connection:
        return connection.exec_driver_sql(query).all()


def _relocation(old: "sa.Engine") -> Callable[[Any], Any]:
    """Return what makes of an address of a file in the home, wherever the home then was, the one on the server."""
    locations = [str(location) for (location,) in _rows(old, "SELECT artifact_location FROM experiments")]
    roots = [location for location in locations if location.endswith("/mlflow/artifacts")]

    def change(value: Any) -> Any:
        for root in roots:
            if isinstance(value, str) and value.startswith(root):
                return f"mlflow-artifacts:/{_MIGRATED}{value.removeprefix(root)}"
        return value

    return change


def _advance_numbers(new: "sa.Engine", tables: "Sequence[sa.Table]") -> None:
    """Let the database count on behind the numbers that were copied."""
    import sqlalchemy as sa

    if new.dialect.name != "postgresql":
        return
    with new.begin() as connection:
        for table in tables:
            column = table.autoincrement_column
            if column is None:
                continue
            sequence = connection.scalar(sa.select(sa.func.pg_get_serial_sequence(table.name, column.name)))
            highest = connection.scalar(sa.select(sa.func.max(column)))
            if sequence and highest:
                connection.execute(sa.select(sa.func.setval(sequence, highest)))


def _copy_history(home: Path, target: Settings) -> Iterator[Part]:
    """Copy Dagster's runs with their events, oldest first, and the events of no run, as imports report them."""
    import dagster as dg
    from dagster._core.storage.dagster_run import NOT_FINISHED_STATUSES

    from lyrics_assets.runs import open_instance

    with open_instance(home) as old, dg.DagsterInstance.from_config(target.dagster_home) as new:
        records = old.get_run_records(order_by="id", ascending=True)
        going = [record.dagster_run.run_id for record in records if record.dagster_run.status in NOT_FINISHED_STATUSES]
        if going:
            raise MigrationError(
                f"{len(going)} runs are not finished, {going[0]} among them: wait for them, or end them"
            )
        copied = [_copy_run(old, new, record) for record in records]
        yield Part("runs of Dagster", len(records), sum(copied))
        yield _copy_events_of_no_run(old, new)


def _copy_run(old: "dg.DagsterInstance", new: "dg.DagsterInstance", record: "dg.RunRecord") -> bool:
    """Copy a run unless it is there with all its events; tell whether it was."""
    run = record.dagster_run
    events = old.all_logs(run.run_id)
    if new.has_run(run.run_id):
        if len(new.all_logs(run.run_id)) >= len(events):
            return False
        _remove_run(new, run.run_id)  # a migration was interrupted
    runs = new.run_storage
    if run.job_snapshot_id and not runs.has_job_snapshot(run.job_snapshot_id):
        runs.add_job_snapshot(old.get_job_snapshot(run.job_snapshot_id))
    plan = run.execution_plan_snapshot_id
    if plan and not runs.has_execution_plan_snapshot(plan):
        runs.add_execution_plan_snapshot(old.get_execution_plan_snapshot(plan))
    runs.add_historical_run(run, record.create_timestamp)
    for event in events:
        new.event_log_storage.store_event(event)
        if event.dagster_event and event.dagster_event.is_job_event:
            when = dt.datetime.fromtimestamp(event.timestamp, tz=dt.UTC)
            runs.handle_run_event(run.run_id, event.dagster_event, when)
    stored = len(new.all_logs(run.run_id))
    if stored != len(events):
        raise MigrationError(f"run {run.run_id}: {stored} events of {len(events)} have arrived")
    return True


def _remove_run(instance: "dg.DagsterInstance", run_id: str) -> None:
    """Remove a run with its checks, which Dagster itself would keep: they cannot be told twice."""
    from dagster._core.storage.event_log.schema import AssetCheckExecutionsTable as Checks

    instance.delete_run(run_id)
    with instance.event_log_storage.index_connection() as connection:  # type: ignore[attr-defined]
        connection.execute(Checks.delete().where(Checks.c.run_id == run_id))


def _copy_events_of_no_run(old: "dg.DagsterInstance", new: "dg.DagsterInstance") -> Part:
    from dagster._core.instance import RUNLESS_RUN_ID

    events = old.all_logs(RUNLESS_RUN_ID)
    there = {event.timestamp for event in new.all_logs(RUNLESS_RUN_ID)}
    fresh = [event for event in events if event.timestamp not in there]
    for event in fresh:
        new.event_log_storage.store_event(event)
    return Part("events of no run", len(events), len(fresh))


def _must_hold(what: str, wanted: Sequence[Any], found: Sequence[Any]) -> None:
    missing = sorted(set(wanted) - set(found))
    if missing:
        raise MigrationError(f"{len(missing)} {what} have not arrived, {missing[0]} among them")
