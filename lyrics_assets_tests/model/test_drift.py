"""How far the newest lyrics are from those that the model learned from."""

import pytest

from lyrics_assets.model.drift import DriftBounds, jensen_shannon, measure_drift
from lyrics_assets_tests.corpus import TWO_GENRES, scorer, songs

BOUNDS = DriftBounds()


@pytest.fixture(scope="module")
def model():
    return scorer(*TWO_GENRES)


@pytest.fixture
def learned():
    return songs(*TWO_GENRES)


def test_identical_songs_do_not_drift(learned, model):
    found = measure_drift(learned, learned, model, BOUNDS)
    assert found["drifted"] == []
    assert [measure["seen"] for measure in found["measures"].values()] == [0, 0, 0, 0]
    assert (found["n_learned"], found["n_newest"]) == (len(learned), len(learned))


def test_the_order_of_the_songs_is_no_drift(learned, model):
    shuffled = learned.sample(frac=1, random_state=0)
    assert measure_drift(learned, shuffled, model, BOUNDS)["drifted"] == []


def test_another_mix_of_genres_is_named(learned, model):
    newest = learned.copy()
    newest["genre"] = "Samba"
    assert measure_drift(learned, newest, model, BOUNDS)["drifted"] == ["genre_mix"]


def test_longer_lyrics_are_named(learned, model):
    newest = learned.copy()
    newest["lyrics"] = newest["lyrics"] + "\n" + newest["lyrics"]
    newest["n_words"] *= 2
    found = measure_drift(learned, newest, model, BOUNDS)
    assert found["drifted"] == ["length"]
    assert found["measures"]["length"] == {"seen": 1.0, "allowed": 0.25}


def test_shorter_lyrics_are_named_too(learned, model):
    newest = learned.copy()
    newest["n_words"] //= 2
    assert measure_drift(learned, newest, model, BOUNDS)["drifted"] == ["length"]


def test_words_that_the_model_never_read_are_named(learned, model):
    newest = learned.copy()
    newest["lyrics"] = [
        "\n".join(f"{line} xyzzyx{n}" for n, line in enumerate(text.split("\n"))) for text in newest["lyrics"]
    ]
    found = measure_drift(learned, newest, model, BOUNDS)
    assert found["drifted"] == ["unknown_words"]
    assert found["measures"]["unknown_words"]["seen"] > 0.1


def test_another_use_of_known_words_is_named(learned, model):
    newest = learned.copy()
    newest["lyrics"] = [f"{text}\n" + "samba fé " * len(text.split()) for text in newest["lyrics"]]
    assert measure_drift(learned, newest, model, BOUNDS)["drifted"] == ["vocabulary"]


def test_known_words_are_no_drift_however_few(learned, model):
    newest = learned.copy()
    newest["lyrics"] = "samba"
    assert "unknown_words" not in measure_drift(learned, newest, model, BOUNDS)["drifted"]


def test_wider_bounds_allow_more(learned, model):
    newest = learned.copy()
    newest["genre"] = "Samba"
    found = measure_drift(learned, newest, model, DriftBounds(genre_mix=1))
    assert found["drifted"] == []
    assert found["measures"]["genre_mix"]["allowed"] == 1


def test_equal_shares_have_no_distance():
    assert jensen_shannon({"a": 1, "b": 3}, {"a": 10, "b": 30}) == pytest.approx(0, abs=1e-9)


def test_disjoint_counts_have_the_distance_one():
    assert jensen_shannon({"a": 5}, {"b": 1, "c": 2}) == pytest.approx(1)


def test_a_distance_by_hand():
    # Shares (1, 0) and (1/2, 1/2): divergence (log2(4/3) + (log2(2/3) + log2(2)) / 2) / 2.
    assert jensen_shannon({"a": 4}, {"a": 1, "b": 1}) == pytest.approx(0.5579, abs=1e-4)
    assert jensen_shannon({"a": 1, "b": 1}, {"a": 4}) == jensen_shannon({"a": 4}, {"a": 1, "b": 1})
