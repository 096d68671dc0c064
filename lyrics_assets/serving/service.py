"""The service: one lyric in, the probabilities of the genres out, and a page to write at.

It runs from a built Bento or Space, beside the release file that names its model; see `packaging`.
"""

import gc
import json
import logging
from pathlib import Path
from typing import Annotated

import bentoml
from annotated_types import MaxLen
from pydantic import AfterValidator, BaseModel, Field, ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from lyrics_assets.lyrics.text import count_words
from lyrics_assets.model.scorer import Scorer
from lyrics_assets.serving.release import Release

MAX_CHARACTERS = 20_000
ROOT = Path(__file__).resolve().parents[2]
RELEASE = Release.read(ROOT)


def _has_words(lyrics: str) -> str:
    if not count_words(lyrics):
        raise ValueError("write at least one word")
    return lyrics


Lyrics = Annotated[
    str, MaxLen(MAX_CHARACTERS), AfterValidator(_has_words), Field(description="The lyric, lines by newline")
]


class _WithoutDrafts(logging.Filter):
    """Takes the traceback of a refused request off BentoML's log: pydantic writes what was sent into it."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every record pass, without the draft."""
        if record.exc_info and isinstance(record.exc_info[1], ValidationError | json.JSONDecodeError):
            record.exc_info = None
        return True


logging.getLogger("bentoml._internal.server.http_app").addFilter(_WithoutDrafts())


class Classification(BaseModel):
    """The answer to one lyric."""

    genre: str = Field(description="The most probable genre")
    confidence: float = Field(description="Its probability, 0 to 1")
    probabilities: dict[str, float] = Field(description="Of every genre, most probable first; they sum to 1")
    model: Release = Field(description="What answered")


async def describe_model(_: Request) -> JSONResponse:
    """Answer GET /model: the release that is served."""
    return JSONResponse(RELEASE.model_dump())


_site = Starlette(
    routes=[
        Route("/model", describe_model),
        Mount("/", StaticFiles(directory=Path(__file__).with_name("page"), html=True)),
    ]
)


@bentoml.service(
    name="lyrics_genre",
    http={"host": "127.0.0.1", "port": 3001},
    traffic={"timeout": 5},
    logging={"access": {"enabled": False}},
    tracing={"excluded_urls": ".*"},
)
@bentoml.asgi_app(_site, path="/")
class LyricsService:
    """Classifies Portuguese lyrics by musical genre."""

    if RELEASE.model_tag:
        files = bentoml.models.BentoModel(RELEASE.model_tag)

    def __init__(self) -> None:
        self._scorer = Scorer.load(Path(self.files.path if RELEASE.model_tag else ROOT / "model"))
        # The model never becomes garbage: keep the collector from walking through it during requests.
        gc.collect()
        gc.freeze()

    @bentoml.api(route="/classify")  # type: ignore[untyped-decorator]
    async def classify(self, lyrics: Lyrics) -> Classification:
        """Tell which genre a Portuguese lyric sounds like."""
        probabilities = self._scorer.probabilities(lyrics)
        genre, confidence = next(iter(probabilities.items()))
        return Classification(genre=genre, confidence=confidence, probabilities=probabilities, model=RELEASE)
