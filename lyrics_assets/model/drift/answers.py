"""Reads what `prediction_log` wrote: figures of the service's answers, day by day."""

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError


class LoggedAnswer(BaseModel):
    """One answer; what else its line holds is left aside."""

    model_config = ConfigDict(frozen=True, protected_namespaces=(), allow_inf_nan=False)

    model_version: int
    words: int = Field(ge=0)
    language: str | None
    """ISO 639-1; None where nobody looked or nothing tells it."""
    portuguese_share: float | None = Field(ge=0, le=1)
    most_probable: str
    confidence: float = Field(ge=0, le=1)
    unknown_share: float = Field(ge=0, le=1)


def read_answers(folder: Path, first: dt.date, last: dt.date) -> Iterator[tuple[dt.date, LoggedAnswer | None]]:
    """Yield the UTC day and the figures of each answer of these days, both included, a line of a file at a time.

    None stands for a line that cannot be read: one that was torn when a disk was full or a machine went down, or that
    another release of the service wrote.
    """
    for number in range((last - first).days + 1):
        date = first + dt.timedelta(days=number)
        path = folder / f"{date}.jsonl"
        if not path.exists():
            continue
        with path.open("rb") as lines:
            for line in lines:
                yield date, _parse(line)


def _parse(line: bytes) -> LoggedAnswer | None:
    try:
        return LoggedAnswer.model_validate_json(line)
    except ValidationError:
        return None
