"""BentoML's stores of models and Bentos, in a home of the project's own, and how to start a Bento from them."""

import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import dagster as dg
from pydantic import Field

from lyrics_assets.serving.release import Release

NAME = "lyrics_genre"
_START_SECONDS = 60


class BentoError(RuntimeError):
    """A Bento is missing or does not start; the message says what to do."""


class Bento(NamedTuple):
    """A built Bento."""

    tag: str
    release: Release


class BentoStore(dg.ConfigurableResource):
    """Builds Bentos, finds the newest one, and serves one in a process of its own."""

    home: str = Field(description="BENTOML_HOME: the folder of both stores")

    def build(self, project: Path, model_files: Path, release: Release) -> Bento:
        """Store the model, assemble the service around its exact tag, build the Bento."""
        self._use_home()
        from lyrics_assets.serving.packaging import assemble, build_bento, save_model

        release = save_model(model_files, release)
        with tempfile.TemporaryDirectory() as folder:
            assemble(project, Path(folder), release)
            return Bento(build_bento(Path(folder)), release)

    def newest(self) -> str:
        """Return the tag of the Bento that was built last.

        Raises:
            BentoError: there is none.
        """
        if not (Path(self.home) / "bentos" / NAME).is_dir():
            raise BentoError(f"{self.home} holds no Bento: materialize lyrics_service first")
        self._use_home()
        import bentoml

        return str(max(bentoml.list(NAME), key=lambda bento: bento.creation_time).tag)

    @contextmanager
    def serving(self, tag: str, port: int = 0) -> Iterator[str]:
        """Serve a Bento on loopback for as long as the context lasts; yield its address when it is ready.

        Raises:
            BentoError: it ended or was not ready within a minute; the message ends with what it printed.
        """
        port = port or _free_port()
        command, environment = self.serve_command(tag, port), os.environ | self.environment()
        with tempfile.TemporaryFile() as output:
            process = subprocess.Popen(command, env=environment, stdout=output, stderr=output, cwd=self.home)
            try:
                address = f"http://127.0.0.1:{port}"
                if not _ready(process, f"{address}/readyz"):
                    output.seek(0)
                    raise BentoError(f"{tag} did not start:\n{output.read().decode(errors='replace')[-2000:]}")
                yield address
            finally:
                _stop(process)

    @staticmethod
    def serve_command(tag: str, port: int) -> list[str]:
        """Return the command that serves a Bento on loopback in the foreground."""
        return [sys.executable, "-m", "bentoml", "serve", tag, "--host", "127.0.0.1", "--port", str(port)]

    def environment(self) -> dict[str, str]:
        """Return the variables that make BentoML use this home and keep its telemetry off."""
        return {"BENTOML_HOME": self.home, "BENTOML_DO_NOT_TRACK": "True"}

    def _use_home(self) -> None:
        """Point BentoML, which reads its home from the environment when it is first imported, at ours."""
        Path(self.home).mkdir(parents=True, exist_ok=True)
        os.environ.update(self.environment())


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _ready(process: "subprocess.Popen[bytes]", url: str) -> bool:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=2):  # noqa: S310  the address is ours
                return True
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    return False


def _stop(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(timeout=15)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
