"""The pipeline from raw text to calibrated probabilities: weighted n-grams and Logistic Regression."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, Literal, Self

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin, clone
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.preprocessing import normalize
from sklearn.utils.validation import check_is_fitted
from threadpoolctl import threadpool_limits

from lyrics_assets.lyrics.text import normalise
from lyrics_assets.model.calibration import Calibration, Method
from lyrics_assets.model.features import BM25_B, BM25_K1, Analyzer, CharNgrams, WordNgrams, bm25_idf, bm25_saturation


class Hyperparameters(BaseModel):
    """What the search may change; the defaults are the recipe that did best on real lyrics of unseen artists."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    weighting: Literal["tfidf_sublinear", "bm25"] = Field("tfidf_sublinear", description="What a count weighs")
    word_ngram_max: int = Field(2, ge=1, le=3, description="Longest run of words")
    char_ngram_max: int = Field(5, ge=2, le=6, description="Longest run of characters inside a word")
    word_min_df: int = Field(2, ge=1, description="Songs that must hold a word n-gram")
    char_min_df: int = Field(3, ge=1, description="Songs that must hold a character n-gram")
    word_features: int | None = Field(None, ge=1, description="Most word n-grams, the most frequent; unset: no limit")
    char_features: int | None = Field(None, ge=1, description="Most character n-grams, the most frequent")
    C: float = Field(8.0, gt=0, description="Inverse strength of the L2 penalty")
    balanced: bool = Field(True, description="Weigh genres by the inverse of their frequency")
    calibration: Method = Field("temperature", description="How scores become probabilities")


VECTORIZER_FIELDS: tuple[str, ...] = (
    "weighting",
    "word_ngram_max",
    "char_ngram_max",
    "word_min_df",
    "char_min_df",
    "word_features",
    "char_features",
)
"""The hyperparameters that `build_vectorizer` reads: settings that agree in them share their matrices."""


class TextNormalizer(TransformerMixin, BaseEstimator):
    """The step that turns raw lyrics into their normal form; it learns nothing."""

    def fit(self, X: Iterable[str], y: Any = None) -> Self:
        """Learn nothing."""
        return self

    def transform(self, X: Iterable[str]) -> list[str]:
        """Return `normalise` of each lyric."""
        return [normalise(lyrics) for lyrics in X]


class NgramCounts(TransformerMixin, BaseEstimator):
    """Counts the n-grams of normalised texts: scikit-learn's CountVectorizer for an `Analyzer`, several times faster.

    The texts' pieces are counted, the distinct pieces read once, and one sparse matrix multiplied by the other.

    Args:
        analyzer: which n-grams.
        min_df: how many texts must hold an n-gram for it to be kept.
        budget: how many n-grams are kept at most, those that occur most often; None for all.
    """

    def __init__(self, analyzer: Analyzer, min_df: int = 1, budget: int | None = None) -> None:
        self.analyzer = analyzer
        self.min_df = min_df
        self.budget = budget

    def fit(self, X: Iterable[str], y: Any = None) -> Self:
        """Learn which n-grams there are."""
        self.fit_transform(X)
        return self

    def fit_transform(self, X: Iterable[str], y: Any = None) -> sp.csr_matrix:
        """Learn which n-grams there are and return their counts, (texts, n-grams).

        Raises:
            ValueError: no n-gram is frequent enough.
        """
        by_piece, pieces = _count([self.analyzer.pieces(text) for text in X], {}, grow=True)
        by_gram, grams = _count([self.analyzer.of_piece(piece) for piece in pieces], {}, grow=True)
        counts = by_piece @ by_gram
        names = list(grams)
        frequent = np.flatnonzero(np.bincount(counts.indices, minlength=len(names)) >= self.min_df)
        if self.budget is not None and len(frequent) > self.budget:
            totals = np.asarray(counts.sum(axis=0)).ravel()
            frequent = np.array(sorted(frequent, key=lambda gram: (-totals[gram], names[gram]))[: self.budget])
        if not len(frequent):
            raise ValueError(f"no n-gram stands in {self.min_df} of the {counts.shape[0]} texts: nothing to learn from")
        kept = sorted(frequent, key=names.__getitem__)
        self.vocabulary_ = {names[gram]: column for column, gram in enumerate(kept)}
        return counts[:, kept]

    def transform(self, X: Iterable[str]) -> sp.csr_matrix:
        """Return the counts of the known n-grams, (texts, n-grams)."""
        check_is_fitted(self)
        by_piece, pieces = _count([self.analyzer.pieces(text) for text in X], {}, grow=True)
        by_gram, _ = _count([self.analyzer.of_piece(piece) for piece in pieces], self.vocabulary_, grow=False)
        return by_piece @ by_gram

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[np.object_]:
        """Return the n-grams in the order of the columns."""
        return np.array(list(self.vocabulary_), dtype=object)


def _count(
    items: Sequence[Sequence[str]], columns: dict[str, int], *, grow: bool
) -> tuple[sp.csr_matrix, dict[str, int]]:
    """Return how often each item holds each name, (items, names), and the names' columns; new names count if `grow`."""
    counts: list[int] = []
    indices: list[int] = []
    ends = [0]
    for names in items:
        for name, count in Counter(names).items():
            column = columns.setdefault(name, len(columns)) if grow else columns.get(name)
            if column is not None:
                indices.append(column)
                counts.append(count)
        ends.append(len(indices))
    # Two arrays of 32 bits: at a hundred thousand songs they are what fills the memory.
    data, places = np.array(counts, dtype=np.int32), np.array(indices, dtype=np.int32)
    shape = (len(items), len(columns))
    return sp.csr_matrix((data, places, np.array(ends, dtype=np.int32)), shape=shape), columns


class BM25Transformer(TransformerMixin, BaseEstimator):
    """Turns counts into BM25 weights, each text of unit length as TF-IDF's, so that C means the same for both.

    Args:
        k1: how soon repetitions stop to count.
        b: how far long texts are discounted.
    """

    def __init__(self, k1: float = BM25_K1, b: float = BM25_B) -> None:
        self.k1 = k1
        self.b = b

    def fit(self, X: sp.csr_matrix, y: Any = None) -> Self:
        """Learn how rare each n-gram is and how long a text is."""
        self.idf_ = bm25_idf(np.bincount(X.indices, minlength=X.shape[1]).astype(float), X.shape[0])
        self.mean_length_ = float(X.sum() / X.shape[0]) or 1.0
        return self

    def transform(self, X: sp.csr_matrix) -> sp.csr_matrix:
        """Return the weights, same shape."""
        check_is_fitted(self)
        weights = sp.csr_matrix(X, dtype=np.float64, copy=True)
        lengths = np.asarray(weights.sum(axis=1)).ravel() / self.mean_length_
        of_each = np.repeat(lengths, np.diff(weights.indptr))
        weights.data = bm25_saturation(weights.data, of_each, self.k1, self.b) * self.idf_[weights.indices]
        return normalize(weights, copy=False)


class CalibratedClassifier(ClassifierMixin, BaseEstimator):
    """A linear classifier whose scores become probabilities by a given calibration.

    The calibration is a parameter, not learned here: it needs scores of songs that the model has not seen (see
    `fitting`). A clone that is fitted again keeps it.

    Args:
        estimator: the Logistic Regression, not fitted.
        calibration: what turns its scores into probabilities.
    """

    def __init__(self, estimator: LogisticRegression, calibration: Calibration) -> None:
        self.estimator = estimator
        self.calibration = calibration

    def fit(self, X: sp.csr_matrix, y: Any, sample_weight: NDArray[np.float64] | None = None) -> Self:
        """Fit a clone of the estimator.

        Args:
            X: weights, (songs, n-grams).
            y: the songs' genres.
            sample_weight: how much each song counts; all alike if None.

        Raises:
            ValueError: there is one genre only.
        """
        genres = np.unique(np.asarray(y, dtype=str))
        if len(genres) < 2:
            raise ValueError(f"only {', '.join(genres) or 'nothing'} to learn: a classifier needs two genres")
        # Its steps are many and small: threads cost it more than they bring, five times as much on a busy machine.
        with threadpool_limits(1, user_api="blas"):
            self.estimator_ = clone(self.estimator).fit(X, np.asarray(y, dtype=str), sample_weight)
        self.classes_ = self.estimator_.classes_
        coefficients, bias = self.estimator_.coef_, self.estimator_.intercept_
        if len(coefficients) == 1:  # two genres: scikit-learn keeps the second one's side alone
            coefficients, bias = np.vstack([-coefficients, coefficients]) / 2, np.concatenate([-bias, bias]) / 2
        self.coef_ = coefficients - coefficients.mean(axis=0)
        """(genres, n-grams), relative to the mean of all genres: the probabilities are the same, and what speaks for
        all genres alike speaks for none."""
        self.intercept_ = bias - bias.mean()
        return self

    def decision_function(self, X: sp.csr_matrix) -> NDArray[np.float64]:
        """Return the scores before calibration, (songs, genres), relative to the mean of all genres."""
        check_is_fitted(self)
        return np.asarray(X @ self.coef_.T + self.intercept_)

    def predict_proba(self, X: sp.csr_matrix) -> NDArray[np.float64]:
        """Return the calibrated probabilities, (songs, genres)."""
        return self.calibration.probabilities(self.decision_function(X), X.getnnz(axis=1))

    def predict(self, X: sp.csr_matrix) -> NDArray[np.str_]:
        """Return the most probable genre of each song."""
        return np.asarray(self.classes_[self.predict_proba(X).argmax(axis=1)])


def build_vectorizer(parameters: Hyperparameters) -> Pipeline:
    """Return the steps from raw lyrics to a sparse matrix of weights, each block of unit length."""
    words = NgramCounts(WordNgrams(1, parameters.word_ngram_max), parameters.word_min_df, parameters.word_features)
    chars = NgramCounts(CharNgrams(2, parameters.char_ngram_max), parameters.char_min_df, parameters.char_features)
    blocks = [
        (name, Pipeline([("counts", counts), ("weights", _build_weighting(parameters))]))
        for name, counts in (("words", words), ("chars", chars))
    ]
    return Pipeline([("normalizer", TextNormalizer()), ("ngrams", FeatureUnion(blocks))])


def _build_weighting(parameters: Hyperparameters) -> TfidfTransformer | BM25Transformer:
    return BM25Transformer() if parameters.weighting == "bm25" else TfidfTransformer(sublinear_tf=True)


def build_estimator(parameters: Hyperparameters, seed: int = 0) -> LogisticRegression:
    """Return the multinomial Logistic Regression, not fitted, not calibrated."""
    weight = "balanced" if parameters.balanced else None
    return LogisticRegression(C=parameters.C, class_weight=weight, max_iter=500, random_state=seed)


def build_pipeline(parameters: Hyperparameters, seed: int = 0, calibration: Calibration | None = None) -> Pipeline:
    """Return the whole pipeline, raw lyrics in, genre out, not fitted.

    Without a calibration its probabilities are the Logistic Regression's own; `fitting.fit_classifier` finds one.
    """
    classifier = CalibratedClassifier(build_estimator(parameters, seed), calibration or Calibration())
    return Pipeline([*build_vectorizer(parameters).steps, ("classifier", classifier)])
