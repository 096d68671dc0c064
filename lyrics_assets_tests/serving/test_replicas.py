"""Several processes behind nginx, as docs/api.md configures it: both answer, and one after the other is replaced."""

import collections
import concurrent.futures
import re
import shutil
import subprocess
import threading

import httpx
import pytest

from lyrics_assets.settings import ROOT
from lyrics_assets_tests.serving.parts import DRAFT, build_bento, free_port, start, stop, wait_until_ready

PAUSE_SECONDS = 0.02
"""Between two requests of a client: a service that starts beside them needs a processor too."""
NGINX = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin:/opt/homebrew/bin")
pytestmark = pytest.mark.skipif(NGINX is None, reason="nginx is not installed (Debian: apt-get install nginx-light)")


@pytest.fixture(scope="module")
def bento(tmp_path_factory):
    return build_bento(tmp_path_factory.mktemp("replicas"))


@pytest.fixture
def proxy(tmp_path):
    """nginx with the documented configuration in front of two ports; yields its address and the ports."""
    listen, first, second = (free_port() for _ in range(3))
    (documented,) = re.findall(r"```nginx\n(.*?)```", (ROOT / "docs" / "api.md").read_text(encoding="utf-8"), re.DOTALL)
    for old, new in (("8080", listen), ("3001", first), ("3002", second)):
        assert f"127.0.0.1:{old}" in documented
        documented = documented.replace(f"127.0.0.1:{old}", f"127.0.0.1:{new}")
    names = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    places = "access_log off;\n" + "".join(f"{name}_temp_path {tmp_path}/{name};\n" for name in names)
    config = tmp_path / "nginx.conf"
    config.write_text(f"pid {tmp_path}/pid;\ndaemon off;\nevents {{}}\nhttp {{\n{places}{documented}}}\n")
    with (tmp_path / "nginx.log").open("wb") as output:
        command = [NGINX, "-c", str(config), "-p", str(tmp_path), "-e", "stderr"]
        process = subprocess.Popen(command, stdout=output, stderr=output)
        try:
            yield f"http://127.0.0.1:{listen}", (first, second)
        finally:
            stop(process)


def test_both_answer_and_each_is_replaced_under_load_without_a_failed_request(bento, proxy, tmp_path):
    store, tag = bento
    address, ports = proxy
    ended, answers, served = threading.Event(), collections.Counter(), []
    with (tmp_path / "services.log").open("wb") as output, concurrent.futures.ThreadPoolExecutor(4) as pool:
        replicas = {port: start(store, tag, port, output) for port in ports}
        try:
            for port, process in replicas.items():
                wait_until_ready(process, port)
            clients = [pool.submit(ask_until, ended, address) for _ in range(4)]
            try:
                for port in ports:
                    served.append(requests_of(port))
                    stop(replicas[port])
                    replicas[port] = start(store, tag, port, output)
                    wait_until_ready(replicas[port], port)
                served += [wait_for_requests(port) for port in ports]
            finally:
                ended.set()
            for client in clients:
                answers += client.result(timeout=60)
        finally:
            for process in replicas.values():
                stop(process)
    assert set(answers) == {200}, answers
    assert answers[200] > 100
    assert min(served[-2:]) > 0, "a replica that came back got nothing to do"


def ask_until(ended, address):
    answers = collections.Counter()
    with httpx.Client(base_url=address, timeout=30) as client:
        while not ended.wait(PAUSE_SECONDS):
            try:
                answers[client.post("/classify", json={"lyrics": DRAFT}).status_code] += 1
            except httpx.HTTPError as error:
                answers[type(error).__name__] += 1
    return answers


def requests_of(port):
    text = httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=30).text
    return sum(
        float(line.rsplit(" ", 1)[1])
        for line in text.splitlines()
        if line.startswith('lyrics_requests_total{endpoint="/cl')
    )


def wait_for_requests(port, rounds=2000):
    for _ in range(rounds):
        if found := requests_of(port):
            return found
    return 0
