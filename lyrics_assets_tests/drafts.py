"""What nobody ever asked a service: songwriters at their drafts, each answer as the prediction log tells it."""

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from lyrics_assets.serving.prediction_log import PredictionLog
from scrapy_project.genres import GENRE_NAMES

LAST = dt.date(2026, 4, 20)


class Songwriters:
    """Sit down to write on some days; a draft is asked for again and again while it grows.

    Args:
        seed: of everything.
        drafts_a_day: on an ordinary day; on Saturdays and Sundays there are half as many.
        foreign: share of drafts that are not in Portuguese.
        length: words of the median draft when it is left.
        unknown: share of a draft's words that the model does not know, in the mean.
        sure: how confident the model is of a long draft, 0 to 1, in the mean.
        genres: how many genres are asked for.
        version: of the model that answers.
    """

    def __init__(
        self,
        seed: int,
        *,
        drafts_a_day: float = 15,
        foreign: float = 0.06,
        length: float = 60,
        unknown: float = 0.1,
        sure: float = 0.6,
        genres: int = 15,
        version: int = 7,
    ) -> None:
        self._rng = np.random.default_rng(seed)
        self._drafts_a_day, self._foreign, self._length = drafts_a_day, foreign, length
        self._unknown, self._sure, self._genres, self._version = unknown, sure, genres, version

    def day(self, date: dt.date) -> Iterator[dict[str, Any]]:
        """Yield the figures of a day's answers."""
        for _ in range(self._rng.poisson(self._drafts_a_day * (0.5 if date.weekday() > 4 else 1))):
            yield from self._draft()

    def days(self, last: dt.date, number: int) -> Iterator[tuple[dt.date, dict[str, Any]]]:
        """Yield the figures of the answers of so many days up to the last one."""
        for back in range(number - 1, -1, -1):
            date = last - dt.timedelta(days=back)
            for figures in self.day(date):
                yield date, figures

    def _draft(self) -> Iterator[dict[str, Any]]:
        rng = self._rng
        foreign = rng.random() < self._foreign
        genre = GENRE_NAMES[min(int(rng.exponential(4)), self._genres - 1)]
        left_at = max(4, round(self._length * rng.lognormal(0, 0.7)))
        unknown, sure = (
            rng.beta(20 * self._unknown, 20 * (1 - self._unknown)),
            rng.beta(6 * self._sure, 6 - 6 * self._sure),
        )
        for words in np.linspace(3, left_at, rng.integers(3, 30)).round().astype(int):
            trust = words / (words + 15)
            yield {
                "model_version": self._version,
                "characters": int(words) * 5,
                "words": int(words),
                "language": "en" if foreign else "pt",
                "portuguese_share": 0.05 if foreign else 1.0,
                "genre": genre,
                "most_probable": genre if rng.random() < trust else GENRE_NAMES[int(rng.integers(15))],
                "confidence": round(float(0.1 + 0.9 * sure * trust), 4),
                "unknown_share": round(float(min(1.0, unknown + 0.7 * foreign)), 4),
                "warnings": [],
                "milliseconds": 2.5,
            }


def write_log(folder: Path, answers: Iterator[tuple[dt.date, dict[str, Any]]]) -> Path:
    """Write answers as the service does, and return the folder."""
    log = PredictionLog(folder)
    for date, figures in answers:
        log.write(figures, dt.datetime.combine(date, dt.time(12), dt.UTC))
    log.close()
    return folder
