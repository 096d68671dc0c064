"""How long the code location takes to load, beside `import dagster` alone; each is the best of five new processes."""

import os
import subprocess
import sys
import time

RUNS = 5
WHAT = {
    "import dagster": "import dagster",
    "load the code location": "from lyrics_assets.definitions import defs; defs().get_repository_def()",
}


def seconds(code: str) -> float:
    """Return the wall seconds of a Python process that runs the code."""
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return time.perf_counter() - started


def main() -> None:
    """Print one line each, and the ratio."""
    best = {name: min(seconds(code) for _ in range(RUNS)) for name, code in WHAT.items()}
    for name, value in best.items():
        print(f"{name:<24} {value:6.2f} s")
    alone, loaded = best.values()
    print(f"{'ratio':<24} {loaded / alone:6.2f}   (best of {RUNS} processes, {os.cpu_count()} cores)")


if __name__ == "__main__":
    main()
