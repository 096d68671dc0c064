"""The search for hyperparameters."""

from pathlib import Path

import pytest
import yaml

from lyrics_assets.model.classifier import Hyperparameters
from lyrics_assets.model.tuning import CrossValidation, SweepError, read_sweep, search
from lyrics_assets.resources.tuning import LocalTuner
from lyrics_assets.settings import ROOT
from lyrics_assets_tests.corpus import TWO_GENRES, songs

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


@pytest.fixture
def sweep(tmp_path):
    """Write a sweep with these keys changed and read it."""

    def read(**changes):
        path = tmp_path / "sweep.yaml"
        path.write_text(yaml.safe_dump(SWEEP | changes), encoding="utf-8")
        return read_sweep(path)

    return read


@pytest.fixture(scope="module")
def learned():
    return songs(*TWO_GENRES)


@pytest.fixture
def validation(learned):
    return CrossValidation(learned, n_folds=2, seed=0)


def test_the_sweep_of_the_project_is_read():
    path = ROOT / "sweep.yaml"
    sweep, content = read_sweep(path), yaml.safe_load(path.read_text(encoding="utf-8"))
    assert (sweep.method, sweep.n_trials) == (content["method"], content["run_cap"])
    assert sweep.parameters == content["parameters"]


def test_a_sweep_without_a_cap_has_ten_trials(tmp_path):
    path = tmp_path / "sweep.yaml"
    path.write_text(yaml.safe_dump({key: value for key, value in SWEEP.items() if key != "run_cap"}), encoding="utf-8")
    assert read_sweep(path).n_trials == 10


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"early_terminate": {"type": "hyperband"}}, "early_terminate not supported"),
        ({"command": ["python"], "controller": {}}, "command, controller not supported"),
        ({"method": "custom"}, "method 'custom'; allowed: random, grid, bayes"),
        ({"method": None}, "method None"),
        ({"metric": {"name": "loss", "goal": "minimize"}}, "metric must be"),
        ({"metric": {"name": "macro_f1", "goal": "minimize"}}, "metric must be"),
        ({"metric": None}, "metric must be"),
        ({"parameters": {"epochs": {"value": 3}}}, "unknown parameters \\['epochs'\\]"),
        ({"parameters": {"C": {"distribution": "normal", "mu": 0, "sigma": 1}}}, "C: .*normal.* not supported"),
        ({"parameters": {"C": {"distribution": "uniform", "min": 1}}}, "C: .*with min, max"),
        ({"parameters": {"C": C | {"q": 1}}}, "C: .*not supported"),
        ({"parameters": {"C": {"min": 1, "max": 2}}}, "C: .*give value, values, or distribution"),
        ({"parameters": {"C": {"values": [1], "probabilities": [1]}}}, "C: .*probabilities.* not supported"),
        ({"parameters": {"C": {"value": 1, "values": [1]}}}, "C: .*not supported"),
        ({"parameters": {"C": {}}}, "C: .*not supported"),
        ({"parameters": {"C": {"parameters": {"a": {"value": 1}}}}}, "C: .*not supported"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_the_engine_cannot_honour_is_refused_by_name(sweep, changes, named):
    with pytest.raises(SweepError, match=f"sweep.yaml: .*{named}|sweep.yaml: {named}"):
        sweep(**changes)


@pytest.mark.parametrize(
    "content",
    ["", "[]", yaml.safe_dump({key: value for key, value in SWEEP.items() if key != "parameters"})]
    + [yaml.safe_dump(SWEEP | changes) for changes in ({"parameters": {"C": 8}}, {"run_cap": "many"})],
    ids=["empty", "list", "no parameters", "a bare value", "no number"],
)
def test_a_file_that_is_no_sweep_is_refused(tmp_path, content):
    path = tmp_path / "sweep.yaml"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(SweepError):
        read_sweep(path)


def test_a_grid_needs_values(sweep, validation):
    with pytest.raises(SweepError, match="C: method grid needs value or values"):
        search(sweep(method="grid"), validation)


def test_a_grid_tries_every_setting_once(sweep, validation):
    grid = FIXED | {"C": {"values": [1.0, 8.0]}, "balanced": {"values": [True, False]}}
    trials = search(sweep(method="grid", parameters=grid, run_cap=50), validation)
    tried = {(trial.parameters.C, trial.parameters.balanced) for trial in trials}
    assert tried == {(1.0, True), (1.0, False), (8.0, True), (8.0, False)}
    assert len(trials) == 4


@pytest.mark.parametrize("method", ["random", "bayes"])
def test_the_same_seed_gives_the_same_trials(sweep, learned, method):
    asked = sweep(method=method)
    first, again = (search(asked, CrossValidation(learned, 2, seed=3)) for _ in range(2))
    assert first == again
    assert len(first) == 4
    assert search(asked, CrossValidation(learned, 2, seed=4)) != first


@pytest.mark.parametrize("method", ["random", "bayes"])
def test_trials_keep_to_their_distribution_and_come_best_first(sweep, validation, method):
    trials = search(sweep(method=method), validation)
    scores = [trial.macro_f1 for trial in trials]
    assert scores == sorted(scores, reverse=True)
    assert all(0 <= score <= 1 for score in scores)
    assert len({trial.parameters.C for trial in trials}) == 4
    for trial in trials:
        assert 1 <= trial.parameters.C <= 64
        assert trial.parameters.char_ngram_max == 2


def test_every_distribution_gives_usable_settings(sweep, validation):
    parameters = FIXED | {
        "C": {"distribution": "q_uniform", "min": 2.0, "max": 8.0, "q": 2.0},
        "word_min_df": {"distribution": "int_uniform", "min": 1, "max": 2},
    }
    for trial in search(sweep(parameters=parameters), validation):
        assert trial.parameters.C in (2.0, 4.0, 6.0, 8.0)
        assert trial.parameters.word_min_df in (1, 2)


def test_a_setting_that_is_drawn_twice_is_one_trial(sweep, validation):
    parameters = FIXED | {"balanced": {"values": [True, False]}}
    assert len(search(sweep(parameters=parameters, run_cap=12), validation)) == 2


def test_settings_that_read_the_same_share_their_vectorization(validation):
    small = Hyperparameters(word_ngram_max=1, char_ngram_max=2)
    for parameters in (small, small.model_copy(update={"C": 1.0}), small.model_copy(update={"balanced": False})):
        validation.measure(parameters)
    assert len(validation._matrices) == 1
    (shared,) = validation._matrices.values()
    validation.measure(small.model_copy(update={"C": 2.0}))
    assert next(iter(validation._matrices.values())) is shared
    validation.measure(small.model_copy(update={"char_ngram_max": 3}))
    assert len(validation._matrices) == 2


def test_each_fold_is_reported_with_the_mean_so_far(validation):
    reported = []
    score = validation.measure(
        Hyperparameters(word_ngram_max=1, char_ngram_max=2), lambda *so_far: reported.append(so_far)
    )
    assert [fold for fold, _ in reported] == [0, 1]
    assert reported[-1][1] == score


def test_words_that_only_the_validation_songs_hold_are_unknown_to_a_fold(learned):
    marked = learned.copy()
    marked["lyrics"] += [
        f"\nxis{letter} xis{letter}" for letter in marked["artist"].map(lambda name: name.split()[0].lower())
    ]
    validation = CrossValidation(marked, 2, 0)
    parameters = Hyperparameters(word_ngram_max=1, char_ngram_max=2, word_min_df=1)
    validation.measure(parameters)
    for (train, valid), (x_train, x_valid) in zip(
        validation._folds, next(iter(validation._matrices.values())), strict=True
    ):
        assert (x_train.shape[0], x_valid.shape[0]) == (len(train), len(valid))
        assert (x_train.getnnz(axis=0) > 0).all()


def test_the_local_tuner_runs_a_sweep_file(tmp_path, learned):
    path = tmp_path / "sweep.yaml"
    path.write_text(yaml.safe_dump(SWEEP | {"run_cap": 2}), encoding="utf-8")
    trials = LocalTuner(sweep=str(path), n_folds=2, seed=3).search(learned)
    assert trials == search(read_sweep(Path(path)), CrossValidation(learned, 2, 3))
