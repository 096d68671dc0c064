"""A classifier that knows how far to trust itself: fitted, calibrated, with the bounds of its warnings.

How sure a model may be shows on songs that it has not seen, of artists that it has not seen. So it is fitted once more
on each of some folds, and what those models say of the songs that were kept from them calibrates the one that has
learned from all.
"""

import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline

from lyrics_assets.lyrics.identity import artist_key
from lyrics_assets.lyrics.text import normalise
from lyrics_assets.model.calibration import Calibration, Told, fit_calibration
from lyrics_assets.model.classifier import Hyperparameters, build_pipeline
from lyrics_assets.model.splits import artist_folds
from lyrics_assets.model.uncertainty import CUT_LENGTHS, WHOLE, Bounds, choose_bounds

N_FOLDS = 4


@dataclass(frozen=True)
class Fitted:
    """A fitted pipeline, and what it learned about itself."""

    pipeline: Pipeline
    """From raw text to calibrated probabilities; a clone that is fitted again keeps the calibration."""
    calibration: Calibration
    bounds: Bounds
    """From where on an answer carries a warning, with the tables that they were chosen by."""
    out_of_fold: pd.DataFrame
    """Calibrated probabilities of the songs by models that had not seen them: the songs' index, one column a genre.

    Songs of a genre that the others' artists do not sing have no row: no model could have told them.
    """
    seconds: float
    """Wall time of fitting the pipeline itself."""
    fold_seconds: float
    """Wall time of the folds: what calibration and bounds cost on top."""


def fit_classifier(
    songs: pd.DataFrame,
    parameters: Hyperparameters,
    seed: int = 0,
    *,
    n_folds: int = N_FOLDS,
    sample_weight: NDArray[np.float64] | None = None,
) -> Fitted:
    """Return the classifier of the songs, calibrated on out-of-fold scores.

    It costs `n_folds` fits on a part of the songs beside the one on all. With fewer than two artists there are no
    folds: then it is not calibrated and its bounds are the defaults.

    Args:
        songs: columns artist, genre, lyrics, and lyrics_group, by which near-duplicates are kept out of a fold's
            training songs.
        parameters: of the pipeline.
        seed: of the folds and of the Logistic Regression.
        n_folds: how many; fewer if there are fewer artists.
        sample_weight: how much each song counts in fitting; all alike if None.

    Raises:
        ValueError: there are fewer than two genres, or no n-gram is frequent enough.
    """
    genres = np.unique(songs["genre"].to_numpy(dtype=str))
    if len(genres) < 2:
        raise ValueError(f"only {', '.join(genres) or 'nothing'} to learn: a classifier needs two genres")
    started = time.perf_counter()
    measured = _join(list(_measure_folds(songs, parameters, seed, n_folds, sample_weight)), len(genres))
    truth = np.searchsorted(genres, songs["genre"].to_numpy(dtype=str)[measured.rows])
    beginnings = [measured.told[length] for length in CUT_LENGTHS]
    calibration = fit_calibration(parameters.calibration, measured.told[WHOLE], truth, beginnings)
    probabilities = calibration.probabilities(*measured.told[WHOLE])
    prior = songs["genre"].value_counts(normalize=True)
    bounds = choose_bounds(
        {genre: float(prior[genre]) for genre in genres},
        probabilities,
        truth,
        measured.unknown_shares,
        {length: calibration.probabilities(*measured.told[length]) for length in CUT_LENGTHS},
    )
    fold_seconds = time.perf_counter() - started
    started = time.perf_counter()
    pipeline = _fit(build_pipeline(parameters, seed, calibration), songs, sample_weight)
    seconds = time.perf_counter() - started
    out_of_fold = pd.DataFrame(probabilities, index=songs.index[measured.rows], columns=genres)
    return Fitted(pipeline, calibration, bounds, out_of_fold, seconds, fold_seconds)


class _Measured(NamedTuple):
    """What the model of a fold says of the songs that were kept from it."""

    rows: NDArray[np.intp]
    """The songs' positions."""
    unknown_shares: NDArray[np.float64]
    told: dict[int, Told]
    """By number of words, what it says of the first so many words; WHOLE stands for the whole song. Columns are all
    genres; one that the fold has not learned is as unlikely as its least likely one."""


def _join(folds: list[_Measured], n_genres: int) -> _Measured:
    """Return all folds' songs in their own order."""
    if not folds:
        nothing = Told(np.empty((0, n_genres)), np.empty(0, np.intp))
        return _Measured(nothing.read, np.empty(0), dict.fromkeys((WHOLE, *CUT_LENGTHS), nothing))
    rows = np.concatenate([fold.rows for fold in folds])
    order = np.argsort(rows)
    told = {
        length: Told(
            np.concatenate([fold.told[length].scores for fold in folds])[order],
            np.concatenate([fold.told[length].read for fold in folds])[order],
        )
        for length in (WHOLE, *CUT_LENGTHS)
    }
    return _Measured(rows[order], np.concatenate([fold.unknown_shares for fold in folds])[order], told)


def _measure_folds(
    songs: pd.DataFrame,
    parameters: Hyperparameters,
    seed: int,
    n_folds: int,
    sample_weight: NDArray[np.float64] | None,
) -> Iterator[_Measured]:
    genres = songs["genre"].to_numpy(dtype=str)
    n_genres = len(np.unique(genres))
    for train, valid in _folds(songs, n_folds, seed):
        if len(np.unique(genres[train])) < 2:
            continue
        weights = None if sample_weight is None else sample_weight[train]
        pipeline = _fit(build_pipeline(parameters, seed), songs.iloc[train], weights)
        rows = valid[np.isin(genres[valid], pipeline.classes_)]
        if not len(rows):
            continue
        columns = np.searchsorted(np.unique(genres), pipeline.classes_)
        texts = [normalise(text) for text in songs["lyrics"].iloc[rows]]
        yield _Measured(
            rows,
            _unknown_shares(pipeline, texts),
            {
                length: _tell(pipeline, [_cut(text, length) for text in texts], columns, n_genres)
                for length in (WHOLE, *CUT_LENGTHS)
            },
        )


def _tell(pipeline: Pipeline, texts: list[str], columns: NDArray[np.intp], n_genres: int) -> Told:
    """Return what a pipeline, whose genres are these columns of all, says of texts."""
    matrix = pipeline[:-1].transform(texts)
    found = pipeline[-1].decision_function(matrix)
    scores = np.repeat(found.min(axis=1, keepdims=True), n_genres, axis=1)
    scores[:, columns] = found
    return Told(scores - scores.mean(axis=1, keepdims=True), matrix.getnnz(axis=1))


def _folds(songs: pd.DataFrame, n_folds: int, seed: int) -> list[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Return the folds by `splits.artist_folds`, as many as artists and genres allow; none for a single artist."""
    n_folds = min(n_folds, songs["artist"].map(artist_key).nunique(), int(songs["genre"].value_counts().max()))
    if n_folds < 2:
        return []
    with warnings.catch_warnings():
        # A genre of fewer songs than folds is missing from some; its songs are left out of those.
        warnings.filterwarnings("ignore", "The least populated class", UserWarning)
        return list(artist_folds(songs, n_folds, seed))


def _fit(pipeline: Pipeline, songs: pd.DataFrame, sample_weight: NDArray[np.float64] | None) -> Pipeline:
    return pipeline.fit(songs["lyrics"], songs["genre"], classifier__sample_weight=sample_weight)


def _unknown_shares(pipeline: Pipeline, texts: list[str]) -> NDArray[np.float64]:
    """Return the share of each normalised text's distinct words that the pipeline does not know."""
    known = pipeline.named_steps["ngrams"].transformer_list[0][1].named_steps["counts"].vocabulary_
    words = [set(text.split()) for text in texts]
    return np.array([sum(word not in known for word in of_text) / max(1, len(of_text)) for of_text in words])


def _cut(text: str, n_words: int) -> str:
    """Return the first so many words of a normalised text, in their lines; all of it for WHOLE."""
    if n_words == WHOLE:
        return text
    kept: list[str] = []
    for line in text.split("\n"):
        words = line.split()[:n_words]
        kept.append(" ".join(words))
        n_words -= len(words)
        if not n_words:
            break
    return "\n".join(kept)
