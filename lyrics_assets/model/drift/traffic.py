"""What the service was asked in the last days, against the weeks before: drafts are compared with drafts alone."""

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lyrics_assets.model.drift.dates import UNKNOWN_LANGUAGE
from lyrics_assets.model.drift.findings import DISTANCE, TRAFFIC, Findings, Options, difference, told
from lyrics_assets.model.drift.quiet import Floats, Stratum, distances, draw_units, learn_bounds

if TYPE_CHECKING:
    from lyrics_assets.model.drift.answers import LoggedAnswer

ALL = "traffic"
"""Stands for every measure where nothing can be said of any."""
MIN_RECENT_DAYS, MIN_PAST_DAYS = 4, 14
"""Days with answers; fewer tell too little of how days differ."""
_LENGTHS = (8, 16, 32, 64, 128, 256)
"""Words from which a draft counts as longer: it is seen from its first words on."""


class _Measure(NamedTuple):
    """One way to sort answers into categories."""

    sort: "Callable[[LoggedAnswer], dict[str, float]]"
    """What an answer counts for; nothing where nobody looked."""
    of_the_model: bool
    """Whether another model tells it otherwise: then the answers of one version are compared with its own."""
    grows: str | None = None
    """The category that must grow for a difference to be one; None for any difference."""


_MEASURES = {
    "traffic_length": _Measure(lambda answer: {_length(answer.words): 1.0}, of_the_model=False),
    "traffic_languages": _Measure(lambda answer: {answer.language or UNKNOWN_LANGUAGE: 1.0}, of_the_model=False),
    "traffic_portuguese_share": _Measure(
        lambda answer: _share(answer.portuguese_share, "Portuguese words", "other words"), of_the_model=False
    ),
    "traffic_genres": _Measure(lambda answer: {answer.most_probable: 1.0}, of_the_model=True),
    "traffic_confidence": _Measure(lambda answer: {_tenth(answer.confidence): 1.0}, of_the_model=True),
    "traffic_unknown_words": _Measure(
        lambda answer: _share(answer.unknown_share, "unknown words", "known words"),
        of_the_model=True,
        grows="unknown words",
    ),
}


class _Sides(NamedTuple):
    """What the answers of the days before and of the last days count for: (days, categories) each."""

    categories: list[str]
    grows: int | None
    past: NDArray[np.float64]
    recent: NDArray[np.float64]
    n_past: int
    n_recent: int


def traffic_window(until: dt.date, options: Options) -> tuple[dt.date, dt.date]:
    """Return the first and the last UTC day of the answers to compare."""
    return until - dt.timedelta(days=options.traffic_days + options.traffic_past_days - 1), until


def measure_traffic(
    answers: "Iterable[tuple[dt.date, LoggedAnswer | None]]", until: dt.date, options: Options
) -> Findings:
    """Return how far the answers of the last days are from those of the days before; or why nothing is said.

    How far quiet days come to lie is learned from the days before, which are drawn whole: while a songwriter types, one
    draft is asked for many times.

    Args:
        answers: of the days of `traffic_window`, with their UTC days; None for one that cannot be read.
        until: the last day.
        options: how far is too far, and how many days are compared.
    """
    try:
        log = _Log(answers)
    except OSError as error:
        return Findings({}, {ALL: f"the prediction log cannot be read: {error.strerror}"})
    start = until - dt.timedelta(days=options.traffic_days - 1)
    recent, past = [day for day in log.days if day >= start], [day for day in log.days if day < start]
    if reason := log.too_few(recent, past, options):
        return Findings({}, {ALL: reason}, log.notes)
    version = log.main_version(recent)
    sides: dict[str, _Sides] = {}
    not_measured: dict[str, str] = {}
    for name, measure in _MEASURES.items():
        of = version if measure.of_the_model else None
        reason = log.too_few(recent, past, options, of)
        categories = log.categories(name, of)
        if reason or not categories:
            not_measured[name] = reason or "the service was set not to look"
            continue
        sides[name] = _Sides(
            categories,
            categories.index(measure.grows) if measure.grows in categories else None,
            log.table(name, past, categories, of),
            log.table(name, recent, categories, of),
            log.count(past, of),
            log.count(recent, of),
        )
    quiet = _quiet_distances(sides, len(recent), options)
    allowed = learn_bounds(quiet, quiet, options.false_alarm_rate, options.floor)
    found = {}
    for name, side in sides.items():
        now = difference(side.past, side.recent, side.categories, side.grows)
        seen = now.pop("seen")
        found[name] = told(TRAFFIC, seen, allowed[name], side.n_recent, DISTANCE, n_before=side.n_past, **now)
    return Findings(found, not_measured, log.notes)


def _quiet_distances(sides: dict[str, _Sides], n_days: int, options: Options) -> dict[str, Floats]:
    """Return how far so many days come to lie from as many as there were before, all drawn from those before."""
    rng = np.random.default_rng(options.seed)
    n_past = len(next(iter(sides.values())).past)
    days = np.arange(n_past)
    first, second = (
        draw_units([Stratum(days, np.ones(n_past), n)], n_past, options.n_draws, rng) for n in (n_past, n_days)
    )
    return {name: distances(first @ side.past, second @ side.past) for name, side in sides.items()}


class _Log:
    """The answers of some days, counted by day, version, measure and category."""

    def __init__(self, answers: "Iterable[tuple[dt.date, LoggedAnswer | None]]") -> None:
        self._n: Counter[tuple[dt.date, int]] = Counter()
        self._weights: defaultdict[tuple[dt.date, int, str, str], float] = defaultdict(float)
        self._unreadable = 0
        for date, answer in answers:
            if answer is None:
                self._unreadable += 1
                continue
            self._n[date, answer.model_version] += 1
            for name, measure in _MEASURES.items():
                for category, weight in measure.sort(answer).items():
                    self._weights[date, answer.model_version, name, category] += weight

    @property
    def days(self) -> list[dt.date]:
        """The days with answers, oldest first."""
        return sorted({date for date, _ in self._n})

    @property
    def notes(self) -> tuple[str, ...]:
        """What else is to be said of the log."""
        if not self._unreadable:
            return ()
        one = self._unreadable == 1
        what = "1 line" if one else f"{self._unreadable} lines"
        return (f"{what} of the prediction log could not be read and {'was' if one else 'were'} left aside.",)

    def main_version(self, days: Sequence[dt.date]) -> int:
        """Return the version that gave the most answers on these days; of equals the latest."""
        return max({version for _, version in self._n}, key=lambda version: (self.count(days, version), version))

    def count(self, days: Sequence[dt.date], version: int | None) -> int:
        """Return how many answers were given on these days, by a version or by all."""
        return sum(n for (day, of), n in self._n.items() if day in days and version in (None, of))

    def too_few(
        self, recent: Sequence[dt.date], past: Sequence[dt.date], options: Options, version: int | None = None
    ) -> str:
        """Return why nothing can be said of so few answers, by a version or by all; nothing if it can."""
        who = f"version {version}" if version else "the service"
        for days, what, needed in (
            (recent, f"in the last {options.traffic_days} days", MIN_RECENT_DAYS),
            (past, f"in the {options.traffic_past_days} days before", MIN_PAST_DAYS),
        ):
            n, n_days = self.count(days, version), sum(self.count([day], version) > 0 for day in days)
            if n < options.min_answers or n_days < needed:
                return (
                    f"{n} answers of {who} on {n_days} days {what} are too few: {options.min_answers} on {needed} days "
                    "are needed"
                )
        return ""

    def categories(self, name: str, version: int | None) -> list[str]:
        """Return the categories of a measure that any answer counts for."""
        return sorted(
            {category for _, of, measure, category in self._weights if measure == name and version in (None, of)}
        )

    def table(
        self, name: str, days: Sequence[dt.date], categories: Sequence[str], version: int | None
    ) -> NDArray[np.float64]:
        """Return what each day's answers count for: (days, categories)."""
        found = np.zeros((len(days), len(categories)))
        for (day, of, measure, category), weight in self._weights.items():
            if measure == name and day in days and version in (None, of):
                found[days.index(day), categories.index(category)] += weight
        return found


def _length(words: int) -> str:
    ends = [0, *_LENGTHS]
    longest = max(end for end in ends if words >= end)
    return f"{longest} words or more" if longest == ends[-1] else f"{longest} to {ends[ends.index(longest) + 1]} words"


def _tenth(share: float) -> str:
    tenth = min(int(share * 10), 9)
    return f"{tenth / 10:.1f} to {(tenth + 1) / 10:.1f}"


def _share(share: float | None, of: str, rest: str) -> dict[str, float]:
    return {} if share is None else {of: share, rest: 1 - share}
