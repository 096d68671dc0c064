"""Where trials are measured, and what is left of a search that is killed: the trials are the same."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from filelock import FileLock

from lyrics_assets.model import cross_validation
from lyrics_assets.model.classifier import Hyperparameters
from lyrics_assets.model.cross_validation import CrossValidation, identify
from lyrics_assets.model.journal import Journal, Result, SearchError, open_journal
from lyrics_assets.model.sweeps import parse_sweep
from lyrics_assets.model.tuning import search, search_songs
from lyrics_assets.model.workers import choose_workers, cores, dask_cluster, this_process
from lyrics_assets_tests.corpus import GENRES, songs

SWEEP = {
    "method": "bayes",
    "run_cap": 10,
    "metric": {"name": "macro_f1", "goal": "maximize"},
    "parameters": {
        "word_ngram_max": {"value": 1},
        "char_ngram_max": {"values": [2, 3]},
        "word_min_df": {"values": [2, 5000]},
        "C": {"distribution": "log_uniform_values", "min": 1.0, "max": 64.0},
    },
}
HALVING = {"early_terminate": {"type": "hyperband", "min_iter": 1, "eta": 2}}
SMALL = Hyperparameters(word_ngram_max=1, char_ngram_max=2)

SEARCH = """
import sys
from pathlib import Path
from lyrics_assets.model import tuning
from lyrics_assets_tests.corpus import GENRES, songs
from lyrics_assets_tests.model.test_tuning_workers import SWEEP
from lyrics_assets.model.sweeps import parse_sweep
tuning.search_songs(parse_sweep(SWEEP), songs(*GENRES), 3, 0, folder=Path(sys.argv[1]))
"""

pytestmark = [
    # Of loky's threads, whose process has just been killed.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning"),
    # Of the event loops and sockets of a cluster that is closed in this same process.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(scope="module")
def learned():
    return songs(*GENRES)


@pytest.fixture(scope="module")
def in_this_process(learned):
    return {name: search_songs(parse_sweep(SWEEP | changes), learned, 3) for name, changes in CHANGES.items()}


class Deadly(CrossValidation):
    """Kills the process that measures, as a system does whose memory is full."""

    def score(self, parameters, fold):
        os.kill(os.getpid(), signal.SIGKILL)


CHANGES = {
    "bayes": {},
    "halving": HALVING,
    "random halving": HALVING | {"method": "random", "run_cap": 12},
}


def local_cluster(n_workers):
    """Start a Dask scheduler and so many workers, each a process of its own, on loopback."""
    import distributed

    return distributed.LocalCluster(
        n_workers=n_workers,
        threads_per_worker=1,
        processes=True,
        dashboard_address="127.0.0.1:0",
        host="127.0.0.1",
        silence_logs=50,
    )


@pytest.fixture(scope="module")
def cluster():
    """A Dask scheduler and two workers, each a process of its own."""
    with local_cluster(2) as cluster:
        yield cluster


@pytest.mark.parametrize("name", CHANGES)
def test_two_cores_give_the_same_trials(learned, in_this_process, name):
    assert search_songs(parse_sweep(SWEEP | CHANGES[name]), learned, 3, workers=cores(2)) == in_this_process[name]


def test_its_processes_end_with_a_search(learned):
    def is_measuring(process):
        return "loky.backend.popen_loky" in " ".join(process.cmdline())

    with cores(2)(CrossValidation(learned, 3)) as run:
        assert len(list(run([(SMALL, fold) for fold in range(3)], time.time() + 60))) == 3
        assert sum(map(is_measuring, psutil.Process().children())) == 2
    assert not any(map(is_measuring, psutil.Process().children()))


def test_a_process_that_is_killed_is_said(learned):
    with pytest.raises(SearchError, match="a process that measures was killed"):
        search(parse_sweep(SWEEP), Deadly(learned, 3), workers=cores(2))


@pytest.mark.parametrize("name", ["bayes", "random halving"])
def test_a_dask_cluster_gives_the_same_trials(learned, in_this_process, cluster, name):
    asked = parse_sweep(SWEEP | CHANGES[name])
    assert search_songs(asked, learned, 3, workers=dask_cluster(cluster.scheduler_address)) == in_this_process[name]


def test_a_dask_worker_that_dies_does_not_change_the_trials(learned, in_this_process, cluster):
    """It is killed when the first score is there."""
    import distributed

    with distributed.Client(cluster.scheduler_address, set_as_default=False) as client:
        pids = list(client.run(os.getpid).values())

        class Killing(Journal):
            def add(self, result):
                super().add(result)
                if pids:
                    os.kill(pids.pop(), signal.SIGKILL)
                    pids.clear()

        here = dask_cluster(cluster.scheduler_address)
        trials = search(parse_sweep(SWEEP), CrossValidation(learned, 3), journal=Killing(), workers=here)
    assert trials == in_this_process["bayes"]
    assert not pids


def test_a_scheduler_that_is_not_there_is_named(learned):
    with pytest.raises(SearchError, match=r"no Dask scheduler at tcp://127.0.0.1:9"):
        search_songs(parse_sweep(SWEEP), learned, 3, workers=dask_cluster("tcp://127.0.0.1:9", timeout=0.5))


def test_a_cluster_without_workers_is_named(learned):
    with (
        local_cluster(0) as empty,
        pytest.raises(SearchError, match=r"has no worker after 0\.5 s"),
    ):
        search_songs(parse_sweep(SWEEP), learned, 3, workers=dask_cluster(empty.scheduler_address, timeout=0.5))


def test_a_cluster_that_loses_all_its_workers_is_named(learned):
    """The last one leaves when the first score is there."""
    with local_cluster(1) as shrinking:

        class Shrinking(Journal):
            def add(self, result):
                super().add(result)
                shrinking.scale(0)

        here = dask_cluster(shrinking.scheduler_address, timeout=2.0)
        with pytest.raises(SearchError, match=r"has lost all its workers for 2 s"):
            search(parse_sweep(SWEEP), CrossValidation(learned, 3), journal=Shrinking(), workers=here)


def test_workers_of_other_code_are_refused(learned, cluster, monkeypatch):
    monkeypatch.setattr(cross_validation, "_LIBRARIES", ("numpy",))
    with pytest.raises(SearchError, match="has not this project's code and libraries"):
        search_songs(parse_sweep(SWEEP), learned, 3, workers=dask_cluster(cluster.scheduler_address))


@pytest.mark.parametrize(
    ("n_cores", "address", "songs_trials", "chosen"),
    [
        (2, "", (270, 10), "this_process"),
        (2, "", (2000, 20), "workers"),
        (1, "", (2000, 20), "this_process"),
        (None, "", (1, 1), "this_process"),
        (1, "tcp://127.0.0.1:8786", (1, 1), "workers"),
    ],
)
def test_a_small_search_stays_in_this_process(n_cores, address, songs_trials, chosen):
    assert choose_workers(n_cores, address, *songs_trials).__name__ == chosen


def test_no_task_is_begun_after_the_deadline(learned):
    validation = CrossValidation(learned, 3)
    with this_process(validation) as run:
        early, late = (next(run([(SMALL, 0)], time.time() + wait)) for wait in (60, -1))
    assert early.score is not None
    assert (late.score, late.error) == (None, "")


def test_a_killed_search_goes_on_where_it_was(learned, in_this_process, tmp_path):
    place = tmp_path / identify(learned, 3, 0)
    child = subprocess.Popen([sys.executable, "-c", SEARCH, str(tmp_path)])
    try:
        while not (place / "scores.jsonl").exists() or (place / "scores.jsonl").read_bytes().count(b"\n") < 4:
            assert child.poll() is None
    finally:
        child.kill()
        child.wait()
    scores = (place / "scores.jsonl").read_bytes()
    measured = scores.count(b"\n")
    assert 4 <= measured < 18
    with (place / "scores.jsonl").open("ab") as file:
        file.write(b'{"fold": 1, "macro')  # what a kill in the middle of a line leaves
    assert (place / "features").is_dir()

    assert search_songs(parse_sweep(SWEEP), learned, 3, folder=tmp_path) == in_this_process["bayes"]
    lines = (place / "scores.jsonl").read_bytes().splitlines()
    assert b"\n".join(lines).startswith(scores.rstrip())
    assert lines[measured] == b'{"fold": 1, "macro'
    tasks = [(line["fold"], *line["parameters"].values()) for line in map(json.loads, lines[measured + 1 :])]
    assert len(set(tasks)) == len(tasks)
    assert not (place / "features").exists()


def test_a_search_that_has_ended_is_answered_without_measuring(learned, in_this_process, tmp_path, monkeypatch):
    first = search_songs(parse_sweep(SWEEP), learned, 3, folder=tmp_path)
    monkeypatch.setattr(CrossValidation, "score", None)
    assert search_songs(parse_sweep(SWEEP), learned, 3, folder=tmp_path) == first == in_this_process["bayes"]


def test_other_songs_folds_or_seed_start_anew(learned, tmp_path):
    asked = parse_sweep(SWEEP | {"run_cap": 1, "parameters": {"char_ngram_max": {"value": 2}}})
    for changed, n_folds, seed in ((learned, 3, 0), (learned[1:], 3, 0), (learned, 2, 0), (learned, 3, 1)):
        search_songs(asked, changed, n_folds, seed, folder=tmp_path)
    assert sorted((place / "scores.jsonl").read_bytes().count(b"\n") for place in tmp_path.iterdir()) == [2, 3, 3, 3]


def test_a_longer_sweep_goes_on_from_a_shorter_one(learned, tmp_path):
    short, long = (parse_sweep(SWEEP | {"method": "random", "run_cap": cap}) for cap in (3, 6))
    search_songs(short, learned, 3, folder=tmp_path)
    scores = (tmp_path / identify(learned, 3, 0) / "scores.jsonl").read_bytes()
    trials = search_songs(long, learned, 3, folder=tmp_path)
    assert (tmp_path / identify(learned, 3, 0) / "scores.jsonl").read_bytes().startswith(scores)
    assert trials == search_songs(long, learned, 3)


def test_two_searches_of_the_same_songs_take_turns(tmp_path):
    with open_journal(tmp_path) as journal:
        journal.add(Result((SMALL, 0), 0.1 + 0.2))
        with pytest.raises(SearchError, match="another search of these songs"), open_journal(tmp_path, 0.01):
            pass
    with open_journal(tmp_path) as journal:
        assert journal.find((SMALL, 0)) == Result((SMALL, 0), 0.1 + 0.2)
        assert journal.find((SMALL, 1)) is None


def test_what_a_killed_search_of_other_songs_has_left_is_removed_unless_it_runs(learned, tmp_path):
    for name in ("killed", "running"):
        (tmp_path / name / "features").mkdir(parents=True)
    with FileLock(tmp_path / "running" / "lock"):
        search_songs(parse_sweep(SWEEP), learned, 3, folder=tmp_path)
    assert [place.parent.name for place in Path(tmp_path).glob("*/features")] == ["running"]
