"""The page and the API of this process on a port of loopback, which can be slow, out of order or broken."""

import asyncio
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn
from starlette.responses import JSONResponse
from starlette.staticfiles import StaticFiles

import lyrics_assets.serving
from lyrics_assets.model.scorer import Scorer
from lyrics_assets.serving.api import Api, Shared
from lyrics_assets.serving.classification import Classifier
from lyrics_assets.serving.errors import Problem
from lyrics_assets.serving.release import Release
from lyrics_assets.serving.settings import ServiceSettings

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

    def __init__(self, question: dict[str, Any]) -> None:
        self.question = question
        self._loop = asyncio.get_running_loop()
        self._released = asyncio.Event()

    def release(self) -> None:
        """Let the answer go."""
        self._loop.call_soon_threadsafe(self._released.set)

    async def wait(self, receive: Any) -> bool:
        """Wait until it is released, or the page has called it off; return whether it is still wanted."""
        released, gone = asyncio.create_task(self._released.wait()), asyncio.create_task(receive())
        await asyncio.wait([released, gone], return_when=asyncio.FIRST_COMPLETED)
        wanted = not gone.done()
        released.cancel()
        gone.cancel()
        return wanted


class PageServer:
    """An ASGI application: what the page talks to. A test may break it and mend it."""

    def __init__(self, scorer: Scorer) -> None:
        shared = Shared(ServiceSettings())
        self._classifier = shared.classifier = Classifier(scorer, RELEASE)
        self._api = Api(StaticFiles(directory=PAGE, html=True), shared)
        self._changed = threading.Condition()
        self._holding = False
        self._problem: Problem | None = None
        self.asked: list[dict[str, Any]] = []
        """Every question so far."""
        self.held: list[Held] = []
        """Those that were kept waiting, oldest first."""

    def mend(self) -> None:
        """Answer at once and well, as in the beginning."""
        self._holding, self._problem = False, None
        for held in self.held:
            held.release()
        self.held.clear()
        self.asked.clear()

    def hold(self, *, hold: bool = True) -> None:
        """Keep every question from now on waiting until it is released."""
        self._holding = hold

    def break_down(self, problem: Problem) -> None:
        """Refuse every question from now on."""
        self._problem = problem

    def wait_for_questions(self, number: int, *, held: bool = False) -> None:
        """Wait until so many questions have come, or are held."""
        with self._changed:
            came = self._changed.wait_for(lambda: len(self.held if held else self.asked) >= number, _SECONDS)
        assert came, f"{len(self.asked)} questions came, not {number}"

    def answer(self, lyrics: str, **options: Any) -> dict[str, Any]:
        """Return what the service answers."""
        return self._classifier.answer(lyrics, **options)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer a request, unless it is a question that is to be held or refused."""
        if scope["type"] != "http" or scope["path"] != "/classify":
            await self._api(scope, receive, send)
            return
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        problem, question = self._problem, json.loads(body)
        held = Held(question) if self._holding else None
        with self._changed:
            self.asked.append(question)
            if held:
                self.held.append(held)
            self._changed.notify_all()
        if held and not await held.wait(receive):
            return
        if problem:
            await JSONResponse(problem.to_json(), problem.status, problem.headers)(scope, receive, send)
            return
        replayed = iter([{"type": "http.request", "body": body}])

        async def receive_again() -> Any:
            return next(replayed, None) or await receive()

        await self._api(scope, receive_again, send)


@contextmanager
def serving(server: PageServer) -> Iterator[str]:
    """Serve on a free port; yield the address."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        config = uvicorn.Config(server, log_level="error", lifespan="off", timeout_graceful_shutdown=1)
        running = uvicorn.Server(config)
        thread = threading.Thread(target=running.run, args=([listener],), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            running.should_exit = True
            thread.join(timeout=_SECONDS)
