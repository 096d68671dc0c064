"""What reacts to events: mails, retraining on drift, monitoring that follows each new date. They start stopped."""

import datetime as dt
from collections.abc import Iterator
from functools import partial

import dagster as dg

from lyrics_assets.assets.monitoring import drift_report
from lyrics_assets.assets.training import evaluation_report
from lyrics_assets.freshness import find_stale
from lyrics_assets.jobs import training_job
from lyrics_assets.mails.drift import mail_drift
from lyrics_assets.mails.evaluation import mail_report
from lyrics_assets.mails.failures import mail_failures
from lyrics_assets.mails.following import follow
from lyrics_assets.mails.receipts import Receipts
from lyrics_assets.mails.staleness import mail_stale
from lyrics_assets.partitions import today
from lyrics_assets.resources.lake import Lake
from lyrics_assets.resources.mailer import Mailer
from lyrics_assets.settings import Settings

STALE_SECONDS = 60 * 60
MAIL_SECONDS = 60
"""Between two looks for what is to be mailed, and so between two tries with a server that refuses."""


@dg.sensor(description="Mails each new evaluation report.", minimum_interval_seconds=MAIL_SECONDS)
def report_mail(context: dg.SensorEvaluationContext, lake: Lake, mailer: dg.ResourceParam[Mailer]) -> dg.SensorResult:
    """Mail the report of each materialization; asks for no run."""

    def tell(record: dg.EventLogRecord) -> str | None:
        materialization = record.asset_materialization
        folder = materialization.metadata.get("folder") if materialization else None
        if folder and lake.exists(f"{folder.value}/report.json"):
            return mail_report(lake, mailer, str(folder.value))
        context.log.warning("no mail: the report of run %s is not there any more", record.run_id)
        return None

    reports = partial(context.instance.fetch_materializations, evaluation_report.key)
    return follow(context, {"reports": reports}, tell, newest=True)


@dg.sensor(
    description="Mails what failed and why: runs, and checks of severity ERROR in runs that went on.",
    minimum_interval_seconds=MAIL_SECONDS,
)
def failure_mail(context: dg.SensorEvaluationContext, lake: Lake, mailer: dg.ResourceParam[Mailer]) -> dg.SensorResult:
    """Mail what failed in each run that has ended; asks for no run."""
    instance, kinds = context.instance, dg.DagsterEventType
    ended = {
        "failures": partial(instance.fetch_run_status_changes, kinds.RUN_FAILURE),
        "successes": partial(instance.fetch_run_status_changes, kinds.RUN_SUCCESS),
    }

    def tell(record: dg.EventLogRecord) -> str | None:
        run = instance.get_run_by_id(record.run_id)
        if run is None or not _is_of_here(context, run):
            return None
        return mail_failures(mailer, Receipts(lake, today()), instance, run, record)

    return follow(context, ended, tell, newest=False)


def _is_of_here(context: dg.SensorEvaluationContext, run: dg.DagsterRun) -> bool:
    """Tell whether a run is of this project: an instance may be shared; the command line's runs name no location."""
    origin, here = run.remote_job_origin, context.code_location_origin
    return origin is None or here is None or origin.location_name == here.location_name


@dg.sensor(description="Mails which measures of a date have drifted.", minimum_interval_seconds=MAIL_SECONDS)
def drift_mail(context: dg.SensorEvaluationContext, lake: Lake, mailer: dg.ResourceParam[Mailer]) -> dg.SensorResult:
    """Mail each drift report that names a measure beyond its bound; asks for no run."""

    def tell(record: dg.EventLogRecord) -> str | None:
        return mail_drift(lake, mailer, Receipts(lake, today()), context.instance, record)

    reports = partial(context.instance.fetch_materializations, drift_report.key)
    return follow(context, {"reports": reports}, tell, newest=True)


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
    if "is_newest" in metadata and not metadata["is_newest"].value:
        yield dg.SkipReason("an old date was judged again: what has changed since, the newest date tells")
        return
    yield dg.RunRequest(run_key=f"drift-{metadata['date'].value}", tags={"reason": f"drift: {', '.join(drifted)}"})


follow_new_dates = dg.AutomationConditionSensorDefinition(
    "follow_new_dates",
    target=dg.AssetSelection.groups("monitoring"),
    description="Keeps trends, drift and costs up with the newest date.",
)


def _stale_mail(settings: Settings) -> dg.SensorDefinition:
    @dg.sensor(
        name="stale_mail",
        description="Mails what is older than the settings allow.",
        minimum_interval_seconds=STALE_SECONDS,
    )
    def stale_mail(context: dg.SensorEvaluationContext, lake: Lake, mailer: dg.ResourceParam[Mailer]) -> dg.SkipReason:
        """Mail what is stale now; asks for no run."""
        assert context.repository_def is not None  # noqa: S101  a sensor is evaluated in its code location
        assets = context.repository_def.assets_defs_by_key
        specs = [of_several.specs_by_key[key] for key, of_several in assets.items()]
        now = dt.datetime.now(dt.UTC)
        stale = list(find_stale(specs, context.instance, settings, now))
        place = mail_stale(mailer, Receipts(lake, today()), stale, now)
        return dg.SkipReason(f"mailed to {place}" if place else "nothing to mail")

    return stale_mail


def build_sensors(settings: Settings) -> list[dg.SensorDefinition]:
    """Return all sensors."""
    return [report_mail, failure_mail, drift_mail, _stale_mail(settings), retrain_on_drift, follow_new_dates]
