"""Whether a challenger takes the champion's place."""

import numpy as np
import pandas as pd
import pytest

from lyrics_assets.model.baselines import MAJORITY
from lyrics_assets.model.promotion import MIN_COMPARED, compare, decide_promotion, learned_songs, unseen

GENRES = ["MPB", "Rock"]


def made_up(n_artists=40):
    """Return two test songs each of many artists, half of each genre."""
    rows = [
        {
            "song_id": f"{n}-{k}",
            "artist": f"Artista {n}",
            "genre": GENRES[n % 2],
            "lyrics_group": f"letra {n} {k}",
            "lyrics": f"a letra {n} {k}",
        }
        for n in range(n_artists)
        for k in range(2)
    ]
    return pd.DataFrame(rows)


def guessing(test, right, seed=0):
    """Return probabilities of a model that is right on this share of the artists."""
    artists = test["artist"].unique()
    lucky = set(np.random.default_rng(seed).permutation(artists)[: round(right * len(artists))])
    hit = test["artist"].isin(lucky).to_numpy()
    guess = np.where(hit, test["genre"], np.where(test["genre"] == "MPB", "Rock", "MPB"))
    return pd.DataFrame({genre: np.where(guess == genre, 0.8, 0.2) for genre in GENRES}, index=test.index)


def judged(champion, macro_f1=0.5, guessing=0.1, **options):
    report = {"macro_f1": macro_f1, "baselines": {MAJORITY: {"macro_f1": guessing}}, "champion": champion}
    return decide_promotion(report, **options)


def measured(test, new, old, learned=None):
    return compare(test, guessing(test, new), guessing(test, old), learned, seed=0)


def test_the_first_model_that_beats_guessing_is_promoted():
    assert judged(None) == {"promoted": True, "reason": "the first model that beats guessing", "tolerance": 0.02}


def test_a_model_no_better_than_guessing_is_never_promoted():
    test = made_up()
    for champion in (None, measured(test, 0.9, 0.1)):
        decision = judged(champion, macro_f1=0.1)
        assert not decision["promoted"]
        assert "no better than always the same genre (macro-F1 0.100)" in decision["reason"]


def test_a_better_challenger_is_promoted_with_its_gain():
    champion = measured(made_up(), 0.9, 0.5)
    assert champion["gain"] == pytest.approx(champion["challenger_macro_f1"] - champion["macro_f1"])
    assert 0 < champion["gain_interval"][0] < champion["gain_bound"] < champion["gain"] < champion["gain_interval"][1]
    decision = judged(champion)
    assert decision["promoted"]
    assert (
        f"not worse than the champion on the same songs: gain over the champion {champion['gain']:+.3f}"
        in (decision["reason"])
    )
    assert "on 80 songs of 40 artists" in decision["reason"]


def test_a_challenger_that_answers_alike_is_promoted():
    champion = measured(made_up(), 0.7, 0.7)
    assert (champion["gain"], champion["gain_interval"], champion["gain_bound"]) == (0, [0, 0], 0)
    assert judged(champion)["promoted"]


def test_a_worse_challenger_stays_challenger():
    decision = judged(measured(made_up(), 0.5, 0.9))
    assert not decision["promoted"]
    assert decision["reason"].startswith("worse than the champion on the same songs: gain over the champion -0.4")


def test_what_cannot_be_told_on_so_few_songs_stays_challenger():
    test = made_up(16)
    champion = compare(test, guessing(test, 0.75, seed=1), guessing(test, 0.75, seed=2), None, seed=0)
    assert champion["gain"] == pytest.approx(0, abs=0.05)
    assert champion["gain_interval"][0] < 0 < champion["gain_interval"][1]
    decision = judged(champion)
    assert not decision["promoted"]
    assert "not shown to be as good as the champion" in decision["reason"]
    assert "may have lost more than the 0.020 allowed" in decision["reason"]
    assert judged(champion, tolerance=0.9)["promoted"]


def test_the_tolerance_bounds_what_may_be_lost():
    champion = measured(made_up(400), 0.70, 0.71)
    assert champion["gain"] < 0
    assert judged(champion, tolerance=0.05)["promoted"]
    assert not judged(champion, tolerance=0.0)["promoted"]


def test_what_is_kept_of_a_training_set_holds_no_lyric():
    kept = learned_songs(made_up(2))
    assert list(kept.columns) == ["song_id", "artist_key", "lyrics_group"]
    assert kept.loc[0].tolist() == ["0-0", "artista 0", "letra 0 0"]


def test_songs_that_taught_the_champion_do_not_compare_the_two():
    test = made_up(40)
    learned = pd.DataFrame(
        {
            "song_id": ["x", "y"],
            "artist_key": ["artista 3", "outra"],
            # A cover of a song of artist 5, whom it does not know.
            "lyrics_group": ["outra letra", "letra 5 1"],
        }
    )
    assert test.loc[~unseen(test, learned), "song_id"].tolist() == ["3-0", "3-1", "5-1"]
    champion = measured(test, 0.9, 0.5, learned)
    assert (champion["n_compared"], champion["n_known_to_champion"], champion["n_artists"]) == (77, 3, 39)
    assert unseen(test, None).all()


def test_with_too_few_songs_that_are_new_to_both_nothing_is_promoted():
    test = made_up(40)
    kept = test.iloc[: MIN_COMPARED - 2]
    learned = learned_songs(test.drop(kept.index))
    decision = judged(measured(test, 0.9, 0.1, learned))
    assert not decision["promoted"]
    assert decision["reason"].startswith(f"only {MIN_COMPARED - 2} test songs are new to the champion too")
