"""Disturbed crawls: in the end the raw partition is that of an undisturbed one, or it is refused with a reason."""

import json
import os
import re
import signal
import socket
import subprocess
import threading

import dagster as dg
import psutil
import pytest
import sqlalchemy as sa

from lyrics_assets.assets.extraction import raw_assets, raw_name
from lyrics_assets.definitions import build_resources
from lyrics_assets.partitions import today
from lyrics_assets.resources.crawler import Crawler
from lyrics_assets.settings import Settings
from scrapy_project.sandbox.launcher import running_sandbox
from scrapy_project.sandbox.songbook import PACKAGED_SONGBOOK

ASSETS = dict(zip(("letras", "vagalume"), raw_assets, strict=True))
DATE = today().isoformat()
GENRES = "Samba,Rock,K-Pop"
FAST = {"RETRY_TIMES": "2", "DOWNLOAD_TIMEOUT": "2", "DOWNLOAD_DELAY": "0", "AUTOTHROTTLE_ENABLED": "False"}
PATIENCE_SECONDS = 60


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """Return each source's raw partition as a crawl writes it that nothing disturbs."""
    home = tmp_path_factory.mktemp("undisturbed")
    with running_sandbox(PACKAGED_SONGBOOK) as addresses:
        for source in ASSETS:
            assert materialize(home, addresses, source).success
    return {source: published(home, source) for source in ASSETS}


def materialize(home, addresses, source, sites="sandbox", scrapy_settings=None, scratch=None):
    urls = {f"{name}_url": address for name, address in addresses.items()}
    resources = build_resources(Settings(home=home, sites=sites, genres=GENRES, **urls))
    changes = {"scrapy_settings": scrapy_settings or {}} | ({"scratch": str(scratch)} if scratch else {})
    crawler = Crawler(**resources["crawler"].model_dump() | changes)
    with dg.DagsterInstance.ephemeral() as instance:
        return dg.materialize(
            [ASSETS[source]],
            partition_key=DATE,
            instance=instance,
            resources={"crawler": crawler, "lake": resources["lake"]},
            raise_on_error=False,
        )


def published(home, source):
    """Return a raw partition's lines but for the times and the sandbox's port; None if there is none."""
    path = home / "lake" / raw_name(source, DATE)
    if not path.exists():
        return None
    text = path.read_text(encoding="utf-8")
    return re.sub(r'"fetched_at": "[^"]*"', '"fetched_at": ""', re.sub(r"127\.0\.0\.1:\d+", "site", text))


def failure(result):
    (event,) = [event for event in result.all_node_events if event.is_step_failure]
    return event.step_failure_data.user_failure_data.description


def wait_until(happened):
    """Return as soon as something has happened; fail if it does not within a minute."""
    tick = threading.Event()
    for _ in range(PATIENCE_SECONDS * 50):
        if happened():
            return
        tick.wait(0.02)
    pytest.fail("it did not happen in time")


def pages_archived(home):
    archive = home / "archive" / "sandbox.sqlite"
    if not archive.exists():
        return 0
    try:
        with sa.create_engine(f"sqlite:///{archive}").connect() as connection:
            return connection.execute(sa.text("select count(*) from pages")).scalar_one()
    except sa.exc.OperationalError:  # the table is being made
        return 0


def in_background(act):
    """Start an act in a thread; return a function that waits for its result."""
    outcome = []
    thread = threading.Thread(target=lambda: outcome.append(act()))
    thread.start()

    def join():
        thread.join(PATIENCE_SECONDS)
        return outcome[0]

    return join


def spider_process(home):
    """Return the Scrapy process that writes under a home."""
    for process in psutil.Process().children(recursive=True):
        if "scrapy" in process.cmdline() and any(str(home) in part for part in process.cmdline()):
            return process
    return None


@pytest.mark.parametrize("rate", [0.05, 0.2])
@pytest.mark.parametrize("source", ASSETS)
def test_a_site_that_often_fails_still_gives_every_song_once(undisturbed, source, rate, tmp_path):
    with running_sandbox(PACKAGED_SONGBOOK, faults=rate) as addresses:
        result = materialize(tmp_path, addresses, source)
    assert result.success, failure(result)
    assert published(tmp_path, source) == undisturbed[source]


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
@pytest.mark.parametrize("after_pages", [1, 17, 43])
def test_a_crawl_killed_at_any_point_is_completed_by_the_next(undisturbed, how, after_pages, tmp_path):
    with running_sandbox(PACKAGED_SONGBOOK, latency_ms=60) as addresses:
        join = in_background(lambda: materialize(tmp_path, addresses, "letras"))
        wait_until(lambda: pages_archived(tmp_path) >= after_pages)
        spider_process(tmp_path).send_signal(how)
        assert not join().success
        assert published(tmp_path, "letras") is None
        kept = pages_archived(tmp_path)
        again = materialize(tmp_path, addresses, "letras")
    assert again.success
    (event,) = again.get_asset_materialization_events()
    assert event.materialization.metadata["pages_from_archive"].value == kept
    assert published(tmp_path, "letras") == undisturbed["letras"]


def test_a_site_that_goes_down_in_the_middle_is_refused_and_completed_later(undisturbed, tmp_path):
    with running_sandbox(PACKAGED_SONGBOOK, latency_ms=60) as addresses:
        join = in_background(lambda: materialize(tmp_path, addresses, "vagalume", scrapy_settings=FAST))
        wait_until(lambda: pages_archived(tmp_path) >= 20)
    result = join()
    assert not result.success
    assert "pages not had" in failure(result)
    assert published(tmp_path, "vagalume") is None
    with running_sandbox(PACKAGED_SONGBOOK) as addresses:
        assert materialize(tmp_path, addresses, "vagalume").success
    assert published(tmp_path, "vagalume") == undisturbed["vagalume"]


def test_a_server_that_accepts_and_never_answers_is_given_up(tmp_path):
    with socket.create_server(("127.0.0.1", 0), backlog=64) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        settings = FAST | {"RETRY_TIMES": "0", "DOWNLOAD_TIMEOUT": "1"}
        result = materialize(tmp_path, {"letras": address, "vagalume": address}, "letras", scrapy_settings=settings)
    assert "pages not had" in failure(result)


def test_a_name_that_no_server_knows_is_given_up(tmp_path):
    nowhere = {"letras": "http://letras.invalid", "vagalume": "http://vagalume.invalid"}
    result = materialize(tmp_path, nowhere, "letras", sites="live", scrapy_settings=FAST)
    assert "pages not had" in failure(result)


@pytest.fixture
def small_disk(tmp_path):
    """Return a folder on a disk of 128 kB."""
    folder = tmp_path / "small"
    folder.mkdir()
    options = ["-t", "tmpfs", "-o", "size=128k", "tmpfs"]
    if os.geteuid() != 0 or subprocess.run(["mount", *options, folder], capture_output=True).returncode:
        pytest.skip("mounting a small disk needs root")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


def test_a_full_disk_publishes_nothing_and_says_so_and_is_recovered_from(undisturbed, small_disk, tmp_path):
    with running_sandbox(PACKAGED_SONGBOOK) as addresses:
        filler = small_disk / "filler"
        filler.write_bytes(b"x" * 100_000)
        result = materialize(tmp_path, addresses, "letras", scratch=small_disk / "scratch")
        assert not result.success
        assert "the file holds" in failure(result)
        assert "disk full" in failure(result)
        assert published(tmp_path, "letras") is None
        assert materialize(tmp_path, addresses, "letras").success
    assert published(tmp_path, "letras") == undisturbed["letras"]


def test_no_song_stands_twice_and_every_line_is_whole(undisturbed):
    for text in undisturbed.values():
        songs = [json.loads(line) for line in text.splitlines()]
        keys = [(song["genre"], song["url"]) for song in songs]
        assert len(keys) == len(set(keys)) > 20
