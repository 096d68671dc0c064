"""The notebook for analysts: it runs on a filled home, shows no lyric, and is committed as it runs."""

import os
import re
import subprocess
import sys
from html import unescape

import nbformat
import pytest

from lyrics_assets.lyrics.text import normalise
from lyrics_assets.settings import ROOT
from scrapy_project.sandbox.songbook import PACKAGED_SONGBOOK, load_songbook

pytestmark = pytest.mark.timeout(600)  # the demonstration, and then the notebook

FOLDER = ROOT / "notebooks"
COMMITTED = FOLDER / "exploration.ipynb"
LINE_WORDS = 4
"""Words from which on a line is recognised as a song's."""
MOST_BYTES = 600_000
SHOWS_FIGURE = re.compile(r"^show\w*\(", re.MULTILINE)
OWN_PLACES = ("LYRICS_", "JUPYTER", "IPYTHON", "MPL", "MATPLOTLIB")
"""Beginnings of the variables that a machine may have set for other notebooks."""


@pytest.fixture(scope="module")
def executed(demo, tmp_path_factory):
    """Return the notebook as it runs on the demonstration's home, for an account that has no folder of its own."""
    folder = tmp_path_factory.mktemp("notebook")
    clean = {name: value for name, value in os.environ.items() if not name.startswith(OWN_PLACES)}
    done = subprocess.run(
        [sys.executable, FOLDER / "execute.py", folder / "executed.ipynb"],
        cwd=folder,
        env=clean | {"LYRICS_HOME": str(demo.home), "HOME": str(folder / "nowhere")},
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert [path.name for path in folder.iterdir()] == ["executed.ipynb"]
    return nbformat.read(folder / "executed.ipynb", as_version=4)


@pytest.fixture(scope="module")
def committed():
    return nbformat.read(COMMITTED, as_version=4)


@pytest.fixture(params=["executed", "committed"])
def notebook(request):
    return request.getfixturevalue(request.param)


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def shapes(notebook):
    """Return, for each code cell, what kinds of output it has."""
    return {
        cell.id: [(output.output_type, output.get("name"), sorted(output.get("data", ()))) for output in cell.outputs]
        for cell in code_cells(notebook)
    }


def pictures(cell):
    return [output for output in cell.outputs if "image/png" in output.get("data", ())]


def alternative(picture):
    return picture.metadata["image/png"]["alt"]


def texts(notebook):
    """Return all that can be read in a notebook but the points of its pictures."""
    found = [cell.source for cell in notebook.cells]
    for output in (output for cell in code_cells(notebook) for output in cell.outputs):
        found += [str(output.metadata) if "metadata" in output else "", "".join(output.get("text", ""))]
        found += [str(value) for kind, value in output.get("data", {}).items() if kind != "image/png"]
    return "\n".join(found)


def read_lines(notebook):
    """Return the songs' lines that can be read in a notebook; a title that is sung is a title."""
    songs = load_songbook(PACKAGED_SONGBOOK)
    lines = {line for song in songs for text in (song.lyrics, song.original) for line in normalise(text).split("\n")}
    titles = "\n".join(f" {normalise(song.title)} " for song in songs)
    text = f" {' '.join(normalise(unescape(re.sub('<[^>]+>', ' ', texts(notebook)))).split())} "
    recognised = (f" {line} " for line in lines if len(line.split()) >= LINE_WORDS)
    return [line.strip() for line in recognised if line in text and line not in titles]


def test_the_committed_outputs_are_of_the_kinds_that_an_execution_gives(executed, committed):
    assert shapes(committed) == shapes(executed)


def test_no_cell_fails_or_warns(notebook):
    kinds = {(kind, name) for outputs in shapes(notebook).values() for kind, name, _ in outputs}
    assert kinds == {("display_data", None), ("execute_result", None)}


def test_every_figure_is_drawn_and_told(notebook):
    drawing = [cell for cell in code_cells(notebook) if SHOWS_FIGURE.search(cell.source)]
    assert len(drawing) > 10
    for cell in drawing:
        assert len(pictures(cell)) == 1, cell.id
        assert len(alternative(pictures(cell)[0])) > 40, cell.id


@pytest.mark.parametrize("figure", ["vocabulary_figure", "features_figure"])
def test_of_lyrics_only_single_words_are_shown(notebook, figure):
    (cell,) = [cell for cell in notebook.cells if cell.id == figure]
    of_genres = alternative(pictures(cell)[0]).removeprefix("Words. ").split("; ")
    words = [word for genre in of_genres for word in genre.partition(": ")[2].split(", ")]
    assert len(words) > 60
    assert [word for word in words if word and not word.isalpha()] == []


def test_no_line_of_a_song_is_shown(notebook):
    assert read_lines(notebook) == []


def test_a_line_of_a_song_would_be_found(committed):
    line = load_songbook(PACKAGED_SONGBOOK)[0].lyrics.split("\n")[0]
    html = nbformat.from_dict({"text/html": f"<td>{line.upper()}</td>"})
    output = nbformat.v4.new_output("display_data", data=html)
    cell = nbformat.v4.new_code_cell(outputs=[output])
    assert read_lines(nbformat.v4.new_notebook(cells=[*committed.cells, cell])) == [normalise(line)]


def test_no_path_of_the_machine_is_shown(notebook, demo):
    for path in (demo.home, ROOT, sys.prefix):
        assert str(path) not in texts(notebook)
    assert re.findall(r"(?:^|[\s'\"(:])/\w+/\S*", texts(notebook)) == []


def test_it_is_committed_whole_in_order_and_without_what_changes_from_machine_to_machine(committed):
    cells = code_cells(committed)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert committed.metadata == {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    assert [cell.id for cell in committed.cells if cell.metadata] == []
    assert COMMITTED.stat().st_size < MOST_BYTES


def test_its_links_lead_somewhere(committed):
    text = "\n".join(cell.source for cell in committed.cells if cell.cell_type == "markdown")
    links = re.findall(r"\]\(([^)#]+)", text)
    assert links
    assert [link for link in links if not (FOLDER / link).exists()] == []
