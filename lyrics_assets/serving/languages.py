"""In which language a lyric is written, as the dataset tells it; or nothing, where the service is set not to look."""

import re

from lyrics_assets.lyrics.language import Languages, detect_languages_of
from lyrics_assets.lyrics.text import LINE_BREAKS

MIN_WORDS = 8
"""Of a lyric whose language counts: of a line alone the detector is too often wrong to warn anybody."""
MAX_PASSAGES = 8
"""Looked at in one lyric, about 1,300 characters: most songs whole, and of the longest text no more than that."""
_SAMPLE = "the night is falling and the sun does not come"
_WORDS = (
    "agora ainda alguém amanhã ao aos aqui as assim até chegou chão com comigo contigo coração céu depois dessa "
    "desse dizer ela elas ele eles em então essa esse estou eu fazer ficar ficou foi fui hoje isso já lugar lá "
    "meia meu meus mim minha minhas muita muito muitos mulher mãe mão mãos nao nem nessa nesse ninguém noite "
    "nossa nosso num numa não nós olhar onde outra outro ouvir pai pela pelas pelo pelos pra pro quem quero "
    "saudade sei sem senhor seu seus sou são só também tem tenho teu teus tinha tudo tô uma vejo vem voce você "
    "vocês vou à às és "
)
_PORTUGUESE = frozenset(_WORDS.split())
"""Words of every song, which the other languages of the charts do not have, or seldom."""
_MIN_WORDS_FOUND, _MIN_SHARE_FOUND = 3, 1 / 10
_WORD = re.compile(r"[^\W\d_]+")


def warm() -> None:
    """Load the detector's models, about 0.1 s and 20 MB, ahead of the first lyric."""
    detect_languages_of(_SAMPLE)


def tell_languages(lyrics: str) -> Languages:
    """Return the languages of a raw lyric."""
    return detect_languages_of(LINE_BREAKS.sub("\n", lyrics), MAX_PASSAGES, is_evidently_portuguese)


def is_evidently_portuguese(passage: str) -> bool:
    """Return whether a passage has so many of the commonest words of Portuguese that the detector need not be asked.

    It would take as long as the genre does. Of the songbook's Portuguese passages nine in ten are so; of the others
    none has more than one such word.
    """
    words = set(_WORD.findall(passage.lower()))
    found = len(_PORTUGUESE & words)
    return found >= max(_MIN_WORDS_FOUND, _MIN_SHARE_FOUND * len(words))
