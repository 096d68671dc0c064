"""Which words and lines speak for a genre, and where they stand in the text as it was written.

The model reads the normal form, in which accents, case and layout are gone and lengths have changed ("ß" is "ss", an
"é" may be two characters). `locate` finds each word of the normal form in the raw text. NumPy and the standard library.
"""

import functools
import re
import unicodedata
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from lyrics_assets.lyrics.text import LINE_BREAKS, fold

_WORD_OR_LINE_END = re.compile(r"[^\W_]+|\n")


class Span(NamedTuple):
    """A part of the raw text, and what it says for the genre."""

    start: int
    """First character, counted in Unicode code points from 0."""
    end: int
    """The character after the last one."""
    weight: float
    """What it adds to the genre's logit; below zero it speaks against the genre."""


class Explanation(NamedTuple):
    """Why a genre has its score: ``bias`` and the words' weights add up to ``logit``."""

    genre: str
    logit: float
    """The genre's calibrated score relative to the mean of all genres; with calibration by sigmoid its log-odds against
    all others."""
    bias: float
    """The part of the logit that no word brings."""
    words: tuple[Span, ...]
    """Every word in the order of the text; an unknown one weighs what its known character n-grams do, or nothing.

    The weight of an n-gram is shared evenly by its occurrences, and in each by the letters that it covers.
    """
    lines: tuple[Span, ...]
    """Every line that has a word, from its first word to its last; it weighs what its words weigh together."""


class Place(NamedTuple):
    """A word of the normal form and where it stands in the raw text."""

    word: str
    start: int
    end: int


def locate(text: str) -> list[list[Place]]:
    """Return the words of a raw text by lines, with their places.

    Joined by spaces and newlines the words are `normalise` of the text. A combining mark belongs to the character
    before it.
    """
    folded, starts, ends = _fold_with_places(text)
    lines: list[list[Place]] = [[]]
    for found in _WORD_OR_LINE_END.finditer(folded):
        if found.group() == "\n":
            lines.append([])
        else:
            lines[-1].append(Place(found.group(), starts[found.start()], ends[found.end() - 1]))
    return [line for line in lines if line]


def _fold_with_places(text: str) -> tuple[str, Sequence[int], Sequence[int]]:
    """Return `fold` of the text with its line ends made one, and of each character its start and end in the text."""
    if "\r\n" not in text and all(len(_fold_character(char)) == 1 for char in set(text)):
        whole = fold(LINE_BREAKS.sub("\n", text))
        if len(whole) == len(text):  # no two were composed to one: each stands where it stood
            return whole, range(len(text)), range(1, len(text) + 1)
    folded: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    for char, start, end in _characters(text):
        piece = _fold_character(char)
        if not piece:  # a mark that folding removes
            if ends:
                ends[-1] = end
            continue
        # A few letters are composed of several that stand side by side (Hangul, some Indic vowels).
        if (
            folded
            and not piece.isascii()
            and (joined := unicodedata.normalize("NFC", folded[-1] + piece)) != (folded[-1] + piece)
        ):
            start = starts[-1]
            del folded[-1], starts[-1], ends[-1]
            piece = joined
        folded += piece
        starts += [start] * len(piece)
        ends += [end] * len(piece)
    return "".join(folded), starts, ends


def _characters(text: str) -> Iterator[tuple[str, int, int]]:
    """Yield each character with its place; every line end is a newline."""
    position = 0
    for found in LINE_BREAKS.finditer(text):
        for place in range(position, found.start()):
            yield text[place], place, place + 1
        yield "\n", found.start(), found.end()
        position = found.end()
    for place in range(position, len(text)):
        yield text[place], place, place + 1


@functools.lru_cache(maxsize=4096)
def _fold_character(char: str) -> str:
    return fold(char)
