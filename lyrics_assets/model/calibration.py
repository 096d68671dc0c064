"""From linear scores to probabilities that mean what they say: temperature or sigmoid, chosen on out-of-fold scores.

A calibration is an affine map of each genre's score, a factor for how much of the text the model could read, then a
link. So a scorer can take it into its coefficients, and an explanation can be exact. Applying one needs NumPy alone;
fitting one needs SciPy.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

Method = Literal["none", "temperature", "sigmoid"]


@dataclass(frozen=True)
class Calibration:
    """How a genre's score s becomes its logit ``(scale * s + shift) * trust``, and the logits become probabilities.

    Without calibration and by temperature the logits go through the softmax. The temperature falls as the model reads
    more: with texts of unit length a line's scores are as large as a song's, though a line says much less. By sigmoid
    each logit is the log-odds of its genre against all others, and the sigmoids are divided by their sum (Platt 1999;
    Zadrozny and Elkan 2002).
    """

    method: Method = "none"
    scale: tuple[float, ...] = (1.0,)
    """One for all genres, or one a genre; never negative, so that evidence never turns against its genre."""
    shift: tuple[float, ...] = (0.0,)
    """One for all genres, or one a genre."""
    fade: float = 0.0
    """How fast trust goes with less to read; 0: it does not, 1: as fast as what is read."""
    full: float = 1.0
    """Distinct known n-grams of a text, from which on it is trusted fully."""

    def trust(self, read: "NDArray[np.intp] | int") -> "NDArray[np.float64]":
        """Return the share, 0 to 1, of its logits that a text keeps, by how many distinct n-grams of it are known."""
        return np.minimum(1.0, np.asarray(read) / self.full) ** self.fade

    def logits(self, scores: "NDArray[np.float64]", read: "NDArray[np.intp]") -> "NDArray[np.float64]":
        """Return the logits of scores, (songs, genres), of texts of which so many distinct n-grams are known."""
        return np.asarray(self.affine(scores) * self.trust(read)[:, None])

    def affine(self, scores: "NDArray[np.float64]") -> "NDArray[np.float64]":
        """Return the logits of scores, (songs, genres) or (genres,), of texts that are trusted fully."""
        return np.asarray(scores * np.asarray(self.scale) + np.asarray(self.shift))

    def probabilities(self, scores: "NDArray[np.float64]", read: "NDArray[np.intp]") -> "NDArray[np.float64]":
        """Return the probabilities of scores, same shape; each song's sum to one."""
        return link(self.logits(scores, read), self.method)


class Told(NamedTuple):
    """What models say of texts that they had not seen."""

    scores: "NDArray[np.float64]"
    """(texts, genres), relative to the mean of all genres."""
    read: "NDArray[np.intp]"
    """Distinct known n-grams of each text."""


def link(logits: "NDArray[np.float64]", method: Method) -> "NDArray[np.float64]":
    """Return the probabilities of logits, (songs, genres) or (genres,), by the method's link."""
    # The logarithm of a sigmoid, then the softmax: the same as dividing sigmoids by their sum, but it cannot underflow.
    logs = -np.logaddexp(0.0, -logits) if method == "sigmoid" else logits
    shares = np.exp(logs - logs.max(axis=-1, keepdims=True))
    return np.asarray(shares / shares.sum(axis=-1, keepdims=True))


def fit_calibration(
    method: Method, songs: Told, truth: "NDArray[np.intp]", beginnings: Sequence[Told] = ()
) -> Calibration:
    """Return the calibration under which the songs' true genres are most likely.

    Args:
        method: which; ``none`` learns nothing.
        songs: whole songs, told by models that had not seen them nor their artists.
        truth: the column of each song's genre.
        beginnings: the same songs' first words, a few or many; together they count as much as the whole songs. The
            temperature learns from them how far to trust a short text; sigmoids do not ask for them.
    """
    if method == "none" or not len(truth):
        return Calibration()
    return _fit_temperature(songs, truth, beginnings) if method == "temperature" else _fit_sigmoids(songs, truth)


def _fit_temperature(songs: Told, truth: "NDArray[np.intp]", beginnings: Sequence[Told]) -> Calibration:
    from scipy.optimize import minimize

    full = max(1.0, float(np.median(songs.read)))

    def calibration(point: "NDArray[np.float64]") -> Calibration:
        return Calibration("temperature", (float(np.exp(point[0])),), fade=float(point[1]), full=full)

    def unlikelihood(point: "NDArray[np.float64]") -> float:
        found = calibration(point)
        of_songs = _unlikelihood(found.logits(*songs), truth)
        if not beginnings:
            return of_songs
        return of_songs + float(np.mean([_unlikelihood(found.logits(*part), truth) for part in beginnings]))

    # A scale from 1/20 to 20: past that the scores say nothing, or everything, and the optimum runs away.
    bounds = [(-3.0, 3.0), (0.0, 2.0) if beginnings else (0.0, 0.0)]
    start = np.array([0.0, 0.5 if beginnings else 0.0])
    return calibration(minimize(unlikelihood, start, method="L-BFGS-B", bounds=bounds).x)


def _unlikelihood(logits: "NDArray[np.float64]", truth: "NDArray[np.intp]") -> float:
    """Return the mean negative logarithm of the true genres' softmax."""
    top = logits.max(axis=1)
    sums = top + np.log(np.exp(logits - top[:, None]).sum(axis=1))
    return float((sums - logits[np.arange(len(truth)), truth]).mean())


def _fit_sigmoids(songs: Told, truth: "NDArray[np.intp]") -> Calibration:
    lines = [_fit_sigmoid(songs.scores[:, genre], truth == genre) for genre in range(songs.scores.shape[1])]
    return Calibration("sigmoid", tuple(scale for scale, _ in lines), tuple(shift for _, shift in lines))


def _fit_sigmoid(scores: "NDArray[np.float64]", is_genre: "NDArray[np.bool_]") -> tuple[float, float]:
    """Return scale and shift of one genre's log-odds, with Platt's targets, which keep off 0 and 1."""
    from scipy.optimize import minimize

    n_yes = int(is_genre.sum())
    n_no = len(is_genre) - n_yes
    targets = np.where(is_genre, (n_yes + 1) / (n_yes + 2), 1 / (n_no + 2))

    def unlikelihood(line: "NDArray[np.float64]") -> "tuple[float, NDArray[np.float64]]":
        logits = line[0] * scores + line[1]
        surplus = 1 / (1 + np.exp(-logits)) - targets
        loss = np.logaddexp(0.0, logits) - targets * logits
        return float(loss.mean()), np.array([(surplus * scores).mean(), surplus.mean()])

    start = np.array([1.0, np.log((n_yes + 1) / (n_no + 1))])
    found = minimize(unlikelihood, start, jac=True, method="L-BFGS-B", bounds=[(0.0, 20.0), (-30.0, 30.0)])
    return float(found.x[0]), float(found.x[1])
