"""The pipeline from raw text to probabilities: n-gram TF-IDF and Logistic Regression."""

from collections.abc import Iterable
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import FeatureUnion, Pipeline

from lyrics_assets.lyrics.text import normalise
from lyrics_assets.model.features import CharNgrams, WordNgrams


class Hyperparameters(BaseModel):
    """What the search may change; the defaults are the recipe that did best on real lyrics of unseen artists."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    word_ngram_max: int = Field(2, ge=1, le=3, description="Longest run of words")
    char_ngram_max: int = Field(5, ge=2, le=6, description="Longest run of characters inside a word")
    word_min_df: int = Field(2, ge=1, description="Songs that must hold a word n-gram")
    char_min_df: int = Field(3, ge=1, description="Songs that must hold a character n-gram")
    C: float = Field(8.0, gt=0, description="Inverse strength of the L2 penalty")
    balanced: bool = Field(True, description="Weigh genres by the inverse of their frequency")


class TextNormalizer(TransformerMixin, BaseEstimator):
    """The step that turns raw lyrics into their normal form; it learns nothing."""

    def fit(self, X: Iterable[str], y: Any = None) -> Self:
        """Learn nothing."""
        return self

    def transform(self, X: Iterable[str]) -> list[str]:
        """Return `normalise` of each lyric."""
        return [normalise(lyrics) for lyrics in X]

    def __sklearn_is_fitted__(self) -> bool:
        return True


def build_vectorizer(parameters: Hyperparameters) -> Pipeline:
    """Return the steps from raw lyrics to a sparse matrix of sublinear TF-IDF weights, each block of unit length."""
    words = TfidfVectorizer(
        analyzer=WordNgrams(1, parameters.word_ngram_max), min_df=parameters.word_min_df, sublinear_tf=True
    )
    chars = TfidfVectorizer(
        analyzer=CharNgrams(2, parameters.char_ngram_max), min_df=parameters.char_min_df, sublinear_tf=True
    )
    return Pipeline([("normalizer", TextNormalizer()), ("ngrams", FeatureUnion([("words", words), ("chars", chars)]))])


def build_estimator(parameters: Hyperparameters, seed: int = 0) -> LogisticRegression:
    """Return the final, multinomial Logistic Regression, not fitted."""
    weight = "balanced" if parameters.balanced else None
    return LogisticRegression(C=parameters.C, class_weight=weight, max_iter=500, random_state=seed)


def build_pipeline(parameters: Hyperparameters, seed: int = 0) -> Pipeline:
    """Return the whole pipeline, raw lyrics in, genre out, not fitted."""
    return Pipeline([*build_vectorizer(parameters).steps, ("classifier", build_estimator(parameters, seed))])
