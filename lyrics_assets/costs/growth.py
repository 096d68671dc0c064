"""Whether a step costs more than it used to, for as many songs: its newest run against earlier ones like it."""

from collections.abc import Sequence
from statistics import median
from typing import NamedTuple

from lyrics_assets.costs.history import Row

MIN_RUNS = 5
"""Fewer earlier runs make no norm."""
NORM_RUNS = 30
"""The norm is that of so many runs before the newest one."""
MIN_FACTOR = 1.5
"""Of the norm: less growth is not worth a warning, however steady the past was."""
MIN_SECONDS = 2.0
"""Of a run as large as the newest: a step of a moment may well double."""
SPREADS = 5.0
"""Beyond the norm, in standard deviations as the median absolute deviation tells them."""
ALIKE = 2.0
"""A run is like another one if it handled at most so many times its songs and pages, and at least that part of them."""

_NORMAL = 1.4826
"""Standard deviations in a median absolute deviation, for values that are normally distributed."""


class Cost(NamedTuple):
    """What the newest run of a step cost, beside its norm."""

    step: str
    measure: str
    """``cpu`` or ``wall``: seconds of what."""
    unit: str
    """``song``, or ``run`` for a step that counts no songs."""
    now: float
    """Seconds a unit."""
    norm: float | None
    """Median of the earlier runs that are like it; None if they are too few."""
    spread: float | None
    """Their median absolute deviation, as a standard deviation."""
    runs: int
    """How many those are."""
    grown: bool


def songs_of(row: Row) -> int | None:
    """Return by how many songs a step's cost is divided: those that it wrote, else those that it read."""
    return row["rows_out"] or row["rows_in"] or None


def is_idle(row: Row) -> bool:
    """Tell whether a crawl found every page in the archive, or a step had no song at all: its cost says nothing."""
    counts = [row[name] for name in ("pages_fetched", "rows_out") if row[name] is not None]
    return 0 in counts


def cost_of(row: Row) -> float:
    """Return a run's seconds a song, or a run: of CPU, or of the clock where the CPU was not measured."""
    seconds = row["wall_s"] if row["cpu_s"] is None else row["cpu_s"]
    return float(seconds / (songs_of(row) or 1))


def judge(rows: Sequence[Row]) -> Cost | None:
    """Compare the newest run of a step with the earlier ones that are like it.

    Args:
        rows: of one step, oldest first; those that failed or had nothing to do are passed over.

    Returns:
        None if there is no run left to judge.
    """
    worked = [row for row in rows if row["state"] == "done" and not is_idle(row)]
    if not worked:
        return None
    *before, newest = worked
    songs, measured = songs_of(newest), newest["cpu_s"] is not None
    past = [cost_of(row) for row in before if _is_like(row, newest)][-NORM_RUNS:]
    now = cost_of(newest)
    norm = spread = None
    grown = False
    if len(past) >= MIN_RUNS:
        norm = median(past)
        spread = _NORMAL * median(abs(cost - norm) for cost in past)
        grown = now > norm + SPREADS * spread and now > MIN_FACTOR * norm and (now - norm) * (songs or 1) > MIN_SECONDS
    return Cost(
        newest["step"], "cpu" if measured else "wall", "song" if songs else "run", now, norm, spread, len(past), grown
    )


def _is_like(row: Row, newest: Row) -> bool:
    if (row["cpu_s"] is None) != (newest["cpu_s"] is None):
        return False
    pairs = [(songs_of(row), songs_of(newest)), (row["pages_fetched"], newest["pages_fetched"])]
    return all(_is_near(one, other) for one, other in pairs)


def _is_near(one: int | None, other: int | None) -> bool:
    if one is None or other is None:
        return one is other
    return other / ALIKE <= one <= other * ALIKE
