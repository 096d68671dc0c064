"""A sweep on W&B, in a process that is there for it alone: `wandb_processes` starts it and knows how to end it.

W&B's client keeps its account and its run in environment variables of the process, waits for servers without an end
and starts a service of its own; none of that belongs into the process of the pipeline.
"""

import json
import os
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lyrics_assets.model.classifier import Hyperparameters
from lyrics_assets.model.cross_validation import CrossValidation, mean
from lyrics_assets.model.sweeps import METRIC
from lyrics_assets.model.tuning import Trial
from lyrics_assets.model.workers import load_saved

if TYPE_CHECKING:
    import wandb

_STREAM_SECONDS = 2.0
"""How long a fold's score may wait to be sent; W&B's own 15 s is longer than most trials, so none would be stopped."""
_MEASURED_WITH = re.compile(r"n_folds=(\d+) seed=(-?\d+) songs=([0-9a-f]{32})")


def create(path: str, content: Mapping[str, Any], n_trials: int, n_folds: int, seed: int, songs: str) -> str:
    """Create a sweep and return its id.

    Args:
        path: entity/project.
        content: of the sweep.yaml.
        n_trials: at which W&B ends the sweep; without a run_cap it would never end.
        n_folds: with which it is measured; the sweep's description says so to whoever joins it.
        seed: likewise.
        songs: likewise, the digest of the cross-validation.
    """
    import wandb

    entity, project = path.split("/")
    said = f"n_folds={n_folds} seed={seed} songs={songs}"
    described = " ".join(filter(None, [content.get("description"), said]))
    return wandb.sweep(dict(content) | {"description": described, "run_cap": n_trials}, entity=entity, project=project)


def describe(path: str, sweep_id: str) -> list[Any]:
    """Return the number of folds, the seed, and the digest of the songs by which a sweep is measured.

    Raises:
        ValueError: there is no such sweep, or it is not one of this project.
    """
    import wandb

    found = _MEASURED_WITH.search(_config(wandb.Api(), path, sweep_id).get("description") or "")
    if not found:
        raise ValueError(f"sweep {sweep_id} does not say by which songs it is measured: it was not created here")
    return [int(found[1]), int(found[2]), found[3]]


def _config(api: Any, path: str, sweep_id: str) -> dict[str, Any]:
    return dict(api.sweep(f"{path}/{sweep_id}").config)


def count_left(path: str, sweep_id: str) -> int:
    """Return how many trials of a sweep nobody has begun."""
    import wandb

    api = wandb.Api()
    return int(_config(api, path, sweep_id)["run_cap"]) - len(api.runs(path, filters={"sweep": sweep_id}))


def work(path: str, sweep_id: str, validation: str, count: int, heartbeat_seconds: float) -> None:
    """Run an agent until the sweep has no more trials for it.

    Args:
        path: entity/project.
        sweep_id: of the sweep.
        validation: file of the saved cross-validation.
        count: how many trials at most; told to exit the agent takes up to 10 s, at its own count it ends at once.
        heartbeat_seconds: between two questions to the server; W&B's own are 5.
    """
    import wandb
    from wandb.agents.pyagent import Agent

    Agent.HEARTBEAT_SLEEP_SECONDS = heartbeat_seconds  # type: ignore[assignment]
    entity, project = path.split("/")
    measured = load_saved(validation)
    wandb.agent(sweep_id, lambda: _run_one(measured), entity=entity, project=project, count=count)


def _run_one(validation: CrossValidation) -> None:
    """Measure what the agent was given. The agent stops a run by raising a bare Exception: nothing here catches it."""
    import wandb

    with wandb.init(settings=_settings()) as run:
        parameters = Hyperparameters(**_named(dict(run.config)))
        folds: list[float] = []
        try:
            for score in validation.scores(parameters):
                folds.append(score)
                _log_fold(run, folds)
        except ValueError as error:
            # The setting's fault. To the agent this is no failure: three of them within a minute would end it.
            run.summary["failure"] = str(error)
            run.finish(exit_code=1)


def _named(config: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in config.items() if name in Hyperparameters.model_fields}


def _log_fold(run: "wandb.Run", folds: Sequence[float]) -> None:
    run.log({METRIC: mean(list(folds)), "fold": len(folds), "fold_macro_f1": folds[-1]})
    run.summary["folds"] = list(folds)


def _settings(**changes: Any) -> "wandb.Settings":
    import wandb

    return wandb.Settings(
        console="off",
        disable_code=True,
        disable_git=True,
        x_disable_machine_info=True,
        x_disable_stats=True,
        x_file_stream_transmit_interval=_STREAM_SECONDS,
        **changes,
    )


def read(path: str, sweep_id: str, n_folds: int) -> list[Any]:
    """Return the trials of a sweep that have ended, oldest first, as JSON's values; see `decode`."""
    import wandb

    runs = wandb.Api().runs(path, filters={"sweep": sweep_id}, order="+created_at", lazy=False)
    return [_trial(run, n_folds) for run in runs if run.state not in ("running", "pending", "preempting")]


def _trial(run: Any, n_folds: int) -> list[Any]:
    folds = [float(score) for score in run.summary.get("folds") or []]
    parameters = _named(run.config)
    if failure := run.summary.get("failure"):
        return [parameters, folds, "failed", failure]
    if len(folds) == n_folds and run.state == "finished":
        return [parameters, folds, "finished", ""]
    return [parameters, folds, "stopped" if folds else "failed", f"run {run.name} {run.state}"]


def decode(trials: Sequence[Sequence[Any]]) -> list[Trial]:
    """Return what `read` has found."""
    return [
        Trial(Hyperparameters(**parameters), mean(folds) if folds else 0.0, tuple(folds), outcome, reason)
        for parameters, folds, outcome, reason in trials
    ]


def keep_offline(path: str, group: str, trials: Sequence[Sequence[Any]], folder: str) -> int:
    """Write each trial as a run that `wandb sync` sends later; return how many are new.

    Args:
        path: entity/project; empty names are left to the time of the sync.
        group: tells the runs of one search from others.
        trials: of `encode`, each with the id of its run before it.
        folder: of the runs.
    """
    import wandb

    entity, project = path.split("/")
    new = 0
    for run_id, parameters, folds, outcome, reason in trials:
        if any(Path(folder).glob(f"wandb/offline-run-*-{run_id}")):
            continue
        new += 1
        run = wandb.init(
            entity=entity or None,
            project=project or None,
            group=group,
            id=run_id,
            name=run_id,
            tags=[outcome],
            config=parameters,
            dir=folder,
            mode="offline",
            reinit="finish_previous",
            settings=_settings(),
        )
        for fold in range(len(folds)):
            _log_fold(run, folds[: fold + 1])
        if reason:
            run.summary["failure"] = reason
        run.finish(exit_code=int(outcome == "failed"))
    wandb.teardown()
    return new


def encode(trials: Sequence[Trial]) -> list[Any]:
    """Return trials as JSON's values."""
    return [[trial.parameters.model_dump(), list(trial.folds), trial.outcome, trial.reason] for trial in trials]


_ACTIONS = {action.__name__: action for action in (create, describe, count_left, work, read, keep_offline)}


def main() -> None:
    """Do what each line of stdin asks, ``[action, arguments]``, and answer each by a line of stdout."""
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as answers:
        os.dup2(2, 1)  # what the client prints belongs to the log
        for line in sys.stdin:
            action, arguments = json.loads(line)
            try:
                answer = {"result": _ACTIONS[action](*arguments)}
            except Exception as error:
                answer = {"error": f"{type(error).__name__}: {error}"}
            answers.write(json.dumps(answer) + "\n")
            answers.flush()


if __name__ == "__main__":
    main()
