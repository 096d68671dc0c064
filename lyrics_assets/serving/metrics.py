"""Counters and times of the service for Prometheus, of all workers together.

BentoML's own are off: they count by the path as it was sent, so that any client can fill the memory, or write its
draft into a label; and all Bentos of one home share, and empty, one folder of figures.
"""

import atexit
import os
import shutil
import tempfile

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram, generate_latest, values
from prometheus_client.multiprocess import MultiProcessCollector

OTHER = "other"
"""Stands for the page and every path that is not the API's."""
_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
_OURS = "LYRICS_SERVICE_METRICS"
_BUCKETS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5)


def share_folder() -> None:
    """Let the processes of this Bento share a folder of figures; to be called before workers start, and in each."""
    if _OURS not in os.environ:
        os.environ[_OURS] = tempfile.mkdtemp(prefix="lyrics-metrics-")
        atexit.register(_remove, os.environ[_OURS], os.getpid())
    if _FOLDER in os.environ:
        os.environ[_FOLDER] = os.environ[_OURS]


def _remove(folder: str, owner: int) -> None:
    if os.getpid() == owner:
        shutil.rmtree(folder, ignore_errors=True)


class Metrics:
    """The service's figures: requests and seconds by endpoint, answers by genre, refusals by code."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "lyrics_requests", "Answers of the service", ["endpoint", "status"], registry=self.registry
        )
        self._seconds = Histogram(
            "lyrics_request_seconds",
            "Time from a request's head to its answer",
            ["endpoint"],
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self._refusals = Counter("lyrics_refusals", "Refusals by their code", ["code"], registry=self.registry)
        self._genres = Counter(
            "lyrics_answers", "Lyrics by the genre that was told, none if none was", ["genre"], registry=self.registry
        )
        # Looking a child up by its labels costs more than counting.
        self._requests_by: dict[tuple[str, int], Counter] = {}
        self._seconds_by: dict[str, Histogram] = {}

    def count(self, endpoint: str, status: int, seconds: float) -> None:
        """Count one answer. The endpoint is one of the API's paths, or OTHER."""
        key = (endpoint, status)
        if key not in self._requests_by:
            self._requests_by[key] = self._requests.labels(endpoint, status)
            self._seconds_by[endpoint] = self._seconds.labels(endpoint)
        self._requests_by[key].inc()
        self._seconds_by[endpoint].observe(seconds)

    def count_refusal(self, code: str) -> None:
        """Count one refusal."""
        self._refusals.labels(code).inc()

    def count_genre(self, genre: str | None) -> None:
        """Count one lyric."""
        self._genres.labels(genre or "none").inc()

    def expose(self) -> tuple[bytes, str]:
        """Return the figures of all workers in Prometheus' text format, and its media type."""
        registry = self.registry
        if values.ValueClass is not values.MutexValue:
            registry = CollectorRegistry()
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return generate_latest(registry), CONTENT_TYPE_LATEST
