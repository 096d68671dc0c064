"""The tables of docs/benchmarks.md: the command writes them, people write the rest."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from benchmarks.figures import Run

RUNS = ("benchmark", "began", "machine", "other work meanwhile", "minutes")
FIGURES = ("benchmark", "what", "measured on", "measured", "unit", "wanted")
_ALIGNED_RIGHT = {"minutes", "measured"}


def write_rows(document: Path, size: str, runs: Sequence[Run], order: Iterable[str]) -> None:
    """Replace the rows of the benchmarks that were run in the tables of their size; those of the others stay.

    Args:
        document: holds the lines ``<!-- SIZE: begin -->`` and ``<!-- SIZE: end -->`` once each.
        size: quick or full.
        runs: what was measured.
        order: names of all benchmarks; rows of others go.
    """
    marks = [f"<!-- {size}: {place} -->\n" for place in ("begin", "end")]
    before, within, after = _split(document.read_text(encoding="utf-8"), marks)
    new = [(_rows_of_runs(runs), RUNS), (_rows_of_figures(runs), FIGURES)]
    done = {run.benchmark for run in runs}
    tables = []
    for place, (rows, head) in enumerate(new):
        kept = [row for row in read_tables(within)[place] if row[0] not in done] if within.strip() else []
        ordered = [row for name in order for row in [*kept, *rows] if row[0] == name]
        tables.append(_write_table(head, ordered))
    part = document.with_suffix(".part")
    part.write_text(f"{before}{marks[0]}\n{tables[0]}\n{tables[1]}\n{marks[1]}{after}", encoding="utf-8")
    part.replace(document)


def _split(text: str, marks: Sequence[str]) -> tuple[str, str, str]:
    before, *rest = text.split(marks[0])
    within, *after = "".join(rest).split(marks[1])
    if len(rest) != 1 or len(after) != 1:
        raise ValueError(f"{marks} must stand once each in the document")
    return before, within, after[0]


def _rows_of_runs(runs: Iterable[Run]) -> list[tuple[str, ...]]:
    return [(run.benchmark, run.began, run.machine, run.other_work, f"{run.minutes:.1f}") for run in runs]


def _rows_of_figures(runs: Iterable[Run]) -> list[tuple[str, ...]]:
    return [
        (run.benchmark, figure.name, figure.on, figure.shown, figure.unit, figure.wanted)
        for run in runs
        for figure in run.figures
    ]


def _write_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    ruler = ["---:" if name in _ALIGNED_RIGHT else "---" for name in head]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in (head, ruler, *rows))


def read_tables(text: str) -> list[list[tuple[str, ...]]]:
    """Return the cells of each row, without head, of each table in such a text."""
    tables = []
    for block in text.strip().split("\n\n"):
        lines = block.splitlines()[2:]
        tables.append([tuple(cell.strip() for cell in line.strip().strip("|").split("|")) for line in lines])
    return tables
