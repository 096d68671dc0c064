"""What Dagster costs while nothing happens: memory and processor time of daemon, webserver and code location.

`python -m benchmarks.daemon --minutes 60` watches `lyrics ui` for an hour with every schedule and sensor on.
"""

import argparse
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

import psutil

from benchmarks.figures import Figure, show

SETTLE_SECONDS = 120
"""Before the first look: code locations load, and each kind of tick has happened once."""
SAMPLE_SECONDS = 10
_NAMES = {
    "webserver": "dagster_webserver",
    "daemon": "dagster._daemon",
    "code location": "code-server",
    "code location's worker": "api grpc",
}


def measure(minutes: float) -> list[Figure]:
    """Return the figures; takes so many minutes and three more."""
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
            time.sleep(SETTLE_SECONDS)
            return _watch(process, minutes)
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            psutil.wait_procs([process], timeout=30)


def _turn_on(home: Path) -> None:
    """Turn every schedule and sensor on."""
    environment = {**os.environ, "DAGSTER_HOME": str(home / "dagster"), "LYRICS_HOME": str(home)}
    while not (home / "dagster" / "dagster.yaml").exists():
        time.sleep(0.2)
    for kind in ("schedule", "sensor"):
        command = [sys.executable, "-m", "dagster", kind, "start", "--start-all"]
        subprocess.run(command, env=environment, check=True, capture_output=True)


def _watch(process: psutil.Popen, minutes: float) -> list[Figure]:
    began, cpu_before = time.monotonic(), _cpu(process)
    memory: dict[str, list[float]] = defaultdict(list)
    while time.monotonic() - began < 60 * minutes:
        for name, megabytes in _memory(process).items():
            memory[name].append(megabytes)
        time.sleep(SAMPLE_SECONDS)
    seconds = time.monotonic() - began
    on = f"{minutes:.0f} minutes, all schedules and sensors on, nothing to do"
    figures = [Figure("processor time of all", 100 * (_cpu(process) - cpu_before) / seconds, "% of a core", on)]
    for name, samples in memory.items():
        tenth = max(1, len(samples) // 10)
        first, last = (sum(part) / tenth for part in (samples[:tenth], samples[-tenth:]))
        figures += [
            Figure(f"{name}: resident memory, first tenth", first, "MB", on),
            Figure(f"{name}: resident memory, last tenth", last, "MB", on),
        ]
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
            found[next((name for name, mark in _NAMES.items() if mark in line), "others")] += (
                one.memory_info().rss / 1e6
            )
        except psutil.NoSuchProcess:
            continue
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    show("daemon", measure(parser.parse_args().minutes))
