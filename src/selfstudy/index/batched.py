"""Questions that come at the same time are searched together: one call of the embedder and one product of matrices for all of them."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

from selfstudy.core.ports import Retriever
from selfstudy.core.records import Hit
from selfstudy.index.question import check_questions

MOST = 64
"""Questions that are searched together at most."""


@dataclass(slots=True, eq=False)
class _Call:
    questions: list[str]
    k: int
    where: str | None
    done: threading.Event = field(default_factory=threading.Event)
    hits: list[list[Hit]] | None = None
    error: BaseException | None = None


class Batched:
    """A Retriever for many threads over one that is asked by one thread at a time.

    Nobody waits for others to come: whoever finds the retriever free searches at once, for all that wait. So a batch is what came while the
    one before was searched, and a lone question is as fast as without.
    """

    def __init__(self, retriever: Retriever) -> None:
        self._retriever = retriever
        self._waiting: list[_Call] = []
        self._guard = threading.Lock()
        self._free = threading.Lock()

    def search(self, questions: Sequence[str], k: int, where: str | None = None) -> list[list[Hit]]:
        """As `core.ports.Retriever.search`. Raises what the retriever raises for these questions."""
        call = _Call(check_questions(questions), k, where)  # a question that cannot be asked fails alone
        with self._guard:
            self._waiting.append(call)
        while not call.done.is_set():
            if self._free.acquire(timeout=0.5):
                try:
                    if not call.done.is_set():
                        self._search(self._take(call))
                finally:
                    self._free.release()
        if call.error is not None:
            raise call.error
        assert call.hits is not None
        return call.hits

    def _take(self, first: _Call) -> list[_Call]:
        """`first` and those that wait with the same k and filter, in the order in which they came."""
        with self._guard:
            alike = [one for one in self._waiting if one is not first and type(one.k) is type(first.k)]
            alike = [one for one in alike if (one.k, one.where) == (first.k, first.where)]
            taken, size = [first], len(first.questions)
            for call in alike:
                if size + len(call.questions) <= MOST:
                    taken.append(call)
                    size += len(call.questions)
            self._waiting = [one for one in self._waiting if not any(one is call for call in taken)]
        return taken

    def _search(self, calls: Sequence[_Call]) -> None:
        try:
            first = calls[0]
            found = self._retriever.search([question for call in calls for question in call.questions], first.k, first.where)
            place = 0
            for call in calls:
                call.hits = found[place : place + len(call.questions)]
                place += len(call.questions)
        except BaseException as error:
            for call in calls:
                call.error = error
        finally:
            for call in calls:
                call.done.set()
