"""What goes over the wire, as the API document tells it: requests are checked against it, answers are described."""

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from lyrics_assets.serving.errors import MAX_CHARACTERS, MAX_LYRICS
from lyrics_assets.serving.release import Release

MAX_NEIGHBOURS = 10
SAMPLE = (
    "Desci a ladeira com o sol na mão,\ndeixei a saudade na porta do bar,\no samba chegou, me chamou pro salão\n"
    "e a dor que eu trazia esqueceu de entrar."
)
"""A made-up verse for examples."""


def _whole(value: Any) -> Any:
    """Return 5.0 as 5: to JSON they are the same number."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    explain: bool = Field(False, description="Whether to tell what each word and line adds")
    neighbours: Annotated[int, BeforeValidator(_whole)] = Field(
        0, ge=0, le=MAX_NEIGHBOURS, description="How many similar artists to name"
    )
    genre: str | None = Field(None, max_length=100, description="Which genre to explain; the most probable if null")


class ClassifyRequest(_Request):
    """One lyric."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"lyrics": SAMPLE, "explain": True, "neighbours": 5}]})

    lyrics: str = Field(
        min_length=1, max_length=MAX_CHARACTERS, description="The lyric, with at least one word; lines by newline"
    )


class ClassifyManyRequest(_Request):
    """Several lyrics; the other fields hold for each of them."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"lyrics": [SAMPLE, "Senhor, eu venho ao teu altar"]}]})

    lyrics: list[str] = Field(
        min_length=1, max_length=MAX_LYRICS, description=f"Each as in /classify, up to {MAX_CHARACTERS:,} characters"
    )


class Language(BaseModel):
    """In which language a lyric is written."""

    main: str | None = Field(description="ISO 639-1 code of the language of most words; null if nothing tells it")
    portuguese_share: float = Field(ge=0, le=1, description="Share of the words in passages told to be Portuguese")


class Warning_(BaseModel):
    """Why the answer is worth little."""

    model_config = ConfigDict(title="Warning")

    code: str = Field(description="too_short, not_portuguese, unlike_anything_known or close_call")
    message: str = Field(description="In Brazilian Portuguese, for people")


class Span(BaseModel):
    """A part of the lyric, in Unicode code points of the text as it was sent."""

    start: int = Field(ge=0, description="First character")
    end: int = Field(ge=0, description="The character after the last one")
    weight: float = Field(description="What it adds to the genre's logit; below zero it speaks against the genre")


class Explanation(BaseModel):
    """Why a genre has its score: the remainder and the words' weights add up to the logit."""

    genre: str = Field(description="The explained genre")
    reference: str = Field(description="What the logit is relative to")
    logit: float = Field(description="The genre's calibrated score")
    remainder: float = Field(description="The part of the logit that no word brings")
    words: list[Span] = Field(description="Every word, in the order of the text")
    lines: list[Span] = Field(description="Every line that has a word; it weighs what its words weigh together")


class SimilarArtist(BaseModel):
    """An artist who sings in words like these."""

    artist: str
    genre: str = Field(description="Of the nearest song")
    similarity: float = Field(ge=0, le=1, description="Cosine of the nearest song's heaviest words")
    titles: list[str] = Field(description="At most three songs, nearest first")


class Answer(BaseModel):
    """The answer to one lyric."""

    genre: str | None = Field(description="The most probable genre; null where it would be a guess, see warnings")
    confidence: float = Field(ge=0, le=1, description="Probability of the most probable genre")
    probabilities: dict[str, float] = Field(description="Of every genre, most probable first; they sum to 1")
    language: Language | None = Field(description="Null where the service is set not to look")
    warnings: list[Warning_]
    explanation: Explanation | None = Field(description="Null unless asked for")
    similar_artists: list[SimilarArtist] = Field(description="Nearest first; empty unless asked for")


class Classification(Answer):
    """The answer to one lyric, and which model gave it."""

    model: Release


class Classifications(BaseModel):
    """The answers to several lyrics, in their order, and which model gave them."""

    answers: list[Answer]
    model: Release


class ErrorDetail(BaseModel):
    """What is wrong."""

    code: str = Field(description="Stable, for programs")
    message: str = Field(description="In English: what is wrong and what to do")
    message_pt: str = Field(description="In Brazilian Portuguese, for people")


class Error(BaseModel):
    """The one shape of every refusal."""

    error: ErrorDetail


def example_answer(release: dict[str, Any]) -> dict[str, Any]:
    """Return an answer as the API document shows it."""
    return {
        "genre": "Samba",
        "confidence": 0.62,
        "probabilities": {"Samba": 0.62, "Pagode": 0.27, "MPB": 0.11},
        "language": {"main": "pt", "portuguese_share": 1.0},
        "warnings": [],
        "explanation": {
            "genre": "Samba",
            "reference": "the mean of all genres",
            "logit": 2.1,
            "remainder": -0.1,
            "words": [{"start": 0, "end": 5, "weight": 0.4}, {"start": 8, "end": 15, "weight": 1.8}],
            "lines": [{"start": 0, "end": 15, "weight": 2.2}],
        },
        "similar_artists": [{"artist": "Dona Aurora", "genre": "Samba", "similarity": 0.31, "titles": ["Janela"]}],
        "model": release,
    }
