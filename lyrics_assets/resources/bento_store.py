"""BentoML's stores of models and Bentos, in a home of the project's own, and how to start a Bento from them."""

import os
import shutil
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
from typing import Any, NamedTuple

import dagster as dg
from pydantic import Field

from lyrics_assets.resources import tether
from lyrics_assets.serving.release import Release

NAME = "lyrics_genre"
_START_SECONDS = 60
_STOP_SECONDS = tether.PATIENCE_SECONDS + 5
"""Longer than the tether waits for the Bento, so that it is not killed before it has."""


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
        from lyrics_assets.serving.packaging import assemble, build_bento, save_model

        home = Path(self.home).absolute()
        # BentoML makes the home that it first hears of, else one in the user's.
        for name, value in self.environment().items():
            os.environ.setdefault(name, value)
        release = save_model(model_files, release, home)
        with tempfile.TemporaryDirectory() as folder:
            assemble(project, Path(folder), release)
            return Bento(build_bento(Path(folder), home), release)

    def tags(self) -> list[str]:
        """Return the tags of all Bentos, newest first."""
        import yaml

        described = (Path(self.home) / "bentos" / NAME).glob("*/bento.yaml")
        made = {path.parent.name: yaml.safe_load(path.read_text(encoding="utf-8")) for path in described}
        versions = sorted(made, key=lambda version: str(made[version]["creation_time"]), reverse=True)
        return [f"{NAME}:{version}" for version in versions]

    def version_of(self, tag: str) -> int | None:
        """Return the registry's version of the model in a Bento; None if it does not say."""
        label = self._describe(tag).get("labels", {}).get("model_version")
        return int(label) if label else None

    def size(self, tag: str) -> int:
        """Return the bytes of a Bento and of the models that no other Bento uses."""
        folders = [self._folder(tag), *(self._model_folder(model) for model in self._own_models(tag))]
        return sum(path.stat().st_size for folder in folders for path in folder.rglob("*") if path.is_file())

    def remove(self, tag: str) -> None:
        """Remove a Bento, and the models that no other Bento uses; nothing happens if it is gone already."""
        if not self._folder(tag).exists():
            return
        models = self._own_models(tag)
        # First: a Bento without its model would still be offered.
        shutil.rmtree(self._folder(tag))
        for model in models:
            shutil.rmtree(self._model_folder(model), ignore_errors=True)

    def _folder(self, tag: str) -> Path:
        return Path(self.home) / "bentos" / tag.replace(":", "/")

    def _model_folder(self, tag: str) -> Path:
        return Path(self.home) / "models" / tag.replace(":", "/")

    def _describe(self, tag: str) -> dict[str, Any]:
        import yaml

        return dict(yaml.safe_load((self._folder(tag) / "bento.yaml").read_text(encoding="utf-8")))

    def _models(self, tag: str) -> set[str]:
        services = self._describe(tag).get("services", [])
        return {str(model["tag"]) for service in services for model in service.get("models", [])}

    def _own_models(self, tag: str) -> set[str]:
        """Return the models that this Bento alone uses."""
        others = (self._models(other) for other in self.tags() if other != tag)
        return self._models(tag).difference(*others)

    def newest(self) -> str:
        """Return the tag of the Bento that was built last.

        Raises:
            BentoError: there is none.
        """
        return self.find("latest")

    def find(self, name: str) -> str:
        """Return the tag that is meant by ``latest``, by ``previous``, the one before it, or by a tag or its version.

        Raises:
            BentoError: there is no such Bento.
        """
        tags = self.tags()
        if not tags:
            raise BentoError(f"{self.home} holds no Bento: materialize lyrics_service first")
        wanted = {"latest": tags[0], "previous": tags[1] if len(tags) > 1 else None}.get(
            name, name if ":" in name else f"{NAME}:{name}"
        )
        if wanted not in tags:
            raise BentoError(f"there is no Bento {name}; there are, newest first: {', '.join(tags)}")
        return wanted

    @contextmanager
    def serving(self, tag: str, port: int = 0) -> Iterator[str]:
        """Serve a Bento on loopback for as long as the context lasts; yield its address when it is ready.

        Raises:
            BentoError: it ended or was not ready within a minute; the message ends with what it printed.
        """
        port = port or _free_port()
        # Who looks whether a Bento answers is no songwriter to be counted.
        environment = os.environ | self.environment() | {"LYRICS_SERVICE_PREDICTION_LOG": ""}
        command = [sys.executable, tether.__file__, *self.serve_command(tag, port, "127.0.0.1")]
        with tempfile.TemporaryFile() as output:
            process = subprocess.Popen(
                command, env=environment, stdin=subprocess.PIPE, stdout=output, stderr=output, cwd=self.home
            )
            try:
                address = f"http://127.0.0.1:{port}"
                if not _ready(process, f"{address}/readyz"):
                    output.seek(0)
                    raise BentoError(f"{tag} did not start:\n{output.read().decode(errors='replace')[-2000:]}")
                yield address
            finally:
                _stop(process)

    @staticmethod
    def serve_command(tag: str, port: int, host: str | None = None) -> list[str]:
        """Return the command that serves a Bento in the foreground.

        Args:
            tag: of the Bento.
            port: to listen at.
            host: address to listen at; None for the service's own setting, which is loopback unless changed.
        """
        command = [sys.executable, "-m", "bentoml", "serve", tag, "--port", str(port)]
        return [*command, "--host", host] if host else command

    def environment(self) -> dict[str, str]:
        """Return the variables that make BentoML use this home and keep its telemetry off."""
        return {"BENTOML_HOME": str(Path(self.home).absolute()), "BENTOML_DO_NOT_TRACK": "True"}


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
    try:
        tether.end(process, _STOP_SECONDS)
    finally:
        if process.stdin:
            process.stdin.close()
