"""How good a model is for songs of artists that it has never seen, with the uncertainty of each figure.

Every interval is a 95 % bootstrap percentile interval over samples that draw whole artists with replacement: songs of
an artist resemble each other, and to draw them one by one would make the intervals too narrow (Efron, Tibshirani, "An
Introduction to the Bootstrap", 1993, chapter 8).
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lyrics_assets.lyrics.identity import artist_key

Labels = Sequence[str] | NDArray[np.str_]
Floats = NDArray[np.float64]
N_RESAMPLES = 1000
CALIBRATION_BINS = 10
LENGTHS = (100, 200, 300)
"""Words at which a lyric counts as longer."""
N_MISTAKES = 15
MIN_ARTISTS = 2
"""So many artists a genre or a slice needs for an interval: of one alone nothing is known of the others."""


class Bootstrap:
    """Samples of whole groups, drawn with replacement; the sums of any columns over each sample cost one product."""

    def __init__(self, groups: pd.Series, seed: int, n_resamples: int = N_RESAMPLES) -> None:
        codes, names = pd.factorize(groups, sort=True)
        self.codes: NDArray[np.intp] = codes
        self.n_groups = len(names)
        draws = np.random.default_rng(seed).integers(self.n_groups, size=(n_resamples, self.n_groups))
        offsets = np.arange(n_resamples)[:, None] * self.n_groups
        counts = np.bincount((draws + offsets).ravel(), minlength=n_resamples * self.n_groups)
        # Counts of songs stay far below 2**24, up to which float32 is exact.
        self.counts = counts.reshape(n_resamples, self.n_groups).astype(np.float32)

    def sums(self, columns: NDArray[Any]) -> Floats:
        """Return the sums of (songs, k) columns over each sample: (samples, k)."""
        by_group = np.zeros((self.n_groups, columns.shape[1]), dtype=np.float64)
        np.add.at(by_group, self.codes, columns)
        return np.asarray(self.counts @ by_group, dtype=np.float64)

    def confusions(self, true: NDArray[np.intp], guessed: NDArray[np.intp], n_genres: int) -> Floats:
        """Return the confusion matrix of each sample: (samples, genres, genres)."""
        by_group = np.zeros((self.n_groups, n_genres**2), dtype=np.float32)
        np.add.at(by_group, (self.codes, true * n_genres + guessed), 1)
        return (self.counts @ by_group).astype(np.float64).reshape(-1, n_genres, n_genres)


def evaluate(songs: pd.DataFrame, probabilities: pd.DataFrame, seed: int = 0) -> dict[str, Any]:
    """Return every figure of a model on a test set, as plain JSON values.

    Args:
        songs: the test songs; columns title, artist, genre, genres, sources, is_translation, n_words. One row a song.
        probabilities: the model's, same rows; one column a genre.
        seed: of the bootstrap.
    """
    truth, guess = songs["genre"].to_numpy(dtype=str), guesses(probabilities)
    genres = sorted(set(probabilities.columns) | set(truth))
    artists = songs["artist"].map(artist_key)
    return {
        "n_test": len(songs),
        "n_test_artists": int(artists.nunique()),
        **headline(truth, guess, artists, seed),
        **calibration(truth == guess, probabilities.max(axis=1).to_numpy(), artists, seed),
        "per_genre": per_genre(truth, guess, artists, genres, seed),
        "confusion_matrix": {"genres": genres, "rows_are_truth": _confusion(truth, guess, genres).astype(int).tolist()},
        "slices": slices(songs, truth, guess, seed),
        "mistakes": mistakes(songs, probabilities),
    }


def guesses(probabilities: pd.DataFrame) -> NDArray[np.str_]:
    """Return the most probable genre of each row."""
    return np.asarray(probabilities.columns.to_numpy(dtype=str)[probabilities.to_numpy().argmax(axis=1)], dtype=np.str_)


def macro_f1(truth: Labels, guess: Labels) -> float:
    """Return the mean F1 of the genres that occur in the truth; a genre never found counts as 0."""
    return float(_macro_f1(_confusion(truth, guess)))


def headline(truth: Labels, guess: Labels, artists: pd.Series, seed: int) -> dict[str, Any]:
    """Return macro-F1, accuracy and Matthews correlation, each with its interval.

    Args:
        truth: the genre of each song.
        guess: the model's.
        artists: same rows; the groups that are drawn.
        seed: of the bootstrap.
    """
    return _measure(truth, guess, artists, seed, macro_f1=_macro_f1, accuracy=_accuracy, mcc=_matthews)


def _measure(
    truth: Labels, guess: Labels, artists: pd.Series, seed: int, **measures: Callable[[Floats], Floats]
) -> dict[str, Any]:
    """Return each measure of the confusion matrix by its name, and its interval as ``<name>_interval``."""
    genres, true, guessed = _coded(truth, guess)
    whole = _counts(true, guessed, len(genres))
    samples = Bootstrap(artists, seed).confusions(true, guessed, len(genres))
    found: dict[str, Any] = {}
    for name, measure in measures.items():
        found[name] = float(measure(whole))
        found[f"{name}_interval"] = interval(measure(samples))
    return found


def score(truth: Labels, guess: Labels, artists: pd.Series, seed: int) -> dict[str, Any]:
    """Return macro-F1 and accuracy with their intervals."""
    return _measure(truth, guess, artists, seed, macro_f1=_macro_f1, accuracy=_accuracy)


def gain(truth: Labels, new: Labels, old: Labels, artists: pd.Series, seed: int, low: float = 2.5) -> dict[str, Any]:
    """Return the gain in macro-F1 of one model over another, paired: both are measured on the same samples.

    Args:
        truth: the genre of each song.
        new: what the one model guesses.
        old: what the other guesses.
        artists: same rows; the groups that are drawn.
        seed: of the bootstrap.
        low: percentile at which the interval begins; it ends at ``100 - low``.
    """
    bootstrap = Bootstrap(artists, seed)
    wholes, samples = [], []
    for guess in (new, old):
        genres, true, guessed = _coded(truth, guess)
        wholes.append(_macro_f1(_counts(true, guessed, len(genres))))
        samples.append(_macro_f1(bootstrap.confusions(true, guessed, len(genres))))
    return {"gain": float(wholes[0] - wholes[1]), "gain_interval": interval(samples[0] - samples[1], low)}


def interval(samples: Floats, low: float = 2.5) -> list[float]:
    """Return the percentiles `low` and ``100 - low`` of a figure over the samples in which it exists."""
    return [float(end) for end in np.nanpercentile(samples, [low, 100 - low])]


# scikit-learn has these figures too, for one matrix at a time: a bootstrap asks for them thousands of times.


def _coded(
    truth: Labels, guess: Labels, genres: Sequence[str] | None = None
) -> tuple[list[str], NDArray[np.intp], NDArray[np.intp]]:
    """Return the genres, sorted, and both labellings as positions in them."""
    names = sorted(set(truth) | set(guess)) if genres is None else list(genres)
    places = {name: place for place, name in enumerate(names)}
    true, guessed = (np.array([places[name] for name in labels], dtype=np.intp) for labels in (truth, guess))
    return names, true, guessed


def _counts(true: NDArray[np.intp], guessed: NDArray[np.intp], n_genres: int) -> Floats:
    counts = np.bincount(true * n_genres + guessed, minlength=n_genres**2)
    return counts.reshape(n_genres, n_genres).astype(np.float64)


def _confusion(truth: Labels, guess: Labels, genres: Sequence[str] | None = None) -> Floats:
    """Return counts of songs, one row a true genre, one column a guessed one."""
    names, true, guessed = _coded(truth, guess, genres)
    return _counts(true, guessed, len(names))


# What follows takes one confusion matrix or many: (..., genres, genres).


def _f1(confusion: Floats) -> Floats:
    """Return the F1 of each genre; NaN where no song is of it."""
    supports, found = confusion.sum(axis=-1), confusion.sum(axis=-2)
    hits = np.diagonal(confusion, axis1=-2, axis2=-1)
    return np.asarray(np.divide(2 * hits, supports + found, out=np.full_like(supports, np.nan), where=supports > 0))


def _macro_f1(confusion: Floats) -> Floats:
    return np.asarray(np.nanmean(_f1(confusion), axis=-1))


def _accuracy(confusion: Floats) -> Floats:
    return np.asarray(np.trace(confusion, axis1=-2, axis2=-1) / confusion.sum(axis=(-2, -1)))


def _matthews(confusion: Floats) -> Floats:
    supports, found, total = confusion.sum(axis=-1), confusion.sum(axis=-2), confusion.sum(axis=(-2, -1))
    hits = np.trace(confusion, axis1=-2, axis2=-1)
    spread = (total**2 - (found**2).sum(axis=-1)) * (total**2 - (supports**2).sum(axis=-1))
    top = hits * total - (supports * found).sum(axis=-1)
    return np.asarray(np.divide(top, np.sqrt(spread), out=np.zeros_like(top), where=spread > 0))


def calibration(hit: NDArray[np.bool_], confidence: Floats, artists: pd.Series, seed: int) -> dict[str, Any]:
    """Return how far confidence can be believed: the calibration curve and the expected calibration error.

    The error is the mean of |share right - mean confidence| over CALIBRATION_BINS bins of equal width, weighted by
    their songs (Guo et al., 2017, arXiv 1706.04599). Of few songs a bin it is too high even for a perfect model.

    Args:
        hit: whether the most probable genre was right.
        confidence: the probability of the most probable genre, 0 to 1.
        artists: same rows; the groups that are drawn.
        seed: of the bootstrap.
    """
    bins = np.minimum((confidence * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
    member = bins[:, None] == np.arange(CALIBRATION_BINS)
    columns = np.hstack([member, member * hit[:, None], member * confidence[:, None]])
    songs, hits, sure = np.split(columns.sum(axis=0), 3)
    drawn_songs, drawn_hits, drawn_sure = np.split(Bootstrap(artists, seed).sums(columns), 3, axis=1)
    shares = np.divide(drawn_hits, drawn_songs, out=np.full_like(drawn_hits, np.nan), where=drawn_songs > 0)
    return {
        "expected_calibration_error": float(np.abs(hits - sure).sum() / len(hit)),
        "expected_calibration_error_interval": interval(
            np.abs(drawn_hits - drawn_sure).sum(axis=1) / drawn_songs.sum(axis=1)
        ),
        "calibration_curve": [
            {
                "from": number / CALIBRATION_BINS,
                "to": (number + 1) / CALIBRATION_BINS,
                "n": int(songs[number]),
                "confidence": float(sure[number] / songs[number]),
                "accuracy": float(hits[number] / songs[number]),
                "accuracy_interval": interval(shares[:, number]),
            }
            for number in np.flatnonzero(songs)
        ],
    }


def per_genre(
    truth: Labels, guess: Labels, artists: pd.Series, genres: Sequence[str], seed: int
) -> dict[str, dict[str, Any]]:
    """Return precision, recall, F1 with its interval, songs (support) and artists of each genre.

    F1 is 0 where no song is of the genre. A genre of fewer than MIN_ARTISTS artists has no interval: None.
    """
    _, true, guessed = _coded(truth, guess, genres)
    whole = _counts(true, guessed, len(genres))
    samples = _f1(Bootstrap(artists, seed).confusions(true, guessed, len(genres)))
    supports, found, hits = whole.sum(axis=1), whole.sum(axis=0), whole.diagonal()
    table: dict[str, dict[str, Any]] = {}
    for place, genre in enumerate(genres):
        of_genre = int(artists[true == place].nunique())
        table[genre] = {
            "precision": float(hits[place] / found[place]) if found[place] else 0.0,
            "recall": float(hits[place] / supports[place]) if supports[place] else 0.0,
            "f1": float(2 * hits[place] / (supports[place] + found[place])) if hits[place] else 0.0,
            "f1_interval": interval(samples[:, place]) if of_genre >= MIN_ARTISTS else None,
            "support": int(supports[place]),
            "artists": of_genre,
        }
    return table


def slices(songs: pd.DataFrame, truth: Labels, guess: Labels, seed: int) -> dict[str, dict[str, Any]]:
    """Return the figures of each site's songs, of translations and the others, and of each length.

    macro-F1 is over the genres that occur in the slice: between slices of other genres it cannot be compared.
    """
    truth, guess = np.asarray(truth), np.asarray(guess)
    artists = songs["artist"].map(artist_key).reset_index(drop=True)
    found = {}
    for name, mask in _masks(songs).items():
        if mask.any():
            figures = score(truth[mask], guess[mask], artists[mask], seed)
            n_artists = int(artists[mask].nunique())
            if n_artists < MIN_ARTISTS:
                figures |= {"macro_f1_interval": None, "accuracy_interval": None}
            found[name] = {"n": int(mask.sum()), "artists": n_artists, **figures}
    return found


def _masks(songs: pd.DataFrame) -> dict[str, NDArray[np.bool_]]:
    sources = sorted({source for listed in songs["sources"] for source in listed})
    masks = {f"source: {source}": songs["sources"].map(lambda listed, s=source: s in listed) for source in sources}
    masks["translated"] = songs["is_translation"].astype(bool)
    masks["written in Portuguese"] = ~songs["is_translation"].astype(bool)
    ends = (0, *LENGTHS)
    for shorter, longer in zip(ends, LENGTHS, strict=False):
        masks[f"{shorter + 1} to {longer} words"] = songs["n_words"].between(shorter + 1, longer)
    masks[f"over {LENGTHS[-1]} words"] = songs["n_words"] > LENGTHS[-1]
    return {name: mask.to_numpy(dtype=bool) for name, mask in masks.items()}


def mistakes(songs: pd.DataFrame, probabilities: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the N_MISTAKES songs of whose wrong genre the model was surest, by title and artist; no lyric."""
    guess = guesses(probabilities)
    sure = probabilities.max(axis=1).to_numpy()
    wrong = np.flatnonzero(guess != songs["genre"].to_numpy(dtype=str))
    worst = wrong[np.argsort(-sure[wrong], kind="stable")][:N_MISTAKES]
    return [
        {
            "title": song["title"],
            "artist": song["artist"],
            "genre": song["genre"],
            "guess": str(guess[row]),
            "confidence": float(sure[row]),
            "given_to_genre": float(probabilities.iloc[row].get(song["genre"], 0.0)),
            "charts_agree_with_guess": guess[row] in list(song["genres"]),
        }
        for row, song in zip(worst, songs.iloc[worst].to_dict("records"), strict=True)
    ]
