"""Real crawls for the tests: `crawl` runs Scrapy as a process, `Site` is a small site on loopback that it can ask."""

import contextlib
import gzip
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
DATE = "2026-11-20"


class Answer(NamedTuple):
    """What a site says to a path."""

    body: str = ""
    status: int = 200
    headers: Mapping[str, str] = MappingProxyType({})


ROBOTS = Answer("User-agent: *\nDisallow: /secret/")


class Site:
    """A site whose pages are a dictionary; it remembers what it was asked, and with which headers."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.headers: dict[str, dict[str, str]] = {}
        self._pages: dict[str, Callable[[int], Answer]] = {}
        self.show("/robots.txt", *ROBOTS)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def show(self, path: str, body: str = "", status: int = 200, headers: Mapping[str, str] | None = None) -> None:
        """Answer a path always alike."""
        self._pages[path] = lambda _: Answer(body, status, headers or {})

    def react(self, path: str, reaction: Callable[[int], tuple[Any, ...]]) -> None:
        """Answer a path with what a function returns for the number of the request, from 1: the fields of `Answer`."""
        self._pages[path] = lambda number: Answer(*reaction(number))

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _answer(self, path: str, headers: dict[str, str]) -> Answer:
        self.asked.append(path)
        self.headers[path] = headers
        page = self._pages.get(path, lambda _: Answer("<h1>404</h1>", 404))
        return page(self.asked.count(path))

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                answer = site._answer(self.path, dict(self.headers))
                body = gzip.compress(answer.body.encode())
                self.send_response(answer.status)
                headers = {"Content-Type": "text/html", "Content-Encoding": "gzip", "Content-Length": str(len(body))}
                for name, value in (headers | dict(answer.headers)).items():
                    self.send_header(name, value)
                self.end_headers()
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        return Handler


class Crawl(NamedTuple):
    """What a crawl left behind."""

    songs: list[dict[str, Any]]
    stats: dict[str, Any]
    code: int
    said: str


class Crawler:
    """Runs spiders that share one archive."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.archive_url = f"sqlite:///{folder / 'archive' / 'pages.sqlite'}"
        self._runs = 0

    def start(self, spider: str, base_url: str, *options: str, date: str = DATE, **env: str) -> "subprocess.Popen[str]":
        self._runs += 1
        self.output, self.stats = (self.folder / f"{spider}{self._runs}.{kind}" for kind in ("jsonl", "json"))
        command = [sys.executable, "-m", "scrapy", "crawl", spider, "-a", f"base_url={base_url}"]
        command += ["-a", f"extraction_date={date}", "-O", f"{self.output}:jsonlines", *options]
        command += ["-s", f"ARCHIVE_URL={self.archive_url}", "-s", f"STATS_FILE={self.stats}"]
        return subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, "SCRAPY_PROJECT": "sandbox", **env},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __call__(self, spider: str, base_url: str, *options: str, date: str = DATE, **env: str) -> Crawl:
        with self.start(spider, base_url, *options, date=date, **env) as process:
            said = process.communicate(timeout=60)[1]
        songs = [json.loads(line) for line in self.output.read_text().splitlines()] if self.output.exists() else []
        stats = json.loads(self.stats.read_text()) if self.stats.exists() else {}
        return Crawl(songs, stats, process.returncode, said)


@pytest.fixture(scope="session")
def crawler_in():
    """Return the function that makes a crawler of a folder."""
    return Crawler


@pytest.fixture
def crawl(tmp_path):
    return Crawler(tmp_path)


@pytest.fixture
def site():
    site = Site()
    yield site
    site.close()
