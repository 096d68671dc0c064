"""The pipeline from raw text to probabilities."""

import numpy as np
import pytest
from pydantic import ValidationError

from lyrics_assets.model.classifier import Hyperparameters, build_estimator, build_pipeline, build_vectorizer
from lyrics_assets_tests.corpus import SMALL, TWO_GENRES, pipeline, songs


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
        {"mood": 1},
    ],
    ids=str,
)
def test_a_hyperparameter_out_of_its_bounds_is_named(wrong):
    (name,) = wrong
    with pytest.raises(ValidationError, match=name):
        Hyperparameters(**wrong)


def test_each_block_of_a_song_has_unit_length():
    vectorizer = build_vectorizer(SMALL)
    matrix = vectorizer.fit_transform(songs(*TWO_GENRES)["lyrics"])
    n_words = len(vectorizer.named_steps["ngrams"].transformer_list[0][1].vocabulary_)
    squares = matrix.multiply(matrix).tocsr()
    for block in (squares[:, :n_words], squares[:, n_words:]):
        assert np.asarray(block.sum(axis=1)).ravel() == pytest.approx(1)


def test_rare_ngrams_are_left_out():
    lyrics = ["um dois tres", "um dois", "um"]
    parameters = SMALL.model_copy(update={"word_min_df": 2, "char_min_df": 3})
    words, chars = (
        set(block.get_feature_names_out())
        for _, block in build_vectorizer(parameters).fit(lyrics).named_steps["ngrams"].transformer_list
    )
    assert words == {"um", "dois", "um dois"}
    assert chars == {" u", "um", "m ", " um", "um "}


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
