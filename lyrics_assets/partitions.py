"""The one set of partitions of the project: a day in São Paulo, today included, because today is what a site shows."""

import datetime as dt
from zoneinfo import ZoneInfo

import dagster as dg

TIMEZONE = "America/Sao_Paulo"
FIRST_DATE = dt.date(2026, 1, 1)
daily = dg.DailyPartitionsDefinition(start_date=FIRST_DATE.isoformat(), timezone=TIMEZONE, end_offset=1)


def local_iso(when: dt.datetime) -> str:
    """Return a time in São Paulo, ISO 8601 to the second."""
    return when.astimezone(ZoneInfo(TIMEZONE)).isoformat(timespec="seconds")


def today() -> dt.date:
    """Return the date in São Paulo, by which partitions are counted."""
    return dt.datetime.now(ZoneInfo(TIMEZONE)).date()
