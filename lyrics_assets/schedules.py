"""When the jobs run. Schedules start stopped: an operator turns them on in the UI."""

import dagster as dg

from lyrics_assets.jobs import extraction_job, training_job, tuning_job
from lyrics_assets.partitions import TIMEZONE


@dg.schedule(
    name="daily_extraction",
    job=extraction_job,
    cron_schedule="0 5 * * *",
    execution_timezone=TIMEZONE,
    description="At 05:00 in São Paulo asks for today's partition: a site shows only today.",
)
def daily_extraction(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    """Ask for the partition of the day of the tick, once."""
    date = context.scheduled_execution_time.strftime("%Y-%m-%d")
    return dg.RunRequest(run_key=date, partition_key=date)


weekly_training = dg.ScheduleDefinition(
    name="weekly_training",
    job=training_job,
    cron_schedule="0 7 * * 1",
    execution_timezone=TIMEZONE,
    description="On Mondays at 07:00 trains on the newest history.",
)

monthly_tuning = dg.ScheduleDefinition(
    name="monthly_tuning",
    job=tuning_job,
    cron_schedule="0 1 1 * *",
    execution_timezone=TIMEZONE,
    description="On the first of the month at 01:00 searches for better hyperparameters.",
)

schedules = [daily_extraction, weekly_training, monthly_tuning]
