"""What the whole suite shares: one demonstration of the project, made once for all tests that look at it."""

import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[1]


class Finished(NamedTuple):
    """A run of the command line that has ended."""

    code: int
    out: str
    err: str


def run_lyrics(*arguments, stdin=None, timeout=280, **environment):
    """Run the installed command `lyrics`, without settings of the machine's own."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("LYRICS_")}
    done = subprocess.run(
        [Path(sys.executable).with_name("lyrics"), *map(str, arguments)],
        env=clean | environment,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=timeout,
    )
    return Finished(done.returncode, done.stdout, done.stderr)


class Demo(NamedTuple):
    """The finished demonstration and the home that it filled."""

    home: Path
    finished: Finished


@pytest.fixture(scope="session")
def demo(tmp_path_factory):
    """Three dates of the sandbox, a model, a Bento: `lyrics demo` in a home of its own, about a minute."""
    home = tmp_path_factory.mktemp("demo") / "home"
    return Demo(home, run_lyrics("demo", "--home", home))


def pytest_collection_modifyitems(items):
    """Begin with the demonstration: one worker looks at it while the others take the other files."""
    items.sort(key=lambda item: item.path.name != "test_end_to_end.py")
