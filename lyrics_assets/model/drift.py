"""How far the newest lyrics are from those that the served model learned from."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field

from lyrics_assets.lyrics.text import normalise
from lyrics_assets.model.scorer import Scorer


class DriftBounds(BaseModel):
    """How far is too far."""

    model_config = ConfigDict(frozen=True)

    genre_mix: float = Field(0.1, description="Jensen-Shannon distance of the genres' shares, 0 to 1")
    vocabulary: float = Field(0.35, description="Jensen-Shannon distance of the words' shares, 0 to 1")
    unknown_words: float = Field(0.1, description="Growth of the mean share of a lyric's words unknown to the model")
    length: float = Field(0.25, description="Change of the median number of words, as a share")


def measure_drift(learned: pd.DataFrame, newest: pd.DataFrame, scorer: Scorer, bounds: DriftBounds) -> dict[str, Any]:
    """Return each distance between the songs that the model learned from and a date's, with its bound.

    Args:
        learned: the training set; columns genre, lyrics, n_words.
        newest: the rows of the newest date, same columns.
        scorer: the served model.
        bounds: what is allowed.
    """
    known, unknown = (
        float(np.mean([scorer.unknown_share(lyrics) for lyrics in songs["lyrics"]])) for songs in (learned, newest)
    )
    median_before, median_now = (float(songs["n_words"].median()) for songs in (learned, newest))
    seen = {
        "genre_mix": jensen_shannon(Counter(learned["genre"]), Counter(newest["genre"])),
        "vocabulary": jensen_shannon(_words(learned), _words(newest)),
        "unknown_words": unknown - known,
        "length": abs(median_now - median_before) / median_before,
    }
    allowed = bounds.model_dump()
    return {
        "n_learned": len(learned),
        "n_newest": len(newest),
        "measures": {name: {"seen": value, "allowed": allowed[name]} for name, value in seen.items()},
        "drifted": sorted(name for name, value in seen.items() if value > allowed[name]),
    }


def jensen_shannon(first: Mapping[str, int], second: Mapping[str, int]) -> float:
    """Return the Jensen-Shannon distance (base 2, 0 to 1) of two tables of counts."""
    names = sorted(set(first) | set(second))
    p, q = (np.array([counts.get(name, 0) for name in names], dtype=float) for counts in (first, second))
    p, q = p / p.sum(), q / q.sum()
    middle = (p + q) / 2
    divergence = (_relative_entropy(p, middle) + _relative_entropy(q, middle)) / 2
    return float(np.sqrt(max(0.0, divergence)))


def _relative_entropy(p: np.ndarray, q: np.ndarray) -> float:
    present = p > 0
    return float((p[present] * np.log2(p[present] / q[present])).sum())


def _words(songs: pd.DataFrame) -> Counter[str]:
    return Counter(word for lyrics in songs["lyrics"] for word in normalise(lyrics).split())
