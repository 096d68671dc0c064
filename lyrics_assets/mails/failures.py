"""The mail of what failed: what, since when, how often, when it last went well, and what to do."""

import datetime as dt
from zoneinfo import ZoneInfo

import dagster as dg

from lyrics_assets.mails.outcomes import History, Problem, partition, read_histories, read_outcomes
from lyrics_assets.mails.receipts import Due, Receipts
from lyrics_assets.mails.rendering import render
from lyrics_assets.partitions import TIMEZONE
from lyrics_assets.resources.mailer import Mailer

_AGAIN = "Open the run, mend the cause, and re-execute it from the failure: every step is safe to run twice."
_SEARCH = (
    "The last search's hyperparameters stay. Mend the cause and run tuning_job again: it goes on where it stopped."
)
_MODEL = "The champion stays in service. Mend the cause and run training_job again."
_RELEASE = "What was released before stays. Mend the cause and run release_job."
_WATCH = "Nothing else waits for it. Mend the cause and materialize it again."
_ADVICE = {
    "raw": "The last good file of the date stays. If the site was out of reach, materialize the same date again: it "
    "asks only for what is missing. If its markup changed, mend the selectors and materialize the date again, from "
    "the archive; accept_new_markup: true says that the change is for good.",
    "lyrics_features": "The date is not in the feature store, or not whole. See that the store is within reach, and "
    "materialize the date again: it replaces what is there.",
    "lyrics": "The date's last good dataset stays in the feature store. Mend the cause and materialize the date again.",
    "training_set": _MODEL,
    "best_hyperparameters": _SEARCH,
    "genre_classifier": _MODEL,
    "evaluation_report": _MODEL,
    "lyrics_service": _RELEASE,
    "huggingface_space": _RELEASE,
    "trends_report": _WATCH,
    "drift_report": _WATCH,
    "pipeline_costs": _WATCH,
}


def mail_failures(
    mailer: Mailer, receipts: Receipts, instance: dg.DagsterInstance, run: dg.DagsterRun, record: dg.EventLogRecord
) -> str | None:
    """Mail what failed in a run, unless a mail of the same cause was sent today.

    Args:
        mailer: who delivers.
        receipts: of the mails of today.
        instance: of which the event log is read.
        run: which has ended.
        record: the event that ended it, successfully or not.

    Returns:
        where the mail went; None if there was nothing to tell.
    """
    problems = [problem for problem in read_outcomes(instance, run).values() if problem]
    asked = [(problem, receipts.due(problem.cause(run.job_name), run.run_id)) for problem in problems]
    told = [(problem, due) for problem, due in asked if due]
    if not told:
        return None
    histories = read_histories(instance, run.run_id, record.timestamp, [problem.name for problem, _ in told])
    date = partition(run)
    failed = record.event_log_entry.dagster_event_type == dg.DagsterEventType.RUN_FAILURE
    bodies = render(
        "failure",
        job=run.job_name,
        failed=failed,
        date=date,
        ended=_moment(record.timestamp),
        retried=run.tags.get("dagster/will_retry") == "true",
        problems=[_described(problem, due, histories[problem.name]) for problem, due in told],
        run=mailer.run_url(run.run_id),
    )
    names = ", ".join(dict.fromkeys(problem.name for problem, _ in told))
    what = f"{run.job_name} failed" if failed else f"{run.job_name} succeeded, checks failed"
    delivered_to = mailer.send(f"Lyrics classifier: {what}{f' for {date}' if date else ''}: {names}", *bodies)
    for _, due in told:
        receipts.sign(due, delivered_to)
    return delivered_to


def _described(problem: Problem, due: Due, history: History) -> dict[str, str | list[str]]:
    """Return what the mail says of a problem."""
    times = "the first time" if history.failures == 1 else f"{history.failures} runs"
    good = "never in the runs that were looked at" if history.last_good is None else _moment(history.last_good)
    date = f", for {history.last_good_date}" if history.last_good_date else ""
    repeats = f"{due.repeats} more after the mail of {due.day}, of which no mail told" if due.repeats else ""
    return {
        "kind": "check" if problem.is_check else "step",
        "name": problem.name,
        "reason": problem.reason.splitlines(),
        "since": f"{_moment(history.since)} ({times})",
        "last_good": f"{good}{date}",
        "repeats": repeats,
        "advice": _ADVICE.get(problem.name.partition(":")[0].partition("/")[0], _AGAIN),
    }


def _moment(seconds: float) -> str:
    return f"{dt.datetime.fromtimestamp(seconds, ZoneInfo(TIMEZONE)):%Y-%m-%d %H:%M} São Paulo"
