"""Trouble on purpose."""

import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import httpx
import pytest

from lyrics_assets_tests.scrapy_project.sandbox.conftest import DAY
from scrapy_project.sandbox.faults import MOST_FAULTS, SLOW_SECONDS
from scrapy_project.sandbox.launcher import running_sandbox

RATE = 0.5
PATHS = [f"/sambista-{number}/" for number in range(24)] + [f"/band-{number}/" for number in range(10)]
OK = "ok"


@pytest.fixture
def troubled(songbook: Path) -> Iterator[str]:
    """The address of a Letras with faults, with no request made yet."""
    with running_sandbox(songbook, faults=RATE) as addresses:
        yield addresses["letras"]


def outcome(client: httpx.Client, path: str) -> str:
    """What became of one request."""
    try:
        with client.stream("GET", path) as response:
            # From the head to the end of the body: how busy the machine is matters little to it.
            start = time.monotonic()
            response.read()
            seconds = time.monotonic() - start
    except httpx.RemoteProtocolError as error:
        return "truncated" if "complete" in str(error) else "dropped"
    if response.status_code == 429:
        assert response.headers["retry-after"] == "1"
    if response.status_code != 200:
        return str(response.status_code)
    return "slow" if seconds >= SLOW_SECONDS / 2 else OK


def outcomes(address: str, paths: list[str] = PATHS) -> list[str]:
    headers = {"X-Sandbox-Date": DAY}
    with httpx.Client(base_url=address, headers=headers) as client, ThreadPoolExecutor(16) as pool:
        return list(pool.map(partial(outcome, client), paths))


def test_faults_spoil_first_answers_and_a_retry_succeeds(troubled: str) -> None:
    first = outcomes(troubled)
    assert set(first) == {OK, "429", "503", "dropped", "truncated", "slow"}
    assert 0.25 < 1 - first.count(OK) / len(first) < 0.75
    for _ in range(MOST_FAULTS - 1):
        outcomes(troubled)
    assert set(outcomes(troubled)) == {OK}


def test_faults_are_the_same_for_the_same_seed(troubled: str, songbook: Path) -> None:
    first = outcomes(troubled)
    with running_sandbox(songbook, faults=RATE) as addresses:
        assert outcomes(addresses["letras"]) == first
    with running_sandbox(songbook, faults=RATE, seed=1) as addresses:
        assert outcomes(addresses["letras"]) != first


def test_dropped_connections_are_counted(troubled: str) -> None:
    results = Counter(outcomes(troubled))
    counts = httpx.get(troubled + "/__sandbox__/requests").json()
    assert counts["total"] == len(PATHS)
    assert counts["statuses"] == {
        "200": results[OK] + results["slow"] + results["truncated"],
        "429": results["429"],
        "503": results["503"],
        "dropped": results["dropped"],
    }


def test_robots_is_spared_even_if_all_else_fails(songbook: Path) -> None:
    with running_sandbox(songbook, faults=1.0) as addresses:
        for address in addresses.values():
            assert outcomes(address, ["/robots.txt"]) == [OK]
            assert outcomes(address, ["/"]) != [OK]


def test_latency_delays_answers_side_by_side(songbook: Path) -> None:
    with running_sandbox(songbook, latency_ms=300) as addresses:
        start = time.monotonic()
        outcomes(addresses["letras"], PATHS[:8])
        assert 0.3 <= time.monotonic() - start < 1.5


def test_counts_tell_kinds_and_statuses_and_leave_themselves_out(songbook: Path) -> None:
    with running_sandbox(songbook) as addresses:
        letras, vagalume = addresses["letras"], addresses["vagalume"]
        outcomes(letras, ["/robots.txt", "/mais-acessadas/samba/", "/ninguem/nada/", "/a/b/c/d"])
        paths = ["/browse/style/mpb.html", "/duas-casas/", "/duas-casas/index.js", "/duas-casas/so-um.html"]
        outcomes(vagalume, paths)
        httpx.get(letras + "/__sandbox__/requests")
        assert httpx.get(letras + "/__sandbox__/requests").json() == {
            "total": 4,
            "kinds": {"robots": 1, "chart": 1, "song": 1, "other": 1},
            "statuses": {"200": 2, "404": 2},
        }
        kinds = httpx.get(vagalume + "/__sandbox__/requests").json()["kinds"]
        assert kinds == {"style": 1, "artist": 1, "index_js": 1, "song": 1}
