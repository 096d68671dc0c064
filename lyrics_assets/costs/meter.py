"""What a stretch of work takes: CPU seconds and peak memory of this process and of the processes that it starts.

CPU of the children is what those that have ended took, with their own children, and what those that still run have
taken so far. Not seen is the CPU of a process whose parent ended without waiting for it.
"""

import contextlib
import resource
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple

import psutil

from lyrics_assets.memory import peak_bytes, peak_of_process

_MEGABYTE = 1e6
_RESET_PEAK = "5"
"""What the kernel asks to be written to clear_refs."""


class Usage(NamedTuple):
    """What a stretch took."""

    cpu_s: float
    """Of this process and its children."""
    children_cpu_s: float
    """Of which the children."""
    peak_mb: float
    """Resident memory of this process, at most."""
    peak_of: Literal["step", "process"]
    """Whether the peak is that of the stretch, or that of the process since it began, which may be an earlier one's."""
    child_peak_mb: float | None
    """Resident memory of the largest child, at most, as seen by looking again and again; None if none was seen."""


class Meter:
    """Measures one stretch after the other, from its making to `close`; children that began before it do not count."""

    def __init__(self, sample_seconds: float) -> None:
        self._this = psutil.Process()
        # Who was there before, such as the imitated sites beside a demonstration, works for somebody else.
        self._elders = set(self._this.children())
        self._lock = threading.Lock()
        self._child_peak = 0.0
        self._closed = threading.Event()
        self._begin()
        self._sampler = threading.Thread(target=self._sample, args=(sample_seconds,), name="meter", daemon=True)
        self._sampler.start()

    def lap(self) -> Usage:
        """Return what was taken since the last lap, or since the meter was made, and begin the next stretch."""
        self._look_at_children()
        own, children = self._own_cpu() - self._own_before, self._children_cpu() - self._children_before
        own, children = max(own, 0.0), max(children, 0.0)
        with self._lock:
            child_peak = self._child_peak
        peak = peak_bytes("self") if self._resets else None
        usage = Usage(
            cpu_s=own + children,
            children_cpu_s=children,
            peak_mb=(peak or peak_of_process()) / _MEGABYTE,
            peak_of="step" if peak else "process",
            child_peak_mb=child_peak / _MEGABYTE or None,
        )
        self._begin()
        return usage

    def close(self) -> None:
        """Stop looking at the children."""
        self._closed.set()
        self._sampler.join()

    def _begin(self) -> None:
        self._resets = _reset_peak()
        with self._lock:
            self._child_peak = 0.0
        self._own_before, self._children_before = self._own_cpu(), self._children_cpu()

    @staticmethod
    def _own_cpu() -> float:
        used = resource.getrusage(resource.RUSAGE_SELF)
        return used.ru_utime + used.ru_stime

    def _children_cpu(self) -> float:
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        running = 0.0
        for child in self._children():
            try:
                running += sum(child.cpu_times()[:4])
            except psutil.Error:
                continue
        return used.ru_utime + used.ru_stime + running

    def _children(self) -> Iterator[psutil.Process]:
        others: set[int] = set()
        # Parents come before their children.
        for child in self._this.children(recursive=True):
            with contextlib.suppress(psutil.Error):  # it has ended meanwhile, or is another user's
                if child in self._elders or child.ppid() in others:
                    others.add(child.pid)
                else:
                    yield child

    def _sample(self, seconds: float) -> None:
        while not self._closed.wait(seconds):
            self._look_at_children()

    def _look_at_children(self) -> None:
        largest = 0.0
        for child in self._children():
            try:
                largest = max(largest, peak_bytes(str(child.pid)) or child.memory_info().rss)
            except psutil.Error:
                continue
        with self._lock:
            self._child_peak = max(self._child_peak, largest)


def _reset_peak() -> bool:
    """Make the kernel count the peak anew; tell whether it does."""
    try:
        Path("/proc/self/clear_refs").write_text(_RESET_PEAK, encoding="ascii")
    except OSError:
        return False
    return True
