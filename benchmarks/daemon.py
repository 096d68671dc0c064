"""What Dagster costs while nothing happens: memory and processor time of daemon, webserver and code location.

Watches `lyrics ui` with every schedule and sensor on.
"""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

import psutil

from benchmarks.child import output_of
from benchmarks.figures import Figure


class Sizes(NamedTuple):
    """What is measured."""

    settle_seconds: int
    """Before the first look: code locations load, and each kind of tick has happened once."""
    minutes: int


QUICK, FULL = Sizes(30, 1), Sizes(120, 60)
SAMPLE_SECONDS = 10
_NAMES = {
    "webserver": "dagster_webserver",
    "daemon": "dagster._daemon",
    "code location": "code-server",
    "code location's worker": "api grpc",
}


def measure(sizes: Sizes) -> list[Figure]:
    """Return all figures."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = probe.getsockname()[1]
        lyrics = Path(sys.executable).with_name("lyrics")
        # One session of its own, so that all of it can be ended.
        process = psutil.Popen(
            [lyrics, "ui", "--home", home, "--port", str(port)],
            start_new_session=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            _turn_on(home)
            time.sleep(sizes.settle_seconds)
            return _watch(process, sizes.minutes)
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            psutil.wait_procs([process], timeout=30)


def _turn_on(home: Path) -> None:
    """Turn every schedule and sensor on."""
    environment = {**os.environ, "DAGSTER_HOME": str(home / "dagster"), "LYRICS_HOME": str(home)}
    while not (home / "dagster" / "dagster.yaml").exists():
        time.sleep(0.2)
    for kind in ("schedule", "sensor"):
        output_of([sys.executable, "-m", "dagster", kind, "start", "--start-all"], environment)


def _watch(process: psutil.Popen, minutes: int) -> list[Figure]:
    began, cpu_before = time.monotonic(), _cpu(process)
    memory: dict[str, list[float]] = defaultdict(list)
    while time.monotonic() - began < 60 * minutes:
        for name, megabytes in _memory(process).items():
            memory[name].append(megabytes)
        time.sleep(SAMPLE_SECONDS)
    seconds = time.monotonic() - began
    on = f"{minutes} min, all schedules and sensors on, nothing to do"
    figures = [Figure("processor time of all", 100 * (_cpu(process) - cpu_before) / seconds, "% of a core", on)]
    for name, samples in memory.items():
        tenth = max(1, len(samples) // 10)
        first, last = (sum(part) / tenth for part in (samples[:tenth], samples[-tenth:]))
        figures.append(Figure(f"{name}: resident memory in the first; last tenth", (first, last), "MB", on))
    return figures


def _family(process: psutil.Popen) -> list[psutil.Process]:
    return [process, *process.children(recursive=True)]


def _cpu(process: psutil.Popen) -> float:
    total = 0.0
    for one in _family(process):
        try:
            total += sum(one.cpu_times()[:4])
        except psutil.NoSuchProcess:
            continue
    return total


def _memory(process: psutil.Popen) -> dict[str, float]:
    """Return the resident memory, MB, of each kind of process."""
    found: dict[str, float] = defaultdict(float)
    for one in _family(process):
        try:
            line = " ".join(one.cmdline())
            found[next((name for name, mark in _NAMES.items() if mark in line), "sandbox, supervisor")] += (
                one.memory_info().rss / 1e6
            )
        except psutil.NoSuchProcess:
            continue
    return found
