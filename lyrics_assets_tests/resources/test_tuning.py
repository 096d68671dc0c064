"""The tuner as the pipeline uses it."""

import pytest
import yaml

from lyrics_assets.model.cross_validation import CrossValidation
from lyrics_assets.model.sweeps import SweepError, read_sweep
from lyrics_assets.model.tuning import search
from lyrics_assets.resources.tuning import LocalTuner
from lyrics_assets_tests.corpus import TWO_GENRES, songs

SWEEP = {
    "method": "random",
    "run_cap": 2,
    "metric": {"name": "macro_f1", "goal": "maximize"},
    "parameters": {
        "word_ngram_max": {"value": 1},
        "char_ngram_max": {"value": 2},
        "C": {"distribution": "log_uniform_values", "min": 1.0, "max": 64.0},
    },
}


@pytest.fixture
def sweep(tmp_path):
    path = tmp_path / "sweep.yaml"
    path.write_text(yaml.safe_dump(SWEEP), encoding="utf-8")
    return path


def test_the_local_tuner_runs_a_sweep_file(sweep):
    learned = songs(*TWO_GENRES)
    trials = LocalTuner(sweep=str(sweep), n_folds=2, seed=3).search(learned)
    assert trials == search(read_sweep(sweep), CrossValidation(learned, 2, 3))


def test_the_local_tuner_remembers_what_it_has_measured(sweep, tmp_path, monkeypatch):
    learned = songs(*TWO_GENRES)
    tuner = LocalTuner(sweep=str(sweep), n_folds=2, folder=str(tmp_path / "tuning"))
    trials = tuner.search(learned)
    monkeypatch.setattr(CrossValidation, "score", None)
    assert tuner.search(learned) == trials


def test_a_sweep_that_cannot_be_honoured_is_refused_before_anything_is_measured(sweep, monkeypatch):
    sweep.write_text(yaml.safe_dump(SWEEP | {"method": "custom"}), encoding="utf-8")
    monkeypatch.setattr(CrossValidation, "score", None)
    with pytest.raises(SweepError, match=r"sweep\.yaml: method 'custom'"):
        LocalTuner(sweep=str(sweep)).search(songs(*TWO_GENRES))
