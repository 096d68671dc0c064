"""From scores to probabilities that mean what they say."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from lyrics_assets.model.calibration import Calibration, Told, fit_calibration, link

SCORES = arrays(np.float64, (4, 3), elements=st.floats(-2000, 2000))
READ = np.array([0, 1, 50, 10_000])
CALIBRATIONS = [
    Calibration(),
    Calibration("temperature", (3.0,), fade=0.5, full=100.0),
    Calibration("sigmoid", (1.0, 0.5, 0.0), (-1.0, 0.0, 2.0)),
]


def made_up(n_songs=4000, n_genres=3, sharpness=1.0, seed=0):
    """Return scores and the columns of genres that were drawn from the softmax of `sharpness` times them."""
    random = np.random.default_rng(seed)
    scores = random.normal(size=(n_songs, n_genres))
    scores -= scores.mean(axis=1, keepdims=True)
    shares = link(sharpness * scores, "none")
    truth = (shares.cumsum(axis=1) > random.random((n_songs, 1))).argmax(axis=1)
    return scores, truth


def calibration_gap(probabilities, truth):
    """Return how far the mean confidence is from the share of right guesses."""
    return abs(probabilities.max(axis=1).mean() - (probabilities.argmax(axis=1) == truth).mean())


@pytest.mark.parametrize("calibration", CALIBRATIONS, ids=lambda calibration: calibration.method)
@settings(max_examples=50, deadline=None)
@given(scores=SCORES)
def test_probabilities_sum_to_one_however_large_the_scores(calibration, scores):
    found = calibration.probabilities(scores, READ)
    assert np.isfinite(found).all()
    assert found.sum(axis=1) == pytest.approx(1)
    assert found.min() >= 0


@settings(max_examples=50, deadline=None)
@given(scores=SCORES)
def test_a_temperature_does_not_change_which_genre_comes_first(scores):
    before, after = (calibration.logits(scores, READ[1:].repeat([2, 1, 1])) for calibration in CALIBRATIONS[:2])
    assert (np.take_along_axis(after, before.argmax(axis=1)[:, None], 1).ravel() == after.max(axis=1)).all()


def test_sigmoids_are_divided_by_their_sum():
    logits = np.array([[0.3, -1.0, 2.0]])
    sigmoids = 1 / (1 + np.exp(-logits))
    assert link(logits, "sigmoid") == pytest.approx(sigmoids / sigmoids.sum())


@pytest.mark.parametrize("sharpness", [0.3, 1.0, 4.0])
def test_a_temperature_finds_how_sharp_the_scores_should_be(sharpness):
    scores, truth = made_up(sharpness=sharpness)
    found = fit_calibration("temperature", Told(scores, np.full(len(truth), 100)), truth)
    assert found.scale[0] == pytest.approx(sharpness, rel=0.1)
    assert (found.fade, found.full) == (0, 100)


def test_short_texts_are_trusted_as_far_as_they_were_right():
    """Beginnings whose scores are as large as a song's but say a third as much: a ninth read, fading by the root."""
    scores, truth = made_up(seed=1)
    told = Told(scores, np.full(len(truth), 900))
    beginning = Told(3 * scores, np.full(len(truth), 100))
    found = fit_calibration("temperature", told, truth, [beginning])
    assert found.fade == pytest.approx(0.5, abs=0.05)
    assert found.trust(100) == pytest.approx(1 / 3, abs=0.03)
    assert found.trust(5000) == 1
    assert found.trust(0) == 0
    for part in (told, beginning):
        assert calibration_gap(found.probabilities(*part), truth) < 0.02
    assert calibration_gap(Calibration("temperature", found.scale).probabilities(*beginning), truth) > 0.1


def test_sigmoids_learn_a_genre_that_is_rarer_than_its_scores_say():
    scores, truth = made_up(seed=2)
    keep = (truth != 0) | (np.arange(len(truth)) % 4 == 0)
    scores, truth = scores[keep], truth[keep]
    told = Told(scores, np.full(len(truth), 100))
    before, after = (fit_calibration(method, told, truth).probabilities(*told) for method in ("none", "sigmoid"))
    rare = (truth == 0).mean()
    assert abs(after[:, 0].mean() - rare) < 0.02 < abs(before[:, 0].mean() - rare)


def test_evidence_never_turns_against_its_genre():
    scores, truth = made_up(seed=3)
    found = fit_calibration("sigmoid", Told(-scores, np.full(len(truth), 100)), truth)
    assert min(found.scale) == 0


@pytest.mark.parametrize("method", ["none", "temperature", "sigmoid"])
def test_no_song_teaches_nothing(method):
    assert fit_calibration(method, Told(np.empty((0, 3)), np.empty(0, int)), np.empty(0, int)) == Calibration()
    assert Calibration().probabilities(np.zeros((1, 2)), np.array([0])) == pytest.approx(0.5)


@pytest.mark.parametrize("method", ["temperature", "sigmoid"])
def test_scores_that_are_always_right_give_no_infinite_scale(method):
    truth = np.arange(30) % 3
    scores = np.eye(3)[truth] - 1 / 3
    found = fit_calibration(method, Told(scores, np.full(30, 10)), truth)
    assert max(found.scale) <= np.exp(3) + 1e-9
    assert found.probabilities(scores, np.full(30, 10)).argmax(axis=1).tolist() == truth.tolist()
