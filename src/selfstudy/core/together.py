"""Calls that come at the same time are worked together: one batch for all of them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Item = TypeVar("Item")
Found = TypeVar("Found")


@dataclass(slots=True, eq=False)
class _Call(Generic[Item, Found]):
    items: Sequence[Item]
    alike: tuple[Hashable, ...]
    done: threading.Event = field(default_factory=threading.Event)
    found: Sequence[Found] | None = None
    error: BaseException | None = None


class Together(Generic[Item, Found]):
    """`work` for many threads, which is asked by one of them at a time.

    Nobody waits for others to come: whoever finds it free works at once, for all that wait. So a batch is what came while the one before
    was worked, and a lone call is as fast as without.
    """

    def __init__(self, work: Callable[..., Sequence[Found]], most: int) -> None:
        self._work = work
        self._most = most
        self._waiting: list[_Call[Item, Found]] = []
        self._guard = threading.Lock()
        self._free = threading.Lock()

    def __call__(self, items: Sequence[Item], *alike: Hashable) -> Sequence[Found]:
        """What `work(items, *alike)` gives, one for each item; calls with equal `alike` share one of at most `most` items, or their own.

        Raises what `work` raises for these items.
        """
        call: _Call[Item, Found] = _Call(items, alike)
        with self._guard:
            self._waiting.append(call)
        while not call.done.is_set():
            if self._free.acquire(timeout=0.5):
                try:
                    if not call.done.is_set():
                        self._answer(self._take(call))
                finally:
                    self._free.release()
        if call.error is not None:
            raise call.error
        assert call.found is not None
        return call.found

    def _take(self, first: _Call[Item, Found]) -> list[_Call[Item, Found]]:
        """`first` and those like it that wait, in the order in which they came."""
        with self._guard:
            taken, size = [first], len(first.items)
            for call in self._waiting:
                if call is not first and _same(call.alike, first.alike) and size + len(call.items) <= self._most:
                    taken.append(call)
                    size += len(call.items)
            self._waiting = [one for one in self._waiting if not any(one is call for call in taken)]
        return taken

    def _answer(self, calls: Sequence[_Call[Item, Found]]) -> None:
        try:
            found = self._work([item for call in calls for item in call.items], *calls[0].alike)
            place = 0
            for call in calls:
                call.found = found[place : place + len(call.items)]
                place += len(call.items)
        except BaseException as error:
            for call in calls:
                call.error = error
        finally:
            for call in calls:
                call.done.set()


def _same(one: tuple[Hashable, ...], other: tuple[Hashable, ...]) -> bool:
    """Whether values are equal and of one type: 5.0 and True are no 5 and 1, and may be refused."""
    return one == other and [type(value) for value in one] == [type(value) for value in other]
