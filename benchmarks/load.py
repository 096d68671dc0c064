"""How long the code location takes to load, beside `import dagster` alone."""

import subprocess
import sys
import time

from benchmarks.figures import Figure, show

RUNS = 5
ALONE = "import dagster"
LOADED = "from lyrics_assets.definitions import defs; defs().get_repository_def()"


def best_seconds(code: str) -> float:
    """Return the least wall seconds of five new Python processes that run the code."""
    durations = []
    for _ in range(RUNS):
        started = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True)
        durations.append(time.perf_counter() - started)
    return min(durations)


def measure() -> list[Figure]:
    """Return both times and their ratio."""
    alone, loaded = best_seconds(ALONE), best_seconds(LOADED)
    on = f"best of {RUNS} new processes"
    return [
        Figure("import dagster", alone, "s", on),
        Figure("load the code location", loaded, "s", on),
        Figure("ratio", loaded / alone, "", on, "at most 2"),
    ]


if __name__ == "__main__":
    show("load", measure())
