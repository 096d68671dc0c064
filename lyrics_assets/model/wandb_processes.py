"""The search on W&B: one process for each thing that its client does, none of which outlives its time."""

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lyrics_assets.model.classifier import Hyperparameters
from lyrics_assets.model.cross_validation import CrossValidation
from lyrics_assets.model.journal import SearchError
from lyrics_assets.model.sweeps import Sweep
from lyrics_assets.model.tuning import Trial, rank
from lyrics_assets.model.wandb_sweeps import decode, encode

if TYPE_CHECKING:
    import pandas as pd

_STARTING_SECONDS = 60.0
"""Beyond a question's own time: how long Python, wandb and its service may take to start on a busy machine."""
_TAIL = 800


@dataclass(frozen=True)
class WandbAccount:
    """Where sweeps live."""

    base_url: str
    api_key: str
    entity: str
    project: str
    timeout: float = 30.0
    """Seconds that the server may take for an answer."""

    @property
    def path(self) -> str:
        """entity/project."""
        return f"{self.entity}/{self.project}"

    def signed_in(self) -> "WandbAccount":
        """Return the account with its entity, which the server names if none is set.

        The client would wait for a silent server; this question does not.

        Raises:
            SearchError: the server is not there, does not answer, or does not take the key.
        """
        query = json.dumps({"query": "query Viewer { viewer { id entity } }", "operationName": "Viewer"}).encode()
        request = urllib.request.Request(f"{self.base_url.rstrip('/')}/graphql", query)  # noqa: S310
        request.add_header("Content-Type", "application/json")
        request.add_header("Authorization", "Basic " + b64encode(f"api:{self.api_key}".encode()).decode())
        try:
            with urllib.request.urlopen(request, timeout=self.timeout) as response:  # noqa: S310
                viewer = json.load(response)["data"]["viewer"]
        except urllib.error.HTTPError as error:
            if error.code in (401, 403):
                raise SearchError(f"W&B at {self.base_url} does not take the API key") from None
            raise SearchError(f"W&B at {self.base_url} answers {error.code} {error.reason}") from None
        except TimeoutError:
            raise SearchError(f"W&B at {self.base_url} does not answer within {self.timeout:g} s") from None
        except (OSError, ValueError) as error:
            raise SearchError(f"no W&B server at {self.base_url}: {error}") from None
        except (KeyError, TypeError):
            raise SearchError(f"{self.base_url} is no W&B server") from None
        if not viewer:
            raise SearchError(f"W&B at {self.base_url} does not take the API key")
        return WandbAccount(self.base_url, self.api_key, self.entity or viewer["entity"], self.project, self.timeout)


class WandbProcess:
    """A process that does one thing of `wandb_sweeps` after the other, until it is left or takes too long.

    Args:
        account: whose.
        folder: of its log and of what the client writes; a new one.
    """

    def __init__(self, account: WandbAccount, folder: Path) -> None:
        self.account = account
        self._log = folder / "log.txt"
        self._actions: list[str] = []
        folder.mkdir(parents=True)
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "lyrics_assets.model.wandb_sweeps"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=_environment(account, folder),
                start_new_session=True,  # with the service that wandb starts
            )
        # The first answer waits for Python, the client and its service to start.
        self._starting = _STARTING_SECONDS

    def ask(self, action: str, *arguments: Any, seconds: float = 0.0) -> Any:
        """Do a thing and return its result.

        Raises:
            SearchError: it fails, or takes longer than the server's time for an answer and `seconds`.
        """
        self.begin(action, *arguments)
        return self.result(time.monotonic() + self.account.timeout + seconds)

    def begin(self, action: str, *arguments: Any) -> None:
        """Begin a thing whose `result` is asked for later."""
        self._actions.append(action)
        if self._process.stdin:
            with contextlib.suppress(BrokenPipeError):  # it has ended, as the result will say
                self._process.stdin.write(json.dumps([action, arguments]).encode() + b"\n")
                self._process.stdin.flush()

    def result(self, until: float) -> Any:
        """Return the result of what was begun first.

        Raises:
            SearchError: it failed, or is not there by `until`, of time.monotonic, and the time to start.
        """
        action = f"W&B at {self.account.base_url}: {self._actions.pop(0)}"
        until, self._starting = until + self._starting, 0.0
        line = self._line(until)
        if line is None:
            self.end()
            raise SearchError(f"{action} takes too long")
        if not line:
            self.end()
            log = self._log.read_text(encoding="utf-8", errors="replace")[-_TAIL:]
            raise SearchError(f"{action} ended with {self._process.returncode}: {log}")
        answer = json.loads(line)
        if "error" in answer:
            raise SearchError(f"{action}: {answer['error']}")
        return answer["result"]

    def _line(self, until: float) -> bytes | None:
        """Return the next line of its answers: None if it is not there in time, empty if there will be none."""
        answers = self._process.stdout
        if answers is None:
            return b""
        # It writes a line at once, so that the rest of one is never waited for.
        ready, _, _ = select.select([answers], [], [], max(0.0, until - time.monotonic()))
        return answers.readline() if ready else None

    def end(self) -> None:
        """End it and the service that it has started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()

    def __enter__(self) -> "WandbProcess":
        return self

    def __exit__(self, *error: object) -> None:
        self.end()


def _environment(account: WandbAccount, folder: Path) -> dict[str, str]:
    own = {name: value for name, value in os.environ.items() if not name.startswith("WANDB_")}
    settings = {
        "WANDB_BASE_URL": account.base_url,
        "WANDB_API_KEY": account.api_key,
        "WANDB_ERROR_REPORTING": "false",
        "WANDB_SILENT": "true",
        "WANDB_HTTP_TIMEOUT": str(max(1, round(account.timeout))),
    }
    # Not into the home of whoever runs this.
    places = {f"WANDB_{name}_DIR": str(folder / "wandb") for name in ("CACHE", "CONFIG", "DATA")}
    return own | settings | places | {"WANDB_DIR": str(folder)}


def search_on_wandb(
    account: WandbAccount,
    sweep: Sweep,
    songs: "pd.DataFrame",
    n_folds: int,
    seed: int,
    *,
    sweep_id: str = "",
    folder: Path | None = None,
    n_agents: int = 1,
    max_seconds: float,
    heartbeat_seconds: float = 5.0,
) -> list[Trial]:
    """Run a sweep on W&B with agents on this machine; return its trials, best first.

    Args:
        account: where.
        sweep: what to search.
        songs: training songs only; columns artist, genre, lyrics, lyrics_group.
        n_folds: folds of whole artists.
        seed: of the folds and the estimator; W&B draws the settings by no seed of ours.
        sweep_id: of a sweep to join; a new one is created if it is empty, unless `folder` knows of one.
        folder: where the sweep's id is kept, so that the same search on the same songs joins it again.
        n_agents: processes that measure, one trial each at a time.
        max_seconds: after how long the agents are ended.
        heartbeat_seconds: between an agent's questions to the server.

    Raises:
        SearchError: the server is out of reach, the sweep is of other songs, or no trial has finished.
    """
    account = account.signed_in()
    with (
        tempfile.TemporaryDirectory(prefix="lyrics-wandb-") as scratch,
        WandbProcess(account, Path(scratch) / "client") as client,
    ):
        validation = CrossValidation(songs, n_folds, seed, folder=Path(scratch) / "features")
        memory = _memory(folder, account, sweep, validation)
        if not sweep_id and memory and memory.exists():
            sweep_id = memory.read_text(encoding="utf-8").strip()
        if sweep_id:
            _check_songs(client, sweep_id, validation)
        else:
            sweep_id = client.ask(
                "create", account.path, sweep.content, sweep.n_trials, n_folds, seed, validation.digest
            )
        if memory:
            memory.parent.mkdir(parents=True, exist_ok=True)
            memory.write_text(sweep_id + "\n", encoding="utf-8")
        _run_agents(client, sweep_id, validation, Path(scratch), n_agents, max_seconds, heartbeat_seconds)
        trials = _read(client, sweep_id, n_folds)
    if not any(trial.outcome == "finished" for trial in trials):
        reasons = dict.fromkeys(trial.reason for trial in trials)
        raise SearchError(f"sweep {sweep_id}: none of {len(trials)} trials has finished: {'; '.join(reasons)}")
    return trials


def work_for_sweep(
    account: WandbAccount,
    sweep_id: str,
    songs: "pd.DataFrame",
    *,
    n_agents: int = 1,
    max_seconds: float,
    heartbeat_seconds: float = 5.0,
) -> list[Trial]:
    """Lend this machine to a sweep that was created elsewhere; return its trials so far, best first.

    Raises:
        SearchError: the server is out of reach, there is no such sweep, or it is of other songs.
    """
    account = account.signed_in()
    with (
        tempfile.TemporaryDirectory(prefix="lyrics-wandb-") as scratch,
        WandbProcess(account, Path(scratch) / "client") as client,
    ):
        n_folds, seed, _ = client.ask("describe", account.path, sweep_id)
        validation = CrossValidation(songs, n_folds, seed, folder=Path(scratch) / "features")
        _check_songs(client, sweep_id, validation)
        _run_agents(client, sweep_id, validation, Path(scratch), n_agents, max_seconds, heartbeat_seconds)
        return _read(client, sweep_id, n_folds)


def _read(client: WandbProcess, sweep_id: str, n_folds: int) -> list[Trial]:
    """Return the distinct trials, best first; W&B may draw a setting twice."""
    best: dict[Hyperparameters, Trial] = {}
    for trial in rank(decode(client.ask("read", client.account.path, sweep_id, n_folds))):
        best.setdefault(trial.parameters, trial)
    return list(best.values())


def _check_songs(client: WandbProcess, sweep_id: str, validation: CrossValidation) -> None:
    said = client.ask("describe", client.account.path, sweep_id)
    if said != [validation.n_folds, validation.seed, validation.digest]:
        raise SearchError(
            f"sweep {sweep_id} is measured on other songs, folds, code or libraries: its scores cannot be compared"
        )


def _run_agents(
    client: WandbProcess,
    sweep_id: str,
    validation: CrossValidation,
    scratch: Path,
    n_agents: int,
    max_seconds: float,
    heartbeat_seconds: float,
) -> None:
    """Run agents to the end of the sweep; one that fails is missed only if no other has done its work.

    Raises:
        SearchError: all of them have failed before their time was up.
    """
    until = time.monotonic() + max_seconds
    path = client.account.path
    n_left = client.ask("count_left", path, sweep_id)
    if n_left <= 0:
        return
    failures = []
    with validation.saved() as saved, contextlib.ExitStack() as stack:
        agents = [
            stack.enter_context(WandbProcess(client.account, scratch / f"agent-{number}")) for number in range(n_agents)
        ]
        for agent in agents:
            agent.begin("work", path, sweep_id, str(saved), n_left, heartbeat_seconds)
        for agent in agents:
            try:
                agent.result(until)
            except SearchError as error:
                failures.append(error)
    if len(failures) == n_agents and time.monotonic() < until:
        raise failures[0]


def _memory(folder: Path | None, account: WandbAccount, sweep: Sweep, validation: CrossValidation) -> Path | None:
    if folder is None:
        return None
    content = json.dumps([account.base_url, account.path, dict(sweep.content)], sort_keys=True, default=str)
    return folder / validation.digest / f"sweep-{blake2b(content.encode(), digest_size=8).hexdigest()}.txt"


def keep_offline_runs(
    trials: Sequence[Trial], folder: Path, *, digest: str, entity: str = "", project: str = ""
) -> int:
    """Write trials as runs that `wandb sync` can send later; return how many were not there yet.

    Args:
        trials: of a local search.
        folder: of the runs; they stand in its subfolder ``wandb``.
        digest: of the songs and folds; the same trial of the same songs is the same run.
        entity: who will own them; left to the sync if empty.
        project: likewise.

    Raises:
        SearchError: they cannot be written.
    """
    nobody = WandbAccount("https://api.wandb.ai", "", entity, project)
    rows = [
        [blake2b(f"{digest} {trial.parameters.model_dump_json()}".encode(), digest_size=8).hexdigest(), *row]
        for trial, row in zip(trials, encode(trials), strict=True)
    ]
    folder.mkdir(parents=True, exist_ok=True)
    seconds = 2.0 * len(rows)
    with (
        tempfile.TemporaryDirectory(prefix="lyrics-wandb-") as scratch,
        WandbProcess(nobody, Path(scratch) / "client") as client,
    ):
        kept: int = client.ask("keep_offline", nobody.path, digest[:8], rows, str(folder), seconds=seconds)
    return kept
