"""The search on W&B: the real client against a server on loopback."""

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
import yaml

from lyrics_assets.model import wandb_processes
from lyrics_assets.model.classifier import Hyperparameters
from lyrics_assets.model.cross_validation import CrossValidation, identify
from lyrics_assets.model.journal import SearchError
from lyrics_assets.model.wandb_processes import WandbAccount, WandbProcess
from lyrics_assets.model.wandb_sweeps import decode
from lyrics_assets.resources.tuning import LocalTuner, WandbTuner
from lyrics_assets_tests.corpus import TWO_GENRES, songs
from lyrics_assets_tests.wandb_server import WandbServer

SMALL = {"word_ngram_max": 1, "char_ngram_max": 2}
IMPOSSIBLE = 5000
"""Songs that no word stands in."""
SWEEP = {
    "description": "which settings do best",
    "method": "grid",
    "run_cap": 4,
    "metric": {"name": "macro_f1", "goal": "maximize"},
    "parameters": {name: {"value": value} for name, value in SMALL.items()}
    | {"C": {"values": [1.0, 8.0]}, "word_min_df": {"values": [2, IMPOSSIBLE]}},
}


class Patient(CrossValidation):
    """Measures one fold of the first setting, and then waits to be stopped."""

    def score(self, parameters, fold):
        seen = self._folder / "a_run_has_waited"
        if fold == 1 and not seen.exists():
            seen.touch()
            while True:
                seen.exists()
        return super().score(parameters, fold)


@pytest.fixture(scope="module")
def learned():
    return songs(*TWO_GENRES)


@pytest.fixture(scope="module")
def server():
    with WandbServer() as server:
        yield server


@pytest.fixture
def own_server():
    with WandbServer() as server:
        yield server


def tuner(server, place, **changes):
    path = Path(place) / "sweep.yaml"
    path.write_text(yaml.safe_dump(SWEEP), encoding="utf-8")
    fields = {"sweep": str(path), "n_folds": 2, "heartbeat_seconds": 0.1, "folder": str(place), "timeout": 30.0}
    return WandbTuner(**server.address._asdict() | fields | changes)


def account(server, **changes):
    return WandbAccount(**server.address._asdict() | changes)


def wandb_services():
    """Return the processes below this one that belong to W&B."""
    return [child for child in psutil.Process().children(recursive=True) if "wandb" in " ".join(child.cmdline())]


@pytest.fixture(scope="module")
def shared(server, learned, tmp_path_factory):
    """A sweep that two agents have shared, and the folder that remembers it."""
    folder = tmp_path_factory.mktemp("shared")
    server.state.agents_wanted = 2
    before = dict(os.environ)
    trials = tuner(server, folder, agents=2).search(learned)
    assert dict(os.environ) == before
    server.state.agents_wanted = 0
    return trials, folder


def test_two_agents_share_a_sweep_of_the_same_file(server, shared):
    trials, _ = shared
    (sweep,) = server.state.sweeps.values()
    assert {name: sweep.config[name] for name in SWEEP if name != "description"} == {
        name: value for name, value in SWEEP.items() if name != "description"
    }
    runs = [run for run in server.state.runs.values() if run.sweep == sweep.name]
    assert {run.agent for run in runs} == set(server.state.agents)
    assert len(server.state.agents) == 2
    assert sorted((run.values["C"], run.values["word_min_df"]) for run in runs) == [
        (1.0, 2),
        (1.0, IMPOSSIBLE),
        (8.0, 2),
        (8.0, IMPOSSIBLE),
    ]
    assert len(trials) == 4


def test_the_best_run_is_recovered_with_the_scores_that_this_machine_measures(shared, learned):
    trials, _ = shared
    best, second, *_ = trials
    assert (best.outcome, second.outcome) == ("finished", "finished")
    assert best.macro_f1 >= second.macro_f1
    validation = CrossValidation(learned, 2, 0)
    for trial in (best, second):
        assert trial.folds == tuple(validation.scores(trial.parameters))
        assert trial.parameters.model_dump() == Hyperparameters(**SMALL, C=trial.parameters.C).model_dump()


def test_each_fold_is_an_iteration_for_early_termination(server, shared):
    trials, _ = shared
    finished = [run for run in server.state.runs.values() if run.state == "finished"]
    assert len(finished) == 2
    for run in finished:
        (trial,) = (trial for trial in trials if run.values["C"] == trial.parameters.C and trial.folds)
        assert [line["macro_f1"] for line in run.history] == [trial.folds[0], trial.macro_f1]
        assert [line["fold"] for line in run.history] == [1, 2]


def test_a_trial_that_fails_is_recorded_and_the_sweep_goes_on(server, shared):
    trials, _ = shared
    failed = [run for run in server.state.runs.values() if run.state == "failed"]
    assert {run.exit_code for run in failed} == {1}
    assert [run.values["word_min_df"] for run in failed] == [IMPOSSIBLE, IMPOSSIBLE]
    assert [trial.outcome for trial in trials[2:]] == ["failed", "failed"]
    assert all(str(IMPOSSIBLE) in trial.reason for trial in trials[2:])


def test_nothing_but_the_sweep_is_told_to_the_server(server, shared):
    known = {"Viewer", "GetDefaultEntity", "ServerFeaturesQuery", "UpsertSweep", "CreateAgent", "Heartbeat", "GetSweep"}
    known |= {"Runs", "UpsertBucket", "CreateRunFiles", "RunResumeStatus"}
    asked = {operation for operation in server.state.operations if not operation.endswith("/file_stream")}
    assert asked <= known


def test_the_same_search_joins_its_sweep_again(server, shared, learned):
    trials, folder = shared
    runs = len(server.state.runs)
    again = tuner(server, folder).search(learned)
    assert again == trials
    assert (len(server.state.sweeps), len(server.state.runs)) == (1, runs)


def test_another_machine_joins_by_the_id_of_the_sweep_if_it_has_the_same_songs(server, shared, learned, tmp_path):
    trials, _ = shared
    (sweep_id,) = server.state.sweeps
    elsewhere = tuner(server, tmp_path, n_folds=9, seed=9, folder="")
    assert elsewhere.work(sweep_id, learned) == trials
    with pytest.raises(SearchError, match=f"sweep {sweep_id} is measured on other songs"):
        elsewhere.work(sweep_id, learned[1:])


def test_a_sweep_that_does_not_exist_is_named(server, learned, tmp_path):
    with pytest.raises(SearchError, match=r"describe: .*sweep999"):
        tuner(server, tmp_path).work("sweep999", learned)


def test_a_run_that_the_server_stops_ends_and_the_next_one_begins(own_server, learned, tmp_path):
    state = own_server.state
    state.stop_next_after = 1
    validation = Patient(learned, 2, folder=tmp_path / "features")
    with validation.saved() as saved, WandbProcess(account(own_server), tmp_path / "client") as client:
        path = client.account.path
        sweep_id = client.ask("create", path, SWEEP, 2, 2, 0, validation.digest)
        client.ask("work", path, sweep_id, str(saved), 2, 0.1, seconds=60)
        trials = decode(client.ask("read", path, sweep_id, 2))
    stopped, following = state.runs.values()
    assert (stopped.state, stopped.exit_code, len(stopped.history)) == ("killed", 1, 1)
    assert (following.state, following.exit_code) == ("failed", 1)
    assert [(trial.outcome, len(trial.folds)) for trial in trials] == [("stopped", 1), ("failed", 0)]
    assert trials[0].reason == f"run {stopped.name} killed"


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"api_key": "f" * 40}, "does not take the API key"),
        ({"base_url": "http://127.0.0.1:9"}, "no W&B server at http://127.0.0.1:9: .*refused"),
        ({"base_url": "ftp://127.0.0.1"}, "no W&B server at ftp://127.0.0.1"),
    ],
)
def test_a_wrong_key_or_address_is_named_at_once(server, learned, tmp_path, changes, named):
    with pytest.raises(SearchError, match=named):
        tuner(server, tmp_path, **changes).search(learned)


def test_the_client_itself_names_a_wrong_key(server, tmp_path):
    with (
        WandbProcess(account(server, api_key="f" * 40), tmp_path / "client") as client,
        pytest.raises(SearchError, match=r"create: AuthenticationError: .*not logged in"),
    ):
        client.ask("create", client.account.path, SWEEP, 4, 2, 0, "0" * 32)


def test_a_server_that_never_answers_costs_no_more_than_the_timeout(own_server, learned, tmp_path):
    own_server.state.faults.hang = True
    with pytest.raises(SearchError, match=r"does not answer within 0\.3 s"):
        tuner(own_server, tmp_path, timeout=0.3).search(learned)


def test_a_server_that_falls_silent_is_given_up(own_server, learned, tmp_path, monkeypatch):
    monkeypatch.setattr(wandb_processes, "_STARTING_SECONDS", 4.0)
    own_server.state.faults.hang_after = "UpsertSweep"
    with pytest.raises(SearchError, match="create takes too long"):
        tuner(own_server, tmp_path, timeout=1.0).search(learned)
    assert not wandb_services()


def test_agents_that_get_no_trial_are_ended(own_server, learned, tmp_path, monkeypatch):
    monkeypatch.setattr(wandb_processes, "_STARTING_SECONDS", 5.0)
    own_server.state.agents_wanted = 99
    with pytest.raises(SearchError, match="none of 0 trials has finished"):
        tuner(own_server, tmp_path, max_seconds=0.5).search(learned)
    assert not wandb_services()


def test_trials_of_a_local_search_are_kept_and_synced_later(own_server, learned, tmp_path):
    path = tmp_path / "sweep.yaml"
    path.write_text(yaml.safe_dump(SWEEP), encoding="utf-8")
    local = LocalTuner(sweep=str(path), n_folds=2, wandb_offline=str(tmp_path / "offline"))
    trials = local.search(learned)
    kept = sorted((tmp_path / "offline" / "wandb").glob("offline-run-*"))
    assert len(kept) == len(trials) == 4
    assert local.search(learned) == trials
    assert sorted((tmp_path / "offline" / "wandb").glob("offline-run-*")) == kept

    address = own_server.address
    subprocess.run(
        [
            *(sys.executable, "-m", "wandb", "sync"),
            *("--entity", address.entity, "--project", address.project),
            *map(str, kept),
        ],
        env=os.environ
        | {"WANDB_BASE_URL": address.base_url, "WANDB_API_KEY": address.api_key, "WANDB_ERROR_REPORTING": "false"},
        cwd=tmp_path,
        capture_output=True,
        check=True,
        timeout=60,
    )
    runs = list(own_server.state.runs.values())
    assert {run.group for run in runs} == {identify(learned, 2, 0)[:8]}
    sent = {(run.values["C"], run.values["word_min_df"], tuple(run.summary.get("folds", ()))) for run in runs}
    assert sent == {(trial.parameters.C, trial.parameters.word_min_df, trial.folds) for trial in trials}
    assert sorted(len(run.history) for run in runs) == [0, 0, 2, 2]
