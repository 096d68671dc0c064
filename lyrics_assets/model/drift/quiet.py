"""How far apart two samples of the same songs come to lie by chance, and the bounds that follow. No song is known here.

A measure sorts what a unit (an artist's songs, a day's answers) holds into categories and counts. Two sides are as far
apart as the Jensen-Shannon distance (base 2, 0 to 1) of their counts. Units are drawn whole: songs of one artist
resemble each other, and to draw them one by one would make chance look smaller than it is.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import jensenshannon
from scipy.stats import gamma

Floats = NDArray[np.floating[Any]]

_MAD_OF_NORMAL = 0.6745
"""Median absolute deviation of a normal distribution, in standard deviations."""


class Stratum(NamedTuple):
    """Units of one kind, of which a fixed number is drawn."""

    units: NDArray[np.intp]
    weights: Floats
    """How much more often one unit comes up than another."""
    n_drawn: int


def draw_units(strata: Sequence[Stratum], n_units: int, n_draws: int, rng: np.random.Generator) -> Floats:
    """Return how often each unit comes up, drawn with replacement from each stratum: (draws, units)."""
    # Counts stay far below 2**24, up to which float32 is exact.
    counts = np.zeros((n_draws, n_units), dtype=np.float32)
    for units, weights, n_drawn in strata:
        shares = np.cumsum(weights, dtype=np.float64)
        drawn = np.searchsorted(shares, rng.random((n_draws, n_drawn)) * shares[-1], side="right")
        places = drawn + np.arange(n_draws)[:, None] * len(units)
        counts[:, units] = np.bincount(places.ravel(), minlength=n_draws * len(units)).reshape(n_draws, len(units))
    return counts


def distances(first: Floats, second: Floats) -> Floats:
    """Return the distance of each row of counts to the same row of others; a row that counts nothing is at 0."""
    with np.errstate(invalid="ignore"):
        found = np.nan_to_num(jensenshannon(first, second, axis=1, base=2))
    return np.asarray(found, dtype=np.float64)


def learn_bounds(
    quiet: Mapping[str, Floats], own: Mapping[str, Floats], false_alarm_rate: float, floor: float
) -> dict[str, float]:
    """Return how far each measure may go, so that all together raise no more false alarms than the rate.

    The square of the distance of two samples of one population, a divergence, is nearly a multiple of a chi-squared
    variable: a gamma distribution of its mean and variance tells how far chance reaches (Satterthwaite 1946), farther
    than so many draws themselves show. The rate is parted among the measures (Bonferroni).

    Args:
        quiet: of each measure the distances of pairs of samples.
        own: of each measure the distances of past dates from all of them. Where they differ by more than samples do,
            as by weekdays, they decide; their spread is told by medians, for one of them may be odd.
        false_alarm_rate: share of quiet dates on which any measure may be beyond its bound.
        floor: no bound is below it: what matters to nobody is no drift, however many songs show it.
    """
    tail = false_alarm_rate / len(quiet) if quiet else 1.0
    return {
        name: max(
            floor,
            _reach(float((found**2).mean()), float((found**2).var()), tail),
            _reach(*_middle_and_variance(own[name] ** 2), tail),
        )
        for name, found in quiet.items()
    }


def _reach(mean: float, variance: float, tail: float) -> float:
    """Return the distance beyond which the tail of a gamma distribution of divergences lies."""
    if mean <= 0 or variance <= 0:
        return float(np.sqrt(max(mean, 0.0)))
    return float(np.sqrt(gamma.isf(tail, mean**2 / variance, scale=variance / mean)))


def _middle_and_variance(divergences: Floats) -> tuple[float, float]:
    middle = float(np.median(divergences))
    return middle, (float(np.median(np.abs(divergences - middle))) / _MAD_OF_NORMAL) ** 2
