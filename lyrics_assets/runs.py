"""Runs of the graph's jobs in this process, with their progress told as they go. What the command line stands on."""

import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

import dagster as dg
import psutil

from lyrics_assets.settings import ROOT

_POLL_SECONDS = 0.2
UNDER_WAY = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
]
"""Of a run that is yet to end; one that is being cancelled is not counted."""
_PROCESS = "lyrics/process"
"""Tag of a run that a command runs in its own process: which one."""


class RunFailedError(RuntimeError):
    """A run did not succeed; the message says which step and why."""


class Progress(NamedTuple):
    """Something that a step did."""

    step: str
    state: str
    """``started``, ``done``, ``failed`` or ``says``."""
    at: float
    """Seconds since the epoch."""
    text: str = ""


Listener = Callable[[Progress], None]


def open_instance(home: Path, configured: str = "") -> dg.DagsterInstance:
    """Open the Dagster instance that keeps its history under a home, which is made if missing.

    Args:
        home: of the installation.
        configured: folder of a dagster.yaml to use instead.
    """
    return dg.DagsterInstance.from_config(configured or str(write_instance_config(home)))


def write_instance_config(home: Path) -> Path:
    """Write the root's dagster.yaml, with its folders under `home`, into the folder that is returned."""
    folder = home / "dagster"
    folder.mkdir(parents=True, exist_ok=True)
    text = (ROOT / "dagster.yaml").read_text(encoding="utf-8").replace("base_dir: var/", f"base_dir: {home}/")
    written = folder / "dagster.yaml"
    if not written.exists() or written.read_text(encoding="utf-8") != text:
        part = folder / "dagster.yaml.part"
        part.write_text(text, encoding="utf-8")
        part.replace(written)
    return folder


def run_job(
    defs: dg.Definitions,
    name: str,
    instance: dg.DagsterInstance,
    listen: Listener,
    partition: str | None = None,
    *,
    verbose: bool = False,
) -> None:
    """Run a job to its end in a thread of this process; `listen` hears of each step from the calling thread.

    Raises:
        RunFailedError: a step failed, or a blocking check did not hold.
    """
    from sqlalchemy.exc import SQLAlchemyError

    end_dead_runs(instance)
    job = defs.resolve_job_def(name)
    names = _readable_names(defs)
    run_id = str(uuid4())
    outcome: dict[str, Any] = {}

    def work() -> None:
        try:
            outcome["success"] = job.execute_in_process(
                instance=instance,
                partition_key=partition,
                run_id=run_id,
                tags={_PROCESS: _name_process(psutil.Process())},
                raise_on_error=False,
                run_config={"loggers": {"console": {"config": {"log_level": "INFO" if verbose else "CRITICAL"}}}},
            ).success
        except Exception as error:
            outcome["error"] = error

    worker = threading.Thread(target=work, name=f"{name} {partition or ''}", daemon=True)
    worker.start()
    failures: list[str] = []
    cursor: str | None = None
    unread: Exception | None = None
    alive = True
    while alive:
        worker.join(_POLL_SECONDS)
        alive = worker.is_alive()
        try:
            cursor, unread = _tell(instance, run_id, cursor, names, listen, failures), None
        except SQLAlchemyError as error:
            # The step that runs has this process's output: what is said before its end would be lost in its log.
            unread = error
    if error := outcome.get("error", unread):
        raise error
    if not outcome["success"]:
        raise RunFailedError("\n".join(failures) or f"{name} failed")


def end_dead_runs(instance: dg.DagsterInstance, *, launched_too: bool = False) -> None:
    """Report runs of this machine as failed whose process was killed, and give back the pools that they hold.

    Nobody else would: Dagster's daemon does not look after the runs of a command, and after its own only while the
    process lives that launched them.

    Args:
        instance: that knows the runs.
        launched_too: also those that a daemon has launched; for whoever knows that none is there any more.
    """
    for run in instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED])):
        dead = not _lives(run.tags[_PROCESS]) if _PROCESS in run.tags else launched_too
        if dead:
            instance.report_run_failed(run, "the process in which it ran was killed")
            instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)


def _name_process(process: psutil.Process) -> str:
    """Return what tells a process from any other: a number alone is given again."""
    return f"{socket.gethostname()}/{process.pid}/{process.create_time():.2f}"


def _lives(name: str) -> bool:
    host, pid, _ = name.rsplit("/", 2)
    if host != socket.gethostname():
        return True  # nobody here can tell
    try:
        return _name_process(psutil.Process(int(pid))) == name
    except psutil.NoSuchProcess:
        return False


def _readable_names(defs: dg.Definitions) -> dict[str, str]:
    """Return a name for people of each step: ``raw/letras`` of an asset, ``lyrics: schema`` of a check."""
    graph = defs.resolve_asset_graph()
    names = {"__".join(key.path): key.to_user_string() for key in graph.get_all_asset_keys()}
    for check in graph.asset_check_keys:
        asset = check.asset_key
        names[f"{'__'.join(asset.path)}_{check.name}"] = f"  {asset.to_user_string()}: {check.name}"
    return names


def _tell(
    instance: dg.DagsterInstance,
    run_id: str,
    cursor: str | None,
    names: dict[str, str],
    listen: Listener,
    failures: list[str],
) -> str | None:
    """Tell the listener what the run's log holds behind the cursor; return the new cursor."""
    while True:
        page = instance.get_records_for_run(run_id, cursor=cursor, limit=500)
        for record in page.records:
            for progress in _read(record.event_log_entry, names):
                listen(progress)
                if progress.state == "failed":
                    failures.append(f"{progress.step.strip()}: {progress.text}")
        cursor = page.cursor
        if not page.has_more:
            return cursor


def _read(entry: dg.EventLogEntry, names: dict[str, str]) -> Iterator[Progress]:
    event, step = entry.dagster_event, names.get(entry.step_key or "", entry.step_key or "")
    if event is None:
        if step and entry.level <= 20:
            yield Progress(step, "says", entry.timestamp, entry.user_message)
    elif event.event_type == dg.DagsterEventType.STEP_START:
        yield Progress(step, "started", entry.timestamp)
    elif event.event_type == dg.DagsterEventType.STEP_SUCCESS:
        yield Progress(step, "done", entry.timestamp)
    elif event.event_type == dg.DagsterEventType.STEP_FAILURE:
        yield Progress(step, "failed", entry.timestamp, _reason(event))


def _reason(event: dg.DagsterEvent) -> str:
    """Return why a step failed: what its author said, else the innermost error's first line."""
    data = event.step_failure_data
    if data.user_failure_data and data.user_failure_data.description:
        return str(data.user_failure_data.description)
    error = data.error
    while error and error.cause:
        error = error.cause
    return str(error.message).strip() if error else "unknown"
