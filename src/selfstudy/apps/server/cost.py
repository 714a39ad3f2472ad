"""What an answer cost: milliseconds of each stage, and the tokens of models that were asked; the same stages as spans of OpenTelemetry."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from opentelemetry import trace
from pydantic import BaseModel, Field

from selfstudy.core.ports import Retriever
from selfstudy.core.records import Hit
from selfstudy.models.api import spent
from selfstudy.recipes.serving import Serving

TRACER = trace.get_tracer("selfstudy")
"""Without a provider (`serve --spans`) its spans are nothing and cost nothing."""


class Cost(BaseModel):
    """Tokens are those of models behind an endpoint; a reply that was kept costs none."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    ms: dict[str, float] = Field(default_factory=dict, examples=[{"wait": 0.4, "search": 12.1, "answer": 8.3}])


class Clock:
    """Measures one answer; `came` is when its request came (`time.perf_counter`)."""

    def __init__(self, came: float) -> None:
        self._seconds: defaultdict[str, float] = defaultdict(float, wait=time.perf_counter() - came)
        self._tokens: Counter[str] = Counter()

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time what happens inside, less what inner stages take."""
        inner, began = sum(self._seconds.values()), time.perf_counter()
        token = spent.set(self._tokens)
        try:
            with TRACER.start_as_current_span(name):
                yield
        finally:
            spent.reset(token)
            self._seconds[name] += time.perf_counter() - began - (sum(self._seconds.values()) - inner)

    def timed(self, serving: Serving) -> Serving:
        """`serving`, whose searches are a stage of their own."""
        return replace(serving, retrievers={name: _Timed(way, self) for name, way in serving.retrievers.items()})

    def cost(self) -> Cost:
        """What it came to."""
        ms = {name: round(1000 * seconds, 1) for name, seconds in self._seconds.items()}
        return Cost(prompt_tokens=self._tokens["prompt"], completion_tokens=self._tokens["completion"], ms=ms)


class _Timed:
    """A Retriever under a Clock."""

    def __init__(self, way: Retriever, clock: Clock) -> None:
        self._way = way
        self._clock = clock

    def search(self, questions: Sequence[str], k: int, where: str | None = None) -> list[list[Hit]]:
        with self._clock.stage("search"):
            return self._way.search(questions, k, where)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._way, name)
