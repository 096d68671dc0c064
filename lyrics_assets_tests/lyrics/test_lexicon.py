"""The lexicon of themes and function words."""

from collections import Counter

import pytest

from lyrics_assets.lyrics import lexicon
from lyrics_assets.lyrics.lexicon import FUNCTION_WORDS, THEME_OF, THEMES, themes_of
from lyrics_assets.lyrics.text import normalise
from lyrics_assets_tests.corpus import songbook


def test_words_are_written_as_texts_are_normalised_and_have_one_kind():
    words = [word for text in lexicon._THEMES.values() for word in text.split()]
    assert [word for word, count in Counter(words).items() if count > 1] == []
    assert [word for word in [*words, *FUNCTION_WORDS] if normalise(word) != word] == []
    assert sorted(FUNCTION_WORDS & set(words)) == []


def test_a_theme_needs_two_different_words():
    assert themes_of(["amor", "casa"]) == []
    assert themes_of(["deus", "beijo", "amor", "igreja"]) == ["love", "faith"]


def test_every_theme_has_enough_words_to_be_found():
    assert min(Counter(THEME_OF.values()).values()) >= 30
    assert tuple(dict.fromkeys(THEME_OF.values())) == THEMES


@pytest.mark.parametrize(
    ("theme", "genres"),
    [
        ("faith", {"Gospel"}),
        ("party", {"Funk", "Forró", "Reggaeton"}),
        ("countryside", {"Sertanejo", "Forró", "Country"}),
        ("heartbreak and drink", {"Sertanejo", "Pagode"}),
    ],
)
def test_a_theme_is_found_most_where_one_expects_it(theme, genres):
    songs = [song for song in songbook() if song.lyrics]
    with_theme = Counter(song.genre for song in songs if theme in themes_of(set(normalise(song.lyrics).split())))
    shares = {genre: with_theme[genre] / count for genre, count in Counter(song.genre for song in songs).items()}
    assert set(sorted(shares, key=lambda genre: -shares[genre])[: len(genres)]) == genres
