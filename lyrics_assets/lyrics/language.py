"""In which languages a lyric is written, by share: songs switch between them. The detector is lingua."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from scrapy_project.language import detector

if TYPE_CHECKING:
    from lingua import Language

PORTUGUESE = "pt"
MIN_PORTUGUESE_SHARE = 0.6
"""Of the words of a lyric, for it to count as Portuguese: a refrain in English is common, half a song is not."""

PASSAGE_CHARACTERS = 160
"""Lines are told together until they are so long: a line alone is often too short to tell, and as costly."""


class Languages(NamedTuple):
    """What a lyric is written in; a line that is sung again counts once."""

    main: str | None
    """ISO 639-1 code of the language of most words; None where there is nothing to tell it by."""
    portuguese_share: float
    """Share of the words that stand in passages told to be Portuguese, 0 to 1."""


def detect_languages(texts: Sequence[str]) -> list[Languages]:
    """Return the languages of each text; passages of all of them are told on all cores."""
    passages = [_passages(text) for text in texts]
    flat = [passage for of_text in passages for passage in of_text]
    codes = iter(_code(language) for language in detector().detect_languages_in_parallel_of(flat))
    return [_weigh([(passage, next(codes)) for passage in of_text]) for of_text in passages]


def detect_languages_of(
    text: str, at_most: int | None = None, is_portuguese: Callable[[str], bool] = lambda _: False
) -> Languages:
    """Return the same of one text, told in this thread: for so little, other threads cost more than they save.

    Args:
        text: lines parted by newlines.
        at_most: how many passages to look at, spread evenly over the text; all if None.
        is_portuguese: knows of some passages, for less than the detector takes, that they are Portuguese.
    """
    passages = _passages(text)
    if at_most and len(passages) > at_most:
        passages = [passages[place * len(passages) // at_most] for place in range(at_most)]
    tell = detector().detect_language_of
    codes = [PORTUGUESE if is_portuguese(passage) else _code(tell(passage)) for passage in passages]
    return _weigh(list(zip(passages, codes, strict=True)))


def _code(language: "Language | None") -> str | None:
    return language.iso_code_639_1.name.lower() if language else None


def _passages(text: str) -> list[str]:
    """Return the distinct lines in passages of about PASSAGE_CHARACTERS, none much shorter unless it is alone."""
    passages: list[list[str]] = []
    room = 0
    for line in dict.fromkeys(text.split("\n")):
        if room <= 0:
            passages.append([])
            room = PASSAGE_CHARACTERS
        passages[-1].append(line)
        room -= len(line)
    if room > 0 and len(passages) > 1:
        passages[-2:] = [passages[-2] + passages[-1]]
    return ["\n".join(lines) for lines in passages]


def _weigh(told: list[tuple[str, str | None]]) -> Languages:
    words: Counter[str | None] = Counter()
    for passage, code in told:
        words[code] += passage.count(" ") + passage.count("\n") + 1
    # What has no language (digits, emoji) weighs neither way.
    words.pop(None, None)
    if not words:
        return Languages(None, 0.0)
    main = max(sorted(filter(None, words)), key=lambda code: words[code])
    return Languages(main, words[PORTUGUESE] / words.total())
