"""The report of what things cost, from the history alone: figures by step, by date and by store. No picture is here."""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import combinations
from statistics import median
from typing import Any

from lyrics_assets.costs.growth import Cost, cost_of, is_idle, judge, songs_of
from lyrics_assets.costs.history import Row
from lyrics_assets.partitions import local_iso

SERIES_RUNS = 60
"""Of a step, the newest ones."""
GROWTH_DAYS = 30
"""From so many days the growth of a store is told."""
SHOWN_FAILURES = 20


def build_report(
    steps: Sequence[Row], stores: Sequence[Row], latency: Sequence[Row], now: dt.datetime, window_days: int
) -> dict[str, Any]:
    """Return the report of the last days, as JSON can hold it.

    Args:
        steps: of the history, oldest first; those before the window are the past that a step is compared with.
        stores: likewise.
        latency: likewise.
        now: the end of the window.
        window_days: its length.
    """
    since = now - dt.timedelta(days=window_days)
    by_step: defaultdict[str, list[Row]] = defaultdict(list)
    for row in sorted(steps, key=lambda row: row["started_at"]):
        by_step[row["step"]].append(row)
    shown = [row for row in steps if row["started_at"] >= since]
    described = {name: _describe(rows, since) for name, rows in by_step.items() if rows[-1]["started_at"] >= since}
    return {
        "at": local_iso(now),
        "window_days": window_days,
        "first": min((local_iso(row["started_at"]) for row in shown), default=None),
        "last": max((local_iso(row["started_at"]) for row in shown), default=None),
        "runs": len({row["run_id"] for row in shown}),
        "cpu_s": sum(row["cpu_s"] or 0.0 for row in shown),
        "wall_s": sum(row["wall_s"] for row in shown),
        "without_cpu": sum(row["cpu_s"] is None for row in shown),
        "steps": dict(sorted(described.items(), key=lambda item: -item[1]["total_s"])),
        "dates": _dates(shown),
        "crawls": _crawls(shown),
        **_stores(stores, now),
        "latency": [row | {"date": f"{row['date']:%Y-%m-%d}"} for row in latency if row["date"] >= since],
        "failures": _failures(shown),
    }


def _describe(rows: Sequence[Row], since: dt.datetime) -> dict[str, Any]:
    """Return a step's figures in the window; its verdict looks at all that is known of it."""
    shown = [row for row in rows if row["started_at"] >= since]
    done = [row for row in shown if row["state"] == "done"]
    newest = shown[-1]
    verdict = judge(rows)
    return {
        "name": newest["name"],
        "is_check": bool(newest["is_check"]),
        "job": newest["job"],
        "runs": len(shown),
        "failed": len(shown) - len(done),
        "total_s": sum(_seconds(row) for row in shown),
        "newest": {
            name: newest[name]
            for name in (
                "state",
                "wall_s",
                "cpu_s",
                "children_cpu_s",
                "peak_mb",
                "peak_of",
                "child_peak_mb",
                "rows_in",
                "rows_out",
            )
        },
        "median_wall_s": median(row["wall_s"] for row in done) if done else None,
        "median_cpu_s": _median(row["cpu_s"] for row in done),
        "peak_mb": max((row["peak_mb"] for row in shown if row["peak_mb"] is not None), default=None),
        "child_peak_mb": max((row["child_peak_mb"] for row in shown if row["child_peak_mb"] is not None), default=None),
        "cost": verdict._asdict() if verdict else None,
        "series": [
            {
                "at": local_iso(row["started_at"]),
                "partition": row["partition"],
                "state": row["state"],
                "wall_s": row["wall_s"],
                "cpu_s": row["cpu_s"],
                "songs": songs_of(row),
                "cost": cost_of(row) if row["state"] == "done" else None,
                "idle": is_idle(row),
            }
            for row in shown[-SERIES_RUNS:]
        ],
    }


def grown(report: dict[str, Any]) -> list[Cost]:
    """Return the steps of a report that cost more than they used to."""
    return [Cost(**step["cost"]) for step in report["steps"].values() if step["cost"] and step["cost"]["grown"]]


def _dates(rows: Iterable[Row]) -> list[dict[str, Any]]:
    """Return what each extraction date cost in its newest run that stored it: all steps of the run, by its songs."""
    runs: defaultdict[str, list[Row]] = defaultdict(list)
    for row in rows:
        if row["partition"]:
            runs[row["run_id"]].append(row)
    dates: dict[str, dict[str, Any]] = {}
    for members in runs.values():
        songs = [row["rows_out"] for row in members if row["step"] == "lyrics" and row["state"] == "done"]
        if not songs or not songs[0]:
            continue
        began, ended = min(row["started_at"] for row in members), max(row["ended_at"] for row in members)
        cpu = [row["cpu_s"] for row in members]
        total = None if None in cpu else sum(cpu)
        found = {
            "date": members[0]["partition"],
            "ended_at": local_iso(ended),
            "songs": songs[0],
            "wall_s": (ended - began).total_seconds(),
            "cpu_s": total,
            "cpu_ms_a_song": None if total is None else 1000 * total / songs[0],
            "pages_fetched": sum(row["pages_fetched"] or 0 for row in members),
        }
        if found["ended_at"] >= dates.get(found["date"], found)["ended_at"]:
            dates[found["date"]] = found
    return [dates[date] for date in sorted(dates)]


def _crawls(rows: Iterable[Row]) -> dict[str, list[dict[str, Any]]]:
    """Return what the crawls read, by their name: all attempts at a date together, for each asked the site."""
    crawls: defaultdict[str, dict[str, dict[str, Any]]] = defaultdict(dict)
    for row in rows:
        if row["pages_fetched"] is None or not row["partition"]:
            continue
        empty = {"date": row["partition"], "pages_fetched": 0, "pages_from_archive": 0, "bytes_fetched": 0, "crawls": 0}
        date = crawls[row["name"]].setdefault(row["partition"], empty)
        for name in ("pages_fetched", "pages_from_archive", "bytes_fetched"):
            date[name] += row[name] or 0
        date["crawls"] += 1
    return {name: [dates[date] for date in sorted(dates)][-SERIES_RUNS:] for name, dates in sorted(crawls.items())}


def _stores(rows: Sequence[Row], now: dt.datetime) -> dict[str, Any]:
    """Return the size and the growth of each store, and when the disk will be full at that rate."""
    if not rows:
        return {"stores": {}, "disk": None}
    newest = max(row["measured_at"] for row in rows)
    days: defaultdict[str, dict[dt.date, tuple[dt.datetime, int]]] = defaultdict(dict)
    for row in sorted(rows, key=lambda row: row["measured_at"]):
        if row["measured_at"] >= now - dt.timedelta(days=GROWTH_DAYS):
            days[row["store"]][row["measured_at"].date()] = (row["measured_at"], row["bytes"])
    now_there = {row["store"]: row for row in rows if row["measured_at"] == newest}
    stores = {
        name: {
            "bytes": row["bytes"],
            "bytes_a_day": _slope(list(days[name].values())),
            "series": [{"date": str(date), "bytes": size} for date, (_, size) in days[name].items()],
        }
        for name, row in sorted(now_there.items(), key=lambda item: -item[1]["bytes"])
    }
    growths = [store["bytes_a_day"] for store in stores.values()]
    growth = None if not growths or None in growths else sum(growths)
    disk = next(iter(now_there.values()))
    return {
        "stores": stores,
        "disk": {
            "measured_at": local_iso(newest),
            "used_by_stores": sum(store["bytes"] for store in stores.values()),
            "free": disk["disk_free"],
            "total": disk["disk_total"],
            "bytes_a_day": growth,
            "days_until_full": disk["disk_free"] / growth if growth and growth > 0 else None,
        },
    }


def _slope(sizes: Sequence[tuple[dt.datetime, int]]) -> float | None:
    """Return the median growth a day between any two days: one odd day does not move it. None of one day alone."""
    slopes = [
        (after - before) / ((later - earlier).total_seconds() / 86_400)
        for (earlier, before), (later, after) in combinations(sizes, 2)
    ]
    return median(slopes) if slopes else None


def _failures(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Return the newest steps that did not end well: their time was spent too."""
    failed = sorted((row for row in rows if row["state"] != "done"), key=lambda row: row["started_at"], reverse=True)
    return [
        {
            "at": local_iso(row["started_at"]),
            "step": row["name"],
            "partition": row["partition"],
            "state": row["state"],
            "wall_s": row["wall_s"],
            "run_id": row["run_id"],
        }
        for row in failed[:SHOWN_FAILURES]
    ]


def _seconds(row: Row) -> float:
    return float(row["wall_s"] if row["cpu_s"] is None else row["cpu_s"])


def _median(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return median(known) if known else None
