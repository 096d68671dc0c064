"""The fitted pipeline compiled into plain arrays: what the service and the command line classify with.

Safe files (npz without pickles, JSON), no scikit-learn to load or to score. It gives the pipeline's own probabilities:
both read a lyric through `features`, and a check compares them each time a model is made. On request it says which
words and lines speak for a genre, which artists sing alike, and when its answer is worth little.
"""

import hashlib
import io
import json
import math
import zipfile
from collections import Counter
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

import numpy as np

from lyrics_assets.lyrics.text import normalise
from lyrics_assets.model.calibration import Calibration, link
from lyrics_assets.model.explanation import Explanation, Span, locate
from lyrics_assets.model.features import CharNgrams, WordNgrams, bm25_saturation
from lyrics_assets.model.similarity import FILE, Neighbours, SimilarArtist, Words
from lyrics_assets.model.uncertainty import Answer, Bounds, answer

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray
    from sklearn.pipeline import Pipeline

FORMAT = 2
_ANALYZERS: dict[str, type[WordNgrams | CharNgrams]] = {"WordNgrams": WordNgrams, "CharNgrams": CharNgrams}
_ARRAYS, _HEADER = "scorer.npz", "scorer.json"
_CALIBRATION = ("method", "fade", "full")
_WORDS_KEPT = 20_000


class ScorerError(ValueError):
    """A model's files are missing, damaged or of another format."""


class _Weighting(NamedTuple):
    """What an n-gram's count weighs, before its idf."""

    name: Literal["tfidf_sublinear", "bm25"] = "tfidf_sublinear"
    k1: float = 0.0
    b: float = 0.0
    mean_length: float = 1.0
    """Known n-grams of the mean training song; BM25 alone asks."""

    def weigh(self, counts: "NDArray[np.float64]") -> "NDArray[np.float64]":
        if self.name == "bm25":
            return bm25_saturation(counts, float(counts.sum()) / self.mean_length, self.k1, self.b)
        return 1.0 + np.log(counts)


Weighed: TypeAlias = "tuple[NDArray[np.intp], NDArray[np.float64], NDArray[np.float64]]"
"""Known n-grams in ascending order, their counts, and their weights, of unit length."""


class _Block:
    """One block of n-grams, with the weight of each in a text."""

    def __init__(
        self,
        analyzer: WordNgrams | CharNgrams,
        terms: list[str],
        idf: "NDArray[np.float64]",
        weighting: _Weighting,
    ) -> None:
        self.analyzer = analyzer
        self.terms = terms
        self.idf = idf
        self.weighting = weighting
        self.index = {term: index for index, term in enumerate(terms)}
        self._words: dict[str, NDArray[np.intp]] = {}

    def of_word(self, word: str) -> "NDArray[np.intp]":
        """Return the known n-grams of a word, with repetitions, of a block that reads words one by one."""
        found = self._words.get(word)
        if found is None:
            if len(self._words) >= _WORDS_KEPT:
                self._words.clear()
            found = self._words[word] = self._look_up(self.analyzer.of_piece(word))
        return found

    def _look_up(self, grams: list[str]) -> "NDArray[np.intp]":
        places = map(self.index.get, grams)
        return np.array([place for place in places if place is not None], dtype=np.intp)

    def weigh(self, text: str) -> "Weighed":
        """Return the known n-grams of a normalised text, their counts, and their weights, of unit length."""
        # Words come again and again, in this text and the next. Lines are kept by nobody: they are somebody's draft.
        if isinstance(self.analyzer, WordNgrams):
            indices, times = np.unique(self._look_up(self.analyzer(text)), return_counts=True)
            counts = times.astype(np.float64)
        else:
            words = Counter(self.analyzer.pieces(text))
            found = [self.of_word(word) for word in words]
            repeats = np.repeat(np.fromiter(words.values(), np.float64, len(words)), [len(grams) for grams in found])
            indices, places = np.unique(np.concatenate(found) if found else np.empty(0, np.intp), return_inverse=True)
            counts = np.bincount(places, repeats, minlength=len(indices)).astype(np.float64)
        weights = self.weighting.weigh(counts) * self.idf[indices]
        length = math.sqrt(float(weights @ weights))
        return indices, counts, weights / length if length else weights


class Reading:
    """A lyric taken apart once, for whoever asks a scorer several things of it."""

    def __init__(self, lyrics: str, scorer: "Scorer") -> None:
        self.raw = lyrics
        self.text = normalise(lyrics)
        self._scorer = scorer

    @cached_property
    def words(self) -> list[str]:
        """The words of the normal form, with repetitions."""
        return self.text.split()

    @cached_property
    def weighed(self) -> "list[Weighed]":
        """What each block finds."""
        return self._scorer._weigh(self.text)

    @cached_property
    def logits(self) -> "NDArray[np.float64]":
        """The calibrated score of each genre."""
        return self._scorer._logits(self.weighed)


class Scorer:
    """Raw lyrics in, probabilities of the genres out. Made by `compile` or `load`."""

    def __init__(
        self,
        classes: list[str],
        blocks: list[_Block],
        coefficients: "NDArray[np.float32]",
        bias: "NDArray[np.float64]",
        calibration: Calibration,
        bounds: Bounds,
        neighbours: Neighbours | None = None,
    ) -> None:
        self.classes = classes
        self.bounds = bounds
        """From where on `judge` warns."""
        self.neighbours = neighbours
        """The training songs; None for a model that was compiled without them."""
        self._blocks = blocks
        self._coefficients = coefficients
        """One row an n-gram, the blocks one after another; one column a genre. The calibration's scale is in them."""
        self._bias = bias
        self._calibration = calibration
        """What the coefficients cannot hold: the link, and how far a text is trusted that has little to read."""

    @property
    def n_features(self) -> int:
        """How many n-grams the model knows."""
        return len(self._coefficients)

    def read(self, lyrics: str) -> Reading:
        """Return a raw text taken apart, to ask several things of it; every method takes it in the text's place."""
        return Reading(lyrics, self)

    def probabilities(self, lyrics: str | Reading) -> dict[str, float]:
        """Return the probability of each genre, most probable first; they sum to one."""
        shares = self._link(self._reading(lyrics).logits)
        order = np.argsort(-shares, kind="stable")
        return {self.classes[index]: float(shares[index]) for index in order}

    def judge(self, lyrics: str | Reading, portuguese_share: float | None = None) -> Answer:
        """Return the answer with its warnings; no genre where there is not enough to tell one by.

        Args:
            lyrics: raw text.
            portuguese_share: share of its words in Portuguese passages, 0 to 1; None if nobody has looked.
        """
        reading = self._reading(lyrics)
        return answer(
            self.probabilities(reading),
            n_words=len(reading.words),
            unknown_share=self.unknown_share(reading),
            bounds=self.bounds,
            portuguese_share=portuguese_share,
        )

    def unknown_share(self, lyrics: str | Reading) -> float:
        """Return the share, 0 to 1, of the lyric's distinct words that the model does not know; 1 for no word."""
        words = set(self._reading(lyrics).words)
        known = self._blocks[0].index
        return sum(word not in known for word in words) / len(words) if words else 1.0

    def explain(self, lyrics: str | Reading, genre: str | None = None) -> Explanation:
        """Return what each word and each line adds to a genre's logit; of the most probable genre if none is named.

        Raises:
            ValueError: there is no such genre.
        """
        if genre is not None and genre not in self.classes:
            raise ValueError(f"no genre {genre}; known: {', '.join(self.classes)}")
        reading = self._reading(lyrics)
        lines = locate(reading.raw)
        words_by_line = [[place.word for place in line] for line in lines]
        logits = reading.logits
        column = self.classes.index(genre) if genre is not None else int(self._link(logits).argmax())
        by_word, trust = self._word_weights(reading.weighed, words_by_line, column)
        words = [
            [Span(place.start, place.end, weight) for place, weight in zip(line, weights, strict=True)]
            for line, weights in zip(lines, by_word, strict=True)
        ]
        return Explanation(
            self.classes[column],
            float(logits[column]),
            float(self._bias[column]) * trust,
            tuple(span for line in words for span in line),
            tuple(Span(line[0].start, line[-1].end, sum(span.weight for span in line)) for line in words),
        )

    def similar_artists(self, lyrics: str | Reading, limit: int = 5) -> list[SimilarArtist]:
        """Return the artists whose training songs have words like the lyric's, nearest first.

        Raises:
            ScorerError: the model was compiled without its training songs.
        """
        if self.neighbours is None:
            raise ScorerError("this model was compiled without its training songs: it knows no artists")
        return self.neighbours.search(self._known_words(self._reading(lyrics)), limit)

    def _reading(self, lyrics: str | Reading) -> Reading:
        return lyrics if isinstance(lyrics, Reading) else self.read(lyrics)

    def _weigh(self, text: str) -> "list[Weighed]":
        """Return what each block finds in a normalised text."""
        return [block.weigh(text) for block in self._blocks]

    def _logits(self, weighed: "list[Weighed]") -> "NDArray[np.float64]":
        logits = self._bias.copy()
        offset = read = 0
        for block, (indices, _, weights) in zip(self._blocks, weighed, strict=True):
            logits += weights @ self._coefficients[indices + offset]
            offset += len(block.terms)
            read += len(indices)
        return logits * self._calibration.trust(read)

    def _link(self, logits: "NDArray[np.float64]") -> "NDArray[np.float64]":
        return link(logits, self._calibration.method)

    def _word_weights(
        self, weighed: "list[Weighed]", lines: list[list[str]], column: int
    ) -> tuple[list[list[float]], float]:
        """Return what each word of a text, whose words by lines these are, adds to a genre's logit.

        And how far the text is trusted, which the weights are already multiplied by.
        """
        sums = [[0.0] * len(line) for line in lines]
        offset = read = 0
        for block, (indices, counts, weights) in zip(self._blocks, weighed, strict=True):
            shares = weights * self._coefficients[indices + offset, column] / counts
            offset += len(block.terms)
            read += len(indices)
            if isinstance(block.analyzer, CharNgrams):
                by_word = _sum_by_word(block, {word for line in lines for word in line}, indices, shares)
                for words, of_line in zip(lines, sums, strict=True):
                    of_line[:] = [before + by_word[word] for before, word in zip(of_line, words, strict=True)]
            else:
                by_gram = dict(zip(indices.tolist(), shares.tolist(), strict=True))
                for words, of_line in zip(lines, sums, strict=True):
                    _share_phrases(block, words, by_gram, of_line)
        trust = float(self._calibration.trust(read))
        return [[weight * trust for weight in of_line] for of_line in sums], trust

    def _known_words(self, reading: Reading) -> Words:
        """Return the known single words of a text and their weights."""
        block = self._blocks[0]
        known = Counter(index for word in reading.words if (index := block.index.get(word)) is not None)
        numbers = np.fromiter(known.keys(), np.intp, len(known))
        weights = block.weighting.weigh(np.fromiter(known.values(), np.float64, len(known))) * block.idf[numbers]
        length = math.sqrt(float(weights @ weights))
        return Words(numbers, weights / length if length else weights)

    @classmethod
    def compile(
        cls, pipeline: "Pipeline", bounds: Bounds | None = None, songs: "pd.DataFrame | None" = None
    ) -> "Scorer":
        """Return the scorer of a fitted `classifier.build_pipeline`.

        Args:
            pipeline: the fitted pipeline.
            bounds: from where on an answer carries a warning; guessed, and all genres equally likely, if None.
            songs: what it learned from, for `similar_artists`: columns artist, title, genre, lyrics, lyrics_group.
        """
        union, classifier = pipeline.named_steps["ngrams"], pipeline.named_steps["classifier"]
        blocks = [_compile_block(block) for _, block in union.transformer_list]
        calibration = classifier.calibration
        classes = [str(name) for name in classifier.classes_]
        coefficients = (classifier.coef_.T * np.asarray(calibration.scale)).astype(np.float32)
        bias = calibration.affine(classifier.intercept_)
        bounds = bounds or Bounds(dict.fromkeys(classes, 1 / len(classes)))
        scorer = cls(classes, blocks, coefficients, bias, calibration, bounds)
        if songs is not None:
            texts = [scorer._known_words(scorer.read(lyrics)) for lyrics in songs["lyrics"]]
            scorer.neighbours = Neighbours.build(len(blocks[0].terms), texts, songs)
        return scorer

    def save(self, folder: Path) -> None:
        """Write the model's two files into the folder, which is made if missing; three if it knows its songs."""
        folder.mkdir(parents=True, exist_ok=True)
        arrays: dict[str, Any] = {"coefficients": self._coefficients, "bias": self._bias}
        for number, block in enumerate(self._blocks):
            arrays[f"terms_{number}"] = np.frombuffer("\n".join(block.terms).encode(), dtype=np.uint8)
            arrays[f"idf_{number}"] = block.idf
        np.savez_compressed(folder / _ARRAYS, **arrays)
        header = {
            "format": FORMAT,
            "sha256": hashlib.sha256((folder / _ARRAYS).read_bytes()).hexdigest(),
            "neighbours_sha256": self.neighbours.save(folder / FILE) if self.neighbours else None,
            "classes": self.classes,
            "calibration": {name: getattr(self._calibration, name) for name in _CALIBRATION},
            "bounds": self.bounds.to_json(),
            "blocks": [
                {
                    "kind": type(block.analyzer).__name__,
                    "shortest": block.analyzer.shortest,
                    "longest": block.analyzer.longest,
                    "weighting": block.weighting._asdict(),
                }
                for block in self._blocks
            ],
        }
        (folder / _HEADER).write_text(json.dumps(header, ensure_ascii=False, indent=2), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path, *, with_songs: bool = True) -> "Scorer":
        """Read a model that `save` wrote.

        Args:
            folder: where it is.
            with_songs: whether to read the training songs too, which takes as long again; else it is as if it had none.

        Raises:
            ScorerError: a file is missing, was changed after it was written, or has another format.
        """
        try:
            header = json.loads((folder / _HEADER).read_text(encoding="utf-8"))
            if header["format"] != FORMAT:
                raise ScorerError(f"{folder}: model format {header['format']}, this version reads {FORMAT}; train anew")
            content = (folder / _ARRAYS).read_bytes()
            if header["sha256"] != hashlib.sha256(content).hexdigest():
                raise ScorerError(f"{folder / _ARRAYS}: damaged (its checksum is not the header's); train anew")
            with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
                blocks = [_load_block(block, number, arrays) for number, block in enumerate(header["blocks"])]
                coefficients, bias = arrays["coefficients"], arrays["bias"]
            shape = (sum(len(block.terms) for block in blocks), len(header["classes"]))
            if coefficients.shape != shape or bias.shape != shape[1:]:
                raise ScorerError(f"{folder}: header and weights disagree: {shape} and {coefficients.shape}")
            sha256 = header["neighbours_sha256"]
            neighbours = Neighbours.load(folder / FILE, sha256) if sha256 and with_songs else None
            bounds = Bounds.from_json(header["bounds"])
            calibration = Calibration(**header["calibration"])
            return cls(header["classes"], blocks, coefficients, bias, calibration, bounds, neighbours)
        except ScorerError:
            raise
        except (OSError, KeyError, TypeError, ValueError, zipfile.BadZipFile) as error:
            raise ScorerError(f"{folder}: no readable model ({error})") from error


def _sum_by_word(
    block: _Block, words: set[str], indices: "NDArray[np.intp]", shares: "NDArray[np.float64]"
) -> dict[str, float]:
    """Return of each word the sum of its n-grams' shares; the n-grams are sorted."""
    grams = [block.of_word(word) for word in words]
    if not grams:
        return {}
    owners = np.repeat(np.arange(len(grams)), [len(of_word) for of_word in grams])
    found = shares[np.searchsorted(indices, np.concatenate(grams))]
    return dict(zip(words, np.bincount(owners, found, minlength=len(grams)).tolist(), strict=True))


def _share_phrases(block: _Block, words: list[str], by_gram: dict[int | None, float], sums: list[float]) -> None:
    """Add to each word of a line its part of the phrases that it stands in, by its share of their letters."""
    shortest, longest = block.analyzer.shortest, block.analyzer.longest
    if shortest == 1:  # by far the most, and nothing to share
        for place, index in enumerate(map(block.index.get, words)):
            sums[place] += by_gram.get(index, 0.0)
    for size in range(max(2, shortest), longest + 1):
        for start in range(len(words) - size + 1):
            phrase = words[start : start + size]
            index = block.index.get(" ".join(phrase))
            if index is not None:
                share = by_gram[index] / sum(map(len, phrase))
                for place, word in enumerate(phrase, start):
                    sums[place] += share * len(word)


def _compile_block(block: "Pipeline") -> _Block:
    from lyrics_assets.model.classifier import BM25Transformer

    counts, weights = block.named_steps["counts"], block.named_steps["weights"]
    weighting = (
        _Weighting("bm25", weights.k1, weights.b, weights.mean_length_)
        if isinstance(weights, BM25Transformer)
        else _Weighting()
    )
    return _Block(counts.analyzer, list(counts.vocabulary_), np.asarray(weights.idf_), weighting)


def _load_block(header: dict[str, Any], number: int, arrays: Any) -> _Block:
    analyzer = _ANALYZERS[header["kind"]]
    terms = arrays[f"terms_{number}"].tobytes().decode().split("\n")
    weighting = _Weighting(**header["weighting"])
    return _Block(analyzer(header["shortest"], header["longest"]), terms, arrays[f"idf_{number}"], weighting)


def largest_difference(pipeline: "Pipeline", scorer: Scorer, lyrics: Sequence[str]) -> float:
    """Return the largest absolute difference of any probability between the two, over the lyrics."""
    expected = pipeline.predict_proba(list(lyrics))
    worst = 0.0
    for row, text in zip(expected, lyrics, strict=True):
        found = scorer.probabilities(text)
        worst = max(worst, *(abs(found[name] - float(p)) for name, p in zip(scorer.classes, row, strict=True)))
    return worst
