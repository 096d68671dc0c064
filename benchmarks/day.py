"""What a day costs from the raw songs to the reports, as songs and stored dates grow; and a whole day of the demo's.

The figures of steps are processor time, as the project's own costs report measures them.
"""

import datetime as dt
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.child import found_by
from benchmarks.dataset import write_raw
from benchmarks.figures import Figure, side_by_side
from benchmarks.store import Dates
from lyrics_assets.definitions import build_defs, build_resources
from lyrics_assets.partitions import today
from lyrics_assets.settings import Settings


class Sizes(NamedTuple):
    """What is measured."""

    genres: str
    """Of the demonstration's day, parted by commas; all if empty."""
    songs: tuple[int, ...]
    """A date, after the fewest dates."""
    dates: tuple[int, ...]
    """Stored before a date of the fewest songs."""


QUICK = Sizes("Samba,Rock,Gospel", (300,), (5,))
FULL = Sizes("", (1_000, 10_000, 100_000), (10, 100, 365))
STEPS = ("lyrics", "lyrics_features", "trends_report", "drift_report")
ASSETS = ("lyrics", "lyrics_features")

QUIET_DAY = """
import json, sys, time
from pathlib import Path
from benchmarks.day import live
print(json.dumps(live(Path(sys.argv[1]), *sys.argv[2:])))
"""
# Ended at once: threads of a library now and then abort a process that ends by itself, after its answer.
GROWN_DAY = """
import json, os, sys
from pathlib import Path
from benchmarks.day import run_day
print(json.dumps(run_day(Path(sys.argv[1]))), flush=True)
os._exit(0)
"""


def measure_quiet_day(genres: str) -> list[Figure]:
    """Measure a day of the sandbox, from its sites to the reports, in a home that knows all but a few of its songs."""
    from scrapy_project.sandbox.launcher import running_sandbox
    from scrapy_project.sandbox.songbook import PACKAGED_SONGBOOK

    with tempfile.TemporaryDirectory() as folder, running_sandbox(PACKAGED_SONGBOOK) as addresses:
        found = found_by(QUIET_DAY, Path(folder) / "home", addresses["letras"], addresses["vagalume"], genres)
    on = f"the demonstration's {found['songs']} songs, {found['new_songs']} of them new, sandbox at its full speed"
    return [
        Figure("a quiet day", found["seconds"], "s", on, "under 60"),
        Figure("of it extraction; monitoring", (found["extraction"], found["seconds"] - found["extraction"]), "s", on),
    ]


def live(home: Path, letras_url: str, vagalume_url: str, genres: str) -> dict[str, float]:
    """Extract the day before yesterday and yesterday and train; then take the time of today."""
    import time

    import dagster as dg

    from lyrics_assets.runs import open_instance, run_job

    settings = Settings(home=home, letras_url=letras_url, vagalume_url=vagalume_url, genres=genres)
    defs = build_defs(settings)
    with open_instance(home) as instance:

        def run(job: str, date: dt.date | None = None) -> None:
            run_job(defs, job, instance, lambda progress: None, date.isoformat() if date else None)

        for days in (2, 1):
            run("extraction_job", today() - dt.timedelta(days=days))
        run("training_job")
        began = time.perf_counter()
        run("extraction_job", today())
        extraction = time.perf_counter() - began
        run("monitoring_job")
        seconds = time.perf_counter() - began
        raw = [
            instance.get_latest_materialization_event(dg.AssetKey(["raw", source])) for source in ("letras", "vagalume")
        ]
    new = sum(event.asset_materialization.metadata["new_songs"].value for event in raw if event)
    store: Any = build_resources(settings)["feature_store"]
    songs = store.read_date(today(), ["song_id"]).num_rows
    return {"seconds": seconds, "extraction": extraction, "new_songs": new, "songs": songs}


def measure_growth(songs: tuple[int, ...], dates: tuple[int, ...]) -> list[Figure]:
    """Measure a date after ever more dates, and a date of ever more songs."""
    few_songs, few_dates = songs[0], dates[0]
    wanted = [(few_songs, many) for many in dates] + [(many, few_dates) for many in songs[1:]]
    measured = {size: _grow(*size) for size in wanted}
    on = f"{few_songs:,} songs a date, {'; '.join(map(str, dates))} dates before"
    figures = side_by_side([measured[few_songs, many] for many in dates], on)
    if songs[1:]:
        on = f"{'; '.join(f'{many:,}' for many in songs)} songs a date, {few_dates} dates before"
        figures += side_by_side([measured[many, few_dates] for many in songs], on)
    return figures


def _grow(songs: int, dates: int) -> list[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        _fill(home, songs, dates)
        found = found_by(GROWN_DAY, home)
    return [
        *(Figure(f"`{step}`: processor time", found[step], "s", "") for step in STEPS),
        Figure("all after the crawl, with checks and costs: processor time", found["cpu"], "s", ""),
        Figure("peak memory of the largest step", found["peak_mb"], "MB", ""),
    ]


def _fill(home: Path, songs: int, dates: int) -> None:
    """Put dates into the feature store, a champion into the registry and today's raw songs into the lake."""
    from benchmarks.scorer import write_songs
    from lyrics_assets.model.classifier import Hyperparameters, build_pipeline
    from lyrics_assets.model.scorer import Scorer

    resources: dict[str, Any] = build_resources(Settings(home=home))
    tables = Dates(rows_a_date=songs)
    for days in range(dates, 0, -1):
        resources["feature_store"].replace_date(tables.table(today() - dt.timedelta(days=days)))
    learned = write_songs(500)
    scorer = Scorer.compile(build_pipeline(Hyperparameters()).fit(learned["lyrics"], learned["genre"]))
    tracking = resources["tracking"]
    window = {
        "first_extraction_date": str(today() - dt.timedelta(days=min(dates, 30))),
        "last_extraction_date": str(today() - dt.timedelta(days=1)),
        "trained_at": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "macro_f1": "0.4",
        "macro_f1_low": "0.3",
        "macro_f1_high": "0.5",
    }
    tracking.promote(tracking.register(scorer, {}, {}, window))
    raw = write_raw(home / "raw.jsonl", range(songs), seed=1)
    resources["lake"].publish(str(raw), f"raw/bench/{today()}.jsonl")


def run_day(home: Path) -> dict[str, float]:
    """Run what follows the crawl, and return the processor time of its steps."""
    import dagster as dg

    from lyrics_assets.runs import open_instance, run_job

    settings = Settings(home=home)
    defs = build_defs(settings)
    with open_instance(home) as instance:

        def materialize(*names: str, date: str | None = None) -> None:
            done = defs.resolve_implicit_global_asset_job_def().execute_in_process(
                instance=instance,
                partition_key=date,
                asset_selection=[dg.AssetKey(name) for name in names],
                run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
            )
            assert done.success  # noqa: S101

        materialize(*ASSETS, date=today().isoformat())
        run_job(defs, "monitoring_job", instance, lambda progress: None)
        materialize("pipeline_costs")  # collects what the others have cost
    lake: Any = build_resources(settings)["lake"]
    steps = [row for name in lake.names("costs/steps") for row in lake.read_table(name).to_pylist()]
    first = {row["step"]: row["cpu_s"] for row in sorted(steps, key=lambda row: row["started_at"], reverse=True)}
    # The steps' own: each is measured anew, so that the process itself only knows the last one's.
    peak = max(row["peak_mb"] for row in steps)
    return {**{step: first[step] for step in STEPS}, "cpu": sum(first.values()), "peak_mb": peak}


def measure(sizes: Sizes) -> list[Figure]:
    """Return all figures."""
    return measure_quiet_day(sizes.genres) + measure_growth(sizes.songs, sizes.dates)
