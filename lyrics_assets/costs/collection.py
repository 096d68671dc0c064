"""From Dagster's event log to rows: what each step of a finished run took, and how many songs and pages it handled."""

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import dagster as dg

from lyrics_assets.costs.history import Row, Table
from lyrics_assets.costs.step_meter import read_usage

MARGIN = dt.timedelta(hours=1)
"""Runs are looked for from so long before the newest one known: clocks differ, and two collections may meet."""
_RUNS_AT_ONCE = 50
"""Runs whose rows are written together: what an interrupted collection loses at most."""
_EVENTS_AT_ONCE = 1000

_FINISHED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]
_KINDS = {
    dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED,
    dg.DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED,
    dg.DagsterEventType.STEP_START,
    dg.DagsterEventType.STEP_RESTARTED,
    dg.DagsterEventType.STEP_SUCCESS,
    dg.DagsterEventType.STEP_FAILURE,
    dg.DagsterEventType.STEP_UP_FOR_RETRY,
    dg.DagsterEventType.ENGINE_EVENT,
    dg.DagsterEventType.ASSET_MATERIALIZATION,
    dg.DagsterEventType.ASSET_CHECK_EVALUATION,
}
_ROWS_OUT = "dagster/row_count"
_ROWS_IN = ("raw_songs", "n_train", "n_test", "songs")
"""What the assets call, in their metadata, the songs that they read."""
_CRAWLED = ("pages_fetched", "pages_from_archive", "bytes_fetched", "bytes_read")


def collect(instance: dg.DagsterInstance, history: Table) -> int:
    """Add the steps of the runs that ended since the last time to the history; return how many runs that were."""
    newest = history.newest()
    since = newest - MARGIN if newest else None
    known = history.values("run_id", since) if since else set()
    ended = dg.RunsFilter(statuses=_FINISHED, updated_after=since)
    records = instance.get_run_records(ended, order_by="update_timestamp", ascending=True)
    new = [record for record in records if record.dagster_run.run_id not in known]
    for start in range(0, len(new), _RUNS_AT_ONCE):
        # In the order in which they ended: once a run is in the history, so is every one that ended before it.
        history.put(row for record in new[start : start + _RUNS_AT_ONCE] for row in read_steps(instance, record))
    return len(new)


def read_steps(instance: dg.DagsterInstance, record: dg.RunRecord) -> list[Row]:
    """Return a row for each step that a finished run began; none if the run was deleted meanwhile."""
    run = record.dagster_run
    if not instance.has_run(run.run_id):
        return []
    steps: dict[str, _Step] = {}
    for entry in _entries(instance, run.run_id):
        event = entry.dagster_event
        if event is not None and event.step_key:
            steps.setdefault(event.step_key, _Step()).take(event, entry.timestamp)
    ended = record.end_time or record.update_timestamp.timestamp()
    rows_of = {key: step.facts[_ROWS_OUT] for step in steps.values() for key in step.wrote if _ROWS_OUT in step.facts}
    return [
        step.to_row(rows_of, ended)
        | {
            "run_id": run.run_id,
            "step": key,
            "name": step.name or key,
            "is_check": int(step.is_check),
            "job": run.job_name,
            "partition": run.tags.get("dagster/partition"),
            "run_updated_at": record.update_timestamp,
        }
        for key, step in steps.items()
        if step.attempts
    ]


def _entries(instance: dg.DagsterInstance, run_id: str) -> Iterator[dg.EventLogEntry]:
    cursor: str | None = None
    while True:
        page = instance.get_records_for_run(run_id, cursor=cursor, of_type=_KINDS, limit=_EVENTS_AT_ONCE)
        yield from (record.event_log_entry for record in page.records)
        cursor = page.cursor
        if not page.has_more:
            return


@dataclass
class _Step:
    """What the log has told so far of a step."""

    name: str = ""
    is_check: bool = False
    started: float = 0.0
    ended: float = 0.0
    wall: float = 0.0
    attempts: int = 0
    state: str = ""
    since: float | None = None
    """When the attempt that is under way began."""
    usages: list[dict[str, Any]] = field(default_factory=list)
    facts: dict[str, int] = field(default_factory=dict)
    """The counts in the metadata of what it wrote, or of its failure."""
    wrote: set[dg.AssetKey] = field(default_factory=set)
    checked: set[dg.AssetKey] = field(default_factory=set)

    def take(self, event: dg.DagsterEvent, at: float) -> None:
        """Take in an event of the step; they come in the order in which they happened."""
        match event.event_type:
            case dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED:
                self.name, self.is_check = event.asset_materialization_planned_data.asset_key.to_user_string(), False
            case dg.DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED if not self.name:
                planned = event.asset_check_planned_data
                self.name = f"{planned.asset_key.to_user_string()}: {planned.check_name}"
                self.is_check = True
            case dg.DagsterEventType.STEP_START | dg.DagsterEventType.STEP_RESTARTED:
                self.started, self.since = self.started or at, at
                self.attempts += 1
            case dg.DagsterEventType.STEP_SUCCESS:
                self._end(at, "done")
            case dg.DagsterEventType.STEP_UP_FOR_RETRY:
                self._end(at, "failed")
            case dg.DagsterEventType.STEP_FAILURE:
                self._end(at, "failed")
                said = event.step_failure_data.user_failure_data
                self._count(said.metadata if said and said.metadata else {})
            case dg.DagsterEventType.ENGINE_EVENT:
                self.usages += [usage] if (usage := read_usage(event)) else []
            case dg.DagsterEventType.ASSET_MATERIALIZATION:
                written = event.step_materialization_data.materialization
                self.wrote.add(written.asset_key)
                self._count(written.metadata)
            case dg.DagsterEventType.ASSET_CHECK_EVALUATION:
                self.checked.add(event.asset_check_evaluation_data.asset_key)

    def _end(self, at: float, state: str) -> None:
        if self.since is not None:
            self.wall += at - self.since
        self.since, self.ended, self.state = None, at, state

    def _count(self, metadata: Mapping[str, dg.MetadataValue]) -> None:
        counts = {name: value.value for name, value in metadata.items()}
        self.facts |= {name: value for name, value in counts.items() if isinstance(value, int)}

    def to_row(self, rows_of: Mapping[dg.AssetKey, int], run_ended: float) -> Row:
        """Return the step's part of the row.

        Args:
            rows_of: how many rows the steps of the run have written, by asset: what a check has read.
            run_ended: when the run ended, as did a step of which nothing more is told.
        """
        if self.since is not None:
            self._end(max(run_ended, self.since), "cut off")
        read = [self.facts[name] for name in _ROWS_IN if name in self.facts]
        if not self.wrote:
            read += [rows_of[key] for key in self.checked if key in rows_of]
        return {
            "state": self.state,
            "started_at": dt.datetime.fromtimestamp(self.started, dt.UTC),
            "ended_at": dt.datetime.fromtimestamp(self.ended, dt.UTC),
            "attempts": self.attempts,
            "wall_s": self.wall,
            "rows_in": read[0] if read else None,
            "rows_out": self.facts.get(_ROWS_OUT),
            **{name: self.facts.get(name) for name in _CRAWLED},
            **self._used(),
        }

    def _used(self) -> Row:
        """Return what all attempts took together; nothing if one was not measured, or died before it could tell."""
        if len(self.usages) < self.attempts:
            return {}
        children = [usage["child_peak_mb"] for usage in self.usages if "child_peak_mb" in usage]
        largest = max(self.usages, key=lambda usage: usage["peak_mb"])
        return {
            "cpu_s": sum(usage["cpu_s"] for usage in self.usages),
            "children_cpu_s": sum(usage["children_cpu_s"] for usage in self.usages),
            "peak_mb": largest["peak_mb"],
            "peak_of": largest["peak_of"],
            "child_peak_mb": max(children, default=None),
        }
