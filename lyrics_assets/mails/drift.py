"""The mail of a date that has drifted from what the champion learned from."""

from collections.abc import Mapping
from typing import Any

import dagster as dg

from lyrics_assets.mails.receipts import Receipts
from lyrics_assets.mails.rendering import number, render
from lyrics_assets.resources.lake import Lake
from lyrics_assets.resources.mailer import Mailer

RETRAINING_SENSOR = "retrain_on_drift"
_UNKNOWN = {"seen": "no longer known", "allowed": "no longer known"}


def mail_drift(
    lake: Lake, mailer: Mailer, receipts: Receipts, instance: dg.DagsterInstance, record: dg.EventLogRecord
) -> str | None:
    """Mail which measures of a drift report are beyond their bounds; nothing if none is, or if it was told today.

    Args:
        lake: where the report is.
        mailer: who delivers.
        receipts: of the mails of today.
        instance: which knows whether a training was asked for.
        record: the materialization of the report.

    Returns:
        where the mail went; None if there was nothing to tell.
    """
    materialization = record.asset_materialization
    metadata: dict[str, Any] = {}
    if materialization:
        metadata = {name: value.value for name, value in materialization.metadata.items()}
    drifted = metadata.get("drifted")
    # Of a date that is judged again nobody need be told: who asked for it sees it, and the newest date tells the rest.
    if not drifted or not metadata.get("is_newest", True):
        return None
    date = metadata["date"]
    due = receipts.due(f"drift | {date}", str(record.storage_id))
    if due is None:
        return None
    name = f"reports/drift/{date}.json"
    report = lake.read_json(name) if lake.exists(name) else {"measures": {}}
    others = [measure for measure in report["measures"] if measure not in drifted]
    bodies = render(
        "drift",
        date=date,
        drifted=[_described(measure, report) for measure in drifted],
        others=[_described(measure, report) for measure in others],
        retraining=_retraining(instance, mailer, date),
        address=metadata.get("page") or lake.url(name),
        run=mailer.run_url(record.run_id) if record.run_id else "",
    )
    delivered_to = mailer.send(f"Lyrics classifier: {date} has drifted: {', '.join(drifted)}", *bodies)
    receipts.sign(due, delivered_to)
    return delivered_to


def _described(measure: str, report: Mapping[str, Any]) -> dict[str, str]:
    """Return a measure as a row of the mail."""
    figures = report["measures"].get(measure, _UNKNOWN)
    return {
        "name": measure.replace("_", " "),
        "seen": number(figures["seen"]),
        "allowed": f"{figures.get('bound', 'at most')} {number(figures['allowed'])}",
        "unit": figures.get("unit", ""),
        "state": "warning" if measure in report.get("warned", ()) else "",
    }


def _retraining(instance: dg.DagsterInstance, mailer: Mailer, date: str) -> str:
    """Return whether a training was asked for because of a date's drift."""
    asked = instance.get_runs(dg.RunsFilter(tags={"dagster/run_key": f"drift-{date}"}), limit=1)
    if asked:
        return f"A retraining was asked for: {mailer.run_url(asked[0].run_id)}"
    if any(state.name == RETRAINING_SENSOR and state.is_running for state in instance.all_instigator_state()):
        return f"No retraining was asked for yet: the sensor {RETRAINING_SENSOR} is on, and decides within a minute."
    return f"No retraining was asked for: the sensor {RETRAINING_SENSOR} is off. To train, run training_job."
