"""The index of all texts seen so far, by which songs of different dates share their `lyrics_group`."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import dagster as dg
from pydantic import Field

if TYPE_CHECKING:
    from lyrics_assets.lyrics.near_duplicates import TextIndex


class TextIndexDatabase(dg.ConfigurableResource):
    """Where the index lies: a SQLite file, or PostgreSQL for more machines than one."""

    url: str = Field(description="SQLAlchemy URL of a SQLite file, which is created, or of a PostgreSQL database")

    @contextmanager
    def opened(self) -> Iterator["TextIndex"]:
        """Yield the index; its connections are closed at the end."""
        from lyrics_assets.lyrics.near_duplicates import TextIndex

        with closing(TextIndex(self.url)) as index:
            yield index
