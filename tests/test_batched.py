"""Questions of many threads searched together: each gets its own hits, and a fault stays with whoever caused it."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from selfstudy.core.errors import BadInput
from selfstudy.core.records import Hit, Passage
from selfstudy.index.batched import MOST, Batched


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
        while len(batched._waiting) < 22:
            time.sleep(0.01)
        inner.free.set()
        assert first.result(30)[0][0].passage.id == "first"
        assert {name: work.result(30)[0][0].passage.id for name, work in alike.items()} == {name: name for name in alike}
        assert other.result(30)[0][0].score == 7.0
        with pytest.raises(BadInput, match="no such field"):
            bad.result(30)
    assert sorted(map(len, inner.calls)) == [1, 1, 1, 20]
    assert batched._waiting == []


def test_a_batch_has_its_limit() -> None:
    inner = Held()
    batched = Batched(inner)
    with ThreadPoolExecutor(8) as threads:
        first = threads.submit(batched.search, ["first"], 1)
        assert inner.begun.wait(30)
        many = [threads.submit(batched.search, [f"{n} {m}" for m in range(MOST // 2)], 1) for n in range(5)]
        while len(batched._waiting) < 5:
            time.sleep(0.01)
        inner.free.set()
        assert len(first.result(30)) == 1
        assert [len(work.result(30)) for work in many] == [MOST // 2] * 5
    assert max(map(len, inner.calls)) == MOST
