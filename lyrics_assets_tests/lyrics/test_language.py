"""In which languages a lyric is written."""

import pytest

from lyrics_assets.lyrics.language import MIN_PORTUGUESE_SHARE, Languages, detect_languages
from lyrics_assets_tests.corpus import VERSE, songbook

TRANSLATED = {code: next(song for song in songbook() if song.language == code) for code in ("en", "es", "ko")}


def detect(text):
    (languages,) = detect_languages([text])
    return languages


def switched(code, portuguese_share):
    """Return a lyric whose first lines are Portuguese and whose last are in another language."""
    song = TRANSLATED[code]
    ours, theirs = song.lyrics.split("\n"), song.original.split("\n")
    n = round(len(ours) * portuguese_share)
    return "\n".join(ours[:n] + theirs[round(len(theirs) * portuguese_share) :])


@pytest.mark.parametrize("code", sorted(TRANSLATED))
def test_an_original_and_its_translation_are_told_apart(code):
    song = TRANSLATED[code]
    assert detect(song.original) == Languages(code, 0.0)
    assert detect(song.lyrics) == Languages("pt", 1.0)


def test_every_portuguese_text_of_the_songbook_is_portuguese_through_and_through():
    found = detect_languages([song.lyrics for song in songbook() if song.lyrics])
    assert {languages.main for languages in found} == {"pt"}
    assert min(languages.portuguese_share for languages in found) > 0.9


@pytest.mark.parametrize("text", ["", " \n ", "123 456", "!?...", "❤️ 💔"])
def test_a_text_without_letters_has_no_language(text):
    assert detect(text) == Languages(None, 0.0)


@pytest.mark.parametrize("code", ["en", "es"])
def test_the_share_follows_how_much_of_a_song_is_portuguese(code):
    shares = [detect(switched(code, share)).portuguese_share for share in (0.25, 0.5, 0.75)]
    assert shares == sorted(shares)
    assert shares == pytest.approx([0.25, 0.5, 0.75], abs=0.25)
    assert shares[0] < MIN_PORTUGUESE_SHARE < shares[2]


def test_a_line_that_is_sung_again_counts_once():
    refrain = "We will never let it go tonight, my love, we will never let it go"
    once, often = (detect(VERSE + "\n" + "\n".join([refrain] * n)) for n in (1, 20))
    assert once == often


def test_a_batch_gives_what_each_text_gives_in_order():
    texts = [VERSE, "", *(song.original for song in TRANSLATED.values()), "123", VERSE.upper(), switched("en", 0.5)]
    assert detect_languages(texts) == [detect(text) for text in texts]


def test_an_empty_batch_has_no_languages():
    assert detect_languages([]) == []
