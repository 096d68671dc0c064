"""Where the trials are measured: this process, the cores of the machine, or a Dask cluster; the scores are the same.

A task is one fold of one trial. Workers may finish tasks in any order; nothing but time depends on it.
"""

import contextlib
import math
import pickle
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from lyrics_assets.model.cross_validation import CrossValidation, code_digest
from lyrics_assets.model.journal import Result, SearchError, Task

if TYPE_CHECKING:
    import distributed

WORTH_PROCESSES = 12_000
"""From how many songs times trials on, processes of their own save more than their start costs."""


Run: TypeAlias = Callable[[Sequence[Task], float], Iterator[Result]]
"""Measures tasks until a deadline (seconds since the epoch) and yields each result as it is there."""

Workers: TypeAlias = Callable[[CrossValidation], contextlib.AbstractContextManager[Run]]


def measure(validation: CrossValidation, task: Task, deadline: float = math.inf) -> Result:
    """Measure one task, unless it is too late to begin."""
    if time.time() > deadline:
        return Result(task)
    try:
        return Result(task, validation.score(*task))
    except ValueError as error:
        # The setting's own fault, such as an n-gram that no song holds. Any other error is ours and ends the search.
        return Result(task, error=str(error))


@contextlib.contextmanager
def this_process(validation: CrossValidation) -> Iterator[Run]:
    """Measure one task after the other."""
    yield lambda tasks, deadline: (measure(validation, task, deadline) for task in tasks)


def cores(n_processes: int) -> Workers:
    """Return workers that measure on that many processes, which share the features' files."""

    @contextlib.contextmanager
    def workers(validation: CrossValidation) -> Iterator[Run]:
        # loky: unlike a fork it is safe beside threads, unlike the standard library's spawn it leaves __main__ alone.
        # An executor of its own, whose processes never go for being idle: joblib shares one, and a search waits for
        # ever if its processes are just about to go when it hands them their next tasks.
        from joblib.externals.loky import ProcessPoolExecutor, as_completed

        executor = ProcessPoolExecutor(n_processes, timeout=None)
        with validation.saved() as path:

            def run(tasks: Sequence[Task], deadline: float) -> Iterator[Result]:
                try:
                    pending = [executor.submit(_measure_saved, str(path), task, deadline) for task in tasks]
                    for future in as_completed(pending):
                        yield future.result()
                except BrokenProcessPool as error:
                    raise SearchError("a process that measures was killed; was the memory too small?") from error

            try:
                yield run
            finally:
                executor.shutdown(kill_workers=True)

    return workers


def _measure_saved(path: str, task: Task, deadline: float) -> Result:
    return measure(load_saved(path), task, deadline)


@lru_cache(maxsize=1)
def load_saved(path: str) -> CrossValidation:
    """Return what `CrossValidation.saved` has kept; read once in a process."""
    # Written by the process that started this one, into a folder that is its own.
    return pickle.loads(Path(path).read_bytes())  # type: ignore[no-any-return]  # noqa: S301


def dask_cluster(address: str, timeout: float = 30.0) -> Workers:
    """Return workers of a Dask cluster.

    Args:
        address: of the scheduler, such as ``tcp://10.0.0.5:8786``.
        timeout: seconds to reach it, and to wait for a worker if there is none, at the start or later.

    Raises:
        SearchError: the scheduler is not reached, has no worker, or a worker would measure by other code.
    """

    @contextlib.contextmanager
    def workers(validation: CrossValidation) -> Iterator[Run]:
        with _connect(address, timeout) as client:
            # A task's result, not scattered data: it is made again if the worker that holds it is lost.
            shared = client.submit(_keep, validation, pure=False)

            def run(tasks: Sequence[Task], deadline: float) -> Iterator[Result]:
                pending = {client.submit(measure, shared, task, deadline, pure=False) for task in tasks}
                while pending:
                    done, pending = _wait(client, pending, timeout)
                    for future in done:
                        yield future.result()

            yield run

    return workers


def _keep(validation: CrossValidation) -> CrossValidation:
    return validation


@contextlib.contextmanager
def _connect(address: str, timeout: float) -> "Iterator[distributed.Client]":
    import distributed

    try:
        client = distributed.Client(address, timeout=timeout, set_as_default=False)  # type: ignore[no-untyped-call]
    except (OSError, ValueError) as error:
        raise SearchError(f"no Dask scheduler at {address}: {error}") from error
    with client, client.as_current():
        try:
            client.wait_for_workers(1, timeout=timeout)
        except TimeoutError as error:
            raise SearchError(f"the Dask scheduler at {address} has no worker after {timeout:g} s") from error
        for worker, answer in client.run(code_digest, on_error="return").items():
            if answer != code_digest():
                found = answer if isinstance(answer, Exception) else "another version"
                raise SearchError(f"Dask worker {worker} has not this project's code and libraries: {found}")
        yield client


def _wait(client: "distributed.Client", pending: set[Any], timeout: float) -> tuple[set[Any], set[Any]]:
    import distributed

    while True:
        try:
            finished = distributed.wait(  # type: ignore[no-untyped-call]
                pending, timeout=timeout, return_when="FIRST_COMPLETED"
            )
        except TimeoutError:
            if not client.scheduler_info(n_workers=-1)["workers"]:
                raise SearchError(f"the Dask cluster has lost all its workers for {timeout:g} s") from None
            continue
        return finished.done, finished.not_done


def choose_workers(n_cores: int | None, dask_address: str, n_songs: int, n_trials: int) -> Workers:
    """Return where a search is to run: the cluster if there is one, else the cores if that is worth it.

    Args:
        n_cores: how many processes; all cores of the machine if None.
        dask_address: of a Dask scheduler; none if empty.
        n_songs: how many songs are learned from.
        n_trials: how many trials at most.
    """
    import joblib

    if dask_address:
        return dask_cluster(dask_address)
    available = n_cores or joblib.cpu_count()
    return cores(available) if available > 1 and n_songs * n_trials >= WORTH_PROCESSES else this_process
