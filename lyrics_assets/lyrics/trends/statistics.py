"""The statistics that tell a trend from chance. Counts in, figures out: no song, no word, no date is known here."""

import math
from collections.abc import Iterator
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Numbers = NDArray[np.int64]

CHANCE = 0.05
"""A figure counts as a trend if at most this share of shuffles holds one as large anywhere in the report."""
SHUFFLES = 200

_Z95 = 1.959963984540054
_NO_SPREAD = 1e-9


class Interval(NamedTuple):
    """A 95 % interval."""

    low: float
    high: float


def wilson_interval(count: int, total: int) -> Interval:
    """Return the interval of a share, count of total (Wilson 1927); 0 to 1 if nothing was counted."""
    if not total:
        return Interval(0.0, 1.0)
    share, z2 = count / total, _Z95**2
    middle = (share + z2 / (2 * total)) / (1 + z2 / total)
    half = _Z95 / (1 + z2 / total) * math.sqrt(share * (1 - share) / total + z2 / (4 * total**2))
    return Interval(max(0.0, middle - half), min(1.0, middle + half))


def difference_interval(before: tuple[int, int], after: tuple[int, int]) -> Interval:
    """Return the interval of the growth of a share, each a count and its total (Newcombe 1998, method 10)."""
    (low_before, high_before), (low_after, high_after) = wilson_interval(*before), wilson_interval(*after)
    share_before, share_after = (count / total if total else 0.0 for count, total in (before, after))
    growth = share_after - share_before
    return Interval(
        growth - math.hypot(share_after - low_after, high_before - share_before),
        growth + math.hypot(high_after - share_after, share_before - low_before),
    )


def proportions_z(before: Floats, n_before: float, after: Floats, n_after: float) -> Floats:
    """Return, for each pair of counts, the z of the two-proportion test with pooled variance; positive if it grew."""
    pooled = (before + after) / (n_before + n_after)
    error = np.sqrt(pooled * (1 - pooled) * (1 / n_before + 1 / n_after))
    growth = after / n_after - before / n_before
    return np.asarray(np.divide(growth, error, out=np.zeros_like(growth), where=error > 0))


def log_odds_z(before: Floats, volume_before: float, after: Floats, volume_after: float) -> Floats:
    """Return, for each word, the z of its log-odds ratio under an informative Dirichlet prior; positive if it rose.

    Monroe, Colaresi and Quinn 2008, "Fightin' Words". The prior is the words' share of both sides together and counts
    as much as the smaller side does. One of a wider background would pull the smaller side towards it the more, so that
    words typical of neither would seem to rise or fall; and where a word is new it would be so weak that z saturates.

    Args:
        before: counts of each word; above 0 on at least one side.
        volume_before: the counts of all words together, also of those that are not asked for.
        after: as before.
        volume_after: likewise.
    """
    strength = min(volume_before, volume_after)
    weight = (before + after) / (volume_before + volume_after) * strength

    def log_odds(counts: Floats, volume: float) -> Floats:
        inside = counts + weight
        return np.asarray(np.log(inside) - np.log(volume + strength - inside))

    error = np.sqrt(1 / (after + weight) + 1 / (before + weight))
    return np.asarray((log_odds(after, volume_after) - log_odds(before, volume_before)) / error)


def shuffled_sides(sides: Flags, artists: Numbers, times: int, rng: np.random.Generator) -> Iterator[Flags]:
    """Yield the sides of songs as chance could have dealt them, as many songs on each side as there are.

    The songs that an artist has on one side are dealt together, but for one artist's who does not fit: songs of one
    artist repeat its words, so that dealt one by one they would make chance look smaller than it is.

    Args:
        sides: whether each song stands on the second side.
        artists: number of each song's artist.
        times: how often to shuffle.
        rng: source of the chance.
    """
    packs, pack_of = np.unique(artists * 2 + sides, return_inverse=True)
    n_second = int(sides.sum())
    for _ in range(times):
        dealt = np.zeros(len(sides), dtype=bool)
        dealt[np.argsort(rng.permutation(len(packs))[pack_of], kind="stable")[:n_second]] = True
        yield dealt


class Deviations(NamedTuple):
    """Figures in standard deviations of what they and their shuffles are.

    In these units figures of frequent and of rare words, of large and of small genres, can be set side by side.
    """

    found: Floats
    largest_by_chance: Floats
    """Of each shuffle, the largest of any figure, whatever its sign."""

    @classmethod
    def measure(cls, found: Floats, shuffled: Floats) -> Self:
        """Measure figures against shuffles, a row each; a figure that no shuffle changes deviates by 0."""
        # With what was found: as one deal among the others it would else look rarer than it is.
        deals = np.vstack([found, shuffled])
        middle, spread = deals.mean(axis=0), deals.std(axis=0)
        spread = np.where(spread > _NO_SPREAD, spread, np.inf)
        largest = np.abs((shuffled - middle) / spread).max(axis=1, initial=0)
        return cls((found - middle) / spread, largest)


def chance_of(found: Floats, largest_by_chance: Floats) -> Floats:
    """Return for each figure the share of shuffles in which any figure at all was as large (Westfall and Young 1993).

    A figure with a chance of 0.05 or less stands out among all that were looked at, not by itself alone.

    Args:
        found: the figures, larger is stronger.
        largest_by_chance: the largest figure of each shuffle.
    """
    ordered = np.sort(largest_by_chance)
    as_large = len(ordered) - np.searchsorted(ordered, found, side="left")
    return np.asarray((1 + as_large) / (1 + len(ordered)))


def pairwise_jensen_shannon(counts: Floats) -> Floats:
    """Return the Jensen-Shannon distance (base 2, 0 to 1) of each row of counts to each later one.

    Args:
        counts: one row a distribution; every row must count something.

    Returns:
        The distances of rows 0 and 1, 0 and 2, ..., 1 and 2, ...; n (n - 1) / 2 of them.
    """
    p = counts / counts.sum(axis=1, keepdims=True)
    entropies = _entropy(p)
    parts = [
        _entropy((p[row] + p[row + 1 :]) / 2) - (entropies[row] + entropies[row + 1 :]) / 2 for row in range(len(p))
    ]
    # Equal rows may differ by a rounding below zero.
    return np.asarray(np.sqrt(np.clip(np.concatenate(parts), 0, 1)))


def _entropy(p: Floats) -> Floats:
    return np.asarray(-(p * np.log2(p, out=np.zeros_like(p), where=p > 0)).sum(axis=-1))
