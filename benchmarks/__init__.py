"""What things cost: `python -m benchmarks` measures, shows the figures and writes them into docs/benchmarks.md.

A benchmark is a module with `measure(sizes) -> list[Figure]` and two values of its `Sizes`: `QUICK`, for about half a
minute, and `FULL`, the real ones.
"""

BENCHMARKS = {
    name: f"benchmarks.{name}"
    for name in (
        "load",
        "archive",
        "crawl",
        "dataset",
        "store",
        "search",
        "scorer",
        "serving",
        "drift",
        "day",
        "daemon",
    )
}
"""Module of each benchmark, by its name, in the order of the data's way."""
