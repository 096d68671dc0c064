"""Counts of the requests served, so that tests can prove what was asked of a site and what was not."""

from collections import Counter

from starlette.responses import JSONResponse
from starlette.routing import BaseRoute, Match, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

COUNTS_PATH = "/__sandbox__/requests"


class RequestCounts:
    """An ASGI middleware that counts requests by the name of their route and by status, and tells at `COUNTS_PATH`.

    A connection closed before any byte counts under the status ``dropped``. What is asked of `COUNTS_PATH` is neither
    counted nor passed on.
    """

    def __init__(self, app: ASGIApp, routes: list[BaseRoute]) -> None:
        self._app = app
        self._routes = routes
        self._kinds: Counter[str] = Counter()
        self._statuses: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == COUNTS_PATH:
            counts = {"total": self._kinds.total(), "kinds": self._kinds, "statuses": self._statuses}
            await JSONResponse(counts)(scope, receive, send)
            return
        self._kinds[self._kind(scope)] += 1
        is_counted = False

        async def count(message: Message) -> None:
            nonlocal is_counted
            # Before the client can see the answer: it may ask for the counts at once.
            if message["type"] == "http.response.start":
                self._statuses[str(message["status"])] += 1
                is_counted = True
            await send(message)

        await self._app(scope, receive, count)
        if not is_counted:
            self._statuses["dropped"] += 1

    def _kind(self, scope: Scope) -> str:
        for route in self._routes:
            if isinstance(route, Route) and route.matches(scope)[0] is not Match.NONE:
                return route.name
        return "other"
