"""Runs benchmarks, each in a new process, and hands on what each has measured."""

import importlib
import multiprocessing
import os
import signal
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

import psutil

from benchmarks.figures import Figure, Run, Watch, describe_machine

BOUND_SECONDS = {"quick": 15 * 60, "full": 4 * 60 * 60}
"""After which a benchmark is ended."""
END_SECONDS = 60
"""How long one may take to end what it has started."""


class BenchmarkError(RuntimeError):
    """A benchmark ended without figures; the message is the reason in one line."""


def run_all(
    modules: Mapping[str, str], size: str, report: Callable[[Run], None], tell: Callable[[str], None]
) -> list[str]:
    """Run benchmarks one after another; one that fails does not hold up the others.

    Args:
        modules: of the benchmarks, by their names.
        size: quick or full.
        report: is given each run as soon as it is done.
        tell: is given lines about what begins and what failed.

    Returns:
        The names of those that failed.
    """
    failed = []
    for name, module in modules.items():
        tell(f"{name} …")
        watch = Watch()
        try:
            figures = run_one(module, size)
        except BenchmarkError as error:
            tell(f"{name} failed: {error}")
            failed.append(name)
            continue
        others = f"{watch.other_cores:.1f} cores"
        report(Run(name, watch.began, describe_machine(), others, watch.minutes, list(_goals(figures, size))))
    return failed


def _goals(figures: Iterable[Figure], size: str) -> Iterable[Figure]:
    """Leave away the goals that do not hold for this size."""
    return (figure if size == "full" or figure.at_any_size else figure._replace(wanted="") for figure in figures)


def run_one(module: str, size: str) -> list[Figure]:
    """Return what a benchmark measures in a process of its own.

    Raises:
        BenchmarkError: it failed, what it said of that stands on stderr; or it took too long.
    """
    # Spawned, so that memory and imports of this process are not the benchmark's.
    context = multiprocessing.get_context("spawn")
    figures, told = context.Pipe(duplex=False)
    process = context.Process(target=_measure, args=(module, size, told), name=module)
    process.start()
    told.close()
    bound, ended = BOUND_SECONDS[size], False
    try:
        ended = figures.poll(bound)
        if not ended:
            raise BenchmarkError(f"not done after {bound / 60:.0f} minutes")
        return list(figures.recv())
    except EOFError:
        raise BenchmarkError("see what it said above") from None
    finally:
        figures.close()
        _end(process, ask=not ended)


def _measure(module: str, size: str, told: Connection) -> None:
    # A Ctrl-C is for the command alone, which then asks: once, so that what was started can be ended in peace.
    os.setsid()
    benchmark = importlib.import_module(module)
    told.send(benchmark.measure(getattr(benchmark, size.upper())))


def _end(process: BaseProcess, *, ask: bool) -> None:
    """Wait for the end of a process, let it end what it started if asked to, and kill what is left."""
    family: list[psutil.Process] = []
    with suppress(psutil.NoSuchProcess):
        family = psutil.Process(process.pid).children(recursive=True)
    if ask and process.pid:
        os.kill(process.pid, signal.SIGINT)
    process.join(END_SECONDS)
    if process.is_alive():
        process.kill()
        process.join()
    for one in family:
        with suppress(psutil.NoSuchProcess):
            one.kill()
