"""What sweep.yaml may say, and what is refused by name."""

import pytest
import yaml

from lyrics_assets.model.sweeps import EarlyTermination, SweepError, parse_sweep, read_sweep
from lyrics_assets.settings import ROOT

C = {"distribution": "log_uniform_values", "min": 1.0, "max": 64.0}
SWEEP = {
    "method": "random",
    "run_cap": 4,
    "metric": {"name": "macro_f1", "goal": "maximize"},
    "parameters": {"C": C},
}


def test_the_sweep_of_the_project_is_read():
    path = ROOT / "sweep.yaml"
    sweep, content = read_sweep(path), yaml.safe_load(path.read_text(encoding="utf-8"))
    assert (sweep.method, sweep.n_trials) == (content["method"], content["run_cap"])
    assert sweep.parameters == content["parameters"]
    assert sweep.content == content


def test_a_sweep_without_a_cap_has_ten_trials():
    assert parse_sweep({key: value for key, value in SWEEP.items() if key != "run_cap"}).n_trials == 10


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"command": ["python"], "controller": {}}, "command, controller not supported; known: description, early_"),
        ({"method": "custom"}, "method 'custom'; allowed: random, grid, bayes"),
        ({"method": None}, "method None"),
        ({"metric": {"name": "loss", "goal": "minimize"}}, "metric must be"),
        ({"metric": {"name": "macro_f1", "goal": "minimize"}}, "metric must be"),
        ({"metric": {"name": "macro_f1", "goal": "maximize", "target": 0.9}}, "metric must be"),
        ({"metric": None}, "metric must be"),
        ({"run_cap": "many"}, "run_cap 'many'"),
        ({"run_cap": 0}, "run_cap 0"),
        ({"run_cap": True}, "run_cap True"),
        ({"early_terminate": {"type": "hyperband"}}, "early_terminate: .* give min_iter, or max_iter and s"),
        ({"early_terminate": {"type": "envelope", "min_iter": 1}}, "early_terminate: .* type must be hyperband"),
        ({"early_terminate": {"type": "hyperband", "min_iter": 1, "strict": True}}, "early_terminate: .*strict"),
        ({"early_terminate": {"type": "hyperband", "min_iter": 1, "max_iter": 3, "s": 1}}, "early_terminate: "),
        ({"early_terminate": {"type": "hyperband", "min_iter": 0}}, "early_terminate: .* whole numbers"),
        ({"early_terminate": {"type": "hyperband", "min_iter": 1, "eta": 1}}, "early_terminate: .* above 1"),
        ({"early_terminate": {"type": "hyperband", "max_iter": 2, "s": 2}}, "early_terminate: .* looks at no fold"),
        ({"early_terminate": ["hyperband"]}, "early_terminate: "),
        ({"parameters": {"epochs": {"value": 3}}}, r"unknown parameters \['epochs'\]"),
        ({"parameters": {"C": 8}}, "C: 8 not supported; give {value: 8}"),
        ({"parameters": {"C": {"distribution": "normal", "mu": 0, "sigma": 1}}}, "C: .*normal.* not supported"),
        ({"parameters": {"C": {"distribution": "beta", "a": 1, "b": 1}}}, "C: .*beta.* not supported"),
        ({"parameters": {"C": C | {"distribution": "log_uniform"}}}, "C: .*log_uniform.* not supported; distrib"),
        ({"parameters": {"C": C | {"distribution": "q_log_uniform_values", "q": 2}}}, "C: .*q_log.* not supported"),
        ({"parameters": {"C": C | {"distribution": "inv_log_uniform_values"}}}, "C: .*inv_log.* not supported"),
        ({"parameters": {"C": C | {"distribution": ["uniform"]}}}, "C: .* not supported"),
        ({"parameters": {"C": {"distribution": "uniform", "min": 1}}}, "C: .*with min, max"),
        ({"parameters": {"C": C | {"q": 1}}}, "C: .*not supported"),
        ({"parameters": {"C": C | {"max": 0.5}}}, "C: .*min not above max"),
        ({"parameters": {"C": C | {"min": "one"}}}, "C: .*must be numbers"),
        ({"parameters": {"C": C | {"min": 0}}}, "C: .*on a log scale min must be above 0"),
        ({"parameters": {"C": C | {"distribution": "uniform", "min": 0}}}, "C: 0 is not allowed: .*exclusiveMinimum"),
        ({"parameters": {"C": {"distribution": "q_uniform", "min": 1, "max": 8, "q": 2}}}, "C: .*multiples of q"),
        ({"parameters": {"C": {"min": 1, "max": 2}}}, "C: .*give value, values, or distribution"),
        ({"parameters": {"C": {"values": [1], "probabilities": [1]}}}, "C: .*probabilities.* not supported"),
        ({"parameters": {"C": {"value": 1, "values": [1]}}}, "C: .*not supported"),
        ({"parameters": {"C": {"values": []}}}, "C: .*values must be a list"),
        ({"parameters": {"C": {"values": 8}}}, "C: .*values must be a list"),
        ({"parameters": {"C": {}}}, "C: .*not supported"),
        ({"parameters": {"C": {"parameters": {"a": {"value": 1}}}}}, "C: .*not supported"),
        ({"parameters": {"C": {"values": [1, -1]}}}, "C: -1 is not allowed: .*exclusiveMinimum"),
        ({"parameters": {"balanced": {"value": 1}}}, "balanced: 1 is not allowed: .*boolean"),
        ({"parameters": {"word_ngram_max": {"value": True}}}, "word_ngram_max: True is not allowed"),
        ({"parameters": {"word_ngram_max": {"values": [1, 9]}}}, "word_ngram_max: 9 is not allowed: .*maximum"),
        ({"parameters": {"weighting": {"values": ["hash"]}}}, "weighting: 'hash' is not allowed: .*bm25"),
        (
            {"parameters": {"word_min_df": {"distribution": "int_uniform", "min": 1, "max": 2.5}}},
            "word_min_df: .*whole",
        ),
        (
            {"parameters": {"word_min_df": {"distribution": "uniform", "min": 1, "max": 4}}},
            "word_min_df: .*int_uniform",
        ),
        (
            {"parameters": {"word_min_df": {"distribution": "q_uniform", "min": 1, "max": 4, "q": 0.5}}},
            "word_min_df: .*so must be q",
        ),
        ({"method": "grid"}, "C: method grid needs value or values"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_not_honoured_is_refused_by_name(changes, named):
    with pytest.raises(SweepError, match=named):
        parse_sweep(SWEEP | changes)


@pytest.mark.parametrize("content", ["", "[]", "method: random\n", "parameters: [C]\n", "{", "1: 2\nparameters: {}\n"])
def test_a_file_that_is_no_sweep_is_refused_with_its_name(tmp_path, content):
    path = tmp_path / "sweep.yaml"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(SweepError, match=r"^sweep\.yaml: "):
        read_sweep(path)


@pytest.mark.parametrize(
    "spec",
    [
        {"value": 2},
        {"values": [1, 2.5]},
        {"distribution": "constant", "value": 2},
        {"distribution": "categorical", "values": [1, 2]},
        {"distribution": "uniform", "min": 1, "max": 2},
        {"distribution": "q_uniform", "min": 0.3, "max": 1.5, "q": 0.3},
        {"distribution": "int_uniform", "min": 1, "max": 3},
        C,
    ],
)
def test_what_both_engines_know_is_taken(spec):
    assert parse_sweep(SWEEP | {"parameters": {"C": spec}}).parameters == {"C": spec}


@pytest.mark.parametrize(
    ("spec", "bands", "eta"),
    [
        ({"min_iter": 1}, [1, 3, 9, 27, 81], 3),
        ({"min_iter": 2, "eta": 2}, [2, 4, 8, 16, 32, 64], 2),
        ({"max_iter": 27, "s": 2}, [3, 9], 3),
        ({"max_iter": 4, "s": 5, "eta": 2}, [1, 2], 2),
        ({"min_iter": 1, "eta": 1e300}, [1], 1e300),
    ],
)
def test_hyperband_looks_after_the_folds_that_wandb_names(spec, bands, eta):
    read = parse_sweep(SWEEP | {"early_terminate": {"type": "hyperband"} | spec}).early_termination
    assert read == EarlyTermination(tuple(bands), eta)


def test_of_three_trials_that_got_as_far_the_best_two_go_on():
    rule = EarlyTermination((1,), 3)
    scores = [0.5, 0.3, 0.4]
    assert [rule.keeps(score, scores) for score in scores] == [True, False, True]
    assert rule.keeps(0.1, [0.1])
    assert rule.keeps(0.1, [0.1, 0.1, 0.1])
