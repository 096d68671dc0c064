"""Which language a text is in."""

import pytest

from lyrics_assets.lyrics.language import detect_language, detect_languages
from lyrics_assets_tests.corpus import VERSE, songbook

TRANSLATED = {code: next(song for song in songbook() if song.language == code) for code in ("en", "es", "ko")}


@pytest.mark.parametrize("code", sorted(TRANSLATED))
def test_an_original_and_its_translation_are_told_apart(code):
    song = TRANSLATED[code]
    assert detect_language(song.original) == code
    assert detect_language(song.lyrics) == "pt"


def test_every_portuguese_text_of_the_songbook_is_portuguese():
    texts = [song.lyrics for song in songbook() if song.lyrics]
    assert set(detect_languages(texts)) == {"pt"}


@pytest.mark.parametrize("text", ["", " \n ", "123 456", "!?...", "❤️ 💔"])
def test_a_text_without_letters_has_no_language(text):
    assert detect_language(text) is None


def test_a_batch_gives_what_each_text_gives_in_order():
    texts = [VERSE, "", *(song.original for song in TRANSLATED.values()), "123", VERSE.upper()]
    assert detect_languages(texts) == [detect_language(text) for text in texts]


def test_an_empty_batch_has_no_languages():
    assert detect_languages([]) == []
