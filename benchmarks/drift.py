"""How the drift report judges: false alarms on quiet dates, what it finds of planted drift, and what it costs."""

import datetime as dt
import itertools
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import pyarrow as pa

from benchmarks.child import found_by, output_of
from benchmarks.figures import Figure
from lyrics_assets.model.drift.answers import LoggedAnswer, read_answers
from lyrics_assets.model.drift.champion import Served
from lyrics_assets.model.drift.findings import Findings, Options
from lyrics_assets.model.drift.report import measure_drift
from lyrics_assets.model.drift.traffic import measure_traffic, traffic_window
from lyrics_assets.model.scorer import Scorer
from lyrics_assets.resources.feature_store import DeltaFeatureStore
from lyrics_assets_tests import charts
from lyrics_assets_tests.charts import FIRST, TURNOVER, Charts, Drift, Row, date_table, train_champion
from lyrics_assets_tests.drafts import LAST, Songwriters, write_log


class Sizes(NamedTuple):
    """What is measured."""

    report_dates: int
    """That were learned before the date of a report."""
    report_songs: int
    drafts_a_day: int
    """Of the 35 days that the report on the service reads, about."""
    worlds: tuple[tuple[int, int], ...]
    """Songs of a date, and the number of such dates into which something is planted."""
    quiet_dates: int
    """Tens."""
    weeks: int
    planted_weeks: int


QUICK = Sizes(5, 300, 100, ((300, 2),), 10, 40, 10)
FULL = Sizes(30, 3_000, 500, ((300, 10), (3_000, 2)), 200, 200, 20)


class Regime(NamedTuple):
    """How dates differ that do not drift."""

    name: str
    turnover: float
    learned_dates: int
    gaps: tuple[int, ...]
    """Days after the last learned one on which a date is judged."""
    n_words: int
    """Of a song, about."""


REGIMES = (
    # A fifth of the songs still stands after 30 days.
    Regime("5 % of the songs change a day", TURNOVER, 14, (1, 2, 3, 5, 7, 10, 14, 20, 25, 30), 110),
    Regime("other songs and artists each date", 1.0, 4, tuple(range(1, 11)), 60),
)
PLANTED: tuple[tuple[str, Drift, str, tuple[float, ...]], ...] = (
    ("of the songs replaced by one genre's", charts.other_genre_mix, "genre_mix", (0.1, 0.2, 0.4)),
    ("of the words replaced by new ones", charts.other_words, "unknown_words", (0.02, 0.05, 0.1)),
    ("of each lyric left away", charts.shorter, "length", (0.1, 0.25, 0.5)),
    ("of the songs made translations", charts.more_translations, "translations", (0.15, 0.3, 0.5)),
    ("of the Portuguese taken away", charts.less_portuguese, "portuguese_share", (0.02, 0.05, 0.1)),
    ("of the labels shuffled", charts.shuffled_labels, "performance", (0.1, 0.25, 0.5)),
)
PLANTED_TRAFFIC: tuple[tuple[str, dict[str, float], str], ...] = (
    ("drafts a quarter shorter", {"length": 45}, "traffic_length"),
    ("drafts half as long", {"length": 30}, "traffic_length"),
    ("25 % foreign drafts instead of 6 %", {"foreign": 0.25}, "traffic_languages"),
    ("20 % unknown words instead of 10 %", {"unknown": 0.2}, "traffic_unknown_words"),
    ("confidence a third lower", {"sure": 0.4}, "traffic_confidence"),
)
ANY_ALARM = f"about {100 * Options().false_alarm_rate:g} at most"

FILL = """
import sys
from pathlib import Path
from benchmarks.drift import fill_store
fill_store(Path(sys.argv[1]), *map(int, sys.argv[2:]))
"""
COST = """
import json, sys, time
from pathlib import Path
from benchmarks.drift import open_store
from lyrics_assets.memory import peak_of_process
from lyrics_assets.model.drift.dates import COLUMNS
from lyrics_assets.model.drift.report import measure_drift
store, served, learned, newest = open_store(Path(sys.argv[1]))
before = peak_of_process() / 2**20
started, cpu = time.perf_counter(), time.process_time()
report = measure_drift(newest, learned, lambda date: store.read_date(date, COLUMNS), served)
seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
peak = peak_of_process() / 2**20
print(json.dumps({"seconds": seconds, "cpu": cpu, "peak": peak, "before": before, "songs": report["songs"],
    "learned": report["learned"]["songs"]}))
"""


class World(NamedTuple):
    """Charts in which nothing changes, and a champion that learned from their first dates."""

    charts: Charts
    days: Iterator[list[Row]]
    learned: dict[dt.date, pa.Table]
    served: Served

    @classmethod
    def make(cls, seed: int, regime: Regime, songs_a_genre: int = 20) -> "World":
        """Let the learned dates pass and train on them."""
        here = Charts(seed, songs_a_genre=songs_a_genre, n_words=regime.n_words)
        days = here.days(regime.turnover)
        dates = [FIRST + dt.timedelta(days=number) for number in range(regime.learned_dates)]
        learned = {date: date_table(next(days), date) for date in dates}
        return cls(here, days, learned, train_champion(learned))

    def quiet_dates(self, gaps: Iterable[int]) -> Iterator[tuple[dt.date, list[Row]]]:
        """Yield the dates so many days after the last learned one, with their songs."""
        last, passed = max(self.learned), 0
        for gap in gaps:
            *_, rows = itertools.islice(self.days, gap - passed)
            passed = gap
            yield last + dt.timedelta(days=gap), rows

    def judge(self, date: dt.date, rows: list[Row]) -> dict[str, Any]:
        """Return the report on a date of these songs."""
        tables = self.learned | {date: date_table(rows, date)}
        return measure_drift(date, list(self.learned), tables.__getitem__, self.served)


def measure_false_alarms(n_dates: int) -> list[Figure]:
    """Judge quiet dates in several worlds: dates of one world resemble each other."""
    figures = []
    for regime in REGIMES:
        alarms = 0
        for seed in range(n_dates // len(regime.gaps)):
            world = World.make(seed, regime)
            alarms += sum(bool(world.judge(*date)["drifted"]) for date in world.quiet_dates(regime.gaps))
        on = f"{n_dates} quiet dates of 300 songs, {regime.name}"
        figures.append(Figure("false alarms of any measure", 100 * alarms / n_dates, "% of dates", on, ANY_ALARM))
    return figures


def measure_power(n_songs: int, n_worlds: int) -> list[Figure]:
    """Judge dates with something planted, ten days after the last learned one."""
    found: Counter[tuple[str, float]] = Counter()
    for seed in range(n_worlds):
        world = World.make(1000 + seed, REGIMES[0], n_songs // 15)
        ((date, rows),) = world.quiet_dates([10])
        for name, plant, measure, shares in PLANTED:
            for share in shares:
                found[name, share] += measure in world.judge(date, plant(rows, share, world.charts))["drifted"]
    figures = []
    for name, _, measure, shares in PLANTED:
        values = tuple(100 * found[name, share] / n_worlds for share in shares)
        planted = "; ".join(f"{100 * share:g}" for share in shares)
        on = f"{n_worlds} dates of {n_songs:,} songs"
        figures.append(Figure(f"found by `{measure}`: {planted} % {name}", values, "% of dates", on))
    return figures


def measure_traffic_alarms(n_weeks: int, n_planted_weeks: int) -> list[Figure]:
    """Judge quiet weeks of drafts, and weeks with something planted."""
    alarms = 100 * sum(any(_beyond(_traffic(seed, {}))) for seed in range(n_weeks)) / n_weeks
    on = f"{n_weeks} quiet weeks of the service, about 1,300 answers each, against the four before"
    figures = [Figure("false alarms of any measure", alarms, "% of weeks", on, ANY_ALARM)]
    for name, habits, measure in PLANTED_TRAFFIC:
        found = sum(measure in _beyond(_traffic(1000 + seed, habits)) for seed in range(n_planted_weeks))
        on = f"{n_planted_weeks} weeks of about 1,300 answers"
        figures.append(Figure(f"found by `{measure}`: {name}", 100 * found / n_planted_weeks, "% of weeks", on))
    return figures


def _traffic(seed: int, habits: dict[str, float]) -> Findings:
    past, recent = Songwriters(2 * seed), Songwriters(2 * seed + 1, **habits)
    week_ago = LAST - dt.timedelta(days=Options().traffic_days)
    answers = itertools.chain(past.days(week_ago, Options().traffic_past_days), recent.days(LAST, 7))
    return measure_traffic(((date, LoggedAnswer(**figures)) for date, figures in answers), LAST, Options())


def _beyond(findings: Findings) -> list[str]:
    return [name for name, measure in findings.measures.items() if measure["beyond"]]


def fill_store(folder: Path, n_dates: int, n_songs: int) -> None:
    """Fill a store with so many dates and one more, and train on all but the last of them."""
    here = Charts(0, songs_a_genre=n_songs // 15, n_words=200)
    store, days = DeltaFeatureStore(root=str(folder)), here.days()
    dates = [FIRST + dt.timedelta(days=number) for number in range(n_dates + 1)]
    tables = {date: date_table(next(days), date) for date in dates}
    for table in tables.values():
        store.replace_date(table)
    served = train_champion({date: tables[date] for date in dates[:-1]})
    served.scorer.save(folder / "scorer")
    served.learned.to_parquet(folder / "learned.parquet")
    (folder / "tags.json").write_text(json.dumps(served.tags), encoding="utf-8")


def open_store(folder: Path) -> tuple[DeltaFeatureStore, Served, list[dt.date], dt.date]:
    """Return what `fill_store` left: the store, the champion, the dates that it learned from, and the next one."""
    tags = json.loads((folder / "tags.json").read_text(encoding="utf-8"))
    served = Served(1, Scorer.load(folder / "scorer"), tags, pd.read_parquet(folder / "learned.parquet"))
    store = DeltaFeatureStore(root=str(folder))
    *learned, newest = store.dates()
    return store, served, learned, newest


def measure_cost(n_dates: int, n_songs: int) -> list[Figure]:
    """Measure a report on a date, in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        # Each by a process of its own: a child begins with the peak memory of who started it.
        output_of([sys.executable, "-c", FILL, folder, n_dates, n_songs])
        found = found_by(COST, folder)
    on = f"{found['songs']:,} songs, {n_dates} learned dates of {found['learned']:,} songs"
    return [
        Figure("a report on a date: by the clock; processor time", (found["seconds"], found["cpu"]), "s", on),
        Figure("a report on a date: memory before; peak", (found["before"], found["peak"]), "MB", on),
    ]


def measure_traffic_cost(drafts_a_day: int) -> list[Figure]:
    """Measure reading and comparing a prediction log of many answers."""
    until, options = LAST, Options()
    with tempfile.TemporaryDirectory() as folder:
        drafts = Songwriters(0, drafts_a_day=drafts_a_day)
        answers = list(drafts.days(until, options.traffic_days + options.traffic_past_days))
        log = write_log(Path(folder), iter(answers))
        started = time.perf_counter(), time.process_time()
        measure_traffic(read_answers(log, *traffic_window(until, options)), until, options)
        took = time.perf_counter() - started[0], time.process_time() - started[1]
    on = f"{len(answers):,} answers of {options.traffic_days + options.traffic_past_days} days"
    return [Figure("a report on the service: by the clock; processor time", took, "s", on)]


def measure(sizes: Sizes) -> list[Figure]:
    """Return all figures."""
    figures = measure_false_alarms(sizes.quiet_dates)
    for n_songs, n_worlds in sizes.worlds:
        figures += measure_power(n_songs, n_worlds)
    figures += measure_traffic_alarms(sizes.weeks, sizes.planted_weeks)
    figures += measure_cost(sizes.report_dates, sizes.report_songs)
    return figures + measure_traffic_cost(sizes.drafts_a_day)
