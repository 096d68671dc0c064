"""The one normal form of text, shared by identity, training and serving. Standard library only."""

import re
import unicodedata

_NOT_WORD = re.compile(r"(?:[^\w\n]|_)+")
_LINE_ENDS = re.compile(r" ?\n[ \n]*")
LINE_BREAKS = re.compile(r"\r\n?|[\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")
_LATIN_MARKS = re.compile("[\u0300-\u034e\u0350-\u036f]+")
# Where other scripts begin, which have marks of their own; quotes, dashes and the like are no script.
_OTHER_SCRIPTS = re.compile("[\u0370-\u1fff\u20d0-\U0010ffff]")


def fold(text: str) -> str:
    """Return the text in lower case without accents or other combining marks; letters of any script stay."""
    if text.isascii():
        return text.lower()
    decomposed = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    bare = _LATIN_MARKS.sub("", decomposed)
    if _OTHER_SCRIPTS.search(bare):
        bare = "".join(char for char in bare if not unicodedata.combining(char))
    return unicodedata.normalize("NFC", bare)


def normalise(text: str) -> str:
    """Return words parted by one space and lines by ``\\n``: no accent, case, punctuation or layout is left.

    Those tell a site's habits, not a genre; line ends stay because phrases end there. Empty lines vanish.
    """
    words_only = _NOT_WORD.sub(" ", fold(LINE_BREAKS.sub("\n", text)))
    return _LINE_ENDS.sub("\n", words_only).strip(" \n")


def count_lines(text: str) -> int:
    """Return how many lines of the text are not blank."""
    return sum(1 for line in text.split("\n") if line.strip())


def count_words(text: str) -> int:
    """Return how many words the text has, as `normalise` parts them."""
    return len(normalise(text).split())
