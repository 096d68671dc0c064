"""A command on a tether ends with whoever holds its standard input, however that ends."""

import signal
import subprocess
import sys

import psutil
import pytest

from lyrics_assets.resources import tether

WAITS = "import sys, time; print('ready', flush=True); time.sleep(60)"
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + WAITS
# Holds the tether of a command of its own, tells their numbers and waits.
HOLDER = f"""
import subprocess, sys, time
held = subprocess.Popen([sys.executable, {tether.__file__!r}, sys.executable, "-c", {WAITS!r}],
    stdin=subprocess.PIPE, stdout=subprocess.PIPE)
held.stdout.readline()
print(held.pid, flush=True)
time.sleep(60)
"""


def start(code, **options):
    command = [sys.executable, tether.__file__, sys.executable, "-c", code]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, **options)


def child_of(process):
    process.stdout.readline()
    (child,) = psutil.Process(process.pid).children()
    return child


def test_the_commands_exit_code_is_told():
    with start("import sys; sys.exit(7)") as process:
        assert process.wait(30) == 7


@pytest.mark.parametrize("how", ["end of input", "SIGTERM"])
def test_the_command_ends_when_its_input_ends_or_it_is_told_to(how):
    with start(WAITS) as process:
        child = child_of(process)
        if how == "SIGTERM":
            process.terminate()
        else:
            process.stdin.close()
        assert process.wait(30) == 256 - signal.SIGTERM
        assert not child.is_running()


def test_a_command_that_does_not_listen_is_killed():
    code = "import sys; from lyrics_assets.resources import tether; tether.PATIENCE_SECONDS = 0.2; tether.main()"
    process = subprocess.Popen(
        [sys.executable, "-c", code, sys.executable, "-c", STUBBORN], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with process:
        child = child_of(process)
        process.stdin.close()
        process.wait(30)
        assert not child.is_running()


def test_the_command_ends_though_its_holder_is_killed():
    with subprocess.Popen([sys.executable, "-c", HOLDER], stdout=subprocess.PIPE) as holder:
        held = psutil.Process(int(holder.stdout.readline()))
        family = [held, *held.children()]
        assert len(family) == 2
        holder.kill()
        _, alive = psutil.wait_procs(family, timeout=30)
    assert alive == []
