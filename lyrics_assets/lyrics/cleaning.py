"""How a damaged text is mended before anything is learned from it, and when it is beyond mending.

The rules, each counted where it applies:

- ``encoding``: UTF-8 that somebody read as Windows-1252 or Latin-1 ("coraÃ§Ã£o") is read rightly again.
- ``control_characters``: control and invisible characters go; every kind of line end becomes ``\\n``.
- ``normal_form``: letters and their accents become one character (NFC).

What cannot be mended is refused: half a character (a lone surrogate), or a text of which a part is lost (U+FFFD).
"""

import re
import unicodedata

from lyrics_assets.lyrics.text import LINE_BREAKS

ENCODING, CONTROL_CHARACTERS, NORMAL_FORM = "encoding", "control_characters", "normal_form"
MAX_LOST_SHARE = 0.005
"""Of a text's characters that may be U+FFFD, the mark of a byte that could not be read."""

_SURROGATE = re.compile("[\ud800-\udfff]")
# Zero-width joiners stay: emoji and some scripts are spelt with them.
_INVISIBLE = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x9f\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff]"
)
_SPACES = re.compile("[\t\u00a0\u2000-\u200a\u202f\u205f\u3000]")
_SUSPICIOUS = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\xa0\xadÃÂ\u2000-\u200f\u2028-\u202f\u205f-\u2069\u3000\ud800-\udfff\ufeff\ufffd]|â€"
)
"""What any rule but the last looks for: nearly every text is seen to be right in one pass."""
# Every accented letter of Portuguese begins so when it was read wrongly; right texts in capitals hold "Ã" too.
_MAYBE_MOJIBAKE = re.compile("[ÃÂ]|â€|[\x80-\x9f]")


class DamagedTextError(ValueError):
    """A text is beyond mending; `reason` says why."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def mend(text: str) -> tuple[str, list[str]]:
    """Return the text as it was meant, and the names of the rules that changed it.

    Raises:
        DamagedTextError: ``not_unicode`` (a lone surrogate) or ``lost_characters``.
    """
    if not _SUSPICIOUS.search(text) and unicodedata.is_normalized("NFC", text):
        return text, []
    if _SURROGATE.search(text):
        raise DamagedTextError("not_unicode")
    if text.count("\ufffd") > MAX_LOST_SHARE * len(text):
        raise DamagedTextError("lost_characters")
    applied = []
    for name, rule in _RULES:
        mended = rule(text)
        if mended != text:
            applied.append(name)
            text = mended
    return text, applied


def _read_rightly(text: str) -> str:
    if not _MAYBE_MOJIBAKE.search(text):
        return text
    import ftfy

    return ftfy.fix_encoding(text)


def _remove_control_characters(text: str) -> str:
    return _INVISIBLE.sub("", _SPACES.sub(" ", LINE_BREAKS.sub("\n", text)))


def _compose(text: str) -> str:
    return text if unicodedata.is_normalized("NFC", text) else unicodedata.normalize("NFC", text)


_RULES = ((ENCODING, _read_rightly), (CONTROL_CHARACTERS, _remove_control_characters), (NORMAL_FORM, _compose))
