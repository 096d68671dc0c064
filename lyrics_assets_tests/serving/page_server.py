"""The page's real files and the real answers behind one loopback server, which can be slow, out of order or broken."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

import lyrics_assets.serving
from lyrics_assets.model.scorer import Scorer
from lyrics_assets.serving.api import SECURITY_HEADERS
from lyrics_assets.serving.classification import Classifier
from lyrics_assets.serving.errors import Problem
from lyrics_assets.serving.release import Release

PAGE = Path(lyrics_assets.serving.__file__).with_name("page")
RELEASE = Release(
    version=7,
    alias="champion",
    extraction_dates=["2026-11-20", "2026-11-24"],
    macro_f1=0.4,
    macro_f1_interval=(0.29, 0.54),
    n_train=1273,
    trained_at="2026-11-24T08:00:00+00:00",
)
_SECONDS = 20


class Held:
    """A question that waits for its answer."""

    def __init__(self, question: dict[str, Any], loop: asyncio.AbstractEventLoop) -> None:
        self.question = question
        self.left = False
        """Whether the page has called it off."""
        self._loop = loop
        self._released = asyncio.Event()

    def release(self) -> None:
        """Let the answer go."""
        self._loop.call_soon_threadsafe(self._released.set)

    async def wait(self, request: Request) -> None:
        """Wait until it is released or the page has gone."""
        released = asyncio.create_task(self._released.wait())
        while not released.done() and not self.left:
            await asyncio.wait([released], timeout=0.02)
            self.left = await request.is_disconnected()
        released.cancel()


class PageServer:
    """What the page talks to; a test may break it and mend it."""

    def __init__(self, scorer: Scorer) -> None:
        self._classifier = Classifier(scorer, RELEASE)
        self._changed = threading.Condition()
        self._holding = False
        self._broken: Problem | None = None
        self.asked: list[dict[str, Any]] = []
        """Every question so far."""
        self.held: list[Held] = []
        """Those that wait, oldest first."""
        self.app = Starlette(
            routes=[
                Route("/classify", self._classify, methods=["POST"]),
                Route("/model", self._model),
                Mount("/", StaticFiles(directory=PAGE, html=True)),
            ],
            middleware=[Middleware(_WithHeaders)],
        )

    def mend(self) -> None:
        """Answer at once and well, as in the beginning."""
        self._holding, self._broken = False, None
        for held in self.held:
            held.release()
        self.held.clear()
        self.asked.clear()

    def hold(self, *, hold: bool = True) -> None:
        """Keep every question from now on waiting until it is released."""
        self._holding = hold

    def break_down(self, problem: Problem) -> None:
        """Refuse every question from now on."""
        self._broken = problem

    def wait_for_questions(self, number: int, *, held: bool = False) -> None:
        """Wait until so many questions have come, or are held."""
        with self._changed:
            came = self._changed.wait_for(lambda: len(self.held if held else self.asked) >= number, _SECONDS)
        assert came, f"{len(self.asked)} questions came, not {number}"

    async def _model(self, _: Request) -> JSONResponse:
        return JSONResponse(self._classifier.release)

    async def _classify(self, request: Request) -> Response:
        question = await request.json()
        problem = self._broken
        held = Held(question, asyncio.get_running_loop()) if self._holding else None
        with self._changed:
            self.asked.append(question)
            if held:
                self.held.append(held)
            self._changed.notify_all()
        if held:
            await held.wait(request)
        if not problem:
            try:
                return JSONResponse(self.answer(**question))
            except Problem as refusal:
                problem = refusal
        return JSONResponse(problem.to_json(), problem.status, problem.headers)

    def answer(self, lyrics: str, **options: Any) -> dict[str, Any]:
        """Return what the service answers."""
        return {**self._classifier.answer(lyrics, **options), "model": self._classifier.release}


class _WithHeaders:
    """Adds the headers of the service, its Content-Security-Policy among them."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def send_with_headers(message: Any) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *SECURITY_HEADERS]
            await send(message)

        await self._app(scope, receive, send_with_headers)


@contextmanager
def serving(server: PageServer) -> Iterator[str]:
    """Serve on a free port of loopback; yield the address."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        config = uvicorn.Config(server.app, log_level="error", timeout_graceful_shutdown=1)
        running = uvicorn.Server(config)
        thread = threading.Thread(target=running.run, args=([listener],), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            running.should_exit = True
            thread.join(timeout=_SECONDS)
