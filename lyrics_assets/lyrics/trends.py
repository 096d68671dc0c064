"""How genres move from one extraction date to the next: songs that enter, stay and leave, words that rise."""

from collections import Counter
from typing import Any

import numpy as np
import pandas as pd

from lyrics_assets.lyrics.text import normalise

PRIOR_STRENGTH = 500.0
"""Words that the whole history counts for, against a genre's own on one date: rare words must earn their rise."""


def movements(earlier: pd.DataFrame, later: pd.DataFrame) -> pd.DataFrame:
    """Return, for each genre, songs on the later date, and how many entered, stayed and left since the earlier one.

    Args:
        earlier: the rows of a date; columns song_id, genre, is_translation.
        later: the rows of a later date.

    Returns:
        One row a genre: genre, songs, entered, stayed, left (counts of songs), translated (share of songs, 0 to 1).
    """
    rows = []
    for genre in sorted(set(earlier["genre"]) | set(later["genre"])):
        before = set(earlier.loc[earlier["genre"] == genre, "song_id"])
        now = later[later["genre"] == genre]
        after = set(now["song_id"])
        rows.append(
            {
                "genre": genre,
                "songs": len(after),
                "entered": len(after - before),
                "stayed": len(after & before),
                "left": len(before - after),
                "translated": float(now["is_translation"].mean()) if len(now) else 0.0,
            }
        )
    return pd.DataFrame(rows)


def rising_words(earlier: pd.DataFrame, later: pd.DataFrame, limit: int = 10) -> list[dict[str, Any]]:
    """Return the words whose share grew most between two dates, by z-score of their log-odds.

    The prior is the words' share over both dates (Monroe, Colaresi and Quinn 2008, "Fightin' Words"), so that a rare
    word needs more than one song. A word is counted once a song: a refrain is no trend.

    Returns:
        word, z, songs_before, songs_after; largest z first; only words with z above 1.96.
    """
    before, after = _songs_with_word(earlier), _songs_with_word(later)
    total = before + after
    if not before or not after:
        return []
    words = sorted(word for word, count in total.items() if count > 1)
    y_before = np.array([before[word] for word in words], dtype=float)
    y_after = np.array([after[word] for word in words], dtype=float)
    prior = (y_before + y_after) / total.total() * PRIOR_STRENGTH
    log_odds = _log_odds(y_after, after.total(), prior) - _log_odds(y_before, before.total(), prior)
    z = log_odds / np.sqrt(1 / (y_after + prior) + 1 / (y_before + prior))
    order = np.argsort(-z, kind="stable")[:limit]
    return [
        {"word": words[i], "z": float(z[i]), "songs_before": int(y_before[i]), "songs_after": int(y_after[i])}
        for i in order
        if z[i] > 1.96
    ]


def _songs_with_word(songs: pd.DataFrame) -> Counter[str]:
    return Counter(word for lyrics in songs["lyrics"] for word in set(normalise(lyrics).split()))


def _log_odds(counts: np.ndarray, total: int, prior: np.ndarray) -> np.ndarray:
    inside = counts + prior
    return np.asarray(np.log(inside) - np.log(total + PRIOR_STRENGTH - inside))
