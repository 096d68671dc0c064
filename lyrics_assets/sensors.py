"""What reacts to events: mails, retraining on drift, monitoring that follows each new date. They start stopped."""

from collections.abc import Iterator

import dagster as dg

from lyrics_assets.assets.monitoring import drift_report
from lyrics_assets.assets.training import evaluation_report
from lyrics_assets.jobs import training_job
from lyrics_assets.mails import mail_failure, mail_report
from lyrics_assets.resources.lake import Lake
from lyrics_assets.resources.mailer import Mailer


@dg.asset_sensor(asset_key=evaluation_report.key, description="Mails each new evaluation report.")
def report_mail(
    context: dg.SensorEvaluationContext, asset_event: dg.EventLogEntry, lake: Lake, mailer: dg.ResourceParam[Mailer]
) -> dg.SkipReason:
    """Mail the report of a materialization; asks for no run."""
    materialization = asset_event.asset_materialization
    if materialization is None:
        return dg.SkipReason("no materialization in the event")
    folder = str(materialization.metadata["folder"].value)
    return dg.SkipReason(f"mailed to {mail_report(lake, mailer, folder)}")


@dg.run_failure_sensor(description="Mails what failed and why.")
def failure_mail(context: dg.RunFailureSensorContext, mailer: dg.ResourceParam[Mailer]) -> None:
    """Mail the failure of a run."""
    mail_failure(
        mailer, context.dagster_run.job_name, context.dagster_run.run_id, context.failure_event.message or "unknown"
    )


@dg.asset_sensor(
    asset_key=drift_report.key,
    job=training_job,
    description="Trains anew when the newest date has drifted; once a date, so that it cannot loop.",
)
def retrain_on_drift(
    context: dg.SensorEvaluationContext, asset_event: dg.EventLogEntry
) -> Iterator[dg.RunRequest | dg.SkipReason]:
    """Ask for a training run if the drift report names a measure beyond its bound."""
    materialization = asset_event.asset_materialization
    metadata = materialization.metadata if materialization else {}
    drifted = metadata["drifted"].value if "drifted" in metadata else []
    if not drifted:
        yield dg.SkipReason("no drift")
        return
    yield dg.RunRequest(run_key=f"drift-{metadata['date'].value}", tags={"reason": f"drift: {', '.join(drifted)}"})


follow_new_dates = dg.AutomationConditionSensorDefinition(
    "follow_new_dates",
    target=dg.AssetSelection.groups("monitoring"),
    description="Keeps trends, drift and costs up with the newest date.",
)

sensors = [report_mail, failure_mail, retrain_on_drift, follow_new_dates]
