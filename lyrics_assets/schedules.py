"""When the jobs run, by the settings' cron strings in São Paulo's time. Schedules start stopped: an operator turns
them on in the UI."""

import datetime as dt
from zoneinfo import ZoneInfo

import dagster as dg

from lyrics_assets.assets.extraction import SOURCES
from lyrics_assets.assets.preparation import lyrics_features
from lyrics_assets.jobs import extraction_job, pruning_job, training_job, tuning_job
from lyrics_assets.partitions import TIMEZONE
from lyrics_assets.resources.crawler import Crawler, CrawlRefusedError
from lyrics_assets.runs import UNDER_WAY
from lyrics_assets.settings import Settings, SettingsError

Job = type(training_job)
"""A job of assets before they are known: the class has no public name."""
_LONGEST_RUN = dt.timedelta(hours=4)


def _daily_extraction(cron: str) -> dg.ScheduleDefinition:
    @dg.schedule(
        name="daily_extraction",
        job=extraction_job,
        cron_schedule=cron,
        execution_timezone=TIMEZONE,
        description="Asks for the partition of the tick's day in São Paulo, unless it is stored already or under way: "
        "of several ticks a day, the later ones try again what failed.",
    )
    def daily_extraction(context: dg.ScheduleEvaluationContext, crawler: Crawler) -> dg.RunRequest | dg.SkipReason:
        tick = context.scheduled_execution_time.astimezone(ZoneInfo(TIMEZONE))
        reason = _why_not(context.instance, crawler, tick.date())
        if reason:
            return dg.SkipReason(reason)
        return dg.RunRequest(run_key=tick.isoformat(timespec="minutes"), partition_key=tick.date().isoformat())

    return daily_extraction


def _why_not(instance: dg.DagsterInstance, crawler: Crawler, date: dt.date) -> str:
    """Return why a date is not to be asked for now; nothing if it is."""
    if date.isoformat() in instance.get_materialized_partitions(lyrics_features.key):
        return f"{date} is stored already"
    tags = {"dagster/partition": date.isoformat()}
    # An older one may have been killed with nobody there to say so; if it lives, the next waits for the site's pool.
    since = dt.datetime.now(dt.UTC) - _LONGEST_RUN
    under_way = dg.RunsFilter(job_name=extraction_job.name, tags=tags, statuses=UNDER_WAY, updated_after=since)
    if instance.get_runs_count(under_way):
        return f"{date} is being extracted already"
    try:
        for source in SOURCES:
            crawler.mode(source, date)
    except CrawlRefusedError as refusal:
        # The tick of a past day, caught up with after the daemon was down.
        return str(refusal)
    return ""


def _on_history(name: str, job: Job, cron: str, description: str) -> dg.ScheduleDefinition:
    """Return a schedule of a job that reads the feature store, which waits for the first date to be stored."""

    @dg.schedule(name=name, job=job, cron_schedule=cron, execution_timezone=TIMEZONE, description=description)
    def on_history(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        if context.instance.get_latest_materialization_event(lyrics_features.key) is None:
            return dg.SkipReason("the feature store holds no date yet")
        return dg.RunRequest(run_key=context.scheduled_execution_time.isoformat(timespec="minutes"))

    return on_history


def _weekly_pruning(cron: str) -> dg.ScheduleDefinition:
    return dg.ScheduleDefinition(
        name="weekly_pruning",
        job=pruning_job,
        cron_schedule=cron,
        execution_timezone=TIMEZONE,
        description="Removes what is older than the settings keep; never what the champion stands on.",
    )


def build_schedules(settings: Settings) -> list[dg.ScheduleDefinition]:
    """Return all schedules.

    Raises:
        SettingsError: a setting is no cron string.
    """
    training = "Trains on the newest history."
    tuning = "Searches for better hyperparameters."
    built = []
    for setting, build in (
        ("extraction_cron", _daily_extraction),
        ("training_cron", lambda cron: _on_history("weekly_training", training_job, cron, training)),
        ("tuning_cron", lambda cron: _on_history("monthly_tuning", tuning_job, cron, tuning)),
        ("pruning_cron", _weekly_pruning),
    ):
        cron = getattr(settings, setting)
        try:
            built.append(build(cron))
        except dg.DagsterInvalidDefinitionError as error:
            raise SettingsError(
                f"LYRICS_{setting.upper()}: {cron!r} is no cron string of minute, hour, day, month, weekday"
            ) from error
    return built
