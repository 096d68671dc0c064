"""The pipeline from raw text to probabilities."""

import math

import numpy as np
import pytest
import scipy.sparse as sp
from pydantic import ValidationError
from sklearn.base import clone
from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer, TfidfVectorizer

from lyrics_assets.lyrics.text import normalise
from lyrics_assets.model.calibration import Calibration
from lyrics_assets.model.classifier import (
    VECTORIZER_FIELDS,
    BM25Transformer,
    Hyperparameters,
    NgramCounts,
    build_estimator,
    build_pipeline,
    build_vectorizer,
)
from lyrics_assets.model.features import CharNgrams, WordNgrams
from lyrics_assets_tests.corpus import GENRES, SMALL, TWO_GENRES, pipeline, songs


@pytest.mark.parametrize(
    "wrong",
    [
        {"word_ngram_max": 0},
        {"word_ngram_max": 4},
        {"char_ngram_max": 1},
        {"char_ngram_max": 7},
        {"word_min_df": 0},
        {"C": 0},
        {"C": -1.0},
        {"balanced": "perhaps"},
        {"weighting": "idf"},
        {"word_features": 0},
        {"char_features": -1},
        {"calibration": "isotonic"},
        {"mood": 1},
    ],
    ids=str,
)
def test_a_hyperparameter_out_of_its_bounds_is_named(wrong):
    (name,) = wrong
    with pytest.raises(ValidationError, match=name):
        Hyperparameters(**wrong)


def blocks(vectorizer):
    """Return the n-gram counter and the weighting of words and of characters."""
    return [list(block.named_steps.values()) for _, block in vectorizer.named_steps["ngrams"].transformer_list]


@pytest.mark.parametrize("weighting", ["tfidf_sublinear", "bm25"])
def test_each_block_of_a_song_has_unit_length(weighting):
    vectorizer = build_vectorizer(SMALL.model_copy(update={"weighting": weighting}))
    matrix = vectorizer.fit_transform(songs(*TWO_GENRES)["lyrics"])
    n_words = len(blocks(vectorizer)[0][0].vocabulary_)
    squares = matrix.multiply(matrix).tocsr()
    for block in (squares[:, :n_words], squares[:, n_words:]):
        assert np.asarray(block.sum(axis=1)).ravel() == pytest.approx(1)


@pytest.mark.parametrize("analyzer", [WordNgrams(1, 2), WordNgrams(2, 3), CharNgrams(2, 4)], ids=str)
def test_the_counts_and_weights_are_those_of_scikit_learn(analyzer):
    texts = [normalise(text) for text in songs(*TWO_GENRES)["lyrics"]]
    ours, theirs = NgramCounts(analyzer, min_df=2), CountVectorizer(analyzer=analyzer, min_df=2)
    counts = ours.fit_transform(texts[::2])
    assert (counts != theirs.fit_transform(texts[::2])).nnz == 0
    assert list(ours.get_feature_names_out()) == list(theirs.get_feature_names_out())
    assert (ours.transform(texts) != theirs.transform(texts)).nnz == 0
    tfidf = TfidfVectorizer(analyzer=analyzer, min_df=2, sublinear_tf=True).fit(texts[::2])
    weights = TfidfTransformer(sublinear_tf=True).fit(counts).transform(ours.transform(texts))
    assert abs(weights - tfidf.transform(texts)).max() < 1e-12


def test_rare_ngrams_are_left_out():
    lyrics = ["um dois tres", "um dois", "um"]
    parameters = SMALL.model_copy(update={"word_min_df": 2, "char_min_df": 3})
    words, chars = (set(counts.vocabulary_) for counts, _ in blocks(build_vectorizer(parameters).fit(lyrics)))
    assert words == {"um", "dois", "um dois"}
    assert chars == {" u", "um", "m ", " um", "um "}


def test_a_budget_keeps_the_ngrams_that_occur_most_often():
    counts = NgramCounts(WordNgrams(1, 1), budget=2).fit(["c c c a", "b b", "a d"])
    assert list(counts.vocabulary_) == ["a", "c"], "of equally frequent ones the first by name"
    parameters = SMALL.model_copy(update={"word_features": 7, "char_features": 11})
    fitted = build_vectorizer(parameters).fit(songs(*TWO_GENRES)["lyrics"])
    assert [len(counts.vocabulary_) for counts, _ in blocks(fitted)] == [7, 11]


def test_a_budget_larger_than_the_vocabulary_changes_nothing():
    texts = ["um dois", "dois tres"]
    with_budget = NgramCounts(WordNgrams(1, 2), budget=99).fit(texts)
    assert with_budget.vocabulary_ == NgramCounts(WordNgrams(1, 2)).fit(texts).vocabulary_


def test_texts_without_a_frequent_ngram_teach_nothing():
    with pytest.raises(ValueError, match="no n-gram stands in 3 of the 2 texts"):
        NgramCounts(WordNgrams(), min_df=3).fit(["um", "dois"])


def test_bm25_is_the_formula_of_the_books():
    counts = sp.csr_matrix(np.array([[3, 1, 0], [0, 1, 4], [0, 2, 0]]))
    found = BM25Transformer(k1=1.2, b=0.75).fit(counts).transform(counts).toarray()
    idf = [math.log(1 + (3 - df + 0.5) / (df + 0.5)) for df in (1, 3, 1)]
    for row, frequencies in zip(found, counts.toarray(), strict=True):
        longer = frequencies.sum() / (11 / 3)
        expected = np.array(
            [w * f * 2.2 / (f + 1.2 * (0.25 + 0.75 * longer)) for w, f in zip(idf, frequencies, strict=True)]
        )
        assert row == pytest.approx(expected / np.linalg.norm(expected))


def test_bm25_of_an_unknown_text_is_nothing():
    weights = BM25Transformer().fit(sp.csr_matrix(np.eye(3))).transform(sp.csr_matrix((2, 3)))
    assert weights.nnz == 0


def test_the_vectorizer_depends_on_its_fields_alone():
    """Settings that agree in VECTORIZER_FIELDS may share their matrices."""
    other = {"C": 0.5, "balanced": False, "calibration": "none"}
    assert set(VECTORIZER_FIELDS) | set(other) == set(Hyperparameters.model_fields)
    texts = songs(*TWO_GENRES)["lyrics"]
    one, two = (build_vectorizer(SMALL.model_copy(update=change)).fit_transform(texts) for change in ({}, other))
    assert (one != two).nnz == 0


def test_balanced_genres_are_weighed_by_their_rarity():
    assert build_estimator(Hyperparameters(balanced=True)).class_weight == "balanced"
    assert build_estimator(Hyperparameters(balanced=False)).class_weight is None


def test_the_same_seed_gives_the_same_model():
    learned = songs(*TWO_GENRES)
    again = build_pipeline(SMALL).fit(learned["lyrics"], learned["genre"])
    first = pipeline(*TWO_GENRES).named_steps["classifier"].coef_
    assert np.array_equal(again.named_steps["classifier"].coef_, first)


def test_what_was_learned_does_not_depend_on_case_or_accents():
    learned = songs(*TWO_GENRES)
    shouted = build_pipeline(SMALL).fit(learned["lyrics"].str.upper(), learned["genre"])
    assert np.allclose(
        shouted.predict_proba(learned["lyrics"]), pipeline(*TWO_GENRES).predict_proba(learned["lyrics"]), atol=1e-12
    )


@pytest.mark.parametrize("genres", [TWO_GENRES, GENRES], ids=["two genres", "many genres"])
def test_without_a_calibration_the_probabilities_are_the_logistic_regressions_own(genres):
    fitted, lyrics = pipeline(*genres), songs(*genres)["lyrics"]
    matrix = fitted[:-1].transform(lyrics)
    assert fitted.predict_proba(lyrics) == pytest.approx(fitted[-1].estimator_.predict_proba(matrix), abs=1e-12)
    assert list(fitted.predict(lyrics)) == list(fitted[-1].estimator_.predict(matrix))


@pytest.mark.parametrize("genres", [TWO_GENRES, GENRES], ids=["two genres", "many genres"])
def test_scores_are_relative_to_the_mean_of_all_genres(genres):
    scores = pipeline(*genres).decision_function(songs(*genres)["lyrics"])
    assert scores.shape == (len(songs(*genres)), len(genres))
    assert scores.mean(axis=1) == pytest.approx(0, abs=1e-12)


def test_a_clone_that_learns_again_keeps_its_calibration():
    learned = songs(*TWO_GENRES)
    first = build_pipeline(SMALL, calibration=Calibration("temperature", (2.5,))).fit(
        learned["lyrics"], learned["genre"]
    )
    again = clone(first).fit(learned["lyrics"], learned["genre"])
    assert again[-1].calibration == Calibration("temperature", (2.5,))
    assert np.array_equal(again.predict_proba(learned["lyrics"]), first.predict_proba(learned["lyrics"]))
    assert first.predict_proba(learned["lyrics"]).max() > pipeline(*TWO_GENRES).predict_proba(learned["lyrics"]).max()


def test_a_song_of_weight_two_counts_as_two_songs():
    learned = songs(*TWO_GENRES)
    vectorizer = build_vectorizer(SMALL).fit(learned["lyrics"])
    matrix, genres = vectorizer.transform(learned["lyrics"]), learned["genre"].to_numpy(dtype=str)
    weights = np.where(np.arange(len(learned)) < 5, 2.0, 1.0)
    classifier = build_pipeline(SMALL.model_copy(update={"balanced": False})).named_steps["classifier"]
    weighed = clone(classifier).fit(matrix, genres, weights).coef_
    repeated = clone(classifier).fit(sp.vstack([matrix, matrix[:5]]), np.concatenate([genres, genres[:5]])).coef_
    assert weighed == pytest.approx(repeated, abs=0.01)
    assert weighed != pytest.approx(clone(classifier).fit(matrix, genres).coef_, abs=0.01)


def test_one_genre_alone_cannot_be_learned():
    with pytest.raises(ValueError, match="only Samba to learn: a classifier needs two genres"):
        build_pipeline(SMALL).fit(["um dois", "um dois"], ["Samba", "Samba"])
