"""From linear scores to probabilities that mean what they say: temperature or sigmoid, chosen on out-of-fold scores.

A calibration is an affine map of each genre's score, then a link. So a scorer can take it into its coefficients, and
an explanation can be exact. Applying one needs NumPy alone; fitting one needs SciPy.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

Method = Literal["none", "temperature", "sigmoid"]


@dataclass(frozen=True)
class Calibration:
    """How a genre's score s becomes its logit ``scale * s + shift``, and the logits become probabilities.

    Without calibration and by temperature the logits go through the softmax. By sigmoid each is the log-odds of that
    genre against all others, and the sigmoids are divided by their sum (Platt 1999; Zadrozny and Elkan 2002).
    """

    method: Method = "none"
    scale: tuple[float, ...] = (1.0,)
    """One for all genres, or one a genre; never negative, so that evidence never turns against its genre."""
    shift: tuple[float, ...] = (0.0,)
    """One for all genres, or one a genre."""

    def logits(self, scores: "NDArray[np.float64]") -> "NDArray[np.float64]":
        """Return the logits of scores, shape (songs, genres) or (genres,)."""
        return np.asarray(scores * np.asarray(self.scale) + np.asarray(self.shift))

    def probabilities(self, scores: "NDArray[np.float64]") -> "NDArray[np.float64]":
        """Return the probabilities of scores, same shape; each song's sum to one."""
        return link(self.logits(scores), self.method)


def link(logits: "NDArray[np.float64]", method: Method) -> "NDArray[np.float64]":
    """Return the probabilities of logits, shape (songs, genres) or (genres,), by the method's link."""
    # The logarithm of a sigmoid, then the softmax: the same as dividing sigmoids by their sum, but it cannot underflow.
    logs = -np.logaddexp(0.0, -logits) if method == "sigmoid" else logits
    shares = np.exp(logs - logs.max(axis=-1, keepdims=True))
    return np.asarray(shares / shares.sum(axis=-1, keepdims=True))


def fit_calibration(method: Method, scores: "NDArray[np.float64]", truth: "NDArray[np.intp]") -> Calibration:
    """Return the calibration under which the songs' true genres are most likely.

    Args:
        method: which; ``none`` learns nothing.
        scores: (songs, genres), centred, by models that had not seen the songs nor their artists.
        truth: the column of each song's genre.
    """
    if method == "none" or not len(scores):
        return Calibration()
    return _fit_temperature(scores, truth) if method == "temperature" else _fit_sigmoids(scores, truth)


def _fit_temperature(scores: "NDArray[np.float64]", truth: "NDArray[np.intp]") -> Calibration:
    from scipy.optimize import minimize_scalar

    rows = np.arange(len(truth))

    def unlikelihood(log_scale: float) -> float:
        logits = scores * np.exp(log_scale)
        top = logits.max(axis=1)
        return float((top + np.log(np.exp(logits - top[:, None]).sum(axis=1)) - logits[rows, truth]).mean())

    # A scale from 1/20 to 20: past that the scores say nothing, or everything, and the optimum runs away.
    found = minimize_scalar(unlikelihood, bounds=(-3.0, 3.0), method="bounded")
    return Calibration("temperature", (float(np.exp(found.x)),))


def _fit_sigmoids(scores: "NDArray[np.float64]", truth: "NDArray[np.intp]") -> Calibration:
    lines = [_fit_sigmoid(scores[:, genre], truth == genre) for genre in range(scores.shape[1])]
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
