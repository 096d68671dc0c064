"""Runs a part of a benchmark in a process of its own, whose memory and imports are its own too."""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any


def output_of(command: Sequence[object], environment: Mapping[str, str] | None = None) -> str:
    """Return what a command says.

    Raises:
        RuntimeError: it failed; the message is what it said on stderr.
    """
    words = list(map(str, command))
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"exit code {done.returncode} of {' '.join(words)[:200]}\n{done.stderr}")
    return done.stdout


def found_by(code: str, *arguments: object) -> Any:
    """Return what Python code prints as JSON, on the last line that it prints.

    Raises:
        RuntimeError: it failed; the message is what it said on stderr.
    """
    return json.loads(output_of([sys.executable, "-c", code, *arguments]).splitlines()[-1])
