"""One update of what is known of costs: the history is brought up to now, the report is built from it and published."""

import datetime as dt
from pathlib import Path
from typing import Any, NamedTuple

import dagster as dg

from lyrics_assets.costs.collection import collect
from lyrics_assets.costs.growth import NORM_RUNS
from lyrics_assets.costs.history import Table
from lyrics_assets.costs.latency import read_latency
from lyrics_assets.costs.report import build_report
from lyrics_assets.resources.home import Home
from lyrics_assets.resources.lake import Lake

FOLDER = "reports/costs"
REPORT = f"{FOLDER}/report.json"


class Update(NamedTuple):
    """What an update brought."""

    new_runs: int
    report: dict[str, Any]
    page: str
    """Address of the page."""
    pictures: dict[str, bytes]


def update(
    instance: dg.DagsterInstance, lake: Lake, home: Home, predictions: Path, now: dt.datetime, window_days: int
) -> Update:
    """Collect what is new, publish the report of the last `window_days`, and return both.

    Args:
        instance: whose runs are collected.
        lake: that keeps the history and the report.
        home: whose folders are weighed.
        predictions: folder of the service's prediction log.
        now: the end of the report.
        window_days: its length.
    """
    from lyrics_assets.costs import page

    steps, stores, latency = Table.of_steps(lake), Table.of_stores(lake), Table.of_latency(lake)
    new_runs = collect(instance, steps)
    disk = home.disk()
    sizes = home.stores()
    stores.put(
        {"measured_at": now, "store": name, "bytes": size, "disk_free": disk.free, "disk_total": disk.total}
        for name, size in sizes.items()
    )
    latency.put(read_latency(predictions, latency.newest()))
    since = now - dt.timedelta(days=window_days)
    # Before the window too: a step that runs once a month has its past there.
    past = since - dt.timedelta(days=31 * NORM_RUNS)
    report = build_report(steps.read(past), stores.read(since), latency.read(since), now, window_days)
    lake.write_json(REPORT, report)
    pictures = page.pictures(report)
    for name, picture in pictures.items():
        lake.write_bytes(f"{FOLDER}/{name}.png", picture)
    address = lake.write_bytes(f"{FOLDER}/report.html", page.render_html(report).encode())
    return Update(new_runs, report, address, pictures)
