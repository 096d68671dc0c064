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
from typing import BinaryIO

from filelock import FileLock, Timeout

from lyrics_assets.model.classifier import Hyperparameters

TURN_SECONDS = 3600.0
"""How long a search waits for another one of the same songs."""

Task = tuple[Hyperparameters, int]
"""A setting and a fold."""


class SearchError(RuntimeError):
    """The search cannot give an answer."""


class Journal:
    """Scores by setting and fold; in memory only, without a file."""

    def __init__(self, file: BinaryIO | None = None) -> None:
        self._file = file
        self._scores: dict[Task, float] = {}
        if file:
            lines = file.read().split(b"\n")
            # A killed search may have left half a line.
            if lines.pop():
                file.write(b"\n")
            for line in lines:
                with contextlib.suppress(ValueError, KeyError):
                    entry = json.loads(line)
                    self._scores[Hyperparameters(**entry["parameters"]), entry["fold"]] = entry["macro_f1"]

    def find(self, task: Task) -> float | None:
        """Return the score of a setting in a fold, None if it was not measured."""
        return self._scores.get(task)

    def add(self, task: Task, score: float) -> None:
        """Keep a score; it survives this process from here on."""
        self._scores[task] = score
        if self._file:
            entry = {"fold": task[1], "macro_f1": score, "parameters": task[0].model_dump()}
            self._file.write(json.dumps(entry).encode() + b"\n")
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
