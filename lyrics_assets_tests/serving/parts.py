"""A model of four genres with its release, the API around it in this process, and the real Bento of both."""

import asyncio
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.testclient import TestClient

import lyrics_assets.serving
from lyrics_assets.model.scorer import Scorer
from lyrics_assets.resources.bento_store import BentoStore
from lyrics_assets.serving.api import Api, Shared
from lyrics_assets.serving.classification import Classifier
from lyrics_assets.serving.release import Release
from lyrics_assets.serving.settings import ServiceSettings
from lyrics_assets.settings import ROOT
from lyrics_assets_tests.corpus import GENRES, pipeline, songs

PAGE = Path(lyrics_assets.serving.__file__).with_name("page")
RELEASE = Release(
    model_tag=None,
    version=7,
    alias="champion",
    extraction_dates=["2026-11-22", "2026-11-24"],
    macro_f1=0.5,
    macro_f1_interval=(0.4, 0.6),
    n_train=96,
    trained_at="2026-11-24T08:00:00+00:00",
)
DRAFT = """Senhor, eu venho ao teu altar
com as mãos vazias te louvar
aleluia, tua graça me alcançou
no deserto a tua voz me chamou
Espírito, vem sobre nós"""


@cache
def scorer():
    """Return a model of four genres that knows its songs and their artists."""
    return Scorer.compile(pipeline(*GENRES), songs=songs(*GENRES))


def classifier(**options):
    """Return the classifier of that model."""
    return Classifier(scorer(), RELEASE, **options)


def api(app=None, *, with_model=True, log=None, **settings):
    """Return the API of this process, in front of the page or of another application."""
    shared = Shared(ServiceSettings(**settings))
    if with_model:
        shared.classifier = classifier(language=shared.settings.language, log=log, metrics=shared.metrics)
    return Api(app or _site(), shared)


def client(app=None, **options):
    """Return a client of `api`."""
    return TestClient(api(app, **options), base_url="http://127.0.0.1", raise_server_exceptions=True)


def _site():
    def answer(status):
        async def endpoint(_):
            return PlainTextResponse("\n", status)

        return endpoint

    probes = [Route("/livez", answer(200)), Route("/readyz", answer(200)), Route("/unready", answer(503))]
    return Starlette(routes=[*probes, Mount("/", StaticFiles(directory=PAGE, html=True))])


def run(app, messages, path="/classify", method="POST", headers=((b"content-type", b"application/json"),)):
    """Give an ASGI application a request in these messages, after which nothing comes; return what it sent."""
    sent = []
    waiting = iter(messages)

    async def receive():
        for message in waiting:
            return message
        return await asyncio.Event().wait()

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "path": path, "method": method, "headers": list(headers), "client": ("127.0.0.1", 1)}
    asyncio.run(app(scope, receive, send))
    return sent


def build_bento(home, *, version=7):
    """Build a real Bento of the model in a home of its own; return its store and its tag."""
    store = BentoStore(home=str(home / "bentoml"))
    if not (home / "model").exists():
        scorer().save(home / "model")
    return store, store.build(ROOT, home / "model", RELEASE.model_copy(update={"version": version})).tag


def free_port():
    """Return a port that nobody listens at."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


def clean_environment(**settings):
    """Return this process' variables without settings of the machine's own, and these."""
    own = ("LYRICS_", "BENTOML_", "PROMETHEUS_")
    return {name: value for name, value in os.environ.items() if not name.startswith(own)} | settings


def start(store, tag, port, output, *, python=sys.executable, **settings):
    """Start a Bento at a port, without waiting; its output goes to an open file."""
    command = [python, "-m", "bentoml", "serve", tag, "--port", str(port)]
    environment = clean_environment(**(store.environment() | settings))
    return subprocess.Popen(command, env=environment, stdout=output, stderr=output, cwd=store.home)


def wait_until_ready(process, port, seconds=120):
    """Wait until a service is ready."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        assert process.poll() is None, "the service has ended"
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
    raise AssertionError(f"not ready after {seconds} s")


@contextmanager
def serving(store, tag, log, **settings):
    """Serve a Bento with these settings, its output in a file; yield its port."""
    port = free_port()
    with log.open("wb") as output:
        process = start(store, tag, port, output, **settings)
        try:
            wait_until_ready(process, port)
            yield port
        finally:
            stop(process)


def stop(process):
    """End a service as a supervisor does."""
    if process.poll() is None:
        process.terminate()
        process.wait(timeout=60)
