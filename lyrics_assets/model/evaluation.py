"""How good a model is for songs of artists that it has never seen, with the uncertainty of the figure."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from lyrics_assets.lyrics.identity import artist_key

Labels = Sequence[str] | NDArray[np.str_]
N_RESAMPLES = 1000
CALIBRATION_BINS = 10


def evaluate(songs: pd.DataFrame, probabilities: pd.DataFrame, seed: int = 0) -> dict[str, Any]:
    """Return every figure of a model on a test set, as plain JSON values.

    Args:
        songs: the test songs; columns artist, genre, sources, is_translation. One row a song.
        probabilities: the model's, same rows; one column a genre.
        seed: of the bootstrap, which draws whole artists with replacement.
    """
    truth = songs["genre"].to_numpy(dtype=str)
    guess = probabilities.columns.to_numpy(dtype=str)[probabilities.to_numpy().argmax(axis=1)]
    genres = sorted(set(probabilities.columns) | set(truth))
    return {
        "n_test": len(songs),
        "n_test_artists": int(songs["artist"].map(artist_key).nunique()),
        **headline(truth, guess, songs["artist"], seed),
        "expected_calibration_error": calibration_error(truth, guess, probabilities.max(axis=1).to_numpy()),
        "per_genre": per_genre(truth, guess, genres),
        "confusion_matrix": {
            "genres": genres,
            "rows_are_truth": confusion_matrix(truth, guess, labels=genres).tolist(),
        },
        "slices": slices(songs, truth, guess),
    }


def macro_f1(truth: Labels, guess: Labels) -> float:
    """Return the mean F1 of the genres that occur in the truth; a genre never found counts as 0."""
    return _macro_f1(_confusion(truth, guess))


def headline(truth: Labels, guess: Labels, artists: pd.Series, seed: int) -> dict[str, Any]:
    """Return macro-F1, accuracy and Matthews correlation, each with its 95 % bootstrap interval by artist."""
    truth, guess = np.asarray(truth), np.asarray(guess)
    samples = [_confusion(truth[rows], guess[rows]) for rows in resample_groups(artists.map(artist_key), seed)]
    figures: dict[str, Any] = {}
    for name, figure in (("macro_f1", _macro_f1), ("accuracy", _accuracy), ("mcc", _matthews)):
        low, high = np.percentile([figure(sample) for sample in samples], [2.5, 97.5])
        figures[name] = figure(_confusion(truth, guess))
        figures[f"{name}_interval"] = [float(low), float(high)]
    return figures


# scikit-learn has these figures too, at a hundred times the cost: a bootstrap asks for them thousands of times.


def _confusion(truth: Labels, guess: Labels) -> NDArray[np.float64]:
    """Return counts of songs, one row a true genre, one column a guessed one."""
    genres, codes = np.unique(np.concatenate([truth, guess]), return_inverse=True)
    true, guessed = codes[: len(truth)], codes[len(truth) :]
    counts = np.bincount(true * len(genres) + guessed, minlength=len(genres) ** 2)
    return counts.reshape(len(genres), len(genres)).astype(np.float64)


def _macro_f1(confusion: NDArray[np.float64]) -> float:
    supports, guesses = confusion.sum(axis=1), confusion.sum(axis=0)
    occurs = supports > 0
    return float((2 * confusion.diagonal()[occurs] / (supports + guesses)[occurs]).mean())


def _accuracy(confusion: NDArray[np.float64]) -> float:
    return float(confusion.trace() / confusion.sum())


def _matthews(confusion: NDArray[np.float64]) -> float:
    supports, guesses, total = confusion.sum(axis=1), confusion.sum(axis=0), confusion.sum()
    spread = (total**2 - guesses @ guesses) * (total**2 - supports @ supports)
    return float((confusion.trace() * total - supports @ guesses) / np.sqrt(spread)) if spread else 0.0


def resample_groups(groups: pd.Series, seed: int, n_resamples: int = N_RESAMPLES) -> list[NDArray[np.intp]]:
    """Return row positions of bootstrap samples that draw whole groups with replacement."""
    members = [np.asarray(rows) for rows in groups.reset_index(drop=True).groupby(groups.to_numpy()).groups.values()]
    random = np.random.default_rng(seed)
    draws = random.integers(len(members), size=(n_resamples, len(members)))
    return [np.concatenate([members[group] for group in draw]) for draw in draws]


def calibration_error(truth: Labels, guess: Labels, confidence: NDArray[np.float64]) -> float:
    """Return the expected calibration error: mean |accuracy - confidence| over equal-width bins, by their songs."""
    hit = np.asarray(truth) == np.asarray(guess)
    bins = np.minimum((confidence * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
    gaps = [
        (bins == number).mean() * abs(hit[bins == number].mean() - confidence[bins == number].mean())
        for number in np.unique(bins)
    ]
    return float(sum(gaps))


def per_genre(truth: Labels, guess: Labels, genres: Sequence[str]) -> dict[str, dict[str, float]]:
    """Return precision, recall, F1 and support (songs) of each genre."""
    table = zip(*precision_recall_fscore_support(truth, guess, labels=list(genres), zero_division=0), strict=True)
    return {
        genre: {"precision": float(p), "recall": float(r), "f1": float(f), "support": int(n)}
        for genre, (p, r, f, n) in zip(genres, table, strict=True)
    }


def slices(songs: pd.DataFrame, truth: Labels, guess: Labels) -> dict[str, dict[str, float]]:
    """Return accuracy, macro-F1 and number of songs of each site's songs, of translations and of the others."""
    truth, guess = np.asarray(truth), np.asarray(guess)
    sources = sorted({source for listed in songs["sources"] for source in listed})
    masks = {f"source: {source}": songs["sources"].map(lambda listed, s=source: s in listed) for source in sources}
    masks["translated"] = songs["is_translation"].astype(bool)
    masks["written in Portuguese"] = ~songs["is_translation"].astype(bool)
    return {
        name: {
            "n": int(mask.sum()),
            "accuracy": float((truth[mask] == guess[mask]).mean()),
            "macro_f1": macro_f1(truth[mask], guess[mask]),
        }
        for name, mask in ((name, mask.to_numpy()) for name, mask in masks.items())
        if mask.any()
    }


def baselines(train: pd.DataFrame, test: pd.DataFrame) -> dict[str, dict[str, float]]:
    """Return macro-F1 and accuracy, on the test songs, of the plain methods that any model must beat."""
    from sklearn.dummy import DummyClassifier
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.naive_bayes import ComplementNB
    from sklearn.pipeline import make_pipeline

    methods = {
        "majority genre": DummyClassifier(strategy="most_frequent"),
        "complement naive Bayes on words": make_pipeline(CountVectorizer(strip_accents="unicode"), ComplementNB()),
    }
    truth = test["genre"].to_numpy(dtype=str)
    results = {}
    for name, method in methods.items():
        guess = method.fit(train["lyrics"], train["genre"]).predict(test["lyrics"])
        results[name] = {"macro_f1": macro_f1(truth, guess), "accuracy": _accuracy(_confusion(truth, guess))}
    return results
