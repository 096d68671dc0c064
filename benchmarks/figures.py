"""A measured figure, and how a set of them is shown and kept."""

import json
import os
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Table

RESULTS = Path(__file__).parent / "results"


class Figure(NamedTuple):
    """One measured value, with its unit and what it was measured on."""

    name: str
    value: float
    unit: str
    on: str
    wanted: str = ""
    """What it should be, in words; empty where there is no goal."""


def machine() -> dict[str, Any]:
    """Return the size of this machine."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {"cores": os.cpu_count(), "memory_gib": round(memory / 2**30), "python": platform.python_version()}


def show(name: str, figures: Sequence[Figure]) -> None:
    """Print the figures of a benchmark as a table and write them to results/<name>.json."""
    here = machine()
    table = Table(title=f"{name}: {here['cores']} cores, {here['memory_gib']} GiB, Python {here['python']}")
    for column in ("what", "value", "unit", "wanted", "measured on"):
        table.add_column(column, justify="right" if column == "value" else "left")
    for figure in figures:
        table.add_row(figure.name, f"{figure.value:,.4g}", figure.unit, figure.wanted, figure.on)
    Console(width=None if os.isatty(1) else 140).print(table)
    RESULTS.mkdir(exist_ok=True)
    content = {"machine": here, "figures": [figure._asdict() for figure in figures]}
    (RESULTS / f"{name}.json").write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
