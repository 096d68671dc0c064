"""MLflow to test with: databases that are copied, for to set one up takes seconds, and a real server on loopback."""

import os
import shutil
import subprocess
import sys
from contextlib import contextmanager

import httpx
from filelock import FileLock

from lyrics_assets.model.scorer import Scorer
from lyrics_assets.resources.tracking import Tracking
from lyrics_assets_tests.corpus import TWO_GENRES, pipeline, songs
from lyrics_assets_tests.serving.parts import free_port

PARAMETERS = {"C": 8.0, "balanced": True}
TAGS = {"first_extraction_date": "2026-11-20", "last_extraction_date": "2026-11-24", "n_train": "48"}


def empty_database(tmp_path_factory):
    """Return the file of a database that MLflow has set up: one for all tests, whichever process runs them."""
    base = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent
    path = base / "empty-mlflow" / "mlflow.db"
    path.parent.mkdir(exist_ok=True)
    with FileLock(path.with_suffix(".lock")):
        if not path.exists():
            part = path.with_suffix(".part")
            Tracking(uri=f"sqlite:///{part}")._client()
            part.rename(path)
    return path


def new_tracking(folder, tmp_path_factory):
    """Return an empty registry whose files are all in the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(empty_database(tmp_path_factory), folder / "mlflow.db")
    return Tracking(uri=f"sqlite:///{folder / 'mlflow.db'}", artifacts=str(folder / "artifacts"))


def register(tracking, files=None, **tags):
    """Register a small model, which knows its songs."""
    metrics = {"n_train": 48, "fit_seconds": 0.5}
    scorer = Scorer.compile(pipeline(*TWO_GENRES), songs=songs(*TWO_GENRES))
    return tracking.register(scorer, PARAMETERS, metrics, TAGS | tags, files)


@contextmanager
def running_server(folder, tmp_path_factory):
    """Run `mlflow server` on loopback, with a database and files of its own, for the context; yield its URL."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(empty_database(tmp_path_factory), folder / "server.db")
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", f"sqlite:///{folder / 'server.db'}"]
    command += ["--artifacts-destination", str(folder / "server-artifacts")]
    environment = os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "DO_NOT_TRACK": "true"}
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)
        try:
            # With a pause that doubles: bounded by about a minute.
            with httpx.Client(transport=httpx.HTTPTransport(retries=8), timeout=30) as client:
                client.get(f"{address}/health").raise_for_status()
            yield address
        finally:
            # Its worker is a process of its own, in the same session.
            os.killpg(process.pid, 15)
            try:
                process.wait(timeout=15)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, 9)
                process.wait()
