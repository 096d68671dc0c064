"""Rows as a Markdown table, as Dagster shows them in an asset's metadata."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

# What would begin a picture, a link, a tag, code or a cell: titles and artists are written by others.
_SIGNS = re.compile(r"[\\`\[\]<>|]")


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the rows, which share their keys, under a header of those keys; floats with four significant digits."""
    names = list(rows[0])
    body = "\n".join(f"| {' | '.join(_cell(row[name]) for name in names)} |" for row in rows)
    return f"| {' | '.join(names)} |\n|{'---|' * len(names)}\n{body}"


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    return _SIGNS.sub(r"\\\g<0>", " ".join(str(value).split()))
