"""Hangul in Latin letters: Revised Romanization, letter by letter (no sound changes between syllables)."""

_INITIALS = ["g", "kk", "n", "d", "tt", "r", "m", "b", "pp", "s", "ss", "", "j", "jj", "ch", "k", "t", "p", "h"]
_VOWELS = ["a", "ae", "ya", "yae", "eo", "e", "yeo", "ye", "o", "wa", "wae"]
_VOWELS += ["oe", "yo", "u", "wo", "we", "wi", "yu", "eu", "ui", "i"]
_FINALS = ["", "k", "k", "k", "n", "n", "n", "t", "l", "k", "m", "l", "l", "l"]
_FINALS += ["p", "l", "m", "p", "p", "t", "t", "ng", "t", "t", "k", "t", "p", "t"]
_FIRST, _LAST = ord("가"), ord("힣")


def has_hangul(text: str) -> bool:
    """Tell whether a Hangul syllable stands in `text`."""
    return any(_FIRST <= ord(character) <= _LAST for character in text)


def romanize(text: str) -> str:
    """Return `text` with each Hangul syllable romanized; every other character stays as it is."""
    return "".join(map(_romanize_character, text))


def _romanize_character(character: str) -> str:
    # A syllable's code point is 588 * initial + 28 * vowel + final, counted from the first syllable.
    number = ord(character) - _FIRST
    if not 0 <= number <= _LAST - _FIRST:
        return character
    initial, rest = divmod(number, len(_VOWELS) * len(_FINALS))
    vowel, final = divmod(rest, len(_FINALS))
    return _INITIALS[initial] + _VOWELS[vowel] + _FINALS[final]
