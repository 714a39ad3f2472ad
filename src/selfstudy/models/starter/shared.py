"""The shipped reader, loaded once in a process: for answers, and for whoever puts passages in order, in every home that is open."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Lock
from typing import Self

from selfstudy.core import ports
from selfstudy.core.recent import Recent
from selfstudy.core.records import Reading, digest
from selfstudy.core.together import Together
from selfstudy.models.starter import load

_KEPT = 10_000
_TOGETHER = 64
"""Pairs that are read together at most."""


class Shared:
    """A `core.ports.Reader` that `loading` gives for the first pair, told where converted models are kept. Safe to share between threads.

    The last `most` readings are kept, so that passages which were put in order by reading them are not read again for the answer. What
    several threads ask for at the same time is read together.
    """

    def __init__(self, loading: Callable[[Path | None], ports.Reader], most: int = _KEPT) -> None:
        self._loading = loading
        self._cache: Path | None = None
        self._loaded: ports.Reader | None = None
        self._kept: Recent[Reading] = Recent(most)
        self._guard = Lock()
        self._together: Together[tuple[str, str], Reading] = Together(lambda pairs: self._reader().read(pairs), _TOGETHER)

    def kept_in(self, cache: Path) -> Self:
        """The same reader; the first such folder is where its network is kept as it runs."""
        with self._guard:
            self._cache = self._cache or cache
        return self

    def read(self, pairs: Sequence[tuple[str, str]]) -> list[Reading]:
        """As `core.ports.Reader.read`. Raises BadModel."""
        keys = {pair: digest(*pair) for pair in pairs}
        found = self._kept.get(keys.values())
        if new := [pair for pair, key in keys.items() if key not in found]:
            made = {keys[pair]: one for pair, one in zip(new, self._together(new), strict=True)}
            self._kept.put(made)
            found |= made
        return [found[keys[pair]] for pair in pairs]

    def _reader(self) -> ports.Reader:
        with self._guard:
            self._loaded = self._loaded or self._loading(self._cache)
            return self._loaded


SHIPPED = Shared(lambda cache: load.reader(cache=cache))
