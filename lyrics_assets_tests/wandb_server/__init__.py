"""A contract server: what the wandb client says on the wire, answered from memory.

The client is the real one: wandb.sweep, wandb.agent, wandb.init, wandb.Api and `wandb sync`. The shapes of the answers
come from the client's own queries. The server draws a sweep's settings by itself, at random or from a grid, and stops
no run unless a test tells it to. Not imitated: Bayesian search, early termination, artifacts, teams and permissions.
"""

import sys
import threading
from http.server import ThreadingHTTPServer
from types import TracebackType
from typing import NamedTuple, Self

from lyrics_assets_tests.wandb_server.requests import Handler
from lyrics_assets_tests.wandb_server.state import ENTITY, Run, State, Sweep

__all__ = ["API_KEY", "Address", "Run", "Sweep", "WandbServer"]

API_KEY = "0123456789abcdef" * 2 + "01234567"
"""Forty characters, as the client wants it."""
PROJECT = "lyrics"


class Address(NamedTuple):
    """How to reach the server: the fields of the resource, by their names."""

    base_url: str
    api_key: str
    entity: str
    project: str


class WandbServer(ThreadingHTTPServer):
    """Listens on a port of loopback, which the system chooses, from entering the context to leaving it."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.state = State(API_KEY, f"http://127.0.0.1:{self.server_port}")
        self.address = Address(self.state.base_url, API_KEY, ENTITY, PROJECT)

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.state.faults.released.set()
        self.shutdown()
        self.server_close()

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of a client that went away; it is the client that a test looks at."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]
