"""The statistics behind the trends, against published figures and against each other."""

import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon

from lyrics_assets.lyrics.trends.statistics import (
    Deviations,
    chance_of,
    difference_interval,
    log_odds_z,
    pairwise_jensen_shannon,
    proportions_z,
    shuffled_sides,
    wilson_interval,
)


@pytest.mark.parametrize(
    ("count", "total", "low", "high"),
    # The last is Newcombe 1998a, table I.
    [(10, 20, 0.2993, 0.7007), (0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0), (0, 0, 0, 1), (81, 263, 0.2553, 0.3662)],
)
def test_the_interval_of_a_share(count, total, low, high):
    assert wilson_interval(count, total) == (pytest.approx(low, abs=1e-4), pytest.approx(high, abs=1e-4))


def test_the_interval_of_a_growth_is_newcombes():
    # Newcombe 1998b, table II, method 10, case (a): 56/70 against 48/80.
    low, high = difference_interval((48, 80), (56, 70))
    assert (low, high) == (pytest.approx(0.0524, abs=1e-4), pytest.approx(0.3339, abs=1e-4))
    assert difference_interval((56, 70), (48, 80)) == (pytest.approx(-high), pytest.approx(-low))


def test_two_proportions_are_compared_with_pooled_variance():
    z = proportions_z(np.array([20.0, 30.0, 0.0]), 100, np.array([40.0, 30.0, 0.0]), 100)
    assert z == pytest.approx([3.0861, 0, 0], abs=1e-4)


def test_a_word_as_frequent_as_before_has_no_log_odds_whatever_the_volumes():
    z = log_odds_z(np.array([40.0, 400.0]), 4000, np.array([10.0, 100.0]), 1000)
    assert z == pytest.approx([0, 0], abs=1e-12)


def test_the_log_odds_are_those_of_the_formula():
    # Prior: (2 + 8) / 200 * 100 = 5 of 100.
    after, before = np.log(13 / (200 - 13)), np.log(7 / (200 - 7))
    expected = (after - before) / np.sqrt(1 / 13 + 1 / 7)
    assert log_odds_z(np.array([2.0]), 100, np.array([8.0]), 100) == pytest.approx([expected])


def test_more_songs_and_rarer_before_make_a_stronger_rise():
    z = log_odds_z(np.array([0.0, 0.0, 5.0]), 1000, np.array([10.0, 20.0, 20.0]), 1000)
    assert z[0] < z[1]
    assert z[2] < z[1]
    assert (log_odds_z(np.array([20.0]), 1000, np.array([5.0]), 1000) == -z[2]).all()


def test_the_distance_is_scipys():
    rng = np.random.default_rng(0)
    rows = rng.integers(0, 9, size=(4, 30)).astype(float)
    pairs = [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]
    expected = [jensenshannon(rows[first], rows[second], base=2) for first, second in pairs]
    assert pairwise_jensen_shannon(rows) == pytest.approx(expected)


def test_the_distance_is_0_for_the_same_shares_and_1_for_no_word_in_common():
    rows = np.array([[1.0, 3, 0, 0], [2, 6, 0, 0], [0, 0, 5, 5]])
    assert pairwise_jensen_shannon(rows) == pytest.approx([0, 1, 1], abs=1e-7)


def test_shuffles_keep_how_many_songs_are_on_each_side_and_differ():
    sides = np.arange(50) < 15
    dealt = list(shuffled_sides(sides, np.arange(50), 20, np.random.default_rng(0)))
    assert {int(side.sum()) for side in dealt} == {15}
    assert len({side.tobytes() for side in dealt}) == 20


def test_the_songs_of_an_artist_are_dealt_together_but_for_one_artist():
    artists = np.repeat(np.arange(12), 5)
    sides = artists >= 6
    sides[:7] = True
    for side in shuffled_sides(sides, artists, 20, np.random.default_rng(0)):
        packs = [side[(artists == artist) & (sides == of)] for artist in range(12) for of in (False, True)]
        assert sum(0 < pack.mean() < 1 for pack in packs if len(pack)) <= 1


def test_a_figure_that_no_shuffle_changes_does_not_deviate():
    off = Deviations.measure(np.array([3.0, 9.0]), np.array([[3.0, 1.0], [3.0, 2.0], [3.0, 3.0]]))
    assert off.found[0] == 0
    assert off.found[1] > 1.5
    assert off.largest_by_chance.shape == (3,)


def test_the_chance_is_the_share_of_deals_with_any_figure_as_large():
    largest = np.arange(1.0, 100.0)
    assert chance_of(np.array([99.5, 99.0, 50.0, 0.0]), largest) == pytest.approx([0.01, 0.02, 0.51, 1])
