"""The sweeps, agents and runs that the server knows."""

import itertools
import json
import random
import threading
from dataclasses import dataclass, field
from typing import Any

import yaml

from lyrics_assets_tests.wandb_server.settings import draw_settings

ENTITY = "singers"

Answer = dict[str, Any]


class Refusal(Exception):
    """The answer is an error, in the shape of the real server's."""

    def __init__(self, message: str, status: int = 200) -> None:
        super().__init__(message)
        self.message, self.status = message, status


@dataclass
class Faults:
    """What goes wrong from now on."""

    hang: bool = False
    """Requests are accepted and never answered."""
    hang_after: str = ""
    """The same, from the first operation of this name on."""
    released: threading.Event = field(default_factory=threading.Event)
    """Ends the silence of those that hang."""


@dataclass
class Run:
    """A run, as its agent and its file stream have told of it."""

    name: str
    number: int
    project: str
    config: Answer
    sweep: str = ""
    agent: str = ""
    state: str = "pending"
    """pending, running, finished, failed or crashed."""
    group: str = ""
    history: list[Answer] = field(default_factory=list)
    summary: Answer = field(default_factory=dict)
    exit_code: int | None = None
    stop_at: int | None = None
    """After how many lines of history its agent is told to stop it."""
    stop_sent: threading.Event = field(default_factory=threading.Event)

    @property
    def values(self) -> Answer:
        """The settings, without the wrapping of the wire."""
        return {name: entry["value"] for name, entry in self.config.items() if not name.startswith("_")}


@dataclass
class Sweep:
    """A sweep and what is still to be handed out of it."""

    name: str
    number: int
    project: str
    yaml: str
    state: str = "RUNNING"
    settings: Any = None

    @property
    def config(self) -> Answer:
        """The sweep.yaml, read."""
        return dict(yaml.safe_load(self.yaml))


class State:
    """Everything; each method may be called from any thread."""

    def __init__(self, api_key: str, base_url: str) -> None:
        self.api_key, self.base_url = api_key, base_url
        self.faults = Faults()
        self.sweeps: dict[str, Sweep] = {}
        self.agents: dict[str, Answer] = {}
        self.runs: dict[str, Run] = {}
        self.operations: list[str] = []
        """The names of the GraphQL operations, and the paths of other requests, oldest first."""
        self.agents_wanted = 0
        """No run is handed out before so many agents are there."""
        self.stop_next_after: int | None = None
        """The next run that is handed out is stopped after so many lines of history."""
        self.lock = threading.RLock()
        self._numbers = itertools.count(1)

    def create_sweep(self, project: str, config: str) -> Sweep:
        """Keep a new sweep; its settings are drawn from a fixed seed.

        Raises:
            Refusal: it is not one that this server can draw from.
        """
        with self.lock:
            number = next(self._numbers)
            sweep = Sweep(f"sweep{number:03}", number, project, config)
            try:
                sweep.settings = draw_settings(sweep.config, random.Random(number))
            except (KeyError, TypeError, ValueError) as error:
                raise Refusal(f"invalid sweep config: {error}") from error
            self.sweeps[sweep.name] = sweep
            return sweep

    def create_agent(self, sweep: str, host: str) -> str:
        """Register an agent of a sweep.

        Raises:
            Refusal: there is no such sweep.
        """
        with self.lock:
            self.find_sweep(sweep)
            name = f"agent{next(self._numbers):03}"
            self.agents[name] = {"sweep": sweep, "host": host}
            return name

    def find_sweep(self, name: str) -> Sweep:
        """Return a sweep.

        Raises:
            Refusal: there is no such sweep.
        """
        if name not in self.sweeps:
            raise Refusal(f"sweep {name} not found", 404)
        return self.sweeps[name]

    def next_commands(self, agent: str, running: list[str]) -> list[Answer]:
        """Return what an agent is to do: stop a run, begin one, or exit when the sweep has no more."""
        with self.lock:
            for run in self.runs.values():
                told = run.stop_sent.is_set()
                if run.name in running and run.stop_at is not None and len(run.history) >= run.stop_at and not told:
                    run.stop_sent.set()
                    run.state = "killed"
                    return [{"type": "stop", "run_id": run.name}]
            if running or len(self.agents) < self.agents_wanted:
                return []
            sweep = self.find_sweep(self.agents[agent]["sweep"])
            cap = sweep.config.get("run_cap")
            handed_out = sum(run.sweep == sweep.name for run in self.runs.values())
            settings = None if sweep.state != "RUNNING" or handed_out == cap else next(sweep.settings, None)
            if settings is None:
                sweep.state = "FINISHED"
                return [{"type": "exit"}]
            config = {name: {"value": value} for name, value in settings.items()}
            number = next(self._numbers)
            run = Run(f"run{number:05}", number, sweep.project, config, sweep.name, agent)
            run.stop_at, self.stop_next_after = self.stop_next_after, None
            self.runs[run.name] = run
            return [{"type": "run", "run_id": run.name, "args": config}]

    def upsert_run(self, name: str, project: str, values: Answer) -> tuple[Run, bool]:
        """Begin a run or take more about it; return it and whether it is new."""
        with self.lock:
            inserted = name not in self.runs
            if inserted:
                self.runs[name] = Run(name, next(self._numbers), project, {})
            run = self.runs[name]
            if values.get("config"):
                run.config = run.config | json.loads(values["config"])
            if values.get("summaryMetrics"):
                run.summary |= json.loads(values["summaryMetrics"])
            run.sweep = values.get("sweep") or run.sweep
            run.group = values.get("groupName") or run.group
            if run.state == "pending":
                run.state = "running"
            return run, inserted

    def stream(self, name: str, told: Answer) -> None:
        """Take a piece of a run's file stream: history, summary, and how it ended."""
        with self.lock:
            run = self.runs[name]
            files = told.get("files") or {}
            if history := files.get("wandb-history.jsonl"):
                run.history[history["offset"] :] = [json.loads(line) for line in history["content"]]
            if summary := files.get("wandb-summary.json"):
                run.summary = json.loads(summary["content"][-1])
            if told.get("complete"):
                run.exit_code = told["exitcode"]
                if run.state != "killed":
                    run.state = "failed" if run.exit_code else "finished"
