"""The figures of a model and their uncertainty."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import (
    accuracy_score,
    confusion_matrix,
    f1_score,
    matthews_corrcoef,
    precision_recall_fscore_support,
)

from lyrics_assets.model.evaluation import (
    N_MISTAKES,
    Bootstrap,
    calibration,
    evaluate,
    gain,
    guesses,
    headline,
    interval,
    macro_f1,
    mistakes,
    per_genre,
    slices,
)

# What the tests share is measured once: they run in one process.

TRUTH = ["MPB", "MPB", "Rock", "Rock", "Samba", "Samba"]


def frame(labels, **columns):
    """Return one song each, of these genres, by an artist of its own."""
    base = {
        "title": [f"Canção {n}" for n in range(len(labels))],
        "artist": [f"Artista {n}" for n in range(len(labels))],
        "genre": labels,
        "genres": [[genre] for genre in labels],
        "sources": [["letras"]] * len(labels),
        "is_translation": [False] * len(labels),
        "n_words": [120] * len(labels),
    }
    return pd.DataFrame(base | columns)


def certain(guess, genres):
    """Return probabilities that give each guess all but a little."""
    return pd.DataFrame(
        [{genre: 0.9 if genre == name else 0.1 / (len(genres) - 1) for genre in genres} for name in guess]
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
        names = sorted(set(truth) | set(guess))
        table = per_genre(truth, guess, artists, names, seed=0)
        theirs = precision_recall_fscore_support(truth, guess, labels=names, zero_division=0)
        for figure, values in zip(("precision", "recall", "f1", "support"), theirs, strict=True):
            assert [table[name][figure] for name in names] == pytest.approx(list(values))


def test_the_matrices_of_the_samples_are_those_of_songs_drawn_one_by_one():
    random = np.random.default_rng(1)
    names = ["a", "b", "c"]
    truth, guess = random.choice(names, 90), random.choice(names, 90)
    bootstrap = Bootstrap(pd.Series([f"artist {n % 20:02}" for n in range(90)]), seed=3, n_resamples=20)
    rows = [np.flatnonzero(bootstrap.codes == code) for code in range(bootstrap.n_groups)]
    matrices = bootstrap.confusions(np.searchsorted(names, truth), np.searchsorted(names, guess), 3)
    for counts, matrix in zip(bootstrap.counts.astype(int), matrices, strict=True):
        drawn = np.concatenate([np.repeat(of_artist, count) for of_artist, count in zip(rows, counts, strict=True)])
        assert matrix.tolist() == confusion_matrix(truth[drawn], guess[drawn], labels=names).tolist()


def test_a_constant_prediction_has_the_figures_of_one_genre_in_three(constant):
    assert constant["accuracy"] == pytest.approx(1 / 3)
    assert constant["mcc"] == 0
    assert (constant["n_test"], constant["n_test_artists"]) == (18, 18)
    # Sure to 0.9, right in one case of three.
    assert constant["expected_calibration_error"] == pytest.approx(0.9 - 1 / 3)
    assert constant["macro_f1"] == pytest.approx((2 * (1 / 3) / (1 / 3 + 1)) / 3)
    mpb, rock = constant["per_genre"]["MPB"], constant["per_genre"]["Rock"]
    assert (mpb["precision"], mpb["recall"], mpb["f1"]) == pytest.approx((1 / 3, 1, 0.5))
    assert (mpb["support"], mpb["artists"]) == (6, 6)
    assert mpb["f1_interval"][0] < 0.5 < mpb["f1_interval"][1]
    assert (rock["precision"], rock["recall"], rock["f1"], rock["f1_interval"]) == (0, 0, 0, [0, 0])


def test_a_genre_that_nobody_sings_does_not_lower_macro_f1(constant):
    funk = constant["per_genre"]["Funk"]
    assert (funk["support"], funk["artists"], funk["f1_interval"]) == (0, 0, None)
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


def test_songs_of_few_artists_leave_more_uncertain_than_as_many_of_many(stable):
    truth = np.array(["MPB"] * 60 + ["Rock"] * 60)
    guess = np.array((["MPB"] * 10 + ["Rock"] * 10) * 6)
    of_many, of_few = (
        headline(truth, guess, pd.Series([f"Artista {n // songs:03}" for n in range(120)]), 0)["accuracy_interval"]
        for songs in (1, 10)
    )
    assert of_few[1] - of_few[0] > 2 * (of_many[1] - of_many[0])


def test_a_sample_draws_whole_artists():
    artists = pd.Series(["a", "b", "a", "c", "c", "c"], index=[9, 3, 7, 1, 0, 5])
    bootstrap = Bootstrap(artists, seed=0, n_resamples=50)
    assert bootstrap.counts.shape == (50, 3)
    assert (bootstrap.counts.sum(axis=1) == 3).all()
    assert len({tuple(row) for row in bootstrap.counts}) > 3
    # Songs of each artist, then all that a sample holds.
    songs = bootstrap.sums(np.ones((6, 1)))
    assert songs[:, 0] == pytest.approx(bootstrap.counts @ [2, 1, 3])


def test_the_same_seed_draws_the_same_samples():
    artists = pd.Series(list("abcdef"))
    first, again, other = (Bootstrap(artists, seed, 5).counts.tolist() for seed in (0, 0, 1))
    assert first == again != other


def test_an_interval_leaves_out_samples_without_the_figure():
    assert interval(np.array([np.nan, 1.0, 2.0, 3.0]), low=0) == [1, 3]


def test_the_calibration_error_is_the_mean_gap_of_the_bins():
    def error(hit, confidence):
        artists = pd.Series(range(len(hit)))
        return calibration(np.array(hit), np.array(confidence), artists, 0)["expected_calibration_error"]

    # Two songs at 0.6, one of them hit: gap 0.1. Two at 0.9, both hit: gap 0.1.
    assert error([True, False, True, True], [0.6, 0.6, 0.9, 0.9]) == pytest.approx(0.1)
    # One bin holds 0.62 and 0.68, one of them hit: gap 0.15, for half of the songs; the others are sure and right.
    assert error([True, False, True, True], [0.62, 0.68, 1.0, 1.0]) == pytest.approx(0.15 / 2)
    assert error([True] * 4, np.ones(4)) == 0
    assert error([False] * 4, np.ones(4)) == 1


def test_the_calibration_curve_counts_the_songs_of_each_bin():
    hit, sure = np.array([True, False, True, True, True]), np.array([0.62, 0.68, 1.0, 0.05, 0.05])
    curve = calibration(hit, sure, pd.Series(list("abcde")), seed=0)["calibration_curve"]
    assert [(row["from"], row["to"], row["n"]) for row in curve] == [(0, 0.1, 2), (0.6, 0.7, 2), (0.9, 1, 1)]
    assert [row["accuracy"] for row in curve] == [1, 0.5, 1]
    assert [row["confidence"] for row in curve] == pytest.approx([0.05, 0.65, 1])
    assert curve[1]["accuracy_interval"] == [0, 1]


def test_figures_of_a_genre_by_hand():
    artists = pd.Series(["x", "y", "y", "z"])
    table = per_genre(["a", "a", "a", "b"], ["a", "a", "b", "b"], artists, ["a", "b"], seed=0)
    assert (table["a"]["precision"], table["a"]["recall"], table["a"]["f1"]) == pytest.approx((1, 2 / 3, 0.8))
    assert (table["a"]["support"], table["a"]["artists"]) == (3, 2)
    assert (table["b"]["precision"], table["b"]["recall"], table["b"]["f1"]) == pytest.approx((0.5, 1, 2 / 3))


def test_a_genre_of_one_artist_has_no_interval():
    artists = pd.Series(["x", "y", "y", "z"])
    table = per_genre(["a", "a", "a", "b"], ["a", "a", "b", "b"], artists, ["a", "b"], seed=0)
    assert table["a"]["f1_interval"] is not None
    assert (table["b"]["artists"], table["b"]["f1_interval"]) == (1, None)


def test_a_gain_is_paired_so_that_equal_models_gain_nothing_for_certain(stable):
    truth, guess, artists, _ = stable
    same = gain(truth, guess, guess, artists, seed=0)
    assert same == {"gain": 0, "gain_interval": [0, 0]}
    better = gain(truth, truth, guess, artists, seed=0)
    assert better["gain"] == pytest.approx(1 - macro_f1(truth, guess))
    assert 0 < better["gain_interval"][0] < better["gain"] < better["gain_interval"][1]
    worse = gain(truth, guess, truth, artists, seed=0)
    assert worse["gain_interval"] == pytest.approx([-end for end in reversed(better["gain_interval"])])


def test_slices_count_the_songs_of_each_site_length_and_the_translations():
    test = frame(
        ["MPB", "MPB", "Rock"],
        sources=[["letras"], ["letras", "vagalume"], ["vagalume"]],
        is_translation=[False, True, False],
        n_words=[100, 101, 301],
    )
    parts = slices(test, np.array(["MPB", "MPB", "Rock"]), np.array(["MPB", "Rock", "Rock"]), seed=0)
    assert {name: (part["n"], part["accuracy"]) for name, part in parts.items()} == {
        "source: letras": (2, 0.5),
        "source: vagalume": (2, 0.5),
        "translated": (1, 0),
        "written in Portuguese": (2, 1),
        "1 to 100 words": (1, 1),
        "101 to 200 words": (1, 0),
        "over 300 words": (1, 1),
    }
    assert parts["written in Portuguese"]["macro_f1"] == 1
    assert parts["source: letras"]["accuracy_interval"] == [0, 1]
    assert (parts["translated"]["artists"], parts["translated"]["accuracy_interval"]) == (1, None)


def test_a_slice_without_songs_is_not_shown():
    test = frame(["MPB"])
    assert set(slices(test, ["MPB"], ["MPB"], 0)) == {"source: letras", "written in Portuguese", "101 to 200 words"}


def test_mistakes_are_the_surest_wrong_answers_by_title_and_artist():
    test = frame(["MPB", "Rock", "Rock"], genres=[["MPB"], ["MPB", "Rock"], ["Rock"]], lyrics=["um", "dois", "três"])
    given = pd.DataFrame({"MPB": [0.9, 0.6, 0.8], "Rock": [0.1, 0.4, 0.2]})
    assert mistakes(test, given) == [
        {
            "title": "Canção 2",
            "artist": "Artista 2",
            "genre": "Rock",
            "guess": "MPB",
            "confidence": 0.8,
            "given_to_genre": 0.2,
            "charts_agree_with_guess": False,
        },
        {
            "title": "Canção 1",
            "artist": "Artista 1",
            "genre": "Rock",
            "guess": "MPB",
            "confidence": 0.6,
            "given_to_genre": 0.4,
            "charts_agree_with_guess": True,
        },
    ]


def test_mistakes_are_few_and_a_genre_that_the_model_does_not_know_got_nothing():
    found = mistakes(frame(["Forró"] * 40), certain(["MPB"] * 40, ["MPB", "Rock"]))
    assert len(found) == N_MISTAKES
    assert {row["given_to_genre"] for row in found} == {0.0}


def test_the_guess_is_the_most_probable_genre():
    assert guesses(certain(["MPB", "Rock"], ["Rock", "MPB"])).tolist() == ["MPB", "Rock"]
