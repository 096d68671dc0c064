"""The search for hyperparameters: the space of sweep.yaml, the cross-validated trial, the local engine on Optuna.

`sweep.yaml` is in the format of W&B Sweeps. What the local engine cannot honour is refused by name.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
import yaml

from lyrics_assets.model.classifier import Hyperparameters, build_estimator, build_vectorizer
from lyrics_assets.model.evaluation import macro_f1
from lyrics_assets.model.splits import artist_folds

if TYPE_CHECKING:
    import optuna

_SWEEP_KEYS = {"program", "name", "description", "project", "entity", "method", "metric", "parameters", "run_cap"}
_DISTRIBUTIONS = ("uniform", "q_uniform", "int_uniform", "log_uniform_values")


_DEFAULT_TRIALS = 10
"""Trials of a sweep without run_cap."""


class SweepError(ValueError):
    """sweep.yaml asks for something that is unknown, or that the local engine cannot honour."""


class Sweep(NamedTuple):
    """A validated sweep.yaml."""

    method: str
    """``random``, ``grid`` or ``bayes``."""
    n_trials: int
    parameters: Mapping[str, Mapping[str, Any]]


class Trial(NamedTuple):
    """One setting that was tried, and its mean macro-F1 over the folds."""

    parameters: Hyperparameters
    macro_f1: float


def read_sweep(path: Path) -> Sweep:
    """Read and validate a sweep.yaml.

    Raises:
        SweepError: an unknown key, method or hyperparameter, or a distribution that the local engine does not know.
    """
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    if not isinstance(content, dict) or not isinstance(content.get("parameters"), dict):
        raise SweepError(f"{path.name}: no sweep; it needs method, metric and parameters")
    if unknown := set(content) - _SWEEP_KEYS:
        raise SweepError(
            f"{path.name}: {', '.join(sorted(unknown))} not supported; known: {', '.join(sorted(_SWEEP_KEYS))}"
        )
    if content.get("method") not in ("random", "grid", "bayes"):
        raise SweepError(f"{path.name}: method {content.get('method')!r}; allowed: random, grid, bayes")
    if content.get("metric") != {"name": "macro_f1", "goal": "maximize"}:
        raise SweepError(f"{path.name}: metric must be {{name: macro_f1, goal: maximize}}")
    if not isinstance(content.get("run_cap", _DEFAULT_TRIALS), int):
        raise SweepError(f"{path.name}: run_cap {content['run_cap']!r}; give a whole number of trials")
    parameters = content["parameters"]
    if unknown := set(parameters) - set(Hyperparameters.model_fields):
        raise SweepError(
            f"{path.name}: unknown parameters {sorted(unknown)}; known: {sorted(Hyperparameters.model_fields)}"
        )
    for name, spec in parameters.items():
        _check_distribution(path.name, name, spec)
    return Sweep(content["method"], content.get("run_cap", _DEFAULT_TRIALS), parameters)


def _check_distribution(file: str, name: str, spec: Any) -> None:
    refusal = f"{file}: {name}: {spec} not supported"
    if not isinstance(spec, dict):
        raise SweepError(f"{refusal}; give {{value: {spec}}}")
    if kind := spec.get("distribution"):
        allowed = {"distribution", "min", "max", *(("q",) if kind == "q_uniform" else ())}
        if kind not in _DISTRIBUTIONS or set(spec) - allowed or not {"min", "max"} <= set(spec):
            raise SweepError(f"{refusal}; distributions: {', '.join(_DISTRIBUTIONS)} with min, max")
    elif len(spec) != 1 or next(iter(spec)) not in ("value", "values"):
        raise SweepError(f"{refusal}; give value, values, or distribution with min, max")


@dataclass
class CrossValidation:
    """Measures settings on folds of whole artists; each vectorization is computed once and shared by the trials."""

    songs: pd.DataFrame
    """Training songs only; columns artist, genre, lyrics."""
    n_folds: int = 4
    seed: int = 0
    _folds: list[tuple[np.ndarray, np.ndarray]] = field(default_factory=list, init=False, repr=False)
    _matrices: dict[tuple[Any, ...], list[tuple[Any, Any]]] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        self._folds = list(artist_folds(self.songs, self.n_folds, self.seed))

    def measure(self, parameters: Hyperparameters, report: Callable[[int, float], None] | None = None) -> float:
        """Return the mean macro-F1 over the folds; `report` gets (fold, mean so far) after each."""
        genres = self.songs["genre"].to_numpy(dtype=str)
        scores: list[float] = []
        for fold, ((train, valid), (x_train, x_valid)) in enumerate(
            zip(self._folds, self._vectorized(parameters), strict=True)
        ):
            estimator = build_estimator(parameters, self.seed).fit(x_train, genres[train])
            scores.append(macro_f1(genres[valid], estimator.predict(x_valid)))
            if report:
                report(fold, float(np.mean(scores)))
        return float(np.mean(scores))

    def _vectorized(self, parameters: Hyperparameters) -> list[tuple[Any, Any]]:
        key = (
            parameters.word_ngram_max,
            parameters.char_ngram_max,
            parameters.word_min_df,
            parameters.char_min_df,
        )
        if key not in self._matrices:
            lyrics = self.songs["lyrics"].to_numpy(dtype=object)
            pairs = []
            for train, valid in self._folds:
                vectorizer = build_vectorizer(parameters)
                pairs.append((vectorizer.fit_transform(lyrics[train]), vectorizer.transform(lyrics[valid])))
            self._matrices[key] = pairs
        return self._matrices[key]


def search(sweep: Sweep, validation: CrossValidation) -> list[Trial]:
    """Run the sweep in this process; return the distinct trials, best first. The same seed gives the same trials."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(direction="maximize", sampler=_sampler(sweep, validation.seed), study_name="lyrics")
    measured: dict[Hyperparameters, float] = {}

    def objective(trial: "optuna.Trial") -> float:
        parameters = Hyperparameters(**{name: _suggest(trial, name, spec) for name, spec in sweep.parameters.items()})
        if parameters not in measured:
            measured[parameters] = validation.measure(parameters)
        return measured[parameters]

    study.optimize(objective, n_trials=sweep.n_trials)
    trials = [Trial(parameters, score) for parameters, score in measured.items()]
    return sorted(trials, key=lambda trial: -trial.macro_f1)


def _sampler(sweep: Sweep, seed: int) -> "optuna.samplers.BaseSampler":
    import optuna

    if sweep.method == "grid":
        choices = {name: _grid_choices(name, spec) for name, spec in sweep.parameters.items()}
        return optuna.samplers.GridSampler(choices, seed=seed)
    if sweep.method == "bayes":
        return optuna.samplers.TPESampler(seed=seed)
    return optuna.samplers.RandomSampler(seed=seed)


def _grid_choices(name: str, spec: Mapping[str, Any]) -> list[Any]:
    if "distribution" in spec:
        raise SweepError(f"{name}: method grid needs value or values, not a distribution")
    return list(spec.get("values", [spec.get("value")]))


def _suggest(trial: "optuna.Trial", name: str, spec: Mapping[str, Any]) -> Any:
    if "distribution" not in spec:
        return trial.suggest_categorical(name, spec["values"] if "values" in spec else [spec["value"]])
    low, high = spec["min"], spec["max"]
    if spec["distribution"] == "int_uniform":
        return trial.suggest_int(name, low, high)
    step = spec.get("q", 1) if spec["distribution"] == "q_uniform" else None
    return trial.suggest_float(name, low, high, step=step, log=spec["distribution"] == "log_uniform_values")
