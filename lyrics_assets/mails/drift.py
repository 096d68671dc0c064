"""The mail of a date that has drifted from what the champion learned from."""

import dagster as dg

from lyrics_assets.mails.receipts import Receipts
from lyrics_assets.mails.rendering import render
from lyrics_assets.resources.lake import Lake
from lyrics_assets.resources.mailer import Mailer

RETRAINING_SENSOR = "retrain_on_drift"
_UNKNOWN = {"seen": "unknown", "allowed": "unknown"}


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
    metadata = {name: value.value for name, value in materialization.metadata.items()} if materialization else {}
    drifted = metadata.get("drifted")
    due = receipts.due(f"drift | {metadata['date']}", str(record.storage_id)) if drifted else None
    if due is None:
        return None
    date, report = metadata["date"], f"reports/drift/{metadata['date']}.json"
    measures = lake.read_json(report)["measures"] if lake.exists(report) else {}
    bodies = render(
        "drift",
        date=date,
        drifted={name: measures.get(name, _UNKNOWN) for name in drifted},
        within={name: figures for name, figures in measures.items() if name not in drifted},
        retraining=_retraining(instance, mailer, date),
        address=lake.url(report),
        run=mailer.run_url(record.run_id) if record.run_id else "",
    )
    delivered_to = mailer.send(f"Lyrics classifier: {date} has drifted: {', '.join(drifted)}", *bodies)
    receipts.sign(due, delivered_to)
    return delivered_to


def _retraining(instance: dg.DagsterInstance, mailer: Mailer, date: str) -> str:
    """Return whether a training was asked for because of a date's drift."""
    asked = instance.get_runs(dg.RunsFilter(tags={"dagster/run_key": f"drift-{date}"}), limit=1)
    if asked:
        return f"A retraining was asked for: {mailer.run_url(asked[0].run_id)}"
    if any(state.name == RETRAINING_SENSOR and state.is_running for state in instance.all_instigator_state()):
        return f"No retraining was asked for yet: the sensor {RETRAINING_SENSOR} is on, and decides within a minute."
    return f"No retraining was asked for: the sensor {RETRAINING_SENSOR} is off. To train, run training_job."
