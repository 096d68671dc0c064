"""`python -m benchmarks [--full] [NAME ...]`: measure, show the figures, write them into docs/benchmarks.md."""

import json
import os
import signal
from collections.abc import Mapping
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from benchmarks import BENCHMARKS
from benchmarks.document import write_rows
from benchmarks.figures import Run
from benchmarks.running import run_all

ROOT = Path(__file__).resolve().parents[1]


@click.command(help=f"Measure what things cost. NAME is one or more of {', '.join(BENCHMARKS)}; all if none is given.")
@click.argument("names", nargs=-1, type=click.Choice(list(BENCHMARKS)), metavar="[NAME]...")
@click.option("--full", is_flag=True, help="The real sizes, which take hours; else small ones, for some minutes.")
def main(names: tuple[str, ...], full: bool) -> None:
    """Run the command; exit code 1 if a benchmark failed."""
    # A process that a script starts in the background ignores Ctrl-C, and so would all that it starts.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    chosen = {name: module for name, module in BENCHMARKS.items() if name in names or not names}
    raise SystemExit(run(chosen, "full" if full else "quick", ROOT / "docs" / "benchmarks.md", ROOT / "benchmarks"))


def run(modules: Mapping[str, str], size: str, document: Path, folder: Path) -> int:
    """Run benchmarks, of each keep and show what it measured as soon as it is done; return the exit code.

    Args:
        modules: of the benchmarks, by their names.
        size: quick or full.
        document: whose tables are written.
        folder: in which results/SIZE/NAME.json is written.
    """
    console = Console(width=None if os.isatty(1) else 140, highlight=False)
    order = [*BENCHMARKS, *modules]

    def report(done: Run) -> None:
        results = folder / "results" / size
        results.mkdir(parents=True, exist_ok=True)
        content = done._asdict() | {"figures": [figure._asdict() for figure in done.figures]}
        (results / f"{done.benchmark}.json").write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
        write_rows(document, size, [done], dict.fromkeys(order))
        console.print(_table(done))

    failed = run_all(modules, size, report, console.print)
    if failed:
        console.print(f"failed: {', '.join(failed)}")
    return 1 if failed else 0


def _table(done: Run) -> Table:
    title = f"{done.benchmark}: {done.machine}; others kept {done.other_work} busy; {done.minutes:.1f} minutes"
    table = Table(title=title, title_justify="left")
    for column in ("what", "measured", "unit", "wanted", "measured on"):
        table.add_column(column, justify="right" if column == "measured" else "left")
    for figure in done.figures:
        table.add_row(figure.name, figure.shown, figure.unit, figure.wanted, figure.on)
    return table


if __name__ == "__main__":
    main()
