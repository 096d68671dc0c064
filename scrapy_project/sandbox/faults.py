"""Trouble on purpose: slow answers, refusals, broken connections.

What happens to a request depends on the seed, the path, the date asked for and the number of the attempt.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from enum import Enum

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from scrapy_project.sandbox.chance import fractions, pick
from scrapy_project.sandbox.dates import DATE_HEADER

MOST_FAULTS = 2
"""Attempts in a row that can go wrong on one path; the next one always succeeds."""
SLOW_SECONDS = 0.5
"""Time over which a slow body is sent."""

_PIECES = 5
_BYTES_MISSING = 64


class Fault(Enum):
    """What can happen to an answer."""

    TOO_MANY_REQUESTS = "429 with Retry-After: 1"
    UNAVAILABLE = "503"
    DROPPED = "connection closed before any byte"
    TRUNCATED = "fewer bytes than Content-Length says, then closed"
    SLOW = "whole body, sent in pieces"


class Faults:
    """An ASGI middleware that delays every answer and spoils some.

    `rate` is the share of paths whose first answer is spoilt; ``/robots.txt`` never is. `drop` closes the connection of
    a scope at once.
    """

    def __init__(
        self, app: ASGIApp, *, site: str, rate: float, seed: int, latency_ms: int, drop: Callable[[Scope], None]
    ) -> None:
        self._app = app
        self._site = site
        self._rate = rate
        self._seed = seed
        self._latency_seconds = latency_ms / 1000
        self._drop = drop
        self._attempts: Counter[tuple[str, str]] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # The answer is made while the client waits: its first byte comes after the latency, whatever the making took.
        due = time.monotonic() + self._latency_seconds

        async def send_when_due(message: Message) -> None:
            await _sleep_until(due)
            await send(message)

        match self._next_fault(scope):
            case Fault.TOO_MANY_REQUESTS:
                refusal = PlainTextResponse("Too many requests", 429, {"Retry-After": "1"})
                await refusal(scope, receive, send_when_due)
            case Fault.UNAVAILABLE:
                await PlainTextResponse("Service unavailable", 503)(scope, receive, send_when_due)
            case Fault.DROPPED:
                await _sleep_until(due)
                self._drop(scope)
                await _wait_until_closed(receive)
            case Fault.TRUNCATED:
                await _send_half(await _answer(self._app, scope, receive), send_when_due)
            case Fault.SLOW:
                await _send_slowly(await _answer(self._app, scope, receive), send_when_due)
            case None:
                await self._app(scope, receive, send_when_due)

    def _next_fault(self, scope: Scope) -> Fault | None:
        path, day = scope["path"], Headers(scope=scope).get(DATE_HEADER, "")
        spoilt, how_often, _, _ = fractions("fault", self._seed, self._site, path, day)
        if path == "/robots.txt" or spoilt >= self._rate:
            return None
        # Counted only where something can happen, so that the memory needed stays small.
        self._attempts[path, day] += 1
        attempt = self._attempts[path, day]
        if attempt > 1 + int(how_often * MOST_FAULTS):
            return None
        return pick(list(Fault), "kind", self._seed, self._site, path, day, attempt)


async def _sleep_until(due: float) -> None:
    if (seconds := due - time.monotonic()) > 0:
        await asyncio.sleep(seconds)


async def _wait_until_closed(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _answer(app: ASGIApp, scope: Scope, receive: Receive) -> tuple[Message, bytes]:
    """Return the start message and the whole body of the app's answer."""
    messages: list[Message] = []

    async def keep(message: Message) -> None:
        messages.append(message)

    await app(scope, receive, keep)
    return messages[0], b"".join(message.get("body", b"") for message in messages[1:])


async def _send_half(answer: tuple[Message, bytes], send: Send) -> None:
    start, body = answer
    # Even an answer without a body announces one, or it could not be cut short.
    MutableHeaders(raw=start["headers"])["content-length"] = str(len(body) + _BYTES_MISSING)
    await send(start)
    # The server closes the connection of an answer that ends while more was promised.
    await send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})


async def _send_slowly(answer: tuple[Message, bytes], send: Send) -> None:
    start, body = answer
    await send(start)
    size = len(body) // _PIECES + 1
    for piece in range(_PIECES):
        await asyncio.sleep(SLOW_SECONDS / _PIECES)
        part = body[piece * size : (piece + 1) * size]
        await send({"type": "http.response.body", "body": part, "more_body": piece < _PIECES - 1})
