"""The search as sweep.yaml describes it, in the format of W&B Sweeps; what this project cannot honour is refused.

The same file drives W&B and the local engine, so it may only say what both do alike.
"""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import yaml
from pydantic import TypeAdapter, ValidationError

from lyrics_assets.model.classifier import Hyperparameters

METRIC = "macro_f1"
METHODS = ("random", "grid", "bayes")
DEFAULT_TRIALS = 10
"""Trials of a sweep without run_cap."""

_KEYS = {
    *("name", "description", "project", "entity", "program"),
    *("method", "metric", "parameters", "run_cap", "early_terminate"),
}
_DISTRIBUTIONS = ("uniform", "q_uniform", "int_uniform", "log_uniform_values")
_DEFAULT_ETA = 3
_MOST_FOLDS = 100


class SweepError(ValueError):
    """sweep.yaml asks for something that is unknown, or that is not honoured."""


class EarlyTermination(NamedTuple):
    """Which trials are given up: W&B's `hyperband`, an iteration being one fold of the cross-validation."""

    bands: tuple[int, ...]
    """After how many folds a trial must be among the best to go on."""
    eta: float
    """One trial in `eta` goes on, and one more."""

    def keeps(self, score: float, scores: list[float]) -> bool:
        """Return whether a trial goes on.

        Args:
            score: its mean over the folds so far.
            scores: the same of all trials that have got as far, itself among them.
        """
        return score >= sorted(scores, reverse=True)[int(len(scores) / self.eta)]


class Sweep(NamedTuple):
    """A validated sweep.yaml."""

    method: str
    """``random``, ``grid`` or ``bayes``."""
    n_trials: int
    parameters: Mapping[str, Mapping[str, Any]]
    early_termination: EarlyTermination | None = None
    content: Mapping[str, Any] = {}
    """The file as it stands, for W&B."""


def read_sweep(path: Path) -> Sweep:
    """Read and validate a sweep.yaml.

    Raises:
        SweepError: it is no sweep, or asks for what is not honoured; the message names it and what is allowed.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise SweepError(f"{path.name}: no YAML: {error}") from error
    try:
        return parse_sweep(content)
    except SweepError as error:
        raise SweepError(f"{path.name}: {error}") from None


def parse_sweep(content: Any) -> Sweep:
    """Validate the content of a sweep.yaml.

    Raises:
        SweepError: as `read_sweep`, without the file's name.
    """
    if not isinstance(content, dict) or not isinstance(content.get("parameters"), dict):
        raise SweepError("no sweep; it needs method, metric and parameters")
    if unknown := sorted(map(str, set(content) - _KEYS)):
        raise SweepError(f"{', '.join(unknown)} not supported; known: {', '.join(sorted(_KEYS))}")
    method, n_trials, parameters = content.get("method"), content.get("run_cap", DEFAULT_TRIALS), content["parameters"]
    if method not in METHODS:
        raise SweepError(f"method {method!r}; allowed: {', '.join(METHODS)}")
    if content.get("metric") != {"name": METRIC, "goal": "maximize"}:
        raise SweepError(f"metric must be {{name: {METRIC}, goal: maximize}}")
    if not _is_whole(n_trials, 1):
        raise SweepError(f"run_cap {n_trials!r}; give a whole number of trials")
    if unknown := sorted(map(str, set(parameters) - set(Hyperparameters.model_fields))):
        raise SweepError(f"unknown parameters {unknown}; known: {sorted(Hyperparameters.model_fields)}")
    for name, spec in parameters.items():
        _check_parameter(name, spec)
        if method == "grid" and "distribution" in spec and spec["distribution"] in _DISTRIBUTIONS:
            raise SweepError(f"{name}: method grid needs value or values, not a distribution")
    stopping = content.get("early_terminate")
    bands = None if stopping is None else _read_early_termination(stopping)
    return Sweep(method, n_trials, parameters, bands, content)


def choices(spec: Mapping[str, Any]) -> list[Any] | None:
    """Return what a parameter may be, or None if it is drawn from a range."""
    if "values" in spec:
        return list(spec["values"])
    return [spec["value"]] if "value" in spec else None


def _check_parameter(name: str, spec: Any) -> None:
    refusal = f"{name}: {spec} not supported"
    if not isinstance(spec, dict):
        raise SweepError(f"{refusal}; give {{value: {spec}}}")
    kind = spec.get("distribution")
    if kind in _DISTRIBUTIONS:
        allowed = {"distribution", "min", "max", *(("q",) if kind == "q_uniform" else ())}
        if set(spec) - allowed or not {"min", "max"} <= set(spec):
            raise SweepError(f"{refusal}; distributions: {', '.join(_DISTRIBUTIONS)} with min, max")
        _check_range(name, spec, refusal)
        return
    named = {"constant": "value", "categorical": "values"}
    keys = set(spec) - {"distribution"}
    if kind is not None and (not isinstance(kind, str) or keys != {named.get(kind)}):
        raise SweepError(f"{refusal}; distributions: {', '.join(_DISTRIBUTIONS)} with min, max")
    if keys not in ({"value"}, {"values"}):
        raise SweepError(f"{refusal}; give value, values, or distribution with min, max")
    if "values" in spec and not (isinstance(spec["values"], list) and spec["values"]):
        raise SweepError(f"{refusal}; values must be a list")
    for value in choices(spec) or []:
        _check_value(name, value)


def _check_range(name: str, spec: Mapping[str, Any], refusal: str) -> None:
    kind, low, high, step = spec["distribution"], spec["min"], spec["max"], spec.get("q", 1)
    numbers = (low, high, step)
    if not all(isinstance(number, int | float) and not isinstance(number, bool) for number in numbers) or low > high:
        raise SweepError(f"{refusal}; min and max must be numbers, min not above max")
    if kind == "log_uniform_values" and low <= 0:
        raise SweepError(f"{refusal}; on a log scale min must be above 0")
    if kind == "int_uniform" and not all(_is_whole(number) for number in numbers):
        raise SweepError(f"{refusal}; int_uniform needs whole numbers")
    # W&B rounds to multiples of q, Optuna counts from min: only then they mean the same values.
    if kind == "q_uniform" and not (step > 0 and _is_multiple(low, step) and _is_multiple(high, step)):
        raise SweepError(f"{refusal}; min and max must be multiples of q")
    for value in (low, high):
        _check_value(name, value)
    takes_fractions = _is_allowed(name, low + (high - low) / math.pi)
    if kind in ("uniform", "log_uniform_values") and low < high and not takes_fractions:
        raise SweepError(f"{refusal}; {name} is a whole number: int_uniform")
    if kind == "q_uniform" and not (takes_fractions or _is_multiple(step, 1)):
        raise SweepError(f"{refusal}; {name} is a whole number, so must be q")


def _check_value(name: str, value: Any) -> None:
    if not _is_allowed(name, value):
        described = Hyperparameters.model_json_schema()["properties"][name]
        limits = {key: limit for key, limit in described.items() if key not in ("title", "description", "default")}
        raise SweepError(f"{name}: {value!r} is not allowed: {limits}")


def _is_allowed(name: str, value: Any) -> bool:
    field = Hyperparameters.model_fields[name]
    if isinstance(value, bool) is not (field.annotation is bool):  # pydantic takes 1 for true and true for 1
        return False
    try:
        TypeAdapter[Any](Annotated[field.annotation, field]).validate_python(value)  # type: ignore[arg-type]
    except ValidationError:
        return False
    return True


def _is_whole(value: Any, least: int | None = None) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and (least is None or value >= least)


def _is_multiple(value: float, step: float) -> bool:
    return math.isclose(value / step, round(value / step), abs_tol=1e-9)


def _read_early_termination(spec: Any) -> EarlyTermination:
    refusal = f"early_terminate: {spec} not supported"
    if not isinstance(spec, dict) or spec.get("type") != "hyperband":
        raise SweepError(f"{refusal}; type must be hyperband")
    given = set(spec) - {"type", "eta"}
    eta = spec.get("eta", _DEFAULT_ETA)
    if given not in ({"min_iter"}, {"max_iter", "s"}):
        raise SweepError(f"{refusal}; give min_iter, or max_iter and s, and eta if it is not {_DEFAULT_ETA}")
    if not all(_is_whole(spec[name], 1) for name in given):
        raise SweepError(f"{refusal}; {' and '.join(sorted(given))} must be whole numbers of folds, at least 1")
    if not isinstance(eta, int | float) or isinstance(eta, bool) or eta <= 1:
        raise SweepError(f"{refusal}; eta must be a number above 1")
    return EarlyTermination(_bands(spec, eta), float(eta))


def _bands(spec: Mapping[str, int], eta: float) -> tuple[int, ...]:
    """Return the folds after which W&B looks: from min_iter upwards, or from max_iter downwards in s steps."""
    if "min_iter" in spec:
        bands, band = [], float(spec["min_iter"])
        while band <= _MOST_FOLDS:
            bands.append(int(band))
            band *= eta
    else:
        bands = [int(spec["max_iter"] / eta**power) for power in range(1, min(spec["s"], _MOST_FOLDS) + 1)]
    if not any(bands):
        raise SweepError(f"early_terminate: {spec} not supported; it looks at no fold")
    return tuple(sorted({band for band in bands if band}))
