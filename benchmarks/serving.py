"""What an answer costs over HTTP: the Bento beside a bare FastAPI app and `mlflow models serve`, with the same model.

All servers have one process that answers, and take turns round by round, so that whatever else the machine does hits
them alike. No lyric is asked twice.
"""

import json
import os
import socket
import statistics
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import psutil

from benchmarks.child import output_of
from benchmarks.figures import Figure, side_by_side

SHARE_OF_CAPACITY, SOAK_CLIENTS = 0.8, 16
MLFLOW, FASTAPI = "mlflow models serve", "bare FastAPI"
WITHOUT_LANGUAGE, EXPLAINED = "the Bento, not asked for the language", "the Bento, explained"


class Sizes(NamedTuple):
    """What is measured."""

    songs: int
    """That the model has learned from."""
    starts: int
    rounds: int
    seconds: float
    """Of one load."""
    clients: tuple[int, ...]
    soak_seconds: int
    """0: no soak."""


QUICK, FULL = Sizes(1_000, 1, 1, 1.0, (1, 16), 0), Sizes(3_000, 3, 3, 4.0, (1, 16, 64), 600)

BARE_APP = """
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

    process: psutil.Process
    port: int
    path: str
    kind: str
    """How the lyric is put into the body: of `http_load`."""


class Run(NamedTuple):
    """What a load brought."""

    requests_a_second: float
    p50: float
    """Milliseconds."""
    p99: float
    failed: int
    cpu: float
    """Milliseconds of the server's processor time a request."""


def load(server: Server, kind: str, clients: int, seconds: float, *, rate: float = 0.0, seed: int = 0) -> Run:
    """Ask a server for so long, each client one lyric after another; at a rate a second, of all together, if given."""
    cpu = _cpu(server.process)
    values = (server.port, server.path, kind, clients, seconds, rate, seed)
    command = [sys.executable, "-m", "benchmarks.http_load", *values]
    found = json.loads(output_of(command))
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


def _prepare(folder: Path, n_songs: int) -> tuple[dict[str, str], str]:
    """Fit a model, register it with MLflow, build its Bento; return the home's variables and the tag."""
    from benchmarks.scorer import write_songs
    from lyrics_assets.model.classifier import Hyperparameters, build_pipeline
    from lyrics_assets.model.scorer import Scorer
    from lyrics_assets.resources.bento_store import BentoStore
    from lyrics_assets.resources.tracking import Tracking
    from lyrics_assets.serving.release import Release

    songs = write_songs(n_songs)
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
    (folder / "bare.py").write_text(BARE_APP)
    servers = {}
    for name, settings in (("the Bento", {}), (WITHOUT_LANGUAGE, {"LYRICS_SERVICE_LANGUAGE": "false"})):
        port = _port()
        running = _running(_bento_command(tag, port), folder, port, "/readyz", **home, **settings)
        servers[name] = Server(stack.enter_context(running)[0], port, "/classify", "plain")
    port = _port()
    command = [sys.executable, "-m", "uvicorn", "bare:app", "--port", str(port), "--no-access-log"]
    process, _ = stack.enter_context(_running(command, folder, port, "/ready"))
    servers[FASTAPI] = Server(process, port, "/classify", "plain")
    port = _port()
    command = ["mlflow", "models", "serve", "-m", "models:/lyrics-genre/1", "-p", str(port), "--env-manager", "local"]
    tracking = {"MLFLOW_TRACKING_URI": f"sqlite:///{folder / 'mlflow.db'}"}
    process, _ = stack.enter_context(_running(command, folder, port, "/ping", **tracking))
    servers[MLFLOW] = Server(process, port, "/invocations", "mlflow")
    return servers


def measure(sizes: Sizes) -> list[Figure]:
    """Return all figures."""
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        home, tag = _prepare(folder, sizes.songs)
        starts = []
        for _ in range(sizes.starts):
            port = _port()
            with _running(_bento_command(tag, port), folder, port, "/readyz", **home) as (_, seconds):
                starts.append(seconds)
        on = f"model of {sizes.songs:,} songs, median of {sizes.starts} starts"
        ready = Figure("the Bento: from start to ready", statistics.median(starts), "s", on, "below 5")
        servers = _start_all(stack, folder, home, tag)
        compared = _compare(servers, sizes)
        soaked = _soak(servers["the Bento"], sizes) if sizes.soak_seconds else []
        supervisor, *workers = _memory(servers["the Bento"].process)
        memory = Figure(
            "the Bento: memory of worker; of its supervisor", (sum(workers), supervisor), "MB", "at the end"
        )
        return [ready, *compared, *soaked, memory]


def _compare(servers: dict[str, Server], sizes: Sizes) -> list[Figure]:
    kinds = [(name, server, server.kind) for name, server in servers.items()]
    kinds.append((EXPLAINED, servers["the Bento"], "explained"))
    runs: dict[tuple[str, int], list[Run]] = {}
    for number in range(sizes.rounds + 1):
        for clients in sizes.clients:
            for name, server, kind in kinds:
                seed = number * 1000 + clients * 10 + len(runs)
                run = load(server, kind, clients, sizes.seconds if number else 1.0, seed=seed)
                if number:  # the first round warms up
                    runs.setdefault((name, clients), []).append(run)
    on = f"{'; '.join(map(str, sizes.clients))} clients"
    figures = []
    for name, _, _ in kinds:
        columns = [_figures(name, runs[name, clients]) for clients in sizes.clients]
        figures += side_by_side(columns, on)
    failed = sum(run.failed for found in runs.values() for run in found)
    figures.append(Figure("failed requests of all", failed, "", on, "0", at_any_size=True))
    return figures + side_by_side([_ratios(runs, clients) for clients in sizes.clients], on)


def _figures(name: str, runs: list[Run]) -> list[Figure]:
    return [
        Figure(f"{name}: requests", _median(runs, "requests_a_second"), "1/s", ""),
        Figure(f"{name}: median", _median(runs, "p50"), "ms", ""),
        Figure(f"{name}: 99th percentile", _median(runs, "p99"), "ms", ""),
        Figure(f"{name}: server's processor time", _median(runs, "cpu"), "ms a request", ""),
    ]


def _median(runs: list[Run], field: str) -> float:
    return statistics.median(getattr(run, field) for run in runs)


def _ratios(runs: dict[tuple[str, int], list[Run]], clients: int) -> list[Figure]:
    """Return what the goals are about, each the median of the rounds' own ratios."""

    def ratio(above: str, below: str, field: str) -> float:
        pairs = zip(runs[above, clients], runs[below, clients], strict=True)
        return statistics.median(getattr(one, field) / getattr(other, field) for one, other in pairs)

    figures = []
    for name in ("the Bento", WITHOUT_LANGUAGE):
        requests, median = ratio(name, MLFLOW, "requests_a_second"), ratio(name, FASTAPI, "p50")
        figures += [
            Figure(f"requests: {name} / {MLFLOW}", requests, "times", "", "at least 3"),
            Figure(f"median: {name} / {FASTAPI}", median, "times", "", "at most 1.6"),
        ]
    explained = ratio(EXPLAINED, "the Bento", "cpu")
    tail = statistics.median(run.p99 / run.p50 for run in runs["the Bento", clients])
    return [
        *figures,
        Figure("server's processor time: explained / plain", explained, "times", "", "at most 3"),
        Figure("the Bento: 99th percentile / median", tail, "times", "", "below 10 at 16 clients"),
    ]


def _soak(server: Server, sizes: Sizes) -> list[Figure]:
    capacity = load(server, "plain", SOAK_CLIENTS, sizes.seconds, seed=77).requests_a_second
    rate, part = SHARE_OF_CAPACITY * capacity, sizes.soak_seconds / 5
    memory, failed, served = [], 0, 0.0
    for number in range(5):
        run = load(server, "plain", SOAK_CLIENTS, part, rate=rate, seed=100 + number)
        failed += run.failed
        served += run.requests_a_second * part
        memory.append(sum(_memory(server.process)))
    on = (
        f"{served:,.0f} requests in {sizes.soak_seconds} s: {SHARE_OF_CAPACITY:.0%} of {capacity:.0f} a second, "
        f"{SOAK_CLIENTS} clients"
    )
    return [
        Figure("soak: failed requests", failed, "", on, "0"),
        Figure("soak: growth of its memory after the first fifth", memory[-1] - memory[0], "MB", on, "below 5"),
    ]
