"""How long the code location takes to load, beside `import dagster` alone."""

import subprocess
import sys
import time
from typing import NamedTuple

from benchmarks.figures import Figure


class Sizes(NamedTuple):
    """What is measured."""

    runs: int


QUICK, FULL = Sizes(3), Sizes(5)
ALONE = "import dagster"
LOADED = "from lyrics_assets.definitions import defs; defs().get_repository_def()"


def best_seconds(code: str, runs: int) -> float:
    """Return the least wall seconds of some new Python processes that run the code."""
    durations = []
    for _ in range(runs):
        started = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True)
        durations.append(time.perf_counter() - started)
    return min(durations)


def measure(sizes: Sizes) -> list[Figure]:
    """Return both times and their ratio."""
    alone, loaded = (best_seconds(code, sizes.runs) for code in (ALONE, LOADED))
    on = f"best of {sizes.runs} new processes"
    return [
        Figure("`import dagster` alone", alone, "s", on),
        Figure("load the code location", loaded, "s", on),
        Figure("code location / `import dagster`", loaded / alone, "times", on, "at most 2", at_any_size=True),
    ]
