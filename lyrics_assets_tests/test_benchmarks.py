"""The command that measures: one benchmark's failure is its own, and the document's tables hold what was measured."""

import json

import psutil
import pytest

from benchmarks import BENCHMARKS
from benchmarks.__main__ import run
from benchmarks.document import FIGURES, RUNS, read_tables, write_rows
from benchmarks.figures import Figure, Run, side_by_side
from benchmarks.running import BOUND_SECONDS
from lyrics_assets.settings import ROOT

DOCUMENT = """# Title
<!-- full: begin -->
<!-- full: end -->
Between
<!-- quick: begin -->
<!-- quick: end -->
The end
"""
WORKS = """
from benchmarks.figures import Figure
QUICK, FULL = "small songs", "real songs"
def measure(sizes):
    return [Figure("a song", 2.0, "ms", sizes, "at most 3"), Figure("lost", 0, "songs", sizes, "0", at_any_size=True)]
"""
BREAKS = """
QUICK, FULL = "small songs", "real songs"
def measure(sizes):
    raise SystemExit("broken")
"""
WAITS = """
import threading
QUICK = None
def measure(sizes):
    threading.Event().wait()
"""


def run_of(benchmark, value):
    return Run(benchmark, "2026-11-26 10:00", "2 cores", "0.0 cores", 1.0, [Figure("a song", value, "ms", "songs")])


def within(document, size):
    return read_tables(document.read_text(encoding="utf-8").split(f"<!-- {size}: ")[1].partition("\n")[2])


@pytest.fixture
def document(tmp_path):
    path = tmp_path / "benchmarks.md"
    path.write_text(DOCUMENT, encoding="utf-8")
    return path


@pytest.mark.parametrize("size", ["full", "quick"])
def test_the_tables_of_the_document_name_every_benchmark_in_its_order(size):
    runs, figures = within(ROOT / "docs" / "benchmarks.md", size)
    assert {len(row) for row in runs} == {len(RUNS)}
    assert {len(row) for row in figures} == {len(FIGURES)}
    assert [row[0] for row in runs] == list(BENCHMARKS)
    assert list(dict.fromkeys(row[0] for row in figures)) == list(BENCHMARKS)
    assert all(row[1] and row[3] for row in figures)


def test_only_the_rows_of_what_was_run_are_replaced(document):
    order = ["load", "crawl", "day"]
    write_rows(document, "full", [run_of("day", 3.0), run_of("load", 1.0)], order)
    write_rows(document, "full", [run_of("crawl", 2.0)], order)
    write_rows(document, "full", [run_of("load", (1.5, 1234.5))], order)
    runs, figures = within(document, "full")
    assert [row[0] for row in runs] == order
    assert [(row[0], row[3]) for row in figures] == [("load", "1.5; 1,234"), ("crawl", "2"), ("day", "3")]
    text = document.read_text(encoding="utf-8")
    assert text.startswith("# Title\n")
    assert text.endswith("Between\n<!-- quick: begin -->\n<!-- quick: end -->\nThe end\n")


def test_rows_of_a_benchmark_that_is_no_more_go(document):
    write_rows(document, "full", [run_of("old", 3.0)], ["old"])
    write_rows(document, "full", [run_of("load", 1.0)], ["load"])
    assert [row[0] for row in within(document, "full")[1]] == ["load"]


def test_a_document_without_its_marks_stays_as_it_is(document):
    document.write_text("# Title\n", encoding="utf-8")
    with pytest.raises(ValueError, match="once each"):
        write_rows(document, "full", [run_of("load", 1.0)], ["load"])
    assert document.read_text(encoding="utf-8") == "# Title\n"


def test_one_that_fails_is_told_and_holds_up_no_other(document, tmp_path, monkeypatch, capfd):
    for name, code in (("fake_breaks", BREAKS), ("fake_works", WORKS)):
        (tmp_path / f"{name}.py").write_text(code, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    modules = {"breaks": "fake_breaks", "works": "fake_works"}
    assert run(modules, "quick", document, tmp_path) == 1
    runs, figures = within(document, "quick")
    assert [row[0] for row in runs] == ["works"]
    # A goal of the real sizes is none of the small ones.
    assert [row[1:] for row in figures] == [
        ("a song", "small songs", "2", "ms", ""),
        ("lost", "small songs", "0", "songs", "0"),
    ]
    kept = json.loads((tmp_path / "results" / "quick" / "works.json").read_text(encoding="utf-8"))
    assert [figure["value"] for figure in kept["figures"]] == [2.0, 0]
    assert "failed: breaks" in capfd.readouterr().out
    assert run({"works": "fake_works"}, "full", document, tmp_path) == 0
    assert within(document, "full")[1][0] == ("works", "a song", "real songs", "2", "ms", "at most 3")


def test_figures_of_several_things_stand_in_one_row():
    columns = [[Figure("a song", value, "ms", "", "at most 3")] for value in (1.0, 2.0)]
    assert side_by_side(columns, "10; 20 songs") == [Figure("a song", (1.0, 2.0), "ms", "10; 20 songs", "at most 3")]


def test_one_that_does_not_end_is_ended(document, tmp_path, monkeypatch, capfd):
    (tmp_path / "fake_waits.py").write_text(WAITS, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(BOUND_SECONDS, "quick", 0.5)
    assert run({"waits": "fake_waits"}, "quick", document, tmp_path) == 1
    assert "waits failed: not done after" in capfd.readouterr().out
    assert [child for child in psutil.Process().children() if "spawn_main" in " ".join(child.cmdline())] == []
