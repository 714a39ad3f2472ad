"""Figures for Prometheus: numbers alone, never a word that anybody asked."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest, multiprocess

SHARED = "PROMETHEUS_MULTIPROC_DIR"
_BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


class Metrics:
    """The figures of one worker; where workers share a folder, `text` adds them up."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        registry = self._registry
        self.requests = Counter("selfstudy_requests", "Requests that were answered", ["method", "route", "status"], registry=registry)
        self.seconds = Histogram("selfstudy_request_seconds", "How long they took", ["method", "route"], buckets=_BOUNDS, registry=registry)
        self.answers = Counter("selfstudy_answers", "Questions by what came of them", ["outcome"], registry=registry)
        self.votes = Counter("selfstudy_votes", "Votes on answers", ["verdict"], registry=registry)
        self.waiting = Gauge("selfstudy_pending", "Questions that wait or are worked on", registry=registry, multiprocess_mode="livesum")

    def text(self) -> bytes:
        """All figures as Prometheus reads them."""
        if SHARED not in os.environ:
            return generate_latest(self._registry)
        _forget_the_dead(Path(os.environ[SHARED]))
        together = CollectorRegistry()
        multiprocess.MultiProcessCollector(together)  # type: ignore[no-untyped-call]
        return generate_latest(together)


def _forget_the_dead(folder: Path) -> None:
    """What a worker that was killed had in its hands waits no more."""
    for path in folder.glob("gauge_live*_*.db"):
        worker = int(path.stem.rpartition("_")[2])
        try:
            os.kill(worker, 0)
        except ProcessLookupError:
            with suppress(FileNotFoundError):  # another worker was quicker
                multiprocess.mark_process_dead(worker)  # type: ignore[no-untyped-call]
