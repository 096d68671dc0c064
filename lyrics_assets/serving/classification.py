"""From a lyric to what the service answers: plain values, ready for JSON. No HTTP here, and nothing is kept."""

import re
import time
from typing import TYPE_CHECKING, Any

from lyrics_assets.lyrics.text import count_words
from lyrics_assets.model import uncertainty
from lyrics_assets.serving import errors
from lyrics_assets.serving.errors import MAX_CHARACTERS

if TYPE_CHECKING:
    from lyrics_assets.lyrics.language import Languages
    from lyrics_assets.model.scorer import Reading, Scorer
    from lyrics_assets.model.uncertainty import Answer
    from lyrics_assets.serving.metrics import Metrics
    from lyrics_assets.serving.prediction_log import PredictionLog
    from lyrics_assets.serving.release import Release

REFERENCE = "the mean of all genres"
"""What a genre's logit is relative to."""
_DIGITS = 6
_WORD = re.compile(r"[^\W_]")


class Classifier:
    """A model and how its answers are told.

    Args:
        scorer: the model.
        release: which one it is.
        language: whether to tell the language of a lyric.
        log: where the figures of each answer go, if anywhere.
        metrics: what counts the genres, if anything.
    """

    def __init__(
        self,
        scorer: "Scorer",
        release: "Release",
        *,
        language: bool = True,
        log: "PredictionLog | None" = None,
        metrics: "Metrics | None" = None,
    ) -> None:
        self.scorer = scorer
        self.release = release.model_dump(mode="json")
        self._language = language
        self._log = log
        self._metrics = metrics
        if language:
            from lyrics_assets.serving.languages import warm

            warm()

    def answer(
        self,
        lyrics: str,
        *,
        explain: bool = False,
        neighbours: int = 0,
        genre: str | None = None,
        where: str = "lyrics",
    ) -> dict[str, Any]:
        """Return the answer to a lyric, as `schemas.Answer` describes it.

        Args:
            lyrics: the raw text.
            explain: whether to tell what each word and line adds.
            neighbours: how many similar artists to name.
            genre: which genre to explain; the most probable if None.
            where: how a refusal names the lyric.

        Raises:
            Problem: the text is too long or holds no word, or the model tells no such genre.
        """
        began = time.perf_counter()
        if len(lyrics) > MAX_CHARACTERS:
            raise errors.too_long(where)
        if genre is not None and genre not in self.scorer.classes:
            raise errors.unknown_genre(", ".join(self.scorer.classes))
        # The first finds a word in nearly every lyric at once; the second is what counts.
        if not _WORD.search(lyrics) and not count_words(lyrics):
            raise errors.no_words(where)
        languages = self._tell_languages(lyrics)
        reading = self.scorer.read(lyrics)
        judged = self.scorer.judge(reading, _portuguese_share(languages, lyrics))
        best = next(iter(judged.probabilities))
        answer = {
            "genre": judged.genre,
            "confidence": judged.confidence,
            "probabilities": judged.probabilities,
            "language": languages and _language_json(languages),
            "warnings": [{"code": code, "message": self._warn(code, judged)} for code in judged.warnings],
            "explanation": self._explain(reading, genre or best) if explain else None,
            "similar_artists": self._similar_artists(reading, neighbours),
        }
        if self._metrics:
            self._metrics.count_genre(judged.genre)
        if self._log:
            self._log.write(self._figures(reading, languages, judged, time.perf_counter() - began))
        return answer

    def _tell_languages(self, lyrics: str) -> "Languages | None":
        if not self._language:
            return None
        from lyrics_assets.serving.languages import tell_languages

        return tell_languages(lyrics)

    def _explain(self, reading: "Reading", genre: str) -> dict[str, Any]:
        told = self.scorer.explain(reading, genre)
        return {
            "genre": told.genre,
            "reference": REFERENCE,
            "logit": told.logit,
            "remainder": told.bias,
            "words": [_span_json(*span) for span in told.words],
            "lines": [_span_json(*span) for span in told.lines],
        }

    def _similar_artists(self, reading: "Reading", limit: int) -> list[dict[str, Any]]:
        if not limit or self.scorer.neighbours is None:
            return []
        return [
            {
                "artist": found.artist,
                "genre": found.genre,
                "similarity": round(found.similarity, 4),
                "titles": list(found.titles),
            }
            for found in self.scorer.similar_artists(reading, limit)
        ]

    def _warn(self, code: str, judged: "Answer") -> str:
        first, second = list(judged.probabilities)[:2]
        return {
            uncertainty.TOO_SHORT: "Ainda há poucas palavras para um palpite: escreva pelo menos "
            f"{self.scorer.bounds.min_words}.",
            uncertainty.NOT_PORTUGUESE: "Isto não parece português, e o modelo só aprendeu com letras em português.",
            uncertainty.UNLIKE_ANYTHING_KNOWN: "Quase nenhuma destas palavras está nas letras que o modelo leu.",
            uncertainty.CLOSE_CALL: f"{first} e {second} estão quase empatados.",
        }.get(code, "Este palpite vale pouco.")

    def _figures(
        self, reading: "Reading", languages: "Languages | None", judged: "Answer", seconds: float
    ) -> dict[str, Any]:
        """Return what the prediction log keeps of an answer: nothing that was written can be told from it."""
        return {
            "model_version": self.release["version"],
            "characters": len(reading.raw),
            "words": len(reading.words),
            "language": languages.main if languages else None,
            "portuguese_share": round(languages.portuguese_share, 3) if languages else None,
            "genre": judged.genre,
            "most_probable": next(iter(judged.probabilities)),
            "confidence": round(judged.confidence, 4),
            "unknown_share": round(self.scorer.unknown_share(reading), 4),
            "warnings": list(judged.warnings),
            "milliseconds": round(seconds * 1000, 3),
        }


def _portuguese_share(languages: "Languages | None", lyrics: str) -> float | None:
    """Return what the model is told of the language: nothing where nobody looked or nothing can be told."""
    if languages is None or languages.main is None:
        return None
    from lyrics_assets.serving.languages import MIN_WORDS

    return languages.portuguese_share if len(lyrics.split(maxsplit=MIN_WORDS)) >= MIN_WORDS else None


def _language_json(languages: "Languages") -> dict[str, Any]:
    return {"main": languages.main, "portuguese_share": round(languages.portuguese_share, 4)}


def _span_json(start: int, end: int, weight: float) -> dict[str, Any]:
    return {"start": start, "end": end, "weight": round(weight, _DIGITS)}
