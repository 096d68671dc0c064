"""The same recipe on a random split, and taught by ever more artists."""

import numpy as np
import pytest

from lyrics_assets.lyrics.identity import artist_key
from lyrics_assets.model.experiments import SHARES, measure_learning_curve, measure_random_split
from lyrics_assets.model.splits import TEST, TRAIN, assign_splits
from lyrics_assets_tests.corpus import TWO_GENRES, songs

WHOLE = {"macro_f1": 0.9, "macro_f1_interval": [0.8, 1.0], "accuracy": 0.9, "accuracy_interval": [0.8, 1.0]}


class Remembers:
    """A recipe that knows the artists that taught it, by the first line of their songs, and guesses otherwise."""

    def __init__(self):
        self.taught = []

    def fit(self, part):
        self.taught.append(part)
        known = dict(zip(part["lyrics"], part["genre"], strict=True))
        most = part["genre"].mode()[0]
        return type("Fitted", (), {"predict": lambda _, lyrics: np.array([known.get(text, most) for text in lyrics])})()


@pytest.fixture(scope="module")
def learned():
    return songs(*TWO_GENRES)


@pytest.fixture(scope="module")
def parted(learned):
    splits = assign_splits(learned, 0.3, 1)
    return learned[splits == TRAIN], learned[splits == TEST]


def test_a_random_split_examines_songs_of_artists_that_it_knows(learned):
    recipe = Remembers()
    found = measure_random_split(learned, 12, recipe.fit, seed=0)
    (train,) = recipe.taught
    assert (found["n_train"], found["n_test"]) == (len(train), 12) == (len(learned) - 12, 12)
    test = learned.drop(train.index)
    known = set(train["artist"].map(artist_key))
    assert found["n_test_of_known_artists"] == sum(artist_key(name) in known for name in test["artist"]) > 6
    low, high = found["macro_f1_interval"]
    assert low <= found["macro_f1"] <= high


def test_the_learning_curve_teaches_shares_of_artists_and_ends_with_the_model_itself(parted):
    train, test = parted
    recipe = Remembers()
    curve = measure_learning_curve(train, test, WHOLE, recipe.fit, seed=0, max_songs=1000)
    assert [point["share"] for point in curve["points"]] == [*SHARES, 1.0]
    assert [point["n_train"] for point in curve["points"]] == [*map(len, recipe.taught), len(train)]
    assert curve["points"][-1]["macro_f1"] == 0.9
    assert sorted(point["n_train"] for point in curve["points"]) == [point["n_train"] for point in curve["points"]]
    assert curve["skipped"] is None
    assert all(set(part["artist"]) <= set(train["artist"]) for part in recipe.taught)


def test_the_learning_curve_of_too_many_songs_is_skipped_and_says_so(parted):
    train, test = parted
    recipe = Remembers()
    curve = measure_learning_curve(train, test, WHOLE, recipe.fit, seed=0, max_songs=10)
    assert (curve["points"], recipe.taught) == ([], [])
    assert curve["skipped"] == f"{len(train)} training songs, more than 10"


def test_a_share_that_knows_one_genre_alone_is_no_point_of_the_curve(parted):
    train, test = parted
    one = train[train["genre"] == TWO_GENRES[0]]
    curve = measure_learning_curve(one, test, WHOLE, Remembers().fit, seed=0, max_songs=1000)
    assert [point["share"] for point in curve["points"]] == [1.0]
