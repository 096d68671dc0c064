"""Plain methods that any model must beat."""

import pytest
from threadpoolctl import threadpool_limits

from lyrics_assets.lyrics.lexicon import FUNCTION_WORDS
from lyrics_assets.model import baselines
from lyrics_assets.model.baselines import (
    LARGEST_C,
    MAJORITY,
    NAIVE_BAYES,
    ORIGINAL,
    SEARCH_TRIALS,
    VOCABULARY_SIZES,
    guess_by_original_script,
    measure_baselines,
)
from lyrics_assets.model.splits import TEST, TRAIN, assign_splits
from lyrics_assets_tests.corpus import TWO_GENRES, songs


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Fit as the report does: several threads for so small sums only wait for each other."""
    with threadpool_limits(1):
        yield


@pytest.fixture(scope="module")
def parted():
    learned = songs(*TWO_GENRES)
    splits = assign_splits(learned, 0.3, 1)
    return learned[splits == TRAIN], learned[splits == TEST]


@pytest.fixture(scope="module")
def measured(parted):
    train, test = parted
    return measure_baselines(train, test, test["genre"].to_numpy(dtype=str), seed=0)


def test_each_plain_method_is_measured_on_the_same_songs(measured, parted):
    train, test = parted
    assert list(measured) == [MAJORITY, NAIVE_BAYES, ORIGINAL]
    share = (test["genre"] == train["genre"].mode()[0]).mean()
    assert measured[MAJORITY]["accuracy"] == pytest.approx(share)
    assert measured[MAJORITY]["macro_f1"] == pytest.approx(share / (share + 1))
    assert measured[NAIVE_BAYES]["macro_f1"] > measured[MAJORITY]["macro_f1"]
    assert measured[ORIGINAL]["macro_f1"] > measured[MAJORITY]["macro_f1"]


def test_each_has_intervals_seconds_and_the_gain_over_it(measured):
    for row in measured.values():
        low, high = row["macro_f1_interval"]
        assert low <= row["macro_f1"] <= high
        # The model that is compared here makes no mistake.
        assert row["gain_over_it"]["gain"] == pytest.approx(1 - row["macro_f1"])
        assert row["seconds"] >= 0


def test_the_original_script_is_given_its_search(measured):
    settings = measured[ORIGINAL]["settings"]
    assert (settings["trials"], settings["folds"]) == (15, 3)
    assert settings["max_features"] in VOCABULARY_SIZES
    assert 0 < settings["C"] <= LARGEST_C
    assert 0 < settings["cross_validated_macro_f1"] <= 1


def test_the_search_takes_the_setting_that_does_best_in_cross_validation(parted, monkeypatch):
    train, test = parted
    tried = []
    build = baselines._original_estimator
    monkeypatch.setattr(baselines, "_original_estimator", lambda c: tried.append(c) or build(c))
    scores = iter([0.1] * 7 + [0.9] + [0.1] * 200)
    monkeypatch.setattr(baselines, "macro_f1", lambda truth, guess: next(scores))
    _, settings = guess_by_original_script(train, test)
    assert len(set(tried)) == SEARCH_TRIALS
    assert settings["C"] == round(tried[7], 4) == round(tried[-1], 4)


def test_the_same_seed_makes_the_same_search(parted):
    train, test = parted
    (first, settings), (again, same) = (guess_by_original_script(train, test, seed=3) for _ in range(2))
    assert (first == again).all()
    assert settings == same


def test_the_original_script_reads_no_stop_word_accented_or_not():
    vectorizer = baselines._original_vectorizer(100)
    read = vectorizer.build_analyzer()("Não, você é também o coração e a saudade")
    assert read == ["coracao", "saudade"]
    assert {"nao", "voce", "tambem"} <= FUNCTION_WORDS


def test_the_original_script_can_be_left_out(parted):
    train, test = parted
    guess = test["genre"].to_numpy(dtype=str)
    assert list(measure_baselines(train, test, guess, seed=0, original_script=False)) == [MAJORITY, NAIVE_BAYES]
