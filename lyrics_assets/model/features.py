"""What the model reads in a lyric: word and character n-grams of the normal form, and what each weighs.

The pipeline (training) and the scorer (serving) call these same functions, so that they cannot disagree. Nothing but
NumPy and the standard library.

An n-gram stands inside one piece of the text: a line for word n-grams, a word for character n-grams. Lyrics repeat
their pieces, so each distinct piece is read once and counted as often as it comes.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Analyzer(Protocol):
    """What parts a normalised text into pieces, and a piece into n-grams."""

    @property
    def shortest(self) -> int:
        """Fewest words or characters of an n-gram."""

    @property
    def longest(self) -> int:
        """Most words or characters of an n-gram."""

    def pieces(self, text: str) -> list[str]:
        """Return the pieces of a text, with repetitions."""

    def of_piece(self, piece: str) -> list[str]:
        """Return the n-grams of a piece, with repetitions."""

    def __call__(self, text: str) -> list[str]:
        """Return the n-grams of a text, with repetitions."""


@dataclass(frozen=True)
class WordNgrams:
    """Runs of `shortest` to `longest` words inside one line; a phrase never crosses the end of a line."""

    shortest: int = 1
    longest: int = 2

    def __call__(self, text: str) -> list[str]:
        """Return the n-grams, with repetitions, of a normalised text."""
        return [gram for line in self.pieces(text) for gram in self.of_piece(line)]

    def pieces(self, text: str) -> list[str]:
        """Return the lines."""
        return text.split("\n")

    def of_piece(self, piece: str) -> list[str]:
        """Return the n-grams of one line."""
        words = piece.split()
        grams = list(words) if self.shortest == 1 else []
        for size in range(max(self.shortest, 2), self.longest + 1):
            grams += [" ".join(words[start : start + size]) for start in range(len(words) - size + 1)]
        return grams


@dataclass(frozen=True)
class CharNgrams:
    """Runs of `shortest` to `longest` characters inside one word, which is padded by a space on both sides."""

    shortest: int = 2
    longest: int = 5

    def __call__(self, text: str) -> list[str]:
        """Return the n-grams, with repetitions, of a normalised text."""
        return [gram for word in self.pieces(text) for gram in self.of_piece(word)]

    def pieces(self, text: str) -> list[str]:
        """Return the words."""
        return text.split()

    def of_piece(self, piece: str) -> list[str]:
        """Return the n-grams of one word."""
        padded = f" {piece} "
        length = len(padded)
        return [
            padded[start : start + size]
            for size in range(self.shortest, min(self.longest, length) + 1)
            for start in range(length - size + 1)
        ]


BM25_K1, BM25_B = 1.2, 0.75
"""The usual constants: how soon repetitions stop to count, and how far a long text's counts are discounted."""


def bm25_idf(songs_with: "NDArray[np.float64]", n_songs: int) -> "NDArray[np.float64]":
    """Return the inverse document frequency of n-grams, never negative, by how many songs hold each."""
    return np.log1p((n_songs - songs_with + 0.5) / (songs_with + 0.5))


def bm25_saturation(
    counts: "NDArray[np.float64]", lengths: "NDArray[np.float64] | float", k1: float, b: float
) -> "NDArray[np.float64]":
    """Return what BM25 makes of counts, before the idf (Robertson and Zaragoza, "The Probabilistic Relevance
    Framework: BM25 and Beyond", 2009).

    Args:
        counts: occurrences of each n-gram in its song.
        lengths: n-grams of that song over those of the mean song, one value a count or one for all.
        k1: how soon repetitions stop to count; 0 takes each n-gram once.
        b: how far long songs are discounted, 0 to 1.
    """
    return counts * (k1 + 1) / (counts + k1 * (1 - b + b * lengths))
