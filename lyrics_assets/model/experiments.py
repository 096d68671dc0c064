"""The same recipe on other songs: a random split, which flatters it, and ever more artists to learn from."""

import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lyrics_assets.lyrics.identity import artist_key
from lyrics_assets.model.evaluation import headline, score
from lyrics_assets.model.splits import random_split, share_of_artists

SHARES = (0.25, 0.5, 0.75)
"""Of the training artists; the model that is examined learned from all of them."""


class Predictor(Protocol):
    """A fitted model."""

    def predict(self, X: Sequence[str]) -> NDArray[np.str_]:
        """Return the genre of each lyric."""
        ...


Fit = Callable[[pd.DataFrame], Predictor]
"""Fits the recipe on songs, as the examined model was fitted: same hyperparameters, same weights of dates."""


def measure_random_split(songs: pd.DataFrame, n_test: int, fit: Fit, seed: int) -> dict[str, Any]:
    """Return the recipe's figures on a split drawn song by song: optimistic, for it knows artists of the test songs.

    Args:
        songs: all songs, those left out of the honest split too.
        n_test: how many examine, as many as in the honest split.
        fit: the recipe.
        seed: of the split and of the bootstrap.
    """
    started = time.perf_counter()
    train_rows, test_rows = random_split(len(songs), n_test, seed)
    train, test = songs.iloc[train_rows], songs.iloc[test_rows]
    guess = fit(train).predict(list(test["lyrics"]))
    artists = test["artist"].map(artist_key)
    known = artists.isin(set(train["artist"].map(artist_key)))
    return {
        "n_train": len(train),
        "n_test": len(test),
        "n_test_of_known_artists": int(known.sum()),
        **headline(test["genre"].to_numpy(dtype=str), guess, artists, seed),
        "seconds": round(time.perf_counter() - started, 2),
    }


def measure_learning_curve(
    train: pd.DataFrame, test: pd.DataFrame, whole: dict[str, Any], fit: Fit, seed: int, max_songs: int
) -> dict[str, Any]:
    """Return macro-F1 on the test songs of models that learned from shares of the training artists.

    Args:
        train: the training songs.
        test: the test songs, the same for each share.
        whole: macro_f1, macro_f1_interval and so on of the model that learned from all of them.
        fit: the recipe.
        seed: of the artists' order and of the bootstrap.
        max_songs: training songs above which the curve is not measured, for it costs one and a half more fits.
    """
    if len(train) > max_songs:
        return {"points": [], "seconds": 0.0, "skipped": f"{len(train)} training songs, more than {max_songs}"}
    started = time.perf_counter()
    truth, artists = test["genre"].to_numpy(dtype=str), test["artist"].map(artist_key)
    points = []
    for share in SHARES:
        part = train[share_of_artists(train, share, seed)]
        if part["genre"].nunique() < 2:
            continue
        guess = fit(part).predict(list(test["lyrics"]))
        points.append({"share": share, **_size(part), **score(truth, guess, artists, seed)})
    names = ("macro_f1", "macro_f1_interval", "accuracy", "accuracy_interval")
    points.append({"share": 1.0, **_size(train), **{name: whole[name] for name in names}})
    return {"points": points, "seconds": round(time.perf_counter() - started, 2), "skipped": None}


def _size(songs: pd.DataFrame) -> dict[str, int]:
    return {"n_train": len(songs), "n_train_artists": int(songs["artist"].map(artist_key).nunique())}
