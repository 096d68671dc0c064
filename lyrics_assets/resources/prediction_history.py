"""The service's prediction log, as monitoring reads it: by default the folder in the home that `lyrics serve` fills."""

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg
from pydantic import Field

if TYPE_CHECKING:
    from lyrics_assets.model.drift.answers import LoggedAnswer


class PredictionHistory(dg.ConfigurableResource):
    """Figures of what the service answered; none where it keeps no log."""

    folder: str = Field(description="Folder of the prediction log, one file a UTC day")

    def answers(self, first: dt.date, last: dt.date) -> "Iterator[tuple[dt.date, LoggedAnswer | None]]":
        """Yield the UTC day and the figures of each answer of these days; None for a line that cannot be read."""
        from lyrics_assets.model.drift.answers import read_answers

        return read_answers(Path(self.folder), first, last)
