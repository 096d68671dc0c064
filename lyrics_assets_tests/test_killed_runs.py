"""Runs that are killed at any moment: the next one completes, with the results of one that nothing disturbed.

The process that is killed is the one in which the steps run, forked from a server that has imported what they need.
"""

import datetime as dt
import multiprocessing
import os
import random
import signal
import time
from typing import NamedTuple

import httpx
import psutil
import pytest

from lyrics_assets.definitions import build_defs, build_resources
from lyrics_assets.partitions import today
from lyrics_assets.runs import open_instance, run_job
from lyrics_assets.settings import Settings
from lyrics_assets_tests.extraction import extracted
from scrapy_project.sandbox.launcher import running_sandbox
from scrapy_project.sandbox.songbook import PACKAGED_SONGBOOK

DATE = today()
GENRES = "Samba,Rock,Gospel"
N_KILLED_EXTRACTIONS = 10
N_KILLED_TRAININGS = 5
KILLS_A_COMPLETE_RUN = 5
PATIENCE_SECONDS = 240

FORK = multiprocessing.get_context("forkserver")
FORK.set_forkserver_preload(
    [
        *("lyrics_assets.definitions", "lyrics_assets.lyrics.dataset", "lyrics_assets.lyrics.language", "deltalake"),
        *("lyrics_assets.model.fitting", "lyrics_assets.model.report", "mlflow", "bentoml", "matplotlib.pyplot"),
    ]
)


class Run(NamedTuple):
    """A job to be run in a process that may be killed."""

    settings: Settings
    job: str
    partition: str | None


def work(run):
    """Run a job to its end, in a process group of its own."""
    os.setpgid(0, 0)
    devnull = os.open(os.devnull, os.O_WRONLY)
    os.dup2(devnull, 1)
    os.dup2(devnull, 2)
    with open_instance(run.settings.home) as instance:
        run_job(build_defs(run.settings), run.job, instance, lambda progress: None, run.partition)


def complete(run):
    """Run a job to its end; return the seconds that it took."""
    began = time.monotonic()
    process = FORK.Process(target=work, args=(run,))
    process.start()
    process.join(PATIENCE_SECONDS)
    assert process.exitcode == 0, f"{run.job} ended with {process.exitcode}"
    return time.monotonic() - began


def kill_after(run, seconds, *, spiders_too):
    """Run a job and kill its process after so many seconds, with the processes that it started or without.

    Return whether it had not ended before.
    """
    process = FORK.Process(target=work, args=(run,))
    process.start()
    process.join(seconds)
    if process.is_alive():
        children = psutil.Process(process.pid).children(recursive=True)
        process.kill()
        process.join()
        for child in children if spiders_too else []:
            try:
                child.kill()
            except psutil.NoSuchProcess:
                continue
        # What was left alone ends by itself: the next run must not meet it half-way, or it would not be random.
        psutil.wait_procs(children, timeout=60)
    return process.exitcode == -signal.SIGKILL


@pytest.fixture(scope="module")
def addresses():
    with running_sandbox(PACKAGED_SONGBOOK) as addresses:
        yield addresses


def settings_for(home, addresses):
    urls = {f"{name}_url": address for name, address in addresses.items()}
    return Settings(home=home, genres=GENRES, songs_per_genre=15, **urls)


def dated(settings):
    return Run(settings, "extraction_job", DATE.isoformat())


def files(settings):
    """Return how many files each part of a home holds, but for Dagster's own, which keeps every run."""
    counts = {}
    for path in settings.home.rglob("*"):
        part = path.relative_to(settings.home).parts[0]
        if path.is_file() and part != "dagster":
            counts[part] = counts.get(part, 0) + 1
    return counts


def half_written(settings):
    return [path for path in settings.home.rglob("*.part*") if "dagster" not in path.parts]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, addresses):
    """Return a home that a date was extracted into without any disturbance, and the seconds that it took."""
    settings = settings_for(tmp_path_factory.mktemp("undisturbed") / "home", addresses)
    return settings, complete(dated(settings))


def check(settings, expected):
    """What a date came to is what it came to undisturbed, and nothing else was left."""
    assert extracted(settings, DATE) == extracted(expected, DATE)
    assert half_written(settings) == []
    # A killed crawl's scratch files go a day later; a Delta write that was killed leaves its file to the vacuum.
    grown = {part for part, n in files(settings).items() if n > files(expected).get(part, 0)}
    assert grown <= {"scratch", "feature_store"}


@pytest.mark.timeout(600)
def test_a_killed_extraction_is_completed_by_the_next_one(tmp_path, addresses, undisturbed):
    expected, seconds = undisturbed
    chance, killed = random.Random(7), 0
    for home in range(N_KILLED_EXTRACTIONS // KILLS_A_COMPLETE_RUN):
        settings = settings_for(tmp_path / f"home{home}", addresses)
        for number in range(KILLS_A_COMPLETE_RUN):
            # The first kills come early: what one has archived, the next need not wait for.
            longest = seconds * (number + 1) / KILLS_A_COMPLETE_RUN
            killed += kill_after(dated(settings), chance.uniform(0, longest), spiders_too=bool(number % 2))
        complete(dated(settings))
        check(settings, expected)
    assert killed > N_KILLED_EXTRACTIONS / 2


@pytest.mark.timeout(600)
def test_a_killed_training_is_completed_by_the_next_one(undisturbed):
    settings, _ = undisturbed
    training = Run(settings, "training_job", None)
    seconds = complete(training)
    tracking, bentos = (build_resources(settings)[name] for name in ("tracking", "bento_store"))
    (first,) = tracking.versions()
    chance, killed = random.Random(7), 0
    for number in range(N_KILLED_TRAININGS):
        killed += kill_after(training, chance.uniform(0, seconds), spiders_too=bool(number % 2))
        # Whatever was killed, what is served is whole and was found good.
        champion = tracking.get("champion")
        assert "macro_f1" in champion.tags
        assert tracking.load(champion).classes == ["Gospel", "Rock", "Samba"]
        assert bentos.version_of(bentos.newest()) <= champion.version
    complete(training)
    newest = tracking.versions()[0]
    assert newest.aliases == ("challenger", "champion")
    assert newest.tags["macro_f1"] == first.tags["macro_f1"]
    assert newest.tags["dataset_digest"] == first.tags["dataset_digest"]
    assert half_written(settings) == []
    with bentos.serving(bentos.newest()) as address:
        assert httpx.get(f"{address}/model").json()["version"] == newest.version
    assert killed > N_KILLED_TRAININGS / 2
    later = dt.datetime.now(dt.UTC) + dt.timedelta(days=2)
    for run_id in tracking.abandoned_runs(later):
        tracking.remove_run(run_id)
    assert tracking.abandoned_runs(later) == []
    assert len(list((settings.home / "mlflow" / "artifacts").glob("*/artifacts"))) <= len(tracking.versions())
