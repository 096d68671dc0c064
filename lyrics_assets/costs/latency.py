"""How long the service took for its answers, from its prediction log."""

import datetime as dt
import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from lyrics_assets.costs.history import Row


def read_latency(folder: Path, since: dt.datetime | None = None) -> Iterator[Row]:
    """Yield a row a UTC day and version of the model, of the days from `since` on: the log of today still grows.

    A line that is no answer's is passed over: the last one of a worker that was killed may be half a line.
    """
    for path in sorted(folder.glob("*.jsonl")):
        try:
            date = dt.datetime.fromisoformat(path.stem).replace(tzinfo=dt.UTC)
        except ValueError:
            continue
        if since and date < since:
            continue
        for version, took in sorted(_milliseconds(path).items()):
            took.sort()
            yield {
                "date": date,
                "model_version": version,
                "answers": len(took),
                "p50_ms": quantile(took, 0.5),
                "p99_ms": quantile(took, 0.99),
                "max_ms": took[-1],
            }


def _milliseconds(path: Path) -> dict[int, list[float]]:
    found: defaultdict[int, list[float]] = defaultdict(list)
    with path.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            try:
                entry = json.loads(line)
                found[int(entry["model_version"])].append(float(entry["milliseconds"]))
            except (ValueError, TypeError, KeyError):
                continue
    return found


def quantile(ordered: list[float], share: float) -> float:
    """Return the least value that at least this share of the values does not exceed."""
    return ordered[max(0, -int(-share * len(ordered) // 1) - 1)]
