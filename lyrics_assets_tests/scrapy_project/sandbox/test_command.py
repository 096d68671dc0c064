"""The command and its launcher."""

import json
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from scrapy_project.sandbox.launcher import SandboxError, running_sandbox

ANY_PORTS = ["--letras-port=0", "--vagalume-port=0"]


def start(*options: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "scrapy_project.sandbox", *options]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def refusal(*options: str) -> str:
    """What the command says on stderr when it refuses to start."""
    with start(*options) as process:
        output, errors = process.communicate(timeout=20)
    assert (process.returncode, output) == (2, "")
    assert errors.count("\n") == 1
    return errors


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_at_once_though_a_client_hangs(songbook: Path, number: signal.Signals) -> None:
    with start(f"--songbook={songbook}", "--latency-ms=60000", *ANY_PORTS) as process:
        assert process.stdout is not None
        addresses = json.loads(process.stdout.readline())
        assert set(addresses) == {"letras", "vagalume"}
        with socket.create_connection(("127.0.0.1", httpx.URL(addresses["letras"]).port or 0)) as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: sandbox\r\n\r\n")
            began = time.monotonic()
            process.send_signal(number)
            output, errors = process.communicate(timeout=10)
        assert time.monotonic() - began < 3
    assert (process.returncode, output, errors) == (0, "", "")


def test_it_ends_with_stdin(songbook: Path) -> None:
    with start(f"--songbook={songbook}", "--exit-with-stdin", *ANY_PORTS) as process:
        assert process.stdout is not None
        assert process.stdout.readline()
        process.communicate(timeout=10)
    assert process.returncode == 0


def test_a_killed_parent_takes_the_sandbox_along(songbook: Path) -> None:
    program = (
        "import sys, time\n"
        "from scrapy_project.sandbox.launcher import running_sandbox\n"
        "with running_sandbox(sys.argv[1]) as addresses:\n"
        "    print(addresses['letras'], flush=True)\n"
        "    time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program, str(songbook)], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        url = httpx.URL(parent.stdout.readline().strip())
        with socket.create_connection((url.host, url.port or 0), timeout=10) as client:
            parent.kill()
            # The sandbox closes idle connections when it ends, and only then so soon.
            assert client.recv(1) == b""


def test_a_port_in_use_is_named(songbook: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        message = refusal(f"--songbook={songbook}", "--letras-port=0", f"--vagalume-port={port}")
    assert f"127.0.0.1 port {port}" in message
    assert "in use" in message


def test_an_address_of_the_sixth_version_is_told_in_brackets(songbook: Path) -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError as error:
        pytest.skip(f"this machine has no loopback of IPv6: {error}")
    with start(f"--songbook={songbook}", "--host=::1", "--exit-with-stdin", *ANY_PORTS) as process:
        assert process.stdout is not None
        addresses = json.loads(process.stdout.readline())
        assert all(address.startswith("http://[::1]:") for address in addresses.values())
        assert httpx.get(addresses["letras"]).status_code == 200
        process.communicate(timeout=10)


def test_a_missing_songbook_is_named(tmp_path: Path) -> None:
    assert str(tmp_path / "none.jsonl") in refusal(f"--songbook={tmp_path / 'none.jsonl'}", *ANY_PORTS)
    assert "no *.jsonl file" in refusal(f"--songbook={tmp_path}", *ANY_PORTS)


def test_the_launcher_tells_why_the_sandbox_did_not_start(tmp_path: Path) -> None:
    (tmp_path / "bad.jsonl").write_text('{"title": 3}\n', encoding="utf-8")
    with pytest.raises(SandboxError, match=r"bad\.jsonl:1: "), running_sandbox(tmp_path):
        pass


def test_the_launcher_leaves_nothing_running(songbook: Path) -> None:
    with running_sandbox(songbook) as addresses:
        assert httpx.get(addresses["vagalume"]).status_code == 200
    with pytest.raises(httpx.ConnectError):
        httpx.get(addresses["vagalume"])
