"""How a finding is told, whatever was measured, and how far is too far where that is a matter of choice."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from lyrics_assets.model.drift.quiet import Floats, distances

SONGS, PERFORMANCE, TRAFFIC, AGE = "songs", "performance", "traffic", "age"
"""The kinds of measures."""
MENDED_BY_TRAINING = (SONGS, PERFORMANCE)
"""Kinds whose drift a training on the newest dates can mend. Drafts are no training songs; and dates that are missing,
or a champion that is old because no challenger was better, stay so however often a model is trained."""
DISTANCE = "Jensen-Shannon distance, 0 to 1"
MIN_SONGS, MIN_ARTISTS = 30, 20
"""Of fewer, on either side, nothing is said: drawn from few artists, samples differ by less than artists do."""


class Options(NamedTuple):
    """How far is too far, and how much is looked at."""

    false_alarm_rate: float = 0.01
    """Share of quiet dates on which any measure of songs may be beyond its bound; the same of traffic."""
    floor: float = 0.05
    """Distance, 0 to 1, up to which nothing counts as drift, however many songs show it."""
    n_draws: int = 500
    """Of the bootstrap."""
    seed: int = 0
    max_data_age_days: int = 3
    max_model_age_days: int = 30
    traffic_days: int = 7
    traffic_past_days: int = 28
    min_answers: int = 200
    """In the last days, and as many in those before."""


class Findings(NamedTuple):
    """Figures by measure, for what was not measured the reason, and what else is to be said."""

    measures: dict[str, dict[str, Any]]
    not_measured: dict[str, str]
    notes: tuple[str, ...] = ()


def told(
    kind: str, seen: float, allowed: float, n: int | None, unit: str, *, at_least: bool = False, **more: Any
) -> dict[str, Any]:
    """Return a measure as the report tells it.

    Args:
        kind: which of the kinds it is.
        seen: its value.
        allowed: its bound.
        n: songs, or answers of the service, that it was measured on; None if it is of neither.
        unit: of both values.
        at_least: whether it must not lie below the bound; else not above.
        more: further figures.
    """
    return {
        "kind": kind,
        "seen": seen,
        "allowed": allowed,
        "bound": "at least" if at_least else "at most",
        "beyond": bool(seen < allowed if at_least else seen > allowed),
        "n": n,
        "unit": unit,
        **more,
    }


def difference(before: Floats, now: Floats, categories: Sequence[str], grows: int | None = None) -> dict[str, Any]:
    """Return how far the sums of two tables of counts are apart, and which category's share moved most.

    Args:
        before: a row a unit, a column a category.
        now: likewise.
        categories: the columns' names.
        grows: a category; if its share has not grown, nothing has changed for the worse: the distance is 0.
    """
    first, second = (counts.sum(axis=0, dtype=np.float64, keepdims=True) for counts in (before, now))
    shares = [counts[0] / max(counts.sum(), 1e-12) for counts in (first, second)]
    growth = shares[1] - shares[0]
    most = int(np.abs(growth).argmax()) if grows is None else grows
    moved = {"what": categories[most], "before": float(shares[0][most]), "now": float(shares[1][most])}
    for_the_worse = grows is None or growth[grows] > 0
    return {"seen": float(distances(first, second)[0]) if for_the_worse else 0.0, "moved": moved}


def too_few(n: int, n_artists: int, where: str) -> str:
    """Return why nothing is said of so few songs."""
    return f"{n} songs of {n_artists} artists {where} are too few: {MIN_SONGS} of {MIN_ARTISTS} are needed"
