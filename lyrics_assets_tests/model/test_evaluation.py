"""The figures of a model and their uncertainty."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import accuracy_score, f1_score, matthews_corrcoef

from lyrics_assets.model.evaluation import (
    baselines,
    calibration_error,
    evaluate,
    headline,
    macro_f1,
    per_genre,
    resample_groups,
    slices,
)
from lyrics_assets_tests.corpus import TWO_GENRES, songs

# What the tests share is measured once: they run in one process.

TRUTH = ["MPB", "MPB", "Rock", "Rock", "Samba", "Samba"]


def frame(genres, **columns):
    """Return one song each by an artist of its own."""
    base = {
        "artist": [f"Artista {n}" for n in range(len(genres))],
        "genre": genres,
        "sources": [["letras"]] * len(genres),
        "is_translation": [False] * len(genres),
    }
    return pd.DataFrame(base | columns)


def certain(guesses, genres):
    """Return probabilities that give each guess all but a little."""
    return pd.DataFrame(
        [{genre: 0.9 if genre == guess else 0.1 / (len(genres) - 1) for genre in genres} for guess in guesses]
    )


@pytest.fixture(scope="module")
def constant():
    return evaluate(frame(TRUTH * 3), certain(["MPB"] * 18, ["MPB", "Rock", "Samba", "Funk"]))


ARTISTS = pd.Series([f"artist {n}" for n in range(len(TRUTH))])


@pytest.mark.parametrize("name", ["macro_f1", "accuracy", "mcc"])
def test_perfect_predictions_have_perfect_figures(name):
    assert headline(TRUTH, TRUTH, ARTISTS, seed=0)[name] == 1
    assert headline(TRUTH, TRUTH[1:] + TRUTH[:1], ARTISTS, seed=0)[name] < 1


def test_the_figures_are_those_of_scikit_learn():
    random = np.random.default_rng(0)
    for genres in (["a", "b", "c", "d"], ["a", "b"]):
        truth, guess = random.choice(genres, 60), random.choice([*genres, "never true"], 60)
        artists = pd.Series([f"artist {n % 7}" for n in range(60)])
        found = headline(truth, guess, artists, seed=0)
        expected = f1_score(truth, guess, labels=sorted(set(truth)), average="macro", zero_division=0)
        assert found["macro_f1"] == pytest.approx(expected)
        assert found["accuracy"] == pytest.approx(accuracy_score(truth, guess))
        assert found["mcc"] == pytest.approx(matthews_corrcoef(truth, guess))


def test_a_constant_prediction_has_the_figures_of_one_genre_in_three(constant):
    assert constant["accuracy"] == pytest.approx(1 / 3)
    assert constant["mcc"] == 0
    assert (constant["n_test"], constant["n_test_artists"]) == (18, 18)
    # Sure to 0.9, right in one case of three.
    assert constant["expected_calibration_error"] == pytest.approx(0.9 - 1 / 3)
    assert constant["macro_f1"] == pytest.approx((2 * (1 / 3) / (1 / 3 + 1)) / 3)
    assert constant["per_genre"]["MPB"] == {"precision": pytest.approx(1 / 3), "recall": 1, "f1": 0.5, "support": 6}
    assert constant["per_genre"]["Rock"] == {"precision": 0, "recall": 0, "f1": 0, "support": 6}


def test_a_genre_that_nobody_sings_does_not_lower_macro_f1(constant):
    assert constant["per_genre"]["Funk"]["support"] == 0
    assert constant["confusion_matrix"]["genres"] == ["Funk", "MPB", "Rock", "Samba"]
    assert constant["confusion_matrix"]["rows_are_truth"] == [[0, 0, 0, 0], [0, 6, 0, 0], [0, 6, 0, 0], [0, 6, 0, 0]]
    assert macro_f1(["MPB", "Rock"], ["MPB", "Rock"]) == macro_f1(["MPB", "Rock"], np.array(["MPB", "Rock"])) == 1


def test_a_genre_that_the_model_does_not_know_counts_as_missed():
    assert macro_f1(["MPB", "Forró"], ["MPB", "MPB"]) == pytest.approx((2 / 3 + 0) / 2)


@pytest.fixture(scope="module")
def stable():
    random = np.random.default_rng(0)
    truth = random.choice(["MPB", "Rock"], size=120)
    guess = np.where(random.random(120) < 0.75, truth, np.where(truth == "MPB", "Rock", "MPB"))
    artists = pd.Series([f"Artista {n // 2}" for n in range(120)])
    return truth, guess, artists, headline(truth, guess, artists, seed=0)


@pytest.mark.parametrize("name", ["macro_f1", "accuracy", "mcc"])
def test_the_interval_contains_the_figure_and_is_neither_a_point_nor_everything(stable, name):
    figures = stable[3]
    low, high = figures[f"{name}_interval"]
    assert low < figures[name] < high
    assert 0.05 < high - low < 0.5


def test_a_sample_draws_whole_artists():
    artists = pd.Series(["a", "b", "a", "c", "c", "c"], index=[9, 3, 7, 1, 0, 5])
    samples = resample_groups(artists, seed=0, n_resamples=50)
    assert len(samples) == 50
    sizes = {"a": 2, "b": 1, "c": 3}
    for rows in samples:
        drawn = artists.to_numpy()[rows]
        assert all(np.count_nonzero(drawn == name) % size == 0 for name, size in sizes.items())
        assert sum(np.count_nonzero(drawn == name) // size for name, size in sizes.items()) == 3
    assert len({tuple(sorted(rows)) for rows in samples}) > 3


def test_the_same_seed_draws_the_same_samples():
    artists = pd.Series(list("abcdef"))
    first, again, other = ([rows.tolist() for rows in resample_groups(artists, seed, 5)] for seed in (0, 0, 1))
    assert first == again != other


def test_the_calibration_error_is_the_mean_gap_of_the_bins():
    truth, guess = ["a", "a", "a", "a"], ["a", "b", "a", "a"]
    # Two songs at 0.6, one of them hit: gap 0.1. Two at 0.9, both hit: gap 0.1.
    assert calibration_error(truth, guess, np.array([0.6, 0.6, 0.9, 0.9])) == pytest.approx(0.1)
    # One bin holds 0.62 and 0.68, one of them hit: gap 0.15, for half of the songs; the others are sure and right.
    assert calibration_error(truth, guess, np.array([0.62, 0.68, 1.0, 1.0])) == pytest.approx(0.15 / 2)
    assert calibration_error(truth, truth, np.ones(4)) == 0
    assert calibration_error(truth, ["b"] * 4, np.ones(4)) == 1


def test_figures_of_a_genre_by_hand():
    table = per_genre(["a", "a", "a", "b"], ["a", "a", "b", "b"], ["a", "b"])
    assert table["a"] == {"precision": 1, "recall": pytest.approx(2 / 3), "f1": pytest.approx(0.8), "support": 3}
    assert table["b"] == {"precision": 0.5, "recall": 1, "f1": pytest.approx(2 / 3), "support": 1}


def test_slices_count_the_songs_of_each_site_and_the_translations():
    test = frame(
        ["MPB", "MPB", "Rock"],
        sources=[["letras"], ["letras", "vagalume"], ["vagalume"]],
        is_translation=[False, True, False],
    )
    parts = slices(test, np.array(["MPB", "MPB", "Rock"]), np.array(["MPB", "Rock", "Rock"]))
    assert {name: (part["n"], part["accuracy"]) for name, part in parts.items()} == {
        "source: letras": (2, 0.5),
        "source: vagalume": (2, 0.5),
        "translated": (1, 0),
        "written in Portuguese": (2, 1),
    }
    assert parts["written in Portuguese"]["macro_f1"] == 1


def test_a_slice_without_songs_is_not_shown():
    test = frame(["MPB"])
    assert set(slices(test, ["MPB"], ["MPB"])) == {"source: letras", "written in Portuguese"}


def test_baselines_are_plain_methods_on_the_same_songs():
    learned = songs(*TWO_GENRES)
    train, test = learned.iloc[::2], learned.iloc[1::2]
    found = baselines(train, test)
    majority = train["genre"].mode()[0]
    share = (test["genre"] == majority).mean()
    assert found["majority genre"]["accuracy"] == pytest.approx(share)
    assert found["majority genre"]["macro_f1"] == pytest.approx(share / (share + 1))
    assert found["complement naive Bayes on words"]["macro_f1"] > found["majority genre"]["macro_f1"]
