"""What a fold's songs look like to the estimator, computed once for each vectorizer setting and kept in a folder.

Any process of the machine may ask for the same features: the first computes them, the others map its files.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import scipy.sparse as sp
from filelock import FileLock
from numpy.typing import NDArray
from scipy.linalg import cholesky, solve_triangular

Matrix: TypeAlias = sp.csr_matrix | NDArray[np.float64]

SPAN_LIMIT = 4000
"""Most training songs whose span is worth computing: above, two matrices of songs by songs cost more than they save."""

_FREQUENT = 1 / 8
_BLOCK = 2048
_PARTS = ("data", "indices", "indptr")


class FoldFeatures(NamedTuple):
    """The songs that teach and the songs that examine, a row each."""

    train: Matrix
    valid: Matrix


def in_the_span(features: FoldFeatures) -> FoldFeatures:
    """Return the same songs in an orthonormal basis of what the training songs span: songs by songs, dense.

    There are many more n-grams than songs, and a linear model with an L2 penalty only has a part that the training
    songs span (representer theorem). Lengths and angles are the same in the new basis, so scikit-learn's L-BFGS, which
    starts at zero, goes the same way and ends at the same model, up to rounding, in about a twentieth of the time.
    """
    gram, cross = _inner_products(features.train, features.valid)
    gram[np.diag_indices_from(gram)] += 1e-10  # two songs with the same words
    basis = cholesky(gram, lower=True, overwrite_a=True, check_finite=False)
    return FoldFeatures(
        np.ascontiguousarray(basis),
        np.ascontiguousarray(solve_triangular(basis, cross.T, lower=True, check_finite=False).T),
    )


def _inner_products(train: sp.csr_matrix, valid: sp.csr_matrix) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return train @ train.T and valid @ train.T; frequent n-grams as dense blocks, the many rare ones as sparse."""
    by_column, valid_by_column = train.tocsc(), valid.tocsc()
    frequent = np.diff(by_column.indptr) > _FREQUENT * train.shape[0]
    rare, valid_rare = by_column[:, ~frequent].tocsr(), valid_by_column[:, ~frequent].tocsr()
    turned = rare.T.tocsr()
    gram, cross = (rare @ turned).toarray(), (valid_rare @ turned).toarray()
    some, valid_some = by_column[:, frequent], valid_by_column[:, frequent]
    for start in range(0, some.shape[1], _BLOCK):
        block = some[:, start : start + _BLOCK].toarray()
        gram += block @ block.T
        cross += valid_some[:, start : start + _BLOCK].toarray() @ block.T
    return gram, cross


class FeatureFolder:
    """Features by name, in a folder of at most so many bytes; those that were not used for longest make room."""

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self.folder = folder
        self.max_bytes = max_bytes

    def get(self, name: str, compute: Callable[[], FoldFeatures]) -> FoldFeatures:
        """Return the features of that name; computed by one process at a time, and only if nobody has."""
        place = self.folder / hashlib.blake2b(name.encode(), digest_size=16).hexdigest()
        if features := _load(place):
            return features
        with FileLock(f"{place}.lock"):
            if features := _load(place):
                return features
            features = compute()
            self._save(place, features)
        return _load(place) or features

    def _save(self, place: Path, features: FoldFeatures) -> None:
        unfinished = place.with_suffix(f".{os.getpid()}.part")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
        for side, matrix in features._asdict().items():
            for part, array in _arrays(matrix).items():
                np.save(unfinished / f"{side}.{part}.npy", array, allow_pickle=False)
        (unfinished / "columns.json").write_text(json.dumps(features.train.shape[1]))
        unfinished.rename(place)
        self._make_room(place)

    def _make_room(self, newest: Path) -> None:
        held = [entry for entry in self.folder.iterdir() if entry.is_dir() and not entry.suffix]
        sizes = {entry: _size(entry) for entry in held}
        total = sum(size for size, _ in sizes.values())
        for entry in sorted(sizes, key=lambda entry: sizes[entry][1]):
            if total <= self.max_bytes:
                return
            if entry != newest:
                # Who has mapped the files keeps them; who is about to open them computes them again.
                shutil.rmtree(entry, ignore_errors=True)
                total -= sizes[entry][0]


def _arrays(matrix: Matrix) -> dict[str, NDArray[Any]]:
    if isinstance(matrix, np.ndarray):
        return {"dense": matrix}
    return {part: getattr(matrix, part) for part in _PARTS}


def _load(place: Path) -> FoldFeatures | None:
    try:
        os.utime(place)
        columns = json.loads((place / "columns.json").read_text())
        return FoldFeatures(*(_load_matrix(place, side, columns) for side in FoldFeatures._fields))
    except FileNotFoundError:
        return None


def _load_matrix(place: Path, side: str, columns: int) -> Matrix:
    dense = place / f"{side}.dense.npy"
    if dense.exists():
        return np.asarray(np.load(dense, mmap_mode="r", allow_pickle=False))
    data, indices, indptr = (
        np.load(place / f"{side}.{part}.npy", mmap_mode="r", allow_pickle=False) for part in _PARTS
    )
    matrix = sp.csr_matrix((data, indices, indptr), shape=(len(indptr) - 1, columns), copy=False)
    matrix.has_sorted_indices = True
    return matrix


def _size(entry: Path) -> tuple[int, float]:
    """Return the bytes of a folder and when it was last used; nothing of one that has just been removed."""
    try:
        return sum(file.stat().st_size for file in entry.iterdir()), entry.stat().st_mtime
    except FileNotFoundError:
        return 0, 0.0
