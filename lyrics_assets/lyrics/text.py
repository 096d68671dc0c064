"""The one normal form of text, shared by identity, training and serving. Standard library only."""

import re
import unicodedata

_NOT_WORD = re.compile(r"[^\w\n]+|_+")
_LINE_BREAKS = re.compile(r"\r\n?|[\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")


def fold(text: str) -> str:
    """Return the text in lower case without accents or other combining marks; letters of any script stay."""
    decomposed = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    return unicodedata.normalize("NFC", "".join(char for char in decomposed if not unicodedata.combining(char)))


def normalise(text: str) -> str:
    """Return words parted by one space and lines by ``\\n``: no accent, case, punctuation or layout is left.

    Those tell a site's habits, not a genre; line ends stay because phrases end there. Empty lines vanish.
    """
    words_only = _NOT_WORD.sub(" ", fold(_LINE_BREAKS.sub("\n", text)))
    lines = (" ".join(line.split()) for line in words_only.split("\n"))
    return "\n".join(line for line in lines if line)


def count_lines(text: str) -> int:
    """Return how many lines of the text are not blank."""
    return sum(1 for line in text.split("\n") if line.strip())


def count_words(text: str) -> int:
    """Return how many words the text has, as `normalise` parts them."""
    return len(normalise(text).split())
