"""How a damaged text is mended, and when it is beyond mending."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lyrics_assets.lyrics.cleaning import CONTROL_CHARACTERS, ENCODING, NORMAL_FORM, DamagedTextError, mend
from lyrics_assets_tests.corpus import songbook

RIGHT = "Coração não dá pé — “você” já vê: é só à toa, avô!"


def test_no_text_of_the_songbook_is_changed():
    texts = [text for song in songbook() for text in (song.lyrics, song.original, song.title) if text]
    assert len(texts) > 300
    assert [text for text in texts if mend(text) != (text, [])] == []


@pytest.mark.parametrize("wrong", ["cp1252", "latin-1"])
@pytest.mark.parametrize("text", ["Coração não dá pé", "Você já vê", "É só à toa, avô", "AÇÃO", "ligação – paixão"])
def test_utf_8_that_was_read_as_another_encoding_is_read_rightly(text, wrong):
    misread = text.encode().decode(wrong, "replace")
    if "\ufffd" in misread:
        pytest.skip("this encoding has no such byte")
    assert misread != text
    assert mend(misread) == (text, [ENCODING])


def test_text_that_was_misread_twice_is_read_rightly():
    misread = "Coração".encode().decode("cp1252").encode().decode("cp1252")
    assert mend(misread)[0] == "Coração"


def test_a_misread_line_among_right_ones_is_mended_and_they_stay():
    right = "CORAÇÃO NÃO AGUENTA\nÂngela partiu"
    assert mend(f"{right}\nvocÃª nÃ£o vem")[0] == f"{right}\nvocê não vem"


@pytest.mark.parametrize(
    "text", ["CORAÇÃO NÃO", "Ângela", "MÃE, ÀS VEZES", "Ã", "Â", RIGHT, "señor ¿qué?", "유리 왕관 ❤️"]
)
def test_a_right_text_that_looks_misread_stays(text):
    assert mend(text) == (text, [])


def test_punctuation_of_windows_is_read_rightly():
    assert mend("\x93oi\x94 \x96 e\x85")[0] == "“oi” – e…"


@pytest.mark.parametrize(
    ("text", "mended"),
    [
        ("um\r\ndois\rtrês", "um\ndois\ntrês"),
        ("um\u2028dois\x0btrês", "um\ndois\ntrês"),
        ("\ufeffum\u200b dois\x00", "um dois"),
        ("um\tdois\u00a0três\u3000quatro", "um dois três quatro"),
        ("\u202eum\u202c \u2066dois\u2069", "um dois"),
        ("cora\u00adção", "coração"),
        ("um\x07\x1b[31m", "um[31m"),
    ],
)
def test_control_and_invisible_characters_go_and_line_ends_become_one(text, mended):
    assert mend(text) == (mended, [CONTROL_CHARACTERS])


def test_an_emoji_keeps_what_joins_its_parts():
    assert mend("👩\u200d🎤 canta") == ("👩\u200d🎤 canta", [])


def test_a_letter_and_its_accent_become_one_character():
    assert mend(unicodedata.normalize("NFD", RIGHT)) == (RIGHT, [NORMAL_FORM])


def test_each_rule_that_was_applied_is_named():
    damaged = unicodedata.normalize("NFD", "é") + " nÃ£o\r\n"
    assert mend(damaged) == ("é não\n", [ENCODING, CONTROL_CHARACTERS, NORMAL_FORM])


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("meu \ud83d amor", "not_unicode"),
        ("cora\ufffd\ufffdo n\ufffdo", "lost_characters"),
        ("\ufffd", "lost_characters"),
    ],
)
def test_what_is_beyond_mending_is_refused_with_the_reason(text, reason):
    with pytest.raises(DamagedTextError) as damage:
        mend(text)
    assert damage.value.reason == reason


def test_one_lost_letter_in_a_long_text_is_no_reason():
    text = "palavra " * 50 + "cora\ufffdão"
    assert mend(text)[0] == text


@given(st.text(max_size=80))
def test_a_mended_text_needs_no_mending_by_the_rules_that_only_take_away(text):
    try:
        mended, _ = mend(text)
    except DamagedTextError:
        return
    again, rules = mend(mended)
    assert CONTROL_CHARACTERS not in rules or ENCODING in rules
    assert unicodedata.is_normalized("NFC", again)
