"""What became of a run's steps and checks, and since when one of them fails, as Dagster's event log tells it."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import dagster as dg

from lyrics_assets.resources.secrets import conceal

MAX_REASON = 1200
"""Characters of what an error of the project says."""
MAX_LINE = 300
"""Characters of what any other error says, of which the first line is told."""
RUNS_LOOKED_BACK = 200

_KINDS = {
    dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED,
    dg.DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED,
    dg.DagsterEventType.ASSET_CHECK_EVALUATION,
    dg.DagsterEventType.STEP_SUCCESS,
    dg.DagsterEventType.STEP_FAILURE,
    dg.DagsterEventType.RUN_SUCCESS,
    dg.DagsterEventType.RUN_FAILURE,
}
# What an error quotes at length may be a lyric.
_QUOTED = re.compile(r"""(?<!\w)(['"])(?:(?!\1).){40,}(?:\1(?!\w)|$)""")
_VARYING = re.compile(r"\S*\d\S*")


class Problem(NamedTuple):
    """Something that failed in a run."""

    name: str
    """``raw/letras`` of an asset's step, ``lyrics: schema`` of a check, the job's of a run that failed as a whole."""
    reason: str
    """Of some lines at most, without secrets, and without the values that a traceback shows."""
    is_check: bool = False

    def cause(self, job: str) -> str:
        """Return what it shares with its repeats: the job, the name, and the error's first line but for numbers."""
        first = "" if self.is_check else self.reason.partition("\n")[0]
        return f"{job} | {self.name} | {_VARYING.sub('#', first)}"


class History(NamedTuple):
    """How long something has failed."""

    since: float
    """When the first run since its last success failed, seconds since the epoch."""
    failures: int
    """Runs since then in which it failed."""
    last_good: float | None = None
    """When a run last ended in which it went well; None if none did among those that were looked at."""
    last_good_date: str | None = None
    """The partition of that run."""


def read_outcomes(instance: dg.DagsterInstance, run: dg.DagsterRun) -> dict[str, Problem | None]:
    """Return what became of each step and check of a finished run, and of the run itself: None of what went well.

    A check that was to warn only goes well. A step that failed for its blocking checks is not told beside them.
    """
    names: dict[str, str] = {}
    outcomes: dict[str, Problem | None] = {}
    for entry in instance.all_logs(run.run_id, of_type=_KINDS):
        event = entry.get_dagster_event()
        step = event.step_key or ""
        match event.event_type:
            case dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED:
                names[step] = event.asset_materialization_planned_data.asset_key.to_user_string()
            case dg.DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED:
                planned = event.asset_check_planned_data
                names.setdefault(step, _check_name(planned.asset_key, planned.check_name))
            case dg.DagsterEventType.ASSET_CHECK_EVALUATION:
                evaluation = event.asset_check_evaluation_data
                name = _check_name(evaluation.asset_key, evaluation.check_name)
                failed = not evaluation.passed and evaluation.severity == dg.AssetCheckSeverity.ERROR
                outcomes[name] = Problem(name, _figures(evaluation), is_check=True) if failed else None
            case dg.DagsterEventType.STEP_SUCCESS:
                outcomes.setdefault(names.get(step, step), None)
            case dg.DagsterEventType.STEP_FAILURE:
                name, reason = names.get(step, step), _step_reason(event)
                if reason:
                    outcomes[name] = Problem(name, reason)
            case dg.DagsterEventType.RUN_SUCCESS:
                outcomes[run.job_name] = None
            case dg.DagsterEventType.RUN_FAILURE if not any(outcomes.values()):
                failure = event.job_failure_data  # none if it is the daemon that has failed the run
                reason = _told(failure.error) if failure and failure.error else _foreign(event.message or "")
                outcomes[run.job_name] = Problem(run.job_name, reason or "no reason was given")
    return outcomes


def read_histories(
    instance: dg.DagsterInstance, run_id: str, ended: float, names: Iterable[str], limit: int = RUNS_LOOKED_BACK
) -> dict[str, History]:
    """Return of each thing that failed in a run how long it has done so, from the runs before in which it was to run.

    Args:
        instance: of which the event log is read, newest run first, until all names went well.
        run_id: of the run in which they failed.
        ended: when it did so, seconds since the epoch.
        names: as `Problem.name`.
        limit: finished runs to look at.
    """
    histories = {name: History(ended, 1) for name in names}
    open_names = set(histories)
    for earlier in _finished_before(instance, run_id, limit):
        outcomes = read_outcomes(instance, earlier.dagster_run)
        for name in open_names & set(outcomes):
            history, then = histories[name], earlier.end_time or 0.0
            if outcomes[name]:
                histories[name] = history._replace(since=then, failures=history.failures + 1)
            else:
                histories[name] = history._replace(last_good=then, last_good_date=partition(earlier.dagster_run))
                open_names.remove(name)
        if not open_names:
            break
    return histories


def partition(run: dg.DagsterRun) -> str | None:
    """Return the date, or the range of dates, that a run was for."""
    ends = [run.tags.get(f"dagster/asset_partition_range_{end}") for end in ("start", "end")]
    return run.tags.get("dagster/partition") or (" to ".join(filter(None, ends)) or None)


def _finished_before(instance: dg.DagsterInstance, run_id: str, limit: int, page: int = 25) -> Iterator[dg.RunRecord]:
    finished = dg.RunsFilter(statuses=[dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE])
    for _ in range(0, limit, page):
        records = instance.get_run_records(finished, limit=page, cursor=run_id)
        yield from records
        if len(records) < page:
            return
        run_id = records[-1].dagster_run.run_id


def _check_name(asset: dg.AssetKey, check: str) -> str:
    return f"{asset.to_user_string()}: {check}"


def _figures(evaluation: dg.AssetCheckEvaluation) -> str:
    """Return what a check measured, a line each."""
    values: Mapping[str, Any] = {name: value.value for name, value in evaluation.metadata.items()}
    lines = [_foreign(f"{name.replace('_', ' ')}: {value}") for name, value in values.items()]
    return "\n".join(filter(None, [_foreign(evaluation.description or ""), *lines]))[:MAX_REASON]


def _step_reason(event: dg.DagsterEvent) -> str:
    """Return why a step failed: what its author said, else the error; nothing if its checks say it."""
    data = event.step_failure_data
    if data.error and data.error.cls_name == "DagsterAssetCheckFailedError":
        return ""
    if data.user_failure_data and data.user_failure_data.description:
        return _shortened(conceal(data.user_failure_data.description.strip()), MAX_REASON)
    return (_told(data.error) if data.error else "") or "no reason was given"


def _told(error: Any) -> str:
    """Return what an error says, rather than Dagster's own that is wrapped around it."""
    while error.cause and (error.cls_name or "").startswith("Dagster"):
        error = error.cause
    return _foreign(error.message)


def _foreign(message: str) -> str:
    """Return the first line of what others have written, without secrets and long quotations."""
    first = message.strip().partition("\n")[0]
    return _shortened(_QUOTED.sub("…", conceal(first)), MAX_LINE)


def _shortened(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[: limit - 1]}…"
