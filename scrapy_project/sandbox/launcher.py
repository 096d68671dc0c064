"""The sandbox as a child process, for tests and demonstrations."""

import contextlib
import json
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

START_SECONDS = 30
"""How long the sandbox may take until both sites answer."""
STOP_SECONDS = 5
"""How long it may take to end before it is killed."""

_ROOT = Path(__file__).resolve().parents[2]


class SandboxError(RuntimeError):
    """The sandbox did not start; the message is what it said on stderr."""


@contextlib.contextmanager
def running_sandbox(
    songbook: Path | str | None = None,
    latency_ms: int = 0,
    faults: float = 0.0,
    seed: int = 0,
    letras_port: int = 0,
    vagalume_port: int = 0,
) -> Iterator[dict[str, str]]:
    """Run the sandbox while the context lasts and yield the address of each site, by its name.

    The arguments are the command's options; None is the packaged songbook, port 0 any free one. The sandbox also ends
    if this process dies without leaving the context.

    Raises:
        SandboxError: it ended before both sites answered, or did not answer within START_SECONDS.
    """
    command = [sys.executable, "-m", "scrapy_project.sandbox", "--exit-with-stdin"]
    command += [f"--latency-ms={latency_ms}", f"--faults={faults}", f"--seed={seed}"]
    command += [f"--letras-port={letras_port}", f"--vagalume-port={vagalume_port}"]
    if songbook is not None:
        command.append(f"--songbook={Path(songbook).resolve()}")
    # A file for stderr, not a pipe: nobody reads it while the sandbox runs, and a full pipe would stop it.
    with tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(
            command, cwd=_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True
        )
        with process:
            try:
                addresses = _read_addresses(process)
                if addresses is None:
                    process.wait()
                    errors.seek(0)
                    said = errors.read().strip().removeprefix("Error: ")
                    raise SandboxError(said or f"no answer within {START_SECONDS} s")
                yield addresses
            finally:
                _stop(process)


def _read_addresses(process: "subprocess.Popen[str]") -> dict[str, str] | None:
    """Return what the sandbox says when it is ready; None if it ended instead."""
    assert process.stdout is not None  # noqa: S101
    # Reading a line cannot be bounded, but the line ends if the sandbox does.
    timer = threading.Timer(START_SECONDS, process.kill)
    timer.start()
    try:
        line = process.stdout.readline()
    finally:
        timer.cancel()
    return dict(json.loads(line)) if line else None


def _stop(process: "subprocess.Popen[str]") -> None:
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
