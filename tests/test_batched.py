"""What many threads ask at once is searched, embedded and read together: each gets its own, and a fault stays with whoever caused it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from selfstudy.core.errors import BadInput
from selfstudy.core.records import Hit, Passage, Reading
from selfstudy.core.together import Together
from selfstudy.index.batched import MOST, Batched
from selfstudy.models.starter.shared import Shared
from selfstudy.recipes.remembering import Remembering
from selfstudy.testing import FakeEmbedder


class Held:
    """A retriever whose first search waits; it notes what it was asked together."""

    def __init__(self) -> None:
        self.calls: list[list[str]] = []
        self.begun, self.free = threading.Event(), threading.Event()
        self.inside = 0

    def search(self, questions: Sequence[str], k: int, where: str | None = None) -> list[list[Hit]]:
        self.inside += 1
        assert self.inside == 1, "never two at once"
        self.calls.append(list(questions))
        if len(self.calls) == 1:
            self.begun.set()
            assert self.free.wait(30)
        self.inside -= 1
        if where == "bad":
            raise BadInput("no such field", "mend it")
        return [[Hit(Passage(question, "", question), float(k), "fake")] for question in questions]


def test_what_comes_meanwhile_is_searched_together_and_each_gets_its_own() -> None:
    inner = Held()
    batched = Batched(inner)
    with ThreadPoolExecutor(40) as threads:
        first = threads.submit(batched.search, ["first"], 3)
        assert inner.begun.wait(30)
        alike = {f"q{n}": threads.submit(batched.search, [f"q{n}"], 3) for n in range(20)}
        other = threads.submit(batched.search, ["deeper"], 7)
        bad = threads.submit(batched.search, ["broken"], 3, "bad")
        empty = threads.submit(batched.search, [" "], 3)
        with pytest.raises(BadInput):
            empty.result(30)
        while len(batched._together._waiting) < 22:
            time.sleep(0.01)
        inner.free.set()
        assert first.result(30)[0][0].passage.id == "first"
        assert {name: work.result(30)[0][0].passage.id for name, work in alike.items()} == {name: name for name in alike}
        assert other.result(30)[0][0].score == 7.0
        with pytest.raises(BadInput, match="no such field"):
            bad.result(30)
    assert sorted(map(len, inner.calls)) == [1, 1, 1, 20]
    assert batched._together._waiting == []


def test_a_batch_has_its_limit() -> None:
    inner = Held()
    batched = Batched(inner)
    with ThreadPoolExecutor(8) as threads:
        first = threads.submit(batched.search, ["first"], 1)
        assert inner.begun.wait(30)
        many = [threads.submit(batched.search, [f"{n} {m}" for m in range(MOST // 2)], 1) for n in range(5)]
        while len(batched._together._waiting) < 5:
            time.sleep(0.01)
        inner.free.set()
        assert len(first.result(30)) == 1
        assert [len(work.result(30)) for work in many] == [MOST // 2] * 5
    assert max(map(len, inner.calls)) == MOST


class Waiting:
    """Stands before `work`: the first call waits until the others are there; it notes how many items came together."""

    def __init__(self, work: Any) -> None:
        self.work, self.sizes = work, []
        self.begun, self.free = threading.Event(), threading.Event()

    def __call__(self, items: Sequence[Any], *alike: Any) -> Any:
        self.sizes.append(len(items))
        if len(self.sizes) == 1:
            self.begun.set()
            assert self.free.wait(30)
        return self.work(items, *alike)


def together(waiting: Waiting, waits: Together[Any, Any], ask: Callable[[int], Any], others: int) -> list[Any]:
    """What `ask(0)` and so on give where the others come while the first is under way."""
    with ThreadPoolExecutor(others + 1) as threads:
        asked = [threads.submit(ask, 0)]
        assert waiting.begun.wait(30)
        asked += [threads.submit(ask, n) for n in range(1, others + 1)]
        while len(waits._waiting) < others:
            time.sleep(0.01)
        waiting.free.set()
        return [one.result(30) for one in asked]


def test_few_texts_of_many_threads_are_embedded_together_and_many_apart() -> None:
    inner = FakeEmbedder(dim=16)
    waiting = Waiting(inner.embed)
    shared = Remembering(inner)
    shared._together = Together(waiting, 64)
    found = together(waiting, shared._together, lambda n: shared.embed([f"a {n}", f"b {n}"], "query" if n < 4 else "passage"), 6)
    assert waiting.sizes == [2, 6, 6], "questions and passages apart"
    for n, vectors in enumerate(found):
        assert np.array_equal(vectors, inner.embed([f"a {n}", f"b {n}"], "query" if n < 4 else "passage"))
    shared.embed([f"text {n}" for n in range(65)])
    assert len(waiting.sizes) == 3


def test_pairs_of_many_threads_are_read_together() -> None:
    class Reader:
        def read(self, pairs: Sequence[tuple[str, str]]) -> list[Reading]:
            return [Reading(0, int(passage), 0.5, 0.5) for _, passage in pairs]

    waiting = Waiting(Reader().read)
    shared = Shared(lambda cache: Reader())
    shared._together = Together(waiting, 64)
    found = together(waiting, shared._together, lambda n: shared.read([("q", str(n))]), 5)
    assert [one[0].end for one in found] == [0, 1, 2, 3, 4, 5]
    assert waiting.sizes == [1, 5]
