"""What was asked for last, in memory: a bounded map that forgets what nobody has asked for longest."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from threading import Lock
from typing import Generic, TypeVar

V = TypeVar("V")


class Recent(Generic[V]):
    """At most `most` values by key. Safe to share between threads."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._kept: OrderedDict[str, V] = OrderedDict()
        self._lock = Lock()

    def get(self, keys: Iterable[str]) -> dict[str, V]:
        """Those of `keys` that are there."""
        with self._lock:
            found = {key: self._kept[key] for key in keys if key in self._kept}
            for key in found:
                self._kept.move_to_end(key)
        return found

    def put(self, values: Mapping[str, V]) -> None:
        with self._lock:
            self._kept.update(values)
            while len(self._kept) > self.most:
                self._kept.popitem(last=False)
