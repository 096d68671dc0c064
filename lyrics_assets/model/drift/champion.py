"""The served model, and what it says of songs that it did not learn from."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lyrics_assets.model.drift.dates import Dates, Shown
from lyrics_assets.model.promotion import unseen

if TYPE_CHECKING:
    from lyrics_assets.model.scorer import Scorer


NOT_KNOWN = "which songs the champion learned from is not known: its run has no such file; train anew"


class Served(NamedTuple):
    """The champion."""

    version: int
    scorer: "Scorer"
    tags: Mapping[str, str]
    """Of its version in the registry."""
    learned: pd.DataFrame | None
    """`promotion.learned_songs` of its training; None if that is not known."""


class Answers(NamedTuple):
    """What the champion says of each text of a song that is new to it; 0 for other texts."""

    unseen: NDArray[np.bool_]
    """Of each recording: whether neither its artist nor a text like its own taught the champion."""
    probabilities: NDArray[np.float64]
    """(texts, genres that the champion tells)."""
    unknown: NDArray[np.float64]
    """Share of a text's different words that the champion does not know, 0 to 1."""

    @property
    def confidence(self) -> NDArray[np.float64]:
        """The probability of each text's most probable genre."""
        return np.asarray(self.probabilities.max(axis=1))


def ask_champion(dates: Dates, shown: Sequence[Shown], served: Served) -> Answers | None:
    """Return what the champion says of the songs of these dates that are new to it; None if it is not known which."""
    if served.learned is None:
        return None
    new = unseen(dates.recordings(), served.learned)
    texts = np.unique(np.concatenate([date.texts[new[date.recordings]] for date in shown]))
    classes = served.scorer.classes
    found = Answers(new, np.zeros((len(dates.lyrics), len(classes))), np.zeros(len(dates.lyrics)))
    for text in texts:
        reading = served.scorer.read(dates.lyrics[text])
        shares = served.scorer.probabilities(reading)
        found.probabilities[text] = [shares[name] for name in classes]
        found.unknown[text] = served.scorer.unknown_share(reading)
    return found
