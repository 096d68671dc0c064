"""Which language a text is in. A thin face of lingua, restricted to what the charts of Brazil hold."""

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lingua import LanguageDetector


@cache
def _detector() -> "LanguageDetector":
    from lingua import IsoCode639_1, LanguageDetectorBuilder

    codes = ("PT", "EN", "ES", "FR", "IT", "DE", "KO", "JA")
    return LanguageDetectorBuilder.from_iso_codes_639_1(*(IsoCode639_1.from_str(code) for code in codes)).build()


def detect_language(text: str) -> str | None:
    """Return the ISO 639-1 code of the text's language, None where there is nothing to tell it by."""
    found = _detector().detect_language_of(text)
    return found.iso_code_639_1.name.lower() if found else None


def detect_languages(texts: Sequence[str]) -> list[str | None]:
    """Return `detect_language` of each text, on all cores."""
    found = _detector().detect_languages_in_parallel_of(list(texts))
    return [language.iso_code_639_1.name.lower() if language else None for language in found]
