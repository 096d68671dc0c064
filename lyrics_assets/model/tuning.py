"""The local search for hyperparameters: Optuna proposes settings, workers measure them.

The trials are asked in batches whose size depends on the sweep alone, and told in the order in which they were asked.
So they depend on the sweep, the songs and the seed, and on nothing else: not on the workers, not on a kill and resume.
"""

import contextlib
import itertools
import logging
import math
import random
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from lyrics_assets.model.classifier import Hyperparameters
from lyrics_assets.model.cross_validation import CrossValidation, identify, mean, vectorizer_setting
from lyrics_assets.model.journal import Journal, SearchError, open_journal, remove_leftovers
from lyrics_assets.model.sweeps import METRIC, Sweep, choices
from lyrics_assets.model.workers import Run, Workers, this_process

if TYPE_CHECKING:
    import optuna
    import pandas as pd

_FEATURES = "features"
BATCH = 4
"""Trials that `bayes` asks for before it learns from them."""
STOPPING_BATCH = 8
"""Trials of `random` and `grid` that run fold by fold beside each other, if some of them are given up early."""

_log = logging.getLogger(__name__)


class Trial(NamedTuple):
    """One setting that was tried."""

    parameters: Hyperparameters
    macro_f1: float
    """Mean over the folds that were measured; 0 if none was."""
    folds: tuple[float, ...] = ()
    """Macro-F1 of each fold."""
    outcome: Literal["finished", "stopped", "failed"] = "finished"
    reason: str = ""
    """Why it did not finish."""


def search_songs(
    sweep: Sweep,
    songs: "pd.DataFrame",
    n_folds: int = 4,
    seed: int = 0,
    *,
    folder: Path | None = None,
    workers: Workers = this_process,
    max_seconds: float | None = None,
) -> list[Trial]:
    """Run the sweep on songs; return the distinct trials, best first.

    Args:
        sweep: what to search.
        songs: training songs only; columns artist, genre, lyrics, lyrics_group.
        n_folds: folds of whole artists.
        seed: of the folds, of the estimator and of the sampler.
        folder: where what was measured is kept, one subfolder for each set of songs: a search that was killed goes on
            there, one that has ended is answered at once. Nothing is kept if None.
        workers: where the trials are measured.
        max_seconds: after how long no fold is begun any more. One trial is always finished.

    Raises:
        SearchError: no trial could be measured, or the workers are out of reach.
        ValueError: there are fewer artists than folds.
    """
    if folder is None:
        return search(sweep, CrossValidation(songs, n_folds, seed), workers=workers, max_seconds=max_seconds)
    folder.mkdir(parents=True, exist_ok=True)
    remove_leftovers(folder, _FEATURES)
    place = folder / identify(songs, n_folds, seed)
    with open_journal(place) as journal, _removed(place / _FEATURES) as features:
        validation = CrossValidation(songs, n_folds, seed, folder=features)
        return search(sweep, validation, journal=journal, workers=workers, max_seconds=max_seconds)


@contextlib.contextmanager
def _removed(folder: Path) -> Iterator[Path]:
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def search(
    sweep: Sweep,
    validation: CrossValidation,
    *,
    journal: Journal | None = None,
    workers: Workers = this_process,
    max_seconds: float | None = None,
) -> list[Trial]:
    """Run the sweep on a cross-validation; return the distinct trials, best first. See `search_songs`.

    Raises:
        SearchError: no trial could be measured, or the workers are out of reach.
    """
    deadline = math.inf if max_seconds is None else time.time() + max_seconds
    with workers(validation) as run:
        measuring = _Measuring(sweep, validation.n_folds, run, journal or Journal(), deadline)
        for batch in _Proposals(sweep, validation.seed):
            measuring.measure([parameters for _, parameters in batch.trials])
            batch.tell([measuring.settings[parameters] for _, parameters in batch.trials])
            _log.info("%d of %d trials, best macro-F1 %.4f", batch.n_asked, sweep.n_trials, measuring.best)
            if time.time() > deadline:
                break
        if not any(setting.outcome == "finished" for setting in measuring.settings.values()):
            measuring.finish_one()
    return _ranking(measuring.settings)


@dataclass
class _Setting:
    """What is known of a setting in this search."""

    folds: list[float] = field(default_factory=list)
    outcome: Literal["", "finished", "stopped", "failed"] = ""
    reason: str = ""


class _Measuring:
    """Measures batches of settings, each setting once."""

    def __init__(self, sweep: Sweep, n_folds: int, run: Run, journal: Journal, deadline: float) -> None:
        self.settings: dict[Hyperparameters, _Setting] = {}
        self._early_termination = sweep.early_termination
        self._n_folds, self._run, self._journal, self._deadline = n_folds, run, journal, deadline

    @property
    def best(self) -> float:
        """The best mean of a setting that was measured in all folds, NaN if there is none."""
        return max((mean(s.folds) for s in self.settings.values() if s.outcome == "finished"), default=math.nan)

    def measure(self, batch: Sequence[Hyperparameters]) -> None:
        """Measure the settings, all folds at once or, if some are to be given up early, fold by fold."""
        new = [parameters for parameters in dict.fromkeys(batch) if parameters not in self.settings]
        self.settings |= {parameters: _Setting() for parameters in new}
        folds = range(self._n_folds)
        for step in [folds] if self._early_termination is None else [range(fold, fold + 1) for fold in folds]:
            running = [parameters for parameters in new if not self.settings[parameters].outcome]
            self._measure_folds(running, step)
            self._give_up_on_the_worse(running)
        for parameters in new:
            setting = self.settings[parameters]
            if not setting.outcome:
                setting.outcome, setting.reason = "stopped", "out of time"

    def finish_one(self) -> None:
        """Measure the first setting that can be measured in all folds, however long it takes.

        Raises:
            SearchError: there is none.
        """
        self._deadline, self._early_termination = math.inf, None
        for parameters, setting in list(self.settings.items()):
            if setting.outcome == "stopped":
                del self.settings[parameters]
                self.measure([parameters])
                if self.settings[parameters].outcome == "finished":
                    return
        reasons = dict.fromkeys(setting.reason for setting in self.settings.values())
        raise SearchError(f"none of {len(self.settings)} trials could be measured: {'; '.join(reasons)}")

    def _measure_folds(self, running: Sequence[Hyperparameters], folds: range) -> None:
        tasks = list(itertools.product(_by_vectorizer(running), folds))
        results = [result for task in tasks if (result := self._journal.find(task))]
        known = {result.task for result in results}
        for result in self._run([task for task in tasks if task not in known], self._deadline):
            self._journal.add(result)
            results.append(result)
        scores = {result.task: result.score for result in results if result.score is not None}
        for result in results:
            if result.error:
                setting = self.settings[result.task[0]]
                # Of several folds that fail, whichever worker is first, the reason is the same.
                setting.reason = min(setting.reason or result.error, result.error)
                setting.outcome = "failed"
        for parameters in running:
            setting = self.settings[parameters]
            for fold in folds:
                if (parameters, fold) not in scores or setting.outcome == "failed":
                    break
                setting.folds.append(scores[parameters, fold])
            if len(setting.folds) == self._n_folds:
                setting.outcome = "finished"

    def _give_up_on_the_worse(self, running: Sequence[Hyperparameters]) -> None:
        rule = self._early_termination
        for parameters in running:
            setting = self.settings[parameters]
            done = len(setting.folds)
            if rule is None or setting.outcome or done not in rule.bands:
                continue
            reached = [mean(other.folds[:done]) for other in self.settings.values() if len(other.folds) >= done]
            if not rule.keeps(mean(setting.folds), reached):
                setting.outcome, setting.reason = "stopped", f"not among the best after {done} folds"


def _by_vectorizer(settings: Sequence[Hyperparameters]) -> list[Hyperparameters]:
    """Return the settings so that those which share features follow each other."""
    first = {vectorizer_setting(parameters): place for place, parameters in reversed(list(enumerate(settings)))}
    return sorted(settings, key=lambda parameters: first[vectorizer_setting(parameters)])


def _ranking(settings: Mapping[Hyperparameters, _Setting]) -> list[Trial]:
    trials = [
        Trial(parameters, mean(found.folds) if found.folds else 0.0, tuple(found.folds), found.outcome, found.reason)
        for parameters, found in settings.items()
        if found.outcome
    ]
    return rank(trials)


def rank(trials: Sequence[Trial]) -> list[Trial]:
    """Return the trials best first: those that finished, then the others by how far they got."""
    return sorted(trials, key=lambda trial: (trial.outcome != "finished", -len(trial.folds), -trial.macro_f1))


class _Batch(NamedTuple):
    """Trials that were asked for together."""

    study: "optuna.Study"
    trials: "list[tuple[optuna.Trial, Hyperparameters]]"
    n_asked: int

    def tell(self, results: Sequence[_Setting]) -> None:
        """Say what became of each, in their order."""
        from optuna.trial import TrialState

        for (trial, _), result in zip(self.trials, results, strict=True):
            for fold in range(len(result.folds)):
                trial.report(mean(result.folds[: fold + 1]), fold + 1)
            if result.outcome == "finished":
                self.study.tell(trial, mean(result.folds))
            else:
                stopped = result.outcome == "stopped" and result.folds
                self.study.tell(trial, state=TrialState.PRUNED if stopped else TrialState.FAIL)


class _Proposals:
    """The batches of a sweep; what has been told of one decides, for `bayes`, on the next."""

    def __init__(self, sweep: Sweep, seed: int) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._sweep = sweep
        self._n_trials = sweep.n_trials
        sampler: optuna.samplers.BaseSampler = optuna.samplers.RandomSampler(seed=seed)
        if sweep.method == "bayes":
            # Its own default of ten random trials would leave nothing to learn in a search of ten.
            first = max(BATCH, sweep.n_trials // 4)
            sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=first)
        self._study = optuna.create_study(direction="maximize", sampler=sampler, study_name=METRIC)
        if sweep.method == "grid":
            self._n_trials = self._enqueue_grid(seed)

    def _enqueue_grid(self, seed: int) -> int:
        names = list(self._sweep.parameters)
        grid = list(itertools.product(*(choices(spec) or [] for spec in self._sweep.parameters.values())))
        random.Random(seed).shuffle(grid)  # a cap should not leave out a corner
        for values in grid[: self._n_trials]:
            self._study.enqueue_trial(dict(zip(names, values, strict=True)))
        return min(self._n_trials, len(grid))

    def __iter__(self) -> Iterator[_Batch]:
        if self._sweep.method == "bayes":
            size = BATCH
        else:
            size = self._n_trials if self._sweep.early_termination is None else STOPPING_BATCH
        for start in range(0, self._n_trials, size):
            count = min(size, self._n_trials - start)
            yield _Batch(self._study, [self._ask() for _ in range(count)], start + count)

    def _ask(self) -> "tuple[optuna.Trial, Hyperparameters]":
        trial = self._study.ask()
        values = {name: _suggest(trial, name, spec) for name, spec in self._sweep.parameters.items()}
        return trial, Hyperparameters(**values)


def _suggest(trial: "optuna.Trial", name: str, spec: Mapping[str, Any]) -> Any:
    if (values := choices(spec)) is not None:
        return trial.suggest_categorical(name, values)
    low, high, kind = spec["min"], spec["max"], spec["distribution"]
    if kind == "int_uniform":
        return trial.suggest_int(name, low, high)
    step = spec.get("q", 1) if kind == "q_uniform" else None
    return trial.suggest_float(name, low, high, step=step, log=kind == "log_uniform_values")
