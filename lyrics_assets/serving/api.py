"""The HTTP API, as an ASGI application in front of BentoML's: limits, refusals, headers and the two endpoints.

BentoML's own handling of a request answers errors in three shapes, has no limit of the body, logs what was sent with
each refusal, and costs as much as half an answer. So a lyric is answered here, and BentoML answers the rest.
"""

import asyncio
import json
import logging
import time
import traceback
from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import to_json

from lyrics_assets.serving import errors
from lyrics_assets.serving.errors import MAX_BODY_BYTES, Problem
from lyrics_assets.serving.limits import RateLimiter, client_of
from lyrics_assets.serving.metrics import OTHER, Metrics
from lyrics_assets.serving.openapi import describe_api
from lyrics_assets.serving.schemas import ClassifyManyRequest, ClassifyRequest
from lyrics_assets.serving.settings import ServiceSettings

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from lyrics_assets.serving.classification import Classifier

Model = TypeVar("Model", bound=BaseModel)
Headers = Iterable[tuple[bytes, bytes]]
Handler = Callable[["Scope", "Receive", float], Awaitable[tuple[bytes, bytes]]]

_log = logging.getLogger("lyrics_assets.serving")

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'none'; base-uri 'none'; frame-ancestors "
)
_SECURITY_HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-embedder-policy": "require-corp",
    "cross-origin-resource-policy": "same-origin",
}
_NO_STORE = (b"cache-control", b"no-store")
# Nothing here has its version in its name: a browser asks each time, and is told 304.
_ASK_AGAIN = (b"cache-control", b"no-cache")
_JSON = b"application/json"


class Gone(Exception):
    """The client has hung up."""


class Shared:
    """What the requests of one process share."""

    def __init__(self, settings: ServiceSettings) -> None:
        self.settings = settings
        self.metrics = Metrics()
        self.limiter = RateLimiter(settings.rate_per_minute) if settings.rate_per_minute else None
        self.classifier: Classifier | None = None
        """None until the model is loaded, and after the service has ended."""
        self.active = 0
        """Requests at work or waiting."""

    def require_classifier(self) -> "Classifier":
        """Return the classifier.

        Raises:
            Problem: it is not there yet, or not any more.
        """
        if self.classifier is None:
            raise errors.not_ready()
        return self.classifier


class Api:
    """Answers the API's paths; hands every other one on, and mends what comes back: headers, and refusals' shape.

    Args:
        app: who answers the rest.
        shared: of this process.
    """

    def __init__(self, app: "ASGIApp", shared: Shared) -> None:
        self._app = app
        self._shared = shared
        self._document: bytes | None = None
        self._header = shared.settings.client_header.lower().encode()
        policy = {"content-security-policy": _POLICY + shared.settings.frame_ancestors}
        self._security = [(name.encode(), value.encode()) for name, value in {**policy, **_SECURITY_HEADERS}.items()]
        self._get: dict[str, Callable[[], tuple[bytes, bytes]]] = {
            "/model": self._describe_model,
            "/docs.json": self._describe_api,
            "/metrics": self._expose_metrics,
        }
        self._post: dict[str, Handler] = {"/classify": self._classify, "/classify_many": self._classify_many}

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        path: str = scope["path"]
        known = path in self._post or path in self._get
        try:
            status = await (self._answer if known else self._hand_on)(scope, receive, send)
        except Gone:
            return
        self._shared.metrics.count(path if known else OTHER, status, time.perf_counter() - began)

    async def _answer(self, scope: "Scope", receive: "Receive", send: "Send") -> int:
        try:
            body, media_type = await self._find(scope)(scope, receive)
        except Problem as problem:
            return await self._refuse(problem, send)
        except (Gone, asyncio.CancelledError):
            raise
        except Exception as error:
            _log_fault(error)
            return await self._refuse(errors.internal_error(), send)
        cache = _NO_STORE if scope["method"] == "POST" or scope["path"] == "/metrics" else _ASK_AGAIN
        await self._send(send, 200, body, media_type, [cache])
        return 200

    def _find(self, scope: "Scope") -> Callable[["Scope", "Receive"], Awaitable[tuple[bytes, bytes]]]:
        """Return what answers the path by that method."""
        path, method = scope["path"], scope["method"]
        if path in self._post:
            if method != "POST":
                raise errors.method_not_allowed("POST")
            return self._with_limits(self._post[path])
        if method not in ("GET", "HEAD"):
            raise errors.method_not_allowed("GET, HEAD")
        read = self._get[path]

        async def answer(_: "Scope", __: "Receive") -> tuple[bytes, bytes]:
            return read()

        return answer

    def _with_limits(self, handler: Handler) -> Callable[["Scope", "Receive"], Awaitable[tuple[bytes, bytes]]]:
        async def answer(scope: "Scope", receive: "Receive") -> tuple[bytes, bytes]:
            if self._shared.active >= self._shared.settings.concurrency:
                raise errors.overloaded()
            self._shared.active += 1
            try:
                return await handler(scope, receive, time.monotonic() + self._shared.settings.timeout_seconds)
            finally:
                self._shared.active -= 1

        return answer

    # The endpoints

    async def _classify(self, scope: "Scope", receive: "Receive", deadline: float) -> tuple[bytes, bytes]:
        body = await self._read_body(scope, receive)
        self._spend(scope, 1)
        request = _parse(ClassifyRequest, body)
        classifier = self._shared.require_classifier()
        self._must_be_in_time(deadline)
        answer = classifier.answer(
            request.lyrics, explain=request.explain, neighbours=request.neighbours, genre=request.genre
        )
        return to_json({**answer, "model": classifier.release}), _JSON

    async def _classify_many(self, scope: "Scope", receive: "Receive", deadline: float) -> tuple[bytes, bytes]:
        body = await self._read_body(scope, receive)
        self._spend(scope, 1)
        request = _parse(ClassifyManyRequest, body)
        if len(request.lyrics) > 1:
            self._spend(scope, len(request.lyrics) - 1)
        classifier = self._shared.require_classifier()
        answers = []
        for number, lyrics in enumerate(request.lyrics):
            self._must_be_in_time(deadline)
            answers.append(
                classifier.answer(
                    lyrics,
                    explain=request.explain,
                    neighbours=request.neighbours,
                    genre=request.genre,
                    where=f"lyrics[{number}]",
                )
            )
            # Who asks for one lyric need not wait for a batch.
            await asyncio.sleep(0)
        return to_json({"answers": answers, "model": classifier.release}), _JSON

    def _describe_model(self) -> tuple[bytes, bytes]:
        return to_json(self._shared.require_classifier().release), _JSON

    def _describe_api(self) -> tuple[bytes, bytes]:
        if self._document is None:
            classifier = self._shared.require_classifier()
            self._document = json.dumps(describe_api(classifier.release), ensure_ascii=False).encode()
        return self._document, _JSON

    def _expose_metrics(self) -> tuple[bytes, bytes]:
        content, media_type = self._shared.metrics.expose()
        return content, media_type.encode()

    # Limits

    def _spend(self, scope: "Scope", n: int) -> None:
        limiter = self._shared.limiter
        if limiter is None:
            return
        forwarded = _header(scope, self._header) if self._header else None
        peer = scope["client"][0] if scope.get("client") else ""
        wait = limiter.take(client_of(peer, forwarded.decode("latin-1") if forwarded else None), n)
        if wait:
            raise errors.too_many_requests(wait)

    def _must_be_in_time(self, deadline: float) -> None:
        if time.monotonic() > deadline:
            raise errors.timed_out(self._shared.settings.timeout_seconds)

    async def _read_body(self, scope: "Scope", receive: "Receive") -> bytes:
        """Return the body, of which never more than the limit is held."""
        _must_be_json(scope)
        length = _header(scope, b"content-length")
        if length and length.isdigit() and int(length) > MAX_BODY_BYTES:
            raise errors.body_too_large()
        seconds = self._shared.settings.timeout_seconds
        chunks: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(seconds):
                while True:
                    message = await receive()
                    if message["type"] != "http.request":
                        raise Gone
                    chunk = message.get("body", b"")
                    size += len(chunk)
                    if size > MAX_BODY_BYTES:
                        raise errors.body_too_large()
                    chunks.append(chunk)
                    if not message.get("more_body"):
                        return b"".join(chunks)
        except TimeoutError as error:
            raise errors.body_too_slow(seconds) from error

    # Answers

    async def _refuse(self, problem: Problem, send: "Send") -> int:
        self._shared.metrics.count_refusal(problem.code)
        headers = [(name.lower().encode(), value.encode()) for name, value in problem.headers.items()]
        await self._send(send, problem.status, to_json(problem.to_json()), _JSON, [_NO_STORE, *headers])
        return problem.status

    async def _send(self, send: "Send", status: int, body: bytes, media_type: bytes, headers: Headers) -> None:
        length = (b"content-length", str(len(body)).encode())
        lines = [(b"content-type", media_type), length, *headers, *self._security]
        await send({"type": "http.response.start", "status": status, "headers": lines})
        await send({"type": "http.response.body", "body": body})

    async def _hand_on(self, scope: "Scope", receive: "Receive", send: "Send") -> int:
        status = 500
        refused: Problem | None = None
        started = False

        async def mend(message: "Message") -> None:
            nonlocal status, refused, started
            if message["type"] == "http.response.start":
                status, started = message["status"], True
                if status >= 400:
                    refused = _problem_of(status, message.get("headers", []))
                    status = refused.status
                    return
                kept = list(message.get("headers", []))
                if not any(name.lower() == b"cache-control" for name, _ in kept):
                    kept.append(_ASK_AGAIN)
                message = {**message, "headers": [*kept, *self._security]}
            if refused is None:
                await send(message)

        try:
            await self._app(scope, receive, mend)
        except asyncio.CancelledError:
            raise
        except Exception as error:
            _log_fault(error)
            if started and refused is None:
                raise Gone from None
            refused, status = errors.internal_error(), 500
        if refused is not None:
            return await self._refuse(refused, send)
        return status


def _parse(model: type[Model], body: bytes) -> Model:
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        raise _problem_with(error) from None


def _problem_with(error: ValidationError) -> Problem:
    """Return the refusal for the first thing that is wrong, without any value that was sent."""
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    kind = first["type"]
    if kind == "json_invalid":
        return errors.invalid_json()
    if kind == "extra_forbidden":
        # The name of the field is the client's own text.
        return errors.invalid_request("the body", "it has a field that is not known")
    where = ".".join(str(part) for part in first["loc"]) or "the body"
    if kind == "string_too_long" and first["loc"][:1] == ("lyrics",):
        return errors.too_long(where)
    if kind == "string_too_short":
        return errors.no_words(where)
    return errors.invalid_request(where, first["msg"])


def _problem_of(status: int, headers: list[tuple[bytes, bytes]]) -> Problem:
    """Return the refusal that stands for one of BentoML or Starlette."""
    if status == 404:
        return errors.not_found()
    if status == 405:
        allowed = next((value.decode("latin-1") for name, value in headers if name.lower() == b"allow"), "GET, HEAD")
        return errors.method_not_allowed(allowed)
    if status < 500:
        return errors.invalid_request("the request", f"refused with {status}")
    return errors.not_ready() if status == 503 else errors.internal_error()


def _must_be_json(scope: "Scope") -> None:
    media_type = _header(scope, b"content-type")
    encoding = _header(scope, b"content-encoding")
    if encoding and encoding.lower() != b"identity":
        raise errors.unsupported_media_type()
    if media_type is None or media_type == _JSON:
        return
    kind, _, parameters = media_type.lower().partition(b";")
    charset = parameters.strip().removeprefix(b"charset=").strip(b'"')
    if kind.strip() != _JSON or (parameters.strip().startswith(b"charset=") and charset not in (b"utf-8", b"utf8")):
        raise errors.unsupported_media_type()


def _header(scope: "Scope", name: bytes) -> bytes | None:
    return next((value for key, value in scope["headers"] if key == name), None)


def _log_fault(error: Exception) -> None:
    """Log where an answer failed, and how, without the message or the values: they may hold the draft."""
    frames = traceback.extract_tb(error.__traceback__)
    places = " < ".join(f"{frame.name} ({frame.filename}:{frame.lineno})" for frame in reversed(frames))
    _log.error("%s in %s", type(error).__name__, places)
