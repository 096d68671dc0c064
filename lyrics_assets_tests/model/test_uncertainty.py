"""When an answer is worth little, and what is said then."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lyrics_assets.lyrics import language
from lyrics_assets.model.uncertainty import (
    CLOSE_CALL,
    CUT_LENGTHS,
    MIN_PORTUGUESE_SHARE,
    NOT_PORTUGUESE,
    TOO_SHORT,
    UNLIKE_ANYTHING_KNOWN,
    Bounds,
    answer,
    choose_bounds,
    coverage_table,
)

PRIOR = {"Funk": 0.2, "Gospel": 0.3, "Samba": 0.5}
BOUNDS = Bounds(PRIOR, min_words=10, max_unknown_share=0.4, min_margin=0.1)
SURE = {"Gospel": 0.9, "Funk": 0.06, "Samba": 0.04}


def ask(probabilities=SURE, n_words=50, unknown_share=0.1, portuguese_share=None):
    return answer(
        probabilities,
        n_words=n_words,
        unknown_share=unknown_share,
        bounds=BOUNDS,
        portuguese_share=portuguese_share,
    )


def test_a_sure_answer_is_the_models_own():
    found = ask()
    assert (found.genre, found.confidence, found.warnings) == ("Gospel", 0.9, ())
    assert found.probabilities == SURE


@pytest.mark.parametrize(
    ("change", "warning"),
    [
        ({"n_words": 9}, TOO_SHORT),
        ({"portuguese_share": 0.59}, NOT_PORTUGUESE),
        ({"unknown_share": 0.41}, UNLIKE_ANYTHING_KNOWN),
    ],
    ids=str,
)
def test_just_past_a_bound_the_genre_goes_and_the_probabilities_stay_almost(change, warning):
    found = ask(**change)
    assert found.warnings == (warning,)
    assert found.genre is None
    assert 0.8 < found.confidence < 0.9


@pytest.mark.parametrize("change", [{"n_words": 10}, {"portuguese_share": 0.6}, {"unknown_share": 0.4}], ids=str)
def test_at_the_bound_nothing_is_said(change):
    assert ask(**change) == ask()


@pytest.mark.parametrize(
    "change",
    [{"n_words": 0, "unknown_share": 1.0}, {"portuguese_share": 0.0}, {"unknown_share": 1.0}],
    ids=["no word", "no Portuguese", "no known word"],
)
def test_nothing_to_go_by_leaves_the_training_songs_shares(change):
    found = ask(**change)
    assert found.genre is None
    assert found.probabilities == pytest.approx(PRIOR)
    assert found.confidence == pytest.approx(0.5)


def test_no_word_is_too_short_and_nothing_else():
    assert ask(n_words=0, unknown_share=1.0).warnings == (TOO_SHORT,)


def test_warnings_come_together():
    found = ask(n_words=3, unknown_share=1.0, portuguese_share=0.2)
    assert found.warnings == (TOO_SHORT, NOT_PORTUGUESE, UNLIKE_ANYTHING_KNOWN)


def test_a_close_call_keeps_its_genre():
    close = {"Gospel": 0.41, "Funk": 0.35, "Samba": 0.24}
    found = ask(close)
    assert (found.genre, found.confidence, found.warnings) == ("Gospel", 0.41, (CLOSE_CALL,))
    assert found.probabilities == close


@settings(max_examples=200, deadline=None)
@given(
    shares=st.lists(st.floats(0.001, 1), min_size=3, max_size=3),
    n_words=st.integers(0, 40),
    unknown=st.floats(0, 1),
    portuguese=st.none() | st.floats(0, 1),
)
def test_an_answer_is_never_surer_than_the_model_or_the_training_songs(shares, n_words, unknown, portuguese):
    model = {genre: share / sum(shares) for genre, share in zip(PRIOR, shares, strict=True)}
    found = ask(model, n_words, unknown, portuguese)
    assert sum(found.probabilities.values()) == pytest.approx(1)
    assert list(found.probabilities.values()) == sorted(found.probabilities.values(), reverse=True)
    assert found.confidence <= max(*model.values(), *PRIOR.values()) + 1e-12
    assert (found.genre is None) == bool(set(found.warnings) - {CLOSE_CALL})


def test_the_bound_of_portuguese_is_the_datasets_own():
    assert MIN_PORTUGUESE_SHARE == language.MIN_PORTUGUESE_SHARE


def test_bounds_survive_json():
    bounds = Bounds(PRIOR, 7, 0.3, 0.2, ({"coverage": 1.0, "accuracy": 0.5},), ({"words": 2, "accuracy": 0.1},))
    assert Bounds.from_json(json.loads(json.dumps(bounds.to_json()))) == bounds


def test_bounds_with_an_unknown_value_are_refused():
    with pytest.raises(TypeError, match="mood"):
        Bounds.from_json({**BOUNDS.to_json(), "mood": 1})


def made_up(n_songs=1000, seed=0):
    """Return probabilities that mean what they say, and the true columns."""
    random = np.random.default_rng(seed)
    probabilities = random.dirichlet([0.5] * 3, size=n_songs)
    truth = (probabilities.cumsum(axis=1) > random.random((n_songs, 1))).argmax(axis=1)
    return probabilities, truth


def test_the_fewer_songs_are_answered_the_more_answers_are_right():
    rows = coverage_table(*made_up())
    assert [row["songs"] for row in rows] == [round(1000 * row["coverage"]) for row in rows]
    assert [row["min_margin"] for row in rows] == sorted(row["min_margin"] for row in rows)
    assert rows[-1]["accuracy"] > rows[0]["accuracy"] + 0.1


def test_the_margin_saves_a_tenth_of_the_errors():
    probabilities, truth = made_up()
    bounds = choose_bounds(PRIOR, probabilities, truth, np.linspace(0, 0.5, 1000), {2: probabilities})
    chosen = next(row for row in bounds.coverage if row["min_margin"] == bounds.min_margin)
    error = 1 - bounds.coverage[0]["accuracy"]
    assert 1 - chosen["accuracy"] <= 0.9 * error
    assert all(1 - row["accuracy"] > 0.9 * error for row in bounds.coverage if row["coverage"] > chosen["coverage"])


def test_one_song_in_a_hundred_is_unlike_the_others():
    probabilities, truth = made_up()
    shares = np.random.default_rng(1).random(1000) * 0.5
    bounds = choose_bounds(PRIOR, probabilities, truth, shares, {2: probabilities})
    assert (shares > bounds.max_unknown_share).mean() == pytest.approx(0.01, abs=0.001)


def test_a_text_without_a_known_word_is_always_unlike():
    probabilities, truth = made_up()
    bounds = choose_bounds(PRIOR, probabilities, truth, np.ones(1000), {2: probabilities})
    assert bounds.max_unknown_share < 1


def test_a_text_is_long_enough_when_it_brings_a_fifth_of_what_a_song_brings():
    probabilities, truth = made_up()
    guess = np.tile([0.0, 0.0, 1.0], (1000, 1))
    beginnings = {length: probabilities if length >= 12 else guess for length in CUT_LENGTHS}
    bounds = choose_bounds(PRIOR, probabilities, truth, np.zeros(1000), beginnings)
    assert bounds.min_words == 12
    assert [row["words"] for row in bounds.lengths] == [*CUT_LENGTHS, 0]
    assert bounds.lengths[-1]["songs"] == 1000


def test_without_out_of_fold_songs_the_bounds_are_guesses():
    nothing = np.empty((0, 3))
    assert choose_bounds(PRIOR, nothing, np.empty(0, int), np.empty(0), {2: nothing}) == Bounds(PRIOR)
