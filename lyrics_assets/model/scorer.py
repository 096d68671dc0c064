"""The fitted pipeline compiled into plain arrays: what the service and the command line classify with.

Safe files (npz without pickles, JSON), no scikit-learn to load or to score. It gives the pipeline's own probabilities:
both read a lyric through `features`, and a check compares them each time a model is made.
"""

import hashlib
import json
import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lyrics_assets.lyrics.text import normalise
from lyrics_assets.model.features import CharNgrams, WordNgrams

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from sklearn.pipeline import Pipeline

FORMAT = 1
_ANALYZERS: dict[str, type[WordNgrams | CharNgrams]] = {"WordNgrams": WordNgrams, "CharNgrams": CharNgrams}
_ARRAYS, _HEADER = "scorer.npz", "scorer.json"


class ScorerError(ValueError):
    """A model's files are missing, damaged or of another format."""


class _Block:
    """One TF-IDF block: its n-grams, each with a row of `weights` (idf times coefficient, one column a genre)."""

    def __init__(self, analyzer: WordNgrams | CharNgrams, terms: list[str], idf: "NDArray[np.float64]") -> None:
        self.analyzer = analyzer
        self.terms = terms
        self.idf = idf
        self._index = {term: index for index, term in enumerate(terms)}

    def weigh(self, text: str) -> "tuple[NDArray[np.intp], NDArray[np.float64]]":
        """Return the known n-grams of a normalised text and their sublinear TF-IDF weights, of unit length."""
        counts = Counter(index for gram in self.analyzer(text) if (index := self._index.get(gram)) is not None)
        indices = np.fromiter(counts.keys(), dtype=np.intp, count=len(counts))
        frequencies = np.fromiter(counts.values(), dtype=np.float64, count=len(counts))
        weights = (1.0 + np.log(frequencies)) * self.idf[indices]
        length = math.sqrt(float(weights @ weights))
        return indices, weights / length if length else weights


class Scorer:
    """Raw lyrics in, probabilities of the genres out."""

    def __init__(
        self, classes: list[str], blocks: list[_Block], coefficients: "NDArray[np.float32]", bias: "NDArray[np.float64]"
    ) -> None:
        self.classes = classes
        self._blocks = blocks
        self._coefficients = coefficients
        """One row an n-gram, the blocks one after another; one column a genre."""
        self._bias = bias

    @property
    def n_features(self) -> int:
        """How many n-grams the model knows."""
        return len(self._coefficients)

    def probabilities(self, lyrics: str) -> dict[str, float]:
        """Return the probability of each genre, most probable first; they sum to one."""
        text = normalise(lyrics)
        scores = self._bias.copy()
        offset = 0
        for block in self._blocks:
            indices, weights = block.weigh(text)
            scores += weights @ self._coefficients[indices + offset]
            offset += len(block.terms)
        shares = np.exp(scores - scores.max())
        shares /= shares.sum()
        order = np.argsort(-shares, kind="stable")
        return {self.classes[index]: float(shares[index]) for index in order}

    def unknown_share(self, lyrics: str) -> float:
        """Return the share, 0 to 1, of the lyric's distinct words that the model does not know; 1 for no word."""
        words = set(normalise(lyrics).split())
        known = self._blocks[0]._index
        return sum(word not in known for word in words) / len(words) if words else 1.0

    @classmethod
    def compile(cls, pipeline: "Pipeline") -> "Scorer":
        """Return the scorer of a fitted `classifier.build_pipeline`."""
        union, estimator = pipeline.named_steps["ngrams"], pipeline.named_steps["classifier"]
        blocks = [
            _Block(vectorizer.analyzer, list(vectorizer.get_feature_names_out()), vectorizer.idf_)
            for _, vectorizer in union.transformer_list
        ]
        coefficients, bias = estimator.coef_, estimator.intercept_
        if len(coefficients) == 1:  # two genres: scikit-learn keeps the second one's side alone
            coefficients, bias = np.vstack([-coefficients, coefficients]) / 2, np.concatenate([-bias, bias]) / 2
        return cls([str(name) for name in estimator.classes_], blocks, coefficients.T.astype(np.float32), bias)

    def save(self, folder: Path) -> None:
        """Write the model's two files into the folder, which is made if missing."""
        folder.mkdir(parents=True, exist_ok=True)
        arrays: dict[str, Any] = {"coefficients": self._coefficients, "bias": self._bias}
        for number, block in enumerate(self._blocks):
            arrays[f"terms_{number}"] = np.frombuffer("\n".join(block.terms).encode(), dtype=np.uint8)
            arrays[f"idf_{number}"] = block.idf
        np.savez_compressed(folder / _ARRAYS, **arrays)
        header = {
            "format": FORMAT,
            "sha256": _sha256(folder / _ARRAYS),
            "classes": self.classes,
            "blocks": [
                {
                    "kind": type(block.analyzer).__name__,
                    "shortest": block.analyzer.shortest,
                    "longest": block.analyzer.longest,
                }
                for block in self._blocks
            ],
        }
        (folder / _HEADER).write_text(json.dumps(header, ensure_ascii=False, indent=2), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> "Scorer":
        """Read a model that `save` wrote.

        Raises:
            ScorerError: a file is missing, was changed after it was written, or has another format.
        """
        try:
            header = json.loads((folder / _HEADER).read_text(encoding="utf-8"))
            if header["format"] != FORMAT:
                raise ScorerError(f"{folder}: model format {header['format']}, this version reads {FORMAT}; train anew")
            if header["sha256"] != _sha256(folder / _ARRAYS):
                raise ScorerError(f"{folder / _ARRAYS}: damaged (its checksum is not the header's); train anew")
            with np.load(folder / _ARRAYS, allow_pickle=False) as arrays:
                blocks = [_load_block(block, number, arrays) for number, block in enumerate(header["blocks"])]
                return cls(header["classes"], blocks, arrays["coefficients"], arrays["bias"])
        except (OSError, KeyError, TypeError, UnicodeDecodeError, json.JSONDecodeError) as error:
            raise ScorerError(f"{folder}: no readable model ({error})") from error


def _load_block(header: dict[str, Any], number: int, arrays: Any) -> _Block:
    analyzer = _ANALYZERS[header["kind"]]
    terms = arrays[f"terms_{number}"].tobytes().decode().split("\n")
    return _Block(analyzer(header["shortest"], header["longest"]), terms, arrays[f"idf_{number}"])


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def largest_difference(pipeline: "Pipeline", scorer: Scorer, lyrics: Sequence[str]) -> float:
    """Return the largest absolute difference of any probability between the two, over the lyrics."""
    expected = pipeline.predict_proba(list(lyrics))
    worst = 0.0
    for row, text in zip(expected, lyrics, strict=True):
        found = scorer.probabilities(text)
        worst = max(worst, *(abs(found[name] - float(p)) for name, p in zip(scorer.classes, row, strict=True)))
    return worst
