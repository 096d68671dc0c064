"""The services of deploy/compose.yaml as processes of this machine: its commands, its variables, its files.

Only values of variables are other ones: where PostgreSQL and the object store are, and which ports are free.
"""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx
import yaml

from lyrics_assets.settings import ROOT

COMPOSE = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text(encoding="utf-8"))
_START_SECONDS = 120
_POLL_SECONDS = 0.2


def psycopg(address: str) -> str:
    """Return what PostgreSQL's own client makes of an address that the other driver understands."""
    server, socket = address.split("?unix_sock=")
    return f"{server.replace('+pg8000', '')}?host={Path(socket).parent}"


def image_environment(dagster_home: Path, home: Path) -> dict[str, str]:
    """Return what the image sets, with these folders in the place of its own."""
    text = (ROOT / "deploy" / "Dockerfile").read_text(encoding="utf-8")
    found = dict(re.findall(r"\b([A-Z_]+)=(\S+)", text.split("\nFROM ")[-1]))
    folders = {"DAGSTER_HOME": dagster_home, "LYRICS_DAGSTER_HOME": dagster_home, "LYRICS_HOME": home}
    assert set(folders) < set(found)
    return {name: str(folders.get(name, value)) for name, value in found.items() if name != "PATH"}


def service_environment(service: str, values: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of a service, as Docker Compose would with these values beside the file."""
    variables = {}
    for name, value in COMPOSE["services"][service].get("environment", {}).items():
        if name in values:
            variables[name] = values[name]
        elif value is not None:
            variables[name] = value
    return variables


def start(service: str, values: Mapping[str, str], image: Mapping[str, str], log: Path) -> "subprocess.Popen[bytes]":
    """Start a service; its output goes to a file."""
    program, *arguments = COMPOSE["services"][service]["command"]
    own = ("LYRICS_", "DAGSTER_", "AWS_", "PG", "MLFLOW_")
    clean = {name: value for name, value in os.environ.items() if not name.startswith(own)}
    command = [str(Path(sys.executable).with_name(program)), *arguments]
    environment = clean | dict(image) | service_environment(service, values)
    with log.open("ab") as output:
        return subprocess.Popen(
            command, env=environment, cwd=ROOT, stdout=output, stderr=output, start_new_session=True
        )


@contextmanager
def running(
    service: str, values: Mapping[str, str], image: Mapping[str, str], folder: Path
) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a service for as long as the context lasts; on the way out it is stopped with all its processes."""
    process = start(service, values, image, folder / f"{service}.log")
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, 15)
            try:
                process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, 9)
                process.wait()


def wait_for_url(process: "subprocess.Popen[bytes]", url: str, log: Path) -> None:
    """Wait until a service answers at an address."""
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text(errors="replace")[-3000:]
        try:
            if httpx.get(url, timeout=5).is_success:
                return
        except httpx.HTTPError:
            pass
        time.sleep(_POLL_SECONDS)
    raise AssertionError(f"{url} does not answer: {log.read_text(errors='replace')[-3000:]}")
