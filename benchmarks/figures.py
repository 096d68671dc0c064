"""A measured figure, and a run that measured some."""

import datetime as dt
import os
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import psutil


class Figure(NamedTuple):
    """One measured quantity, with its unit and what it was measured on."""

    name: str
    value: float | tuple[float, ...]
    """Several, if it was measured on several things, in the order in which `on` or `name` tells them."""
    unit: str
    on: str
    wanted: str = ""
    """What it should be, in words; empty where there is no goal."""
    at_any_size: bool = False
    """Whether the goal also holds for quick sizes."""

    @property
    def shown(self) -> str:
        """The value for people: two or three significant digits, whole numbers from a hundred on."""
        values = self.value if isinstance(self.value, tuple) else (self.value,)
        return "; ".join(map(_show, values))


class Run(NamedTuple):
    """The figures of one benchmark, and what must be known of how they came about."""

    benchmark: str
    began: str
    machine: str
    other_work: str
    """Cores that other processes kept busy meanwhile."""
    minutes: float
    figures: list[Figure]


def side_by_side(columns: Sequence[Sequence[Figure]], on: str) -> list[Figure]:
    """Make one figure of each name out of the same figures measured on several things, in that order."""
    return [
        rows[0]._replace(value=tuple(value for row in rows for value in _values(row)), on=on)
        for rows in zip(*columns, strict=True)
    ]


def _values(figure: Figure) -> tuple[float, ...]:
    return figure.value if isinstance(figure.value, tuple) else (figure.value,)


def _show(value: float) -> str:
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) >= 0.001 else f"{value:.2g}"


def describe_machine() -> str:
    """Return the size of this machine."""
    memory = psutil.virtual_memory().total / 2**30
    return f"{os.cpu_count()} cores, {memory:.0f} GiB, {_processor()}, Python {platform.python_version()}"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or platform.machine()


class Watch:
    """Tells how long something took and how many cores other processes kept busy meanwhile.

    What the processes of this one used counts once they have ended and were waited for.
    """

    def __init__(self) -> None:
        self._began = dt.datetime.now().astimezone()
        self._before = _processor_seconds()

    @property
    def began(self) -> str:
        """When it began, to the minute."""
        return f"{self._began:%Y-%m-%d %H:%M}"

    @property
    def minutes(self) -> float:
        """Since it began."""
        return (dt.datetime.now().astimezone() - self._began).total_seconds() / 60

    @property
    def other_cores(self) -> float:
        """Cores that others kept busy since it began."""
        return max(0.0, _processor_seconds() - self._before) / (60 * self.minutes)


def _processor_seconds() -> float:
    """Return the seconds of all processors that were spent on others than this process and its children."""
    all_of_them, own = psutil.cpu_times(), os.times()
    busy = sum(all_of_them) - all_of_them.idle - getattr(all_of_them, "iowait", 0.0)
    # Guests are counted among users too.
    busy -= getattr(all_of_them, "guest", 0.0) + getattr(all_of_them, "guest_nice", 0.0)
    return float(busy - sum(own[:4]))
