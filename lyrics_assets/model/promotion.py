"""Whether a challenger takes the champion's place: only if it is shown to be no worse on the same songs."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lyrics_assets.lyrics.identity import artist_key
from lyrics_assets.model.baselines import MAJORITY
from lyrics_assets.model.evaluation import gain, guesses, macro_f1, score

TOLERANCE = 0.02
"""Macro-F1 that a challenger may lose, so that a small test set does not keep an old champion for ever."""
ONE_SIDED = 5.0
"""Percentile of the gain that must not lie below the tolerance: a one-sided 95 % bound."""
MIN_COMPARED = 10
"""Test songs without which nothing can be said of two models."""

LEARNED_COLUMNS = ("song_id", "artist_key", "lyrics_group")


def learned_songs(train: pd.DataFrame) -> pd.DataFrame:
    """Return what is kept of the songs that a model learned from: ids, artists and groups of texts; no lyric."""
    return train.assign(artist_key=train["artist"].map(artist_key))[list(LEARNED_COLUMNS)].reset_index(drop=True)


def unseen(test: pd.DataFrame, learned: pd.DataFrame | None) -> NDArray[np.bool_]:
    """Return which test songs are new to a model: neither their artist nor a text like theirs taught it.

    Artists stay on their side, so that nearly always all are; a test share, a seed or a genre's only examiner that has
    changed since the champion was trained would else favour the champion.

    Args:
        test: columns artist, lyrics_group.
        learned: `learned_songs` of the model; None if that is not known: then all.
    """
    if learned is None:
        return np.ones(len(test), dtype=bool)
    known = test["artist"].map(artist_key).isin(set(learned["artist_key"]))
    alike = test["lyrics_group"].isin(set(learned["lyrics_group"]))
    return np.asarray(~(known | alike), dtype=bool)


def compare(
    test: pd.DataFrame,
    challenger: pd.DataFrame,
    champion: pd.DataFrame,
    learned: pd.DataFrame | None,
    seed: int,
) -> dict[str, Any]:
    """Return the champion's figures and the challenger's gain over it, on the test songs that are new to both.

    Args:
        test: songs that did not teach the challenger; columns artist, genre, lyrics_group.
        challenger: its probabilities, same rows, one column a genre.
        champion: likewise.
        learned: `learned_songs` of the champion.
        seed: of the bootstrap, which draws the same artists for both.
    """
    new = unseen(test, learned)
    found: dict[str, Any] = {"n_compared": int(new.sum()), "n_known_to_champion": int((~new).sum())}
    if new.sum() < MIN_COMPARED:
        return found | dict.fromkeys(("macro_f1", "macro_f1_interval", "gain", "gain_interval", "gain_bound"))
    songs = test[new]
    truth, artists = songs["genre"].to_numpy(dtype=str), songs["artist"].map(artist_key)
    ours, theirs = guesses(challenger[new]), guesses(champion[new])
    return {
        **found,
        "n_artists": int(artists.nunique()),
        "challenger_macro_f1": macro_f1(truth, ours),
        **score(truth, theirs, artists, seed),
        **gain(truth, ours, theirs, artists, seed),
        "gain_bound": gain(truth, ours, theirs, artists, seed, low=ONE_SIDED)["gain_interval"][0],
    }


def decide_promotion(report: dict[str, Any], tolerance: float = TOLERANCE) -> dict[str, Any]:
    """Return whether the challenger is to be served, and why.

    It must beat guessing and, if there is a champion, the one-sided 95 % bound of its gain must lie above minus the
    tolerance: what cannot be told on so few songs stays challenger.

    Args:
        report: macro_f1, baselines, and champion: None if there is none, or what `compare` returned.
        tolerance: macro-F1 that may be lost.
    """
    guessing = report["baselines"][MAJORITY]["macro_f1"]
    if report["macro_f1"] <= guessing:
        return _decision(False, f"no better than always the same genre (macro-F1 {guessing:.3f})", tolerance)
    champion = report["champion"]
    if champion is None:
        return _decision(True, "the first model that beats guessing", tolerance)
    if champion["gain"] is None:
        reason = (
            f"only {champion['n_compared']} test songs are new to the champion too, fewer than {MIN_COMPARED}: "
            "no comparison"
        )
        return _decision(False, reason, tolerance)
    low, high = champion["gain_interval"]
    measured = (
        f"gain over the champion {champion['gain']:+.3f}, 95 % interval {low:+.3f} to {high:+.3f} on "
        f"{champion['n_compared']} songs of {champion['n_artists']} artists"
    )
    if champion["gain_bound"] >= -tolerance:
        return _decision(True, f"not worse than the champion on the same songs: {measured}", tolerance)
    if high < 0:
        return _decision(False, f"worse than the champion on the same songs: {measured}", tolerance)
    reason = (
        f"not shown to be as good as the champion: {measured}; it may have lost more than the {tolerance:.3f} "
        f"allowed (one-sided 95 % bound {champion['gain_bound']:+.3f})"
    )
    return _decision(False, reason, tolerance)


def _decision(promoted: bool, reason: str, tolerance: float) -> dict[str, Any]:
    return {"promoted": promoted, "reason": reason, "tolerance": tolerance}
