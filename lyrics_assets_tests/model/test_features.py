"""The n-grams that the model reads."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lyrics_assets.lyrics.text import normalise
from lyrics_assets.model.features import BM25_B, BM25_K1, CharNgrams, WordNgrams, bm25_idf, bm25_saturation


def test_words_and_their_pairs_are_read_with_repetitions():
    assert sorted(WordNgrams(1, 2)("ai ai amor")) == ["ai", "ai", "ai ai", "ai amor", "amor"]


def test_no_word_ngram_crosses_the_end_of_a_line():
    grams = WordNgrams(1, 3)("um dois\ntres\nquatro cinco seis")
    assert "um dois" in grams
    assert "quatro cinco seis" in grams
    assert not {"dois tres", "tres quatro", "um dois tres", "dois tres quatro"} & set(grams)


def test_the_shortest_size_is_kept_to():
    assert WordNgrams(2, 3)("um dois tres") == ["um dois", "dois tres", "um dois tres"]
    assert CharNgrams(4, 4)("amor") == [" amo", "amor", "mor "]


def test_characters_are_read_inside_a_padded_word():
    assert CharNgrams(2, 5)("ai") == [" a", "ai", "i ", " ai", "ai ", " ai "]


def test_no_character_ngram_crosses_a_word_or_a_line():
    grams = CharNgrams(2, 5)("ab cd\nef")
    assert not [gram for gram in grams if " " in gram.strip(" ") or "\n" in gram]
    assert grams == CharNgrams(2, 5)("ab") + CharNgrams(2, 5)("cd") + CharNgrams(2, 5)("ef")


@pytest.mark.parametrize("analyzer", [WordNgrams(1, 3), WordNgrams(2, 2), CharNgrams(2, 6)])
@settings(max_examples=50, deadline=None)
@given(text=st.text("abç \n", max_size=40))
def test_a_text_has_the_ngrams_of_its_pieces(analyzer, text):
    text = normalise(text)
    assert analyzer(text) == [gram for piece in analyzer.pieces(text) for gram in analyzer.of_piece(piece)]


def test_bm25_counts_saturate_and_long_texts_are_discounted():
    once, twice, often = bm25_saturation(np.array([1.0, 2.0, 1e9]), 1.0, BM25_K1, BM25_B)
    assert once == pytest.approx(1)
    assert once < twice < 2 * once
    assert often == pytest.approx(BM25_K1 + 1)
    assert bm25_saturation(np.array([1.0]), 3.0, BM25_K1, BM25_B) < once


def test_no_ngram_weighs_less_than_nothing_for_being_common():
    idf = bm25_idf(np.array([1.0, 5.0, 10.0]), 10)
    assert list(idf) == sorted(idf, reverse=True)
    assert idf.min() > 0


@pytest.mark.parametrize("analyzer", [WordNgrams(1, 3), CharNgrams(2, 6)])
def test_an_empty_text_has_no_ngrams(analyzer):
    assert analyzer("") == []


@settings(max_examples=100, deadline=None)
@given(st.text("abç \n", max_size=40), st.integers(1, 3))
def test_every_word_ngram_stands_in_a_line(text, longest):
    text = normalise(text)
    for gram in WordNgrams(1, longest)(text):
        assert any(f" {gram} " in f" {line} " for line in text.split("\n"))
        assert 1 <= len(gram.split()) <= longest


@settings(max_examples=100, deadline=None)
@given(st.text("abç ", max_size=20), st.integers(2, 6))
def test_the_number_of_character_ngrams_follows_from_the_lengths_of_the_words(text, longest):
    text = normalise(text)
    expected = sum(max(0, len(word) + 2 - size + 1) for word in text.split() for size in range(2, longest + 1))
    assert len(CharNgrams(2, longest)(text)) == expected
