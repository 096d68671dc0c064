"""What is compared between dates: categories that songs are sorted into, and counted in by artist."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, diags_array

from lyrics_assets.model.drift.champion import Answers
from lyrics_assets.model.drift.dates import PORTUGUESE_NUMBER, Dates, Numbers, Shown
from lyrics_assets.model.drift.quiet import Floats

VOCABULARY_WORDS = 2000
"""The words, those in the most songs, by which vocabularies are compared; what is rare is compared as unknown."""
BINS = 10
"""Of lengths and of confidence: as many songs of the learned dates in each."""
UNKNOWN_WORDS, CONFIDENCE = "unknown_words", "confidence"
OF_UNSEEN = (UNKNOWN_WORDS, CONFIDENCE)
"""Measures of songs that the champion did not learn from: of its own it knows every word and is too sure."""


class Measure(NamedTuple):
    """One way to sort songs into categories."""

    categories: Sequence[str]
    rows: Callable[[Shown], csr_array]
    """One row a song, one column a category: what the song counts for; nothing if it is not one of those meant."""
    of: str = ""
    """Which songs are meant; empty for all."""
    grows: int | None = None
    """The category that must grow for a difference to be one; None for any difference."""


class Counted(NamedTuple):
    """What the songs of each artist count for."""

    artists: Numbers
    counts: dict[str, Floats]
    """By measure: (artists, categories)."""


def build_measures(
    dates: Dates, learned: Sequence[Shown], newest: Shown, answers: Answers | None
) -> dict[str, Measure]:
    """Return the measures by name.

    Args:
        dates: by what both were read.
        learned: the dates that the champion learned from.
        newest: the date to compare with them.
        answers: what the champion says of songs that it did not learn from; without it they are not measured.
    """
    lengths = _edges(np.concatenate([shown.n_words for shown in learned]))
    names, words = _widespread_words(dates, learned, newest)
    found = {
        "genre_mix": Measure(list(dates.genres), lambda shown: _one_hot(shown.genres, len(dates.genres))),
        "vocabulary": Measure(names, lambda shown: words[shown.texts]),
        "length": Measure(
            _names(lengths, "{:.0f}", " words"),
            lambda shown: _one_hot(np.digitize(shown.n_words, lengths), len(lengths) + 1),
        ),
        "translations": Measure(
            ["translated songs", "other songs"], lambda shown: _shares(1.0 * (shown.languages != PORTUGUESE_NUMBER))
        ),
        "languages": Measure(
            list(dates.languages),
            lambda shown: _only(shown.languages != PORTUGUESE_NUMBER, _one_hot(shown.languages, len(dates.languages))),
            of="translated",
        ),
        "portuguese_share": Measure(
            ["Portuguese words", "other words"], lambda shown: _shares(shown.portuguese_shares)
        ),
    }
    if answers is None:
        return found
    unseen = np.concatenate([shown.texts[answers.unseen[shown.recordings]] for shown in learned])
    sure = _edges(answers.confidence[unseen])
    return found | {
        UNKNOWN_WORDS: Measure(
            ["unknown words", "known words"],
            lambda shown: _only(answers.unseen[shown.recordings], _shares(answers.unknown[shown.texts])),
            of="new to the champion",
            grows=0,
        ),
        CONFIDENCE: Measure(
            _names(sure, "{:.2f}", ""),
            lambda shown: _only(
                answers.unseen[shown.recordings],
                _one_hot(np.digitize(answers.confidence[shown.texts], sure), len(sure) + 1),
            ),
            of="new to the champion",
        ),
    }


def count_by_artist(shown: Shown, measures: dict[str, Measure], dates: Dates) -> Counted:
    """Return what a date's songs count for, by artist."""
    artists, places = np.unique(dates.artists[shown.recordings], return_inverse=True)
    ones = np.ones(len(places), dtype=np.float32)
    songs = csr_array((ones, (places, np.arange(len(places)))), shape=(len(artists), len(places)))
    return Counted(artists, {name: (songs @ measure.rows(shown)).toarray() for name, measure in measures.items()})


def count_songs(shown: Sequence[Shown], measure: Measure, dates: Dates) -> tuple[int, int]:
    """Return how many different songs of these dates a measure counts, and of how many artists."""
    meant = [date.recordings[np.asarray(measure.rows(date).sum(axis=1)) > 0] for date in shown]
    recordings = np.unique(np.concatenate(meant))
    return len(recordings), len(np.unique(dates.artists[recordings]))


def _widespread_words(dates: Dates, learned: Sequence[Shown], newest: Shown) -> tuple[list[str], csr_array]:
    """Return the VOCABULARY_WORDS words in the most songs of both sides, and which texts have which of them."""
    bags = dates.bags()
    times = np.zeros(len(dates.lyrics), dtype=np.float32)
    for shown in learned:
        times += np.bincount(shown.texts, minlength=len(times)).astype(np.float32) / len(learned)
    times += np.bincount(newest.texts, minlength=len(times)).astype(np.float32)
    songs = times @ bags
    kept = np.argsort(-songs, kind="stable")[: min(VOCABULARY_WORDS, int((songs > 0).sum()))]
    names = list(dates.words)
    return [names[word] for word in kept], bags[:, kept].tocsr()


def _one_hot(codes: Numbers, size: int) -> csr_array:
    ones = np.ones(len(codes), dtype=np.float32)
    return csr_array((ones, (np.arange(len(codes)), codes)), shape=(len(codes), size))


def _shares(shares: NDArray[np.float64]) -> csr_array:
    return csr_array(np.column_stack([shares, 1 - shares]).astype(np.float32))


def _only(chosen: NDArray[np.bool_], rows: csr_array) -> csr_array:
    """Return the rows with nothing in those that are not chosen."""
    return csr_array(diags_array(chosen.astype(np.float32)) @ rows)


def _edges(values: NDArray[np.float64] | Numbers) -> NDArray[np.float64]:
    """Return what parts the values into BINS bins of as many each; fewer where values repeat or there are none."""
    if not len(values):
        return np.empty(0)
    return np.unique(np.quantile(values, np.arange(1, BINS) / BINS))


def _names(edges: NDArray[np.float64], form: str, unit: str) -> list[str]:
    ends = [form.format(edge) for edge in edges]
    if not ends:
        return [f"any{unit}"]
    between = [f"{low} to {high}{unit}" for low, high in pairwise(ends)]
    return [f"under {ends[0]}{unit}", *between, f"{ends[-1]}{unit} or more"]
