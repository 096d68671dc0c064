"""How good a setting is for artists that it has not seen: mean macro-F1 over folds of whole artists."""

import contextlib
import hashlib
import pickle
import shutil
import tempfile
import weakref
from collections.abc import Callable, Iterator
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression

from lyrics_assets.lyrics import identity, text
from lyrics_assets.model import classifier, evaluation, features, fold_features, splits
from lyrics_assets.model.classifier import VECTORIZER_FIELDS, Hyperparameters, build_estimator, build_vectorizer
from lyrics_assets.model.evaluation import macro_f1
from lyrics_assets.model.fold_features import SPAN_LIMIT, FeatureFolder, FoldFeatures, in_the_span
from lyrics_assets.model.splits import artist_folds

CACHE_BYTES = 2 * 2**30
COLUMNS = ("artist", "genre", "lyrics", "lyrics_group")

_CODE = (text, identity, features, classifier, splits, evaluation, fold_features)
_LIBRARIES = ("numpy", "scipy", "scikit-learn")


def code_digest() -> str:
    """Tells the code that measures and its libraries apart."""
    digest = hashlib.blake2b(digest_size=16)
    for name in _LIBRARIES:
        digest.update(f"{name} {version(name)}\n".encode())
    for module in _CODE:
        digest.update(Path(str(module.__file__)).read_bytes())
    return digest.hexdigest()


def identify(songs: pd.DataFrame, n_folds: int, seed: int) -> str:
    """Tell songs, folds, seed, code and libraries apart, by 32 hex digits: where they are the same, all scores are."""
    digest = hashlib.blake2b(f"{code_digest()} {n_folds} {seed}".encode(), digest_size=16)
    for row in songs.loc[:, list(COLUMNS)].itertuples(index=False):
        digest.update("\x1f".join(map(str, row)).encode("utf-8", "surrogatepass") + b"\x1e")
    return digest.hexdigest()


class CrossValidation:
    """Measures settings on folds of whole artists; each vectorization is computed once and shared by the trials.

    It can be sent to other processes. On the same machine they share the features' files; on another machine each
    process keeps its own.

    Args:
        songs: training songs only; columns artist, genre, lyrics, lyrics_group.
        n_folds: how many parts of whole artists; each examines once.
        seed: of the folds and of the estimator.
        folder: where the features are kept, and stay; a temporary folder if None.
        cache_bytes: how much of them is kept at most.

    Raises:
        ValueError: there are fewer artists than folds.
    """

    def __init__(
        self,
        songs: pd.DataFrame,
        n_folds: int = 4,
        seed: int = 0,
        *,
        folder: Path | None = None,
        cache_bytes: int = CACHE_BYTES,
    ) -> None:
        self.songs = songs.loc[:, list(COLUMNS)].reset_index(drop=True)
        self.n_folds = n_folds
        self.seed = seed
        self.folds = list(artist_folds(self.songs, n_folds, seed))
        self._cache_bytes = cache_bytes
        self._folder = folder or self._temporary_folder()
        self._folder.mkdir(parents=True, exist_ok=True)

    def _temporary_folder(self) -> Path:
        folder = Path(tempfile.mkdtemp(prefix="lyrics-search-"))
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        return folder

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        if not self._folder.is_dir():
            self._folder = self._temporary_folder()

    @cached_property
    def digest(self) -> str:
        """See `identify`."""
        return identify(self.songs, self.n_folds, self.seed)

    @contextlib.contextmanager
    def saved(self) -> Iterator[Path]:
        """Keep this in a file, beside the features, that other processes of the machine may read."""
        place = self._folder / "cross_validation.pickle"
        place.write_bytes(pickle.dumps(self))
        try:
            yield place
        finally:
            place.unlink(missing_ok=True)

    def score(self, parameters: Hyperparameters, fold: int) -> float:
        """Return the macro-F1 of one fold.

        Raises:
            ValueError: these songs cannot be learned with these parameters, such as no n-gram is frequent enough.
        """
        from threadpoolctl import threadpool_limits

        # One thread for each trial: the cores are for the trials, and sums in another order would be other scores.
        with threadpool_limits(1):
            estimator = build_estimator(parameters, self.seed)
            train, valid = self.folds[fold]
            known = self._features(parameters, fold, dense=_is_rotation_invariant(estimator))
            genres = self.songs["genre"].to_numpy(dtype=str)
            estimator.fit(known.train, genres[train])
            return macro_f1(genres[valid], estimator.predict(known.valid))

    def scores(self, parameters: Hyperparameters) -> Iterator[float]:
        """Yield the macro-F1 of one fold after the other; see `score`."""
        for fold in range(self.n_folds):
            yield self.score(parameters, fold)

    def measure(self, parameters: Hyperparameters, report: Callable[[int, float], None] | None = None) -> float:
        """Return the mean macro-F1 over the folds; `report` gets (fold, mean so far) after each."""
        scores: list[float] = []
        for fold, score in enumerate(self.scores(parameters)):
            scores.append(score)
            if report:
                report(fold, mean(scores))
        return mean(scores)

    def _features(self, parameters: Hyperparameters, fold: int, *, dense: bool) -> FoldFeatures:
        train, valid = self.folds[fold]
        dense = dense and len(train) <= SPAN_LIMIT

        def compute() -> FoldFeatures:
            lyrics = self.songs["lyrics"].to_numpy(dtype=object)
            vectorizer = build_vectorizer(parameters)
            sparse = FoldFeatures(vectorizer.fit_transform(lyrics[train]), vectorizer.transform(lyrics[valid]))
            return in_the_span(sparse) if dense else sparse

        name = f"{self.digest} {fold} {dense} {vectorizer_setting(parameters)}"
        return FeatureFolder(self._folder, self._cache_bytes).get(name, compute)


def vectorizer_setting(parameters: Hyperparameters) -> tuple[Any, ...]:
    """Return what trials must agree in to share their features."""
    return tuple(getattr(parameters, name) for name in VECTORIZER_FIELDS)


def mean(scores: list[float]) -> float:
    """Return the mean, the same for the same scores wherever they were measured."""
    return float(np.mean(scores))


def _is_rotation_invariant(estimator: Any) -> bool:
    """Return whether its predictions stay the same in any orthonormal basis: L-BFGS knows no penalty but L2."""
    return type(estimator) is LogisticRegression and estimator.solver == "lbfgs"
