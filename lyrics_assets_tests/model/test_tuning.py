"""The local search for hyperparameters."""

import pytest

from lyrics_assets.model.cross_validation import CrossValidation
from lyrics_assets.model.journal import SearchError
from lyrics_assets.model.sweeps import parse_sweep
from lyrics_assets.model.tuning import search, search_songs
from lyrics_assets_tests.corpus import GENRES, TWO_GENRES, songs

FIXED = {
    "word_ngram_max": {"value": 1},
    "char_ngram_max": {"value": 2},
    "word_min_df": {"value": 2},
    "char_min_df": {"value": 3},
}
C = {"distribution": "log_uniform_values", "min": 1.0, "max": 64.0}
SWEEP = {
    "method": "random",
    "run_cap": 4,
    "metric": {"name": "macro_f1", "goal": "maximize"},
    "parameters": FIXED | {"C": C},
}
WIDE = {
    "word_ngram_max": {"value": 1},
    "char_ngram_max": {"value": 2},
    "word_features": {"distribution": "int_uniform", "min": 1, "max": 300},
    "char_features": {"distribution": "int_uniform", "min": 1, "max": 100},
    "C": C,
}
"""Settings so different that no two of them score alike."""
HALVING = {"early_terminate": {"type": "hyperband", "min_iter": 1, "eta": 2}}


def sweep(**changes):
    return parse_sweep(SWEEP | changes)


@pytest.fixture(scope="module")
def learned():
    return songs(*GENRES)


@pytest.fixture(scope="module")
def validation(learned):
    return CrossValidation(learned, n_folds=2, seed=0)


@pytest.mark.parametrize("n_trials", [4, 50])
def test_a_grid_tries_no_setting_twice(validation, n_trials):
    grid = FIXED | {"C": {"values": [1.0, 4.0, 8.0]}, "balanced": {"values": [True, False]}}
    trials = search(sweep(method="grid", parameters=grid, run_cap=n_trials), validation)
    tried = {(trial.parameters.C, trial.parameters.balanced) for trial in trials}
    assert len(trials) == len(tried) == min(n_trials, 6)


@pytest.mark.parametrize("method", ["random", "bayes", "grid"])
def test_the_same_seed_gives_the_same_trials(learned, method):
    parameters = FIXED | {"C": C if method != "grid" else {"values": [float(value) for value in range(1, 20)]}}
    asked = sweep(method=method, run_cap=6, parameters=parameters)
    first, again = (search_songs(asked, learned, 2, seed=3) for _ in range(2))
    assert first == again
    assert len(first) == 6
    other = search_songs(asked, learned, 2, seed=4)
    assert {trial.parameters for trial in other} != {trial.parameters for trial in first}


@pytest.mark.parametrize("method", ["random", "bayes"])
def test_trials_keep_to_their_distribution_and_come_best_first(validation, method):
    trials = search(sweep(method=method), validation)
    scores = [trial.macro_f1 for trial in trials]
    assert scores == sorted(scores, reverse=True)
    assert all(0 <= score <= 1 for score in scores)
    assert len({trial.parameters.C for trial in trials}) == 4
    for trial in trials:
        assert 1 <= trial.parameters.C <= 64
        assert trial.parameters.char_ngram_max == 2
        assert len(trial.folds) == 2
        assert trial.macro_f1 == pytest.approx(sum(trial.folds) / 2)
        assert (trial.outcome, trial.reason) == ("finished", "")


def test_every_distribution_gives_usable_settings(validation):
    parameters = FIXED | {
        "C": {"distribution": "q_uniform", "min": 2.0, "max": 8.0, "q": 2.0},
        "word_min_df": {"distribution": "int_uniform", "min": 1, "max": 2},
        "weighting": {"distribution": "categorical", "values": ["bm25", "tfidf_sublinear"]},
        "word_features": {"values": [50, None]},
    }
    for trial in search(sweep(parameters=parameters), validation):
        assert trial.parameters.C in (2.0, 4.0, 6.0, 8.0)
        assert trial.parameters.word_min_df in (1, 2)


def test_a_setting_that_is_drawn_twice_is_one_trial(validation):
    parameters = FIXED | {"balanced": {"values": [True, False]}}
    assert len(search(sweep(parameters=parameters, run_cap=12), validation)) == 2


def test_bayes_learns_from_what_it_was_told(learned):
    """Of other songs with other scores it asks the same first settings, and then others."""
    asked = sweep(method="bayes", run_cap=12, parameters=WIDE)
    heard = [search_songs(asked, heard, 2, seed=3) for heard in (learned, songs(*TWO_GENRES))]
    drawn = [{trial.parameters.C for trial in trials} for trials in heard]
    assert 4 <= len(drawn[0] & drawn[1]) < 12


def test_the_worse_half_is_given_up_after_the_first_fold(validation):
    asked = sweep(run_cap=8, parameters=WIDE)
    whole = {trial.parameters: trial for trial in search(asked, validation)}
    trials = search(sweep(run_cap=8, parameters=WIDE, **HALVING), validation)
    finished = [trial for trial in trials if trial.outcome == "finished"]
    stopped = [trial for trial in trials if trial.outcome == "stopped"]
    assert trials == [*finished, *stopped]
    assert all(trial == whole[trial.parameters] for trial in finished)
    assert stopped
    for trial in stopped:
        assert trial.folds == whole[trial.parameters].folds[:1]
        assert trial.reason == "not among the best after 1 folds"
    assert max(trial.macro_f1 for trial in stopped) < min(trial.folds[0] for trial in finished)


def test_bayes_gives_up_the_worse_of_each_batch_and_of_those_before(validation):
    asked = sweep(method="bayes", run_cap=12, parameters=WIDE, **HALVING)
    trials = search(asked, validation)
    assert trials == search(asked, validation)
    assert {trial.outcome for trial in trials} == {"finished", "stopped"}


def test_a_setting_that_cannot_be_measured_is_a_failed_trial(validation):
    parameters = FIXED | {"word_min_df": {"values": [2, 5000]}}
    good, bad = search(sweep(method="grid", parameters=parameters), validation)
    assert (good.outcome, good.parameters.word_min_df) == ("finished", 2)
    assert (bad.outcome, bad.macro_f1, bad.folds) == ("failed", 0.0, ())
    assert "5000" in bad.reason


def test_a_search_in_which_nothing_can_be_measured_says_why(validation):
    with pytest.raises(SearchError, match=r"none of 1 trials could be measured: .*5000"):
        search(sweep(parameters=FIXED | {"word_min_df": {"value": 5000}}), validation)


def test_an_error_of_the_program_ends_the_search(validation, monkeypatch):
    monkeypatch.setattr(validation, "score", lambda *task: task.missing)
    with pytest.raises(AttributeError):
        search(sweep(), validation)


@pytest.mark.parametrize("changes", [{}, HALVING], ids=["whole", "halving"])
def test_out_of_time_one_trial_is_finished_all_the_same(validation, changes):
    trials = search(sweep(run_cap=40, **changes), validation, max_seconds=1e-9)
    finished, *others = trials
    assert (finished.outcome, len(finished.folds)) == ("finished", 2)
    assert len(trials) <= 40
    assert {(trial.outcome, trial.reason, trial.folds) for trial in others} == {("stopped", "out of time", ())}


def test_a_budget_of_time_that_is_not_used_up_changes_nothing(validation):
    assert search(sweep(), validation, max_seconds=600) == search(sweep(), validation)


def test_more_time_continues_the_same_trials(learned, tmp_path):
    asked = sweep(run_cap=6)
    short = search_songs(asked, learned, 2, folder=tmp_path, max_seconds=1e-9)
    (first,) = (trial for trial in short if trial.outcome == "finished")
    assert first in search_songs(asked, learned, 2, folder=tmp_path)


def test_fewer_artists_than_folds_are_refused(learned):
    few = learned[learned["artist"] == learned["artist"].iloc[0]]
    with pytest.raises(ValueError, match=r"folds|splits|members"):
        search_songs(sweep(), few, 3)
