"""The BentoML service: the model of a release behind the HTTP API, and a page to write at.

It runs from a built Bento or Space, beside the release file that names its model; see `packaging`. BentoML packs it,
starts its processes, says whether they live, and serves the page; lyrics are answered by `api`, in front of it.
"""

import gc
import logging
import os
from pathlib import Path
from typing import Any

import bentoml
from starlette.applications import Starlette
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

from lyrics_assets.model.scorer import Scorer
from lyrics_assets.serving.api import Api, Shared
from lyrics_assets.serving.classification import Classifier
from lyrics_assets.serving.metrics import share_folder
from lyrics_assets.serving.prediction_log import PredictionLog
from lyrics_assets.serving.release import Release
from lyrics_assets.serving.settings import ServiceSettings

ROOT = Path(__file__).resolve().parents[2]
RELEASE = Release.read(ROOT)
# BentoML asks for all this when it imports the service, in the process that starts the workers and in each of them.
SETTINGS = ServiceSettings.from_environment()
share_folder()
# uvicorn would believe any client on this machine about its address; which proxy to believe is a setting of ours.
os.environ.setdefault("FORWARDED_ALLOW_IPS", "")

_shared = Shared(SETTINGS)
_site = Starlette(routes=[Mount("/", StaticFiles(directory=Path(__file__).with_name("page"), html=True))])


class _WithoutDrafts(logging.Filter):
    """Takes tracebacks and messages of errors off BentoML's log: there may be a draft in them."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every record pass, without what was sent."""
        if record.exc_info and record.exc_info[0]:
            record.msg, record.args = f"{record.getMessage()}: {record.exc_info[0].__name__}", None
            record.exc_info = None
        return True


logging.getLogger("bentoml._internal.server.http_app").addFilter(_WithoutDrafts())
logging.getLogger("uvicorn.error").addFilter(_WithoutDrafts())


@bentoml.service(
    name="lyrics_genre",
    http={"host": SETTINGS.host, "port": SETTINGS.port},
    workers=SETTINGS.workers,
    # Ours come first; BentoML's only bounds what it answers by itself.
    traffic={"timeout": SETTINGS.timeout_seconds + 5},
    metrics={"enabled": False},
    logging={"access": {"enabled": False}},
    tracing={"excluded_urls": ".*"},
)
@bentoml.asgi_app(_site, path="/")
class LyricsService:
    """Classifies Portuguese lyrics by musical genre."""

    if RELEASE.model_tag:
        files = bentoml.models.BentoModel(RELEASE.model_tag)

    def __init__(self) -> None:
        folder = Path(self.files.path if RELEASE.model_tag else ROOT / "model")
        self._log = PredictionLog(SETTINGS.prediction_log) if SETTINGS.prediction_log else None
        self._classifier = Classifier(
            Scorer.load(folder), RELEASE, language=SETTINGS.language, log=self._log, metrics=_shared.metrics
        )
        _shared.classifier = self._classifier
        # The model never becomes garbage: keep the collector from walking through it during requests.
        gc.collect()
        gc.freeze()

    # BentoML's own clients learn from these two what there is to call; over HTTP `api` answers the same.
    @bentoml.api(route="/classify")  # type: ignore[untyped-decorator]
    async def classify(
        self, lyrics: str, explain: bool = False, neighbours: int = 0, genre: str | None = None
    ) -> dict[str, Any]:
        """Tell which genre a Portuguese lyric sounds like."""
        answer = self._classifier.answer(lyrics, explain=explain, neighbours=neighbours, genre=genre)
        return {**answer, "model": self._classifier.release}

    @bentoml.api(route="/classify_many")  # type: ignore[untyped-decorator]
    async def classify_many(
        self, lyrics: list[str], explain: bool = False, neighbours: int = 0, genre: str | None = None
    ) -> dict[str, Any]:
        """Tell which genres several Portuguese lyrics sound like."""
        answers = [
            self._classifier.answer(text, explain=explain, neighbours=neighbours, genre=genre) for text in lyrics
        ]
        return {"answers": answers, "model": self._classifier.release}

    @bentoml.on_shutdown  # type: ignore[untyped-decorator]
    def close(self) -> None:
        """Tell who still asks that nobody answers any more."""
        _shared.classifier = None
        if self._log:
            self._log.close()


_service: Any = LyricsService  # which the decorators have made a bentoml.Service
if SETTINGS.origins:
    _service.add_asgi_middleware(
        CORSMiddleware,
        allow_origins=SETTINGS.origins,
        allow_methods=["GET", "POST"],
        allow_headers=["Content-Type"],
    )
_service.add_asgi_middleware(Api, shared=_shared)
