"""In which language a lyric is written, as the dataset tells it; or nothing, where the service is set not to look."""

from lyrics_assets.lyrics.language import Languages, detect_languages_of
from lyrics_assets.lyrics.text import LINE_BREAKS

MIN_WORDS = 8
"""Of a lyric whose language counts: of a line alone the detector is too often wrong to warn anybody."""
_SAMPLE = "a noite cai e o sol não vem"


def warm() -> None:
    """Load the detector's models, about 0.1 s and 20 MB, ahead of the first lyric."""
    detect_languages_of(_SAMPLE)


def tell_languages(lyrics: str) -> Languages:
    """Return the languages of a raw lyric."""
    return detect_languages_of(LINE_BREAKS.sub("\n", lyrics))
