"""The one normal form of text."""

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lyrics_assets.lyrics.text import count_lines, count_words, fold, normalise

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("CORAÇÃO", "coracao"),
        ("Forró à beça", "forro a beca"),
        ("Straße", "strasse"),
        ("ﬁm", "fim"),
        ("İstanbul", "istanbul"),
        ("１２３", "123"),
        ("¡Olé!", "¡ole!"),
        ("ação", "acao"),
        ("𝐋𝐎𝐕𝐄™", "lovetm"),
        ("", ""),
    ],
)
def test_folding_leaves_neither_case_nor_accents(text, folded):
    assert fold(text) == folded


@pytest.mark.parametrize("text", ["방탄소년단", "さくら", "москва", "上を向いて"])
def test_letters_of_other_scripts_stay(text):
    assert fold(text) == text
    assert normalise(text) == text


def test_hangul_taken_apart_is_put_together_again():
    assert fold(unicodedata.normalize("NFD", "유리 왕관")) == "유리 왕관"


def test_no_character_folds_to_something_that_folds_further():
    # Letters, marks, numbers, punctuation and symbols: not what is unassigned, private or half a surrogate pair.
    characters = [chr(code) for code in range(0x20000) if unicodedata.category(chr(code))[0] in "LMNPS"]
    assert [char for char in characters if fold(fold(char)) != fold(char)] == []


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n", "\n\n", "\r\n\r\n", "\u2028", "\u2029", "\x85", "\x0b", "\x0c"])
def test_every_kind_of_line_end_is_one_newline(end):
    assert normalise(f"um dois{end}três") == "um dois\ntres"


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("Ai, ai... (ai!) - ui?", "ai ai ai ui"),
        ("d'água", "d agua"),
        ("guarda-chuva", "guarda chuva"),
        ("snake_case__aqui", "snake case aqui"),
        ("amor ❤️ demais 💔", "amor demais"),
        ("  \t um \u00a0 dois  ", "um dois"),
        ("um\n \n...\n❤\ndois", "um\ndois"),
        ("", ""),
        (" \n\r\n\t", ""),
        ("!?", ""),
    ],
)
def test_punctuation_emoji_and_layout_vanish(text, normal):
    assert normalise(text) == normal


@settings(max_examples=200, deadline=None)
@given(TEXTS)
def test_the_normal_form_of_a_normal_form_is_itself(text):
    assert normalise(normalise(text)) == normalise(text)


@settings(max_examples=200, deadline=None)
@given(TEXTS)
def test_a_normal_form_has_single_spaces_and_no_blank_line(text):
    for line in normalise(text).split("\n"):
        assert line == " ".join(line.split())
        assert line or normalise(text) == ""


@settings(max_examples=200, deadline=None)
@given(TEXTS)
def test_composed_and_decomposed_text_have_one_normal_form(text):
    assert normalise(unicodedata.normalize("NFD", text)) == normalise(unicodedata.normalize("NFC", text))


def test_lines_are_counted_without_blank_ones():
    assert count_lines("um\n\n \ndois\n") == 2
    assert count_lines("") == 0


def test_words_are_counted_as_the_normal_form_parts_them():
    assert count_words("D'água, guarda-chuva!\n❤ fim") == 5
    assert count_words("...") == 0
