"""Both sites in one process: two servers on one event loop."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.types import Scope
from uvicorn.protocols.http.h11_impl import H11Protocol

from scrapy_project.sandbox.charts import Charts
from scrapy_project.sandbox.counting import RequestCounts
from scrapy_project.sandbox.faults import Faults
from scrapy_project.sandbox.letras import letras_app
from scrapy_project.sandbox.songbook import load_songbook
from scrapy_project.sandbox.vagalume import vagalume_app


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How to run the sandbox; the command's options of the same names say what they mean."""

    songbook: Path
    host: str
    letras_port: int
    vagalume_port: int
    latency_ms: int
    faults: float
    seed: int
    exit_with_stdin: bool


class PortError(Exception):
    """A site cannot listen where it should; the message says where and why, on one line."""


def run(options: Options) -> None:
    """Serve both sites until a signal, or until stdin ends if the options say so.

    Raises:
        SongbookError: the songbook cannot be used.
        PortError: an address is in use, or not one of this machine's.
    """
    songs = load_songbook(options.songbook)
    charts = Charts(songs, options.seed)
    with _listen(options.host, options.letras_port) as one, _listen(options.host, options.vagalume_port) as two:
        servers = {
            "letras": (_Server(letras_app(songs, charts), "letras", options), one),
            "vagalume": (_Server(vagalume_app(songs, charts), "vagalume", options), two),
        }
        asyncio.run(_serve(servers, exit_with_stdin=options.exit_with_stdin))


class _Server(uvicorn.Server):
    """A uvicorn server for one site, which leaves signals to this module."""

    def __init__(self, app: Starlette, site: str, options: Options) -> None:
        faults = Faults(
            app,
            site=site,
            rate=options.faults,
            seed=options.seed,
            latency_ms=options.latency_ms,
            drop=self._drop,
        )
        super().__init__(
            uvicorn.Config(
                RequestCounts(faults, app.routes),
                http=H11Protocol,
                ws="none",
                lifespan="off",
                log_config=None,
                # What it would tell are the clients that hang and the answers cut short on purpose.
                log_level="critical",
                access_log=False,
                server_header=False,
                # Longer than a polite crawler waits between two requests.
                timeout_keep_alive=30,
                timeout_graceful_shutdown=0,
            )
        )

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Do nothing: each of two servers would take the signals from the other."""
        yield

    def _drop(self, scope: Scope) -> None:
        for connection in list(self.server_state.connections):
            if isinstance(connection, H11Protocol) and connection.client == scope["client"]:
                connection.transport.abort()


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=512)
    except OSError as error:
        raise PortError(f"cannot listen on {host} port {port}: {error.strerror}") from error
    # Accepted connections inherit it. Without it an answer's head and body wait 40 ms for each other.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


async def _serve(servers: dict[str, tuple[_Server, socket.socket]], *, exit_with_stdin: bool) -> None:
    def stop() -> None:
        for server, _ in servers.values():
            server.should_exit = True

    loop = asyncio.get_running_loop()
    # Not loop.add_signal_handler(), which Windows lacks.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: loop.call_soon_threadsafe(stop))
    if exit_with_stdin:
        threading.Thread(target=_wait_for_end_of_stdin, args=(loop, stop), daemon=True).start()
    async with asyncio.TaskGroup() as tasks:
        for server, listener in servers.values():
            tasks.create_task(server.serve([listener]))
        tasks.create_task(_tell_addresses(servers))


async def _tell_addresses(servers: dict[str, tuple[_Server, socket.socket]]) -> None:
    addresses = {site: _address(listener) for site, (_, listener) in servers.items()}
    while not all(server.started for server, _ in servers.values()):
        await asyncio.sleep(0.005)
    sys.stdout.write(json.dumps(addresses) + "\n")
    sys.stdout.flush()


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _wait_for_end_of_stdin(loop: asyncio.AbstractEventLoop, stop: Callable[[], None]) -> None:
    # Not sys.stdin.read(): its lock, held by this thread, would make the interpreter's end fail.
    with contextlib.suppress(OSError):
        while os.read(0, 1024):
            pass
    with contextlib.suppress(RuntimeError):  # the loop has ended by itself
        loop.call_soon_threadsafe(stop)
