"""The one normal form of text, shared by identity, training and serving. Standard library only."""

import re
import unicodedata

_NOT_WORD = re.compile(r"[^\w\n]+|_+")
_BEYOND_ASCII = re.compile(r"[^\x00-\x7f]+")
LINE_BREAKS = re.compile(r"\r\n?|[\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")


def fold(text: str) -> str:
    """Return the text in lower case without accents or other combining marks; letters of any script stay."""
    if text.isascii():
        return text.lower()
    decomposed = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    # Most of what is left is plain letters: only what is not is looked at one by one.
    return unicodedata.normalize("NFC", _BEYOND_ASCII.sub(_without_marks, decomposed))


def _without_marks(found: re.Match[str]) -> str:
    return "".join(char for char in found.group() if not unicodedata.combining(char))


def normalise(text: str) -> str:
    """Return words parted by one space and lines by ``\\n``: no accent, case, punctuation or layout is left.

    Those tell a site's habits, not a genre; line ends stay because phrases end there. Empty lines vanish.
    """
    words_only = _NOT_WORD.sub(" ", fold(LINE_BREAKS.sub("\n", text)))
    lines = (" ".join(line.split()) for line in words_only.split("\n"))
    return "\n".join(line for line in lines if line)


def count_lines(text: str) -> int:
    """Return how many lines of the text are not blank."""
    return sum(1 for line in text.split("\n") if line.strip())


def count_words(text: str) -> int:
    """Return how many words the text has, as `normalise` parts them."""
    return len(normalise(text).split())
