"""When an answer is worth little: the warnings, how they temper the answer, and how their bounds are chosen.

NumPy and the standard library alone: the service asks for warnings with every lyric. The bounds are chosen on songs
that the model in question had not seen, nor their artists; the tables behind them stay in the model's header.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

TOO_SHORT = "too_short"
NOT_PORTUGUESE = "not_portuguese"
UNLIKE_ANYTHING_KNOWN = "unlike_anything_known"
CLOSE_CALL = "close_call"

MIN_PORTUGUESE_SHARE = 0.6
"""Of the words; the dataset's own bound (`language.MIN_PORTUGUESE_SHARE`), which brings the detector along."""

CUT_LENGTHS = (2, 4, 8, 12, 16, 24, 32, 64)
"""First words of a song that are classified alone to learn how far to trust a short text."""
WHOLE = 0
"""Stands for all words of a song."""
_GAIN_OF_A_SONG = 1 / 5
_ALIKE_QUANTILE = 0.99
_MOST_UNKNOWN = 0.9
_COVERAGES = (1.0, 0.95, 0.9, 0.85, 0.8, 0.75, 0.7, 0.6, 0.5)
_ERROR_TO_KEEP = 0.9


@dataclass(frozen=True)
class Bounds:
    """From where on an answer carries a warning. The defaults are guesses, for a model without out-of-fold scores."""

    prior: Mapping[str, float]
    """Share of each genre among the training songs."""
    min_words: int = 8
    """A text of fewer words is too short."""
    max_unknown_share: float = _MOST_UNKNOWN
    """A text of whose distinct words a larger share, 0 to 1, is unknown is unlike anything known."""
    min_margin: float = 0.05
    """An answer is a close call if the second genre is nearer than this in probability."""
    coverage: Sequence[Mapping[str, float]] = ()
    """If only the answers of the largest margins counted: coverage, min_margin, accuracy, songs."""
    lengths: Sequence[Mapping[str, float]] = ()
    """For the first words of songs: words (0 stands for the whole song), accuracy, mean confidence, songs."""

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {**asdict(self), "coverage": list(self.coverage), "lengths": list(self.lengths)}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Return what `to_json` made plain.

        Raises:
            TypeError: a value is missing or unknown.
        """
        return cls(**{**values, "coverage": tuple(values["coverage"]), "lengths": tuple(values["lengths"])})


@dataclass(frozen=True)
class Answer:
    """What is said about one lyric."""

    genre: str | None
    """The most probable genre; None while it would be a guess at random: see `answer`."""
    confidence: float
    """Probability of the most probable genre, 0 to 1."""
    probabilities: dict[str, float]
    """Of every genre, most probable first; they sum to one."""
    warnings: tuple[str, ...]
    """Any of too_short, not_portuguese, unlike_anything_known, close_call, in this order."""


def answer(
    probabilities: Mapping[str, float],
    *,
    n_words: int,
    unknown_share: float,
    bounds: Bounds,
    portuguese_share: float | None = None,
) -> Answer:
    """Return the model's probabilities as an answer that says no more than is known.

    A text that is too short, not Portuguese or unlike anything known gets no genre, and its probabilities are drawn
    towards the training songs' shares: by how far it is past the bound, as a share of how far it could be. So they
    are the model's own at the bound, and the training songs' shares for no word, no Portuguese or no known word. A
    close call keeps its genre and its probabilities: they say it themselves.

    Args:
        probabilities: the model's.
        n_words: of the text.
        unknown_share: share of its distinct words that the model does not know, 0 to 1.
        bounds: the model's.
        portuguese_share: share of its words in passages that are Portuguese, 0 to 1; None if nobody has looked.
    """
    beyond: dict[str, float] = {}
    if n_words < bounds.min_words:
        beyond[TOO_SHORT] = 1 - n_words / bounds.min_words
    if portuguese_share is not None and portuguese_share < MIN_PORTUGUESE_SHARE:
        beyond[NOT_PORTUGUESE] = 1 - portuguese_share / MIN_PORTUGUESE_SHARE
    if n_words and unknown_share > bounds.max_unknown_share:
        beyond[UNLIKE_ANYTHING_KNOWN] = (unknown_share - bounds.max_unknown_share) / (1 - bounds.max_unknown_share)
    if beyond:
        pull = max(beyond.values())
        drawn = {genre: (1 - pull) * p + pull * bounds.prior[genre] for genre, p in probabilities.items()}
        ranked = dict(sorted(drawn.items(), key=lambda item: -item[1]))
        return Answer(None, next(iter(ranked.values())), ranked, tuple(beyond))
    ranked = dict(sorted(probabilities.items(), key=lambda item: -item[1]))
    first, second = list(ranked.values())[:2]
    close = (CLOSE_CALL,) if first - second < bounds.min_margin else ()
    return Answer(next(iter(ranked)), first, ranked, close)


def choose_bounds(
    prior: Mapping[str, float],
    probabilities: "NDArray[np.float64]",
    truth: "NDArray[np.intp]",
    unknown_shares: "NDArray[np.float64]",
    beginnings: "Mapping[int, NDArray[np.float64]]",
) -> Bounds:
    """Return the bounds that out-of-fold songs suggest; the defaults if there is no such song.

    Args:
        prior: share of each genre among the training songs.
        probabilities: calibrated, (songs, genres), by models that had seen neither the songs nor their artists.
        truth: the column of each song's genre.
        unknown_shares: share of each song's distinct words that its model did not know.
        beginnings: by number of words, the same for the first so many words of each song.
    """
    if not len(truth):
        return Bounds(prior)
    coverage = coverage_table(probabilities, truth)
    lengths = [_length_row(n_words, beginnings[n_words], truth) for n_words in sorted(beginnings)]
    lengths.append(_length_row(WHOLE, probabilities, truth))
    return Bounds(
        prior,
        min_words=_choose_min_words(lengths, max(prior.values())),
        max_unknown_share=min(float(np.quantile(unknown_shares, _ALIKE_QUANTILE)), _MOST_UNKNOWN),
        min_margin=_choose_margin(coverage),
        coverage=tuple(coverage),
        lengths=tuple(lengths),
    )


def _length_row(n_words: int, probabilities: "NDArray[np.float64]", truth: "NDArray[np.intp]") -> dict[str, float]:
    hits = probabilities.argmax(axis=1) == truth
    confidence = float(probabilities.max(axis=1).mean())
    return {"words": n_words, "accuracy": float(hits.mean()), "confidence": confidence, "songs": len(truth)}


def coverage_table(probabilities: "NDArray[np.float64]", truth: "NDArray[np.intp]") -> list[dict[str, float]]:
    """Return, for each share of songs answered, the margin that lets so many pass and how many of them are right."""
    ranked = np.sort(probabilities, axis=1)
    margins = ranked[:, -1] - ranked[:, -2]
    hits = probabilities.argmax(axis=1) == truth
    order = np.argsort(-margins, kind="stable")
    rows = []
    for coverage in _COVERAGES:
        answered = order[: max(1, round(coverage * len(order)))]
        rows.append(
            {
                "coverage": coverage,
                "min_margin": float(margins[answered].min()) if coverage < 1 else 0.0,
                "accuracy": float(hits[answered].mean()),
                "songs": len(answered),
            }
        )
    return rows


def _choose_margin(coverage: Sequence[Mapping[str, float]]) -> float:
    """Return the margin of the largest coverage whose errors are at most nine tenths of all songs'; else the last's."""
    allowed = _ERROR_TO_KEEP * (1 - coverage[0]["accuracy"])
    return next((row["min_margin"] for row in coverage if 1 - row["accuracy"] <= allowed), coverage[-1]["min_margin"])


def _choose_min_words(lengths: Sequence[Mapping[str, float]], guessing: float) -> int:
    """Return the fewest words that bring a fifth of what a whole song brings over guessing the most frequent genre."""
    *cuts, whole = lengths
    wanted = guessing + _GAIN_OF_A_SONG * (whole["accuracy"] - guessing)
    return next((int(cut["words"]) for cut in cuts if cut["accuracy"] >= wanted), CUT_LENGTHS[-1])
