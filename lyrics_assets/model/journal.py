"""What a search has measured, kept in a file as it goes: whoever asks again is answered at once.

Optuna's storages keep the trials of a study but not the random state of its sampler, so a resumed study goes another
way than one that was never interrupted. A score however depends on nothing but its setting and fold. So the scores are
kept, and a resumed search is the same search run again from its seed, in which what was measured costs nothing.
"""

import contextlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from filelock import FileLock, Timeout

from lyrics_assets.model.classifier import Hyperparameters

TURN_SECONDS = 3600.0
"""How long a search waits for another one of the same songs."""

Task = tuple[Hyperparameters, int]
"""A setting and a fold."""


class SearchError(RuntimeError):
    """The search cannot give an answer."""


class Result(NamedTuple):
    """What became of a task."""

    task: Task
    score: float | None = None
    """The fold's macro-F1; None if it has none."""
    error: str = ""
    """Why this setting cannot be measured; empty with neither score nor error if time was up before it began."""


class Journal:
    """Results by setting and fold; in memory only, without a file."""

    def __init__(self, file: BinaryIO | None = None) -> None:
        self._file = file
        self._results: dict[Task, Result] = {}
        if file:
            lines = file.read().split(b"\n")
            # A killed search may have left half a line.
            if lines.pop():
                file.write(b"\n")
            for line in lines:
                with contextlib.suppress(ValueError, KeyError):
                    entry = json.loads(line)
                    task = (Hyperparameters(**entry["parameters"]), entry["fold"])
                    self._results[task] = Result(task, entry["macro_f1"], entry["error"])

    def find(self, task: Task) -> Result | None:
        """Return what became of a setting in a fold, None if that is not known."""
        return self._results.get(task)

    def add(self, result: Result) -> None:
        """Keep a result, if it is one; it survives this process from here on."""
        if result.score is None and not result.error:
            return
        self._results[result.task] = result
        if self._file:
            parameters, fold = result.task
            entry = {"fold": fold, "macro_f1": result.score, "error": result.error}
            self._file.write(json.dumps(entry | {"parameters": parameters.model_dump()}).encode() + b"\n")
            self._file.flush()


@contextlib.contextmanager
def open_journal(place: Path, turn_seconds: float = TURN_SECONDS) -> Iterator[Journal]:
    """Open the journal of a folder; one search at a time, the next one waits and then finds what was measured.

    Raises:
        SearchError: another search holds the folder for longer than `turn_seconds`.
    """
    place.mkdir(parents=True, exist_ok=True)
    turn = FileLock(place / "lock")
    try:
        turn.acquire(timeout=turn_seconds)
    except Timeout as error:
        raise SearchError(f"another search of these songs has been running for {turn_seconds:g} s: {place}") from error
    try:
        with (place / "scores.jsonl").open("a+b") as file:
            file.seek(0)
            yield Journal(file)
    finally:
        turn.release()


def remove_leftovers(folder: Path, name: str) -> None:
    """Remove the subfolder of that name from each folder of a search that was killed and is not running."""
    for leftover in folder.glob(f"*/{name}"):
        turn = FileLock(leftover.parent / "lock")
        with contextlib.suppress(Timeout), turn.acquire(timeout=0):
            shutil.rmtree(leftover, ignore_errors=True)
