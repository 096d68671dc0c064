"""The one set of partitions of the project: a day in São Paulo, today included, because today is what a site shows."""

import datetime as dt

import dagster as dg

from lyrics_assets.resources.crawler import TIMEZONE

FIRST_DATE = dt.date(2026, 1, 1)
daily = dg.DailyPartitionsDefinition(start_date=FIRST_DATE.isoformat(), timezone=TIMEZONE, end_offset=1)
