"""Rows as a Markdown table, as Dagster shows them in an asset's metadata."""

from collections.abc import Mapping, Sequence
from typing import Any


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the rows, which share their keys, under a header of those keys; floats with four significant digits."""
    names = list(rows[0])
    body = "\n".join(f"| {' | '.join(_cell(row[name]) for name in names)} |" for row in rows)
    return f"| {' | '.join(names)} |\n|{'---|' * len(names)}\n{body}"


def _cell(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
