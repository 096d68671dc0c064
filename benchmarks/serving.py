"""What an answer costs over HTTP: the Bento beside a bare FastAPI app and `mlflow models serve`, with the same model.

All servers have one process that answers, and take turns round by round, so that whatever else the machine does hits
them alike. No lyric is asked twice. `python -m benchmarks.serving --soak-seconds 600` soaks for ten minutes.
"""

import argparse
import asyncio
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import psutil

from benchmarks.corpus import LyricWriter
from benchmarks.figures import Figure, show

SONGS = 3_000
ROUNDS = 3
SECONDS = 4.0
CLIENTS = (1, 16, 64)
STARTS = 3
SHARE_OF_CAPACITY = 0.8

FASTAPI = """
from pathlib import Path
from fastapi import FastAPI
from pydantic import BaseModel
from lyrics_assets.model.scorer import Scorer
scorer = Scorer.load(Path("model"))
app = FastAPI()
class Question(BaseModel):
    lyrics: str
class Answer(BaseModel):
    genre: str | None
    confidence: float
    probabilities: dict[str, float]
    warnings: list[str]
@app.get("/ready")
async def ready() -> str:
    return "yes"
@app.post("/classify")
async def classify(question: Question) -> Answer:
    judged = scorer.judge(question.lyrics)
    return Answer(genre=judged.genre, confidence=judged.confidence, probabilities=judged.probabilities,
                  warnings=list(judged.warnings))
"""


class Server(NamedTuple):
    """A running server and how it is asked."""

    name: str
    process: psutil.Process
    port: int
    path: str
    kind: str
    """How the lyric is put into the body: a key of `_body`."""


class Run(NamedTuple):
    """What a load brought."""

    requests_a_second: float
    p50: float
    """Milliseconds."""
    p99: float
    failed: int
    cpu: float
    """Milliseconds of the server's processor time a request."""


# The load, in a process of its own


def _body(kind: str, lyrics: str) -> bytes:
    values: dict[str, Any] = {"lyrics": lyrics}
    if kind == "mlflow":
        values = {"dataframe_records": [values]}
    elif kind == "explained":
        values |= {"explain": True, "neighbours": 5}
    return json.dumps(values).encode()


def _requests(path: str, kind: str, seed: int, number: int) -> list[bytes]:
    writer = LyricWriter(seed)
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: "
    bodies = (_body(kind, writer.write(index)) for index in range(number))
    return [f"{head}{len(body)}\r\n\r\n".encode() + body for body in bodies]


async def _client(
    port: int, requests: Iterator[bytes], until: float, pause: float, told: list[tuple[float, bool]]
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    due = time.perf_counter()
    for request in requests:
        if time.perf_counter() >= until:
            break
        if pause:
            due += pause
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
        began = time.perf_counter()
        writer.write(request)
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        length = int(head.split(b"content-length:", 1)[1].split(b"\r\n", 1)[0])
        await reader.readexactly(length)
        told.append((time.perf_counter() - began, head[9:12] == b"200"))
    writer.close()


async def _load(
    port: int, path: str, kind: str, clients: int, seconds: float, rate: float, seed: int
) -> dict[str, Any]:
    expected = rate * seconds if rate else seconds * 1_500
    requests = iter(_requests(path, kind, seed, int(expected) + 64))
    told: list[tuple[float, bool]] = []
    began = time.perf_counter()
    pause = clients / rate if rate else 0.0
    loads = (_client(port, requests, began + seconds, pause, told) for _ in range(clients))
    ended = await asyncio.gather(*loads, return_exceptions=True)
    took = time.perf_counter() - began
    times = sorted(milliseconds * 1000 for milliseconds, _ in told)
    broken = sum(isinstance(result, BaseException) for result in ended)
    return {
        "requests": len(times),
        "requests_a_second": len(times) / took,
        "p50": times[len(times) // 2],
        "p99": times[int(len(times) * 0.99)],
        "failed": sum(not well for _, well in told) + broken,
    }


def load(server: Server, kind: str, clients: int, seconds: float, *, rate: float = 0.0, seed: int = 0) -> Run:
    """Ask a server for so long, each client one lyric after another; at a rate a second, of all together, if given."""
    cpu = _cpu(server.process)
    values = (server.port, server.path, kind, clients, seconds, rate, seed)
    command = [sys.executable, "-m", "benchmarks.serving", "--load", *map(str, values)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr)
    found = json.loads(done.stdout)
    cpu = (_cpu(server.process) - cpu) / max(1, found.pop("requests")) * 1000
    return Run(**found, cpu=cpu)


def _family(process: psutil.Process) -> list[psutil.Process]:
    return [process, *process.children(recursive=True)]


def _cpu(process: psutil.Process) -> float:
    return sum(sum(one.cpu_times()[:2]) for one in _family(process))


def _memory(process: psutil.Process) -> list[float]:
    """Return the resident memory, MB, of a process and its children."""
    return [one.memory_info().rss / 1e6 for one in _family(process)]


# The servers


@contextmanager
def _running(
    command: list[str], folder: Path, port: int, probe: str, **environment: str
) -> Iterator[tuple[psutil.Process, float]]:
    """Run a server; yield its process and the seconds that it took to be ready."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    variables = {**os.environ, "PATH": path, "PYTHONPATH": str(Path.cwd()), "DO_NOT_TRACK": "true", **environment}
    with (folder / "server.log").open("ab") as log:
        began = time.perf_counter()
        process = psutil.Popen(command, cwd=folder, env=variables, stdout=log, stderr=log)
        try:
            while True:
                try:
                    with urllib.request.urlopen(f"http://127.0.0.1:{port}{probe}", timeout=5):
                        break
                except (urllib.error.URLError, OSError):
                    if process.poll() is not None or time.perf_counter() - began > 180:
                        raise RuntimeError(f"{command} did not start: see {folder / 'server.log'}") from None
                    time.sleep(0.02)
            yield process, time.perf_counter() - began
        finally:
            process.terminate()
            process.wait(timeout=60)


def _port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def _prepare(folder: Path) -> tuple[dict[str, str], str]:
    """Fit a model, register it with MLflow, build its Bento; return the home's variables and the tag."""
    from benchmarks.scorer import write_songs
    from lyrics_assets.model.classifier import Hyperparameters, build_pipeline
    from lyrics_assets.model.scorer import Scorer
    from lyrics_assets.resources.bento_store import BentoStore
    from lyrics_assets.resources.tracking import Tracking
    from lyrics_assets.serving.release import Release

    songs = write_songs(SONGS)
    scorer = Scorer.compile(build_pipeline(Hyperparameters()).fit(songs["lyrics"], songs["genre"]), songs=songs)
    scorer.save(folder / "model")
    tracking = Tracking(uri=f"sqlite:///{folder / 'mlflow.db'}", artifacts=str(folder / "artifacts"))
    tracking.register(scorer, {}, {}, {})
    release = Release(
        model_tag=None,
        version=1,
        alias="champion",
        extraction_dates=["2026-11-24"],
        macro_f1=0.0,
        macro_f1_interval=(0.0, 0.0),
        n_train=len(songs),
        trained_at="2026-11-24T00:00:00+00:00",
    )
    store = BentoStore(home=str(folder / "bentoml"))
    return store.environment(), store.build(Path.cwd(), folder / "model", release).tag


def _bento_command(tag: str, port: int) -> list[str]:
    return [sys.executable, "-m", "bentoml", "serve", tag, "--port", str(port)]


def _start_all(stack: ExitStack, folder: Path, home: dict[str, str], tag: str) -> dict[str, Server]:
    (folder / "bare.py").write_text(FASTAPI)
    servers = {}
    for name, settings in (("the Bento", {}), ("the Bento, no language", {"LYRICS_SERVICE_LANGUAGE": "false"})):
        port = _port()
        running = _running(_bento_command(tag, port), folder, port, "/readyz", **home, **settings)
        servers[name] = Server(name, stack.enter_context(running)[0], port, "/classify", "plain")
    port = _port()
    command = [sys.executable, "-m", "uvicorn", "bare:app", "--port", str(port), "--no-access-log"]
    process, _ = stack.enter_context(_running(command, folder, port, "/ready"))
    servers["FastAPI"] = Server("FastAPI", process, port, "/classify", "plain")
    port = _port()
    command = ["mlflow", "models", "serve", "-m", "models:/lyrics-genre/1", "-p", str(port), "--env-manager", "local"]
    tracking = {"MLFLOW_TRACKING_URI": f"sqlite:///{folder / 'mlflow.db'}"}
    process, _ = stack.enter_context(_running(command, folder, port, "/ping", **tracking))
    servers["mlflow"] = Server("mlflow models serve", process, port, "/invocations", "mlflow")
    return servers


def measure(soak_seconds: float) -> list[Figure]:
    """Return all figures; takes about four minutes and the soak."""
    figures = []
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        home, tag = _prepare(folder)
        starts = []
        for _ in range(STARTS):
            port = _port()
            with _running(_bento_command(tag, port), folder, port, "/readyz", **home) as (_, seconds):
                starts.append(seconds)
        on = f"{STARTS} starts, median"
        figures.append(Figure("from start to ready", statistics.median(starts), "s", on, "below 5"))
        servers = _start_all(stack, folder, home, tag)
        figures += _compare(servers)
        figures += _soak(servers["the Bento"], soak_seconds)
    return figures


def _compare(servers: dict[str, Server]) -> list[Figure]:
    kinds = [(name, server, server.kind) for name, server in servers.items()]
    kinds.append(("the Bento, explained", servers["the Bento"], "explained"))
    runs: dict[tuple[str, int], list[Run]] = {}
    for number in range(ROUNDS + 1):
        for clients in CLIENTS:
            for name, server, kind in kinds:
                seed = number * 1000 + clients * 10 + len(runs)
                run = load(server, kind, clients, SECONDS if number else 1.0, seed=seed)
                if number:  # the first round warms up
                    runs.setdefault((name, clients), []).append(run)
    figures = []
    for (name, clients), found in runs.items():
        on = f"{name}, {clients} client{'s' * (clients > 1)}"
        figures.append(Figure("requests", _median(found, "requests_a_second"), "a second", on))
        figures.append(Figure("median", _median(found, "p50"), "ms", on))
        figures.append(Figure("99th percentile", _median(found, "p99"), "ms", on))
        figures.append(Figure("server's processor time", _median(found, "cpu"), "ms a request", on))
        if failed := sum(run.failed for run in found):
            figures.append(Figure("failed requests", failed, "requests", on, "0"))
    return figures + _ratios(runs)


def _median(runs: list[Run], field: str) -> float:
    return statistics.median(getattr(run, field) for run in runs)


def _ratios(runs: dict[tuple[str, int], list[Run]]) -> list[Figure]:
    """Return what the goals are about, each the median of the rounds' own ratios."""

    def ratio(above: str, below: str, clients: int, field: str) -> float:
        pairs = zip(runs[above, clients], runs[below, clients], strict=True)
        return statistics.median(getattr(one, field) / getattr(other, field) for one, other in pairs)

    figures = []
    for clients in CLIENTS:
        on = f"{clients} client{'s' * (clients > 1)}"
        for name in ("the Bento", "the Bento, no language"):
            against = ratio(name, "mlflow", clients, "requests_a_second")
            figures.append(
                Figure("times the requests of mlflow models serve", against, "", f"{name}, {on}", "at least 3")
            )
            bare = ratio(name, "FastAPI", clients, "p50")
            figures.append(Figure("times the median of bare FastAPI", bare, "", f"{name}, {on}", "at most 1.6"))
        explained = ratio("the Bento, explained", "the Bento", clients, "cpu")
        figures.append(Figure("explained, times the cost of plain", explained, "", on, "at most 3"))
    tails = statistics.median(run.p99 / run.p50 for run in runs["the Bento", 16])
    figures.append(Figure("99th percentile over median", tails, "", "the Bento, 16 clients", "below 10"))
    return figures


def _soak(server: Server, seconds: float) -> list[Figure]:
    capacity = load(server, "plain", 16, SECONDS, seed=77).requests_a_second
    rate, part = SHARE_OF_CAPACITY * capacity, seconds / 5
    on = f"{seconds:.0f} s at {SHARE_OF_CAPACITY:.0%} of {capacity:.0f} requests a second, 16 clients"
    memory, failed, served = [], 0, 0.0
    for number in range(5):
        run = load(server, "plain", 16, part, rate=rate, seed=100 + number)
        failed += run.failed
        served += run.requests_a_second * part
        memory.append(sum(_memory(server.process)))
    return [
        Figure("soak: requests", served, "requests", on),
        Figure("soak: failed", failed, "requests", on, "0"),
        Figure("soak: resident memory after a fifth", memory[0], "MB", on),
        Figure("soak: resident memory at the end", memory[-1], "MB", on),
        Figure("soak: growth between", memory[-1] - memory[0], "MB", on, "below 5"),
        Figure("resident memory of the worker", _memory(server.process)[-1], "MB", "after the soak"),
        Figure("resident memory of its supervisor", _memory(server.process)[0], "MB", "after the soak"),
    ]


def main() -> None:
    """Measure; or, with --load, be the load."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--soak-seconds", type=float, default=60)
    parser.add_argument("--load", nargs=7)
    options = parser.parse_args()
    if options.load:
        port, path, kind, clients, seconds, rate, seed = options.load
        values = asyncio.run(_load(int(port), path, kind, int(clients), float(seconds), float(rate), int(seed)))
        print(json.dumps(values))
    else:
        show("serving", measure(options.soak_seconds))


if __name__ == "__main__":
    main()
