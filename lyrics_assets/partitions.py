"""The one set of partitions of the project: a day in São Paulo, today included, because today is what a site shows."""

import dagster as dg

from lyrics_assets.resources.crawler import TIMEZONE

daily = dg.DailyPartitionsDefinition(start_date="2026-01-01", timezone=TIMEZONE, end_offset=1)
