"""The shipped reader, loaded once in a process: for answers, and for whoever puts passages in order, in every home that is open."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import Lock

from selfstudy.core import ports
from selfstudy.core.recent import Recent
from selfstudy.core.records import Reading, digest
from selfstudy.models.starter import load

_KEPT = 10_000


class Shared:
    """A `core.ports.Reader` that is loaded with the first pair. Safe to share between threads.

    The last `most` readings are kept, so that passages which were put in order by reading them are not read again for the answer.
    """

    def __init__(self, loading: Callable[[], ports.Reader], most: int = _KEPT) -> None:
        self._loading = loading
        self._loaded: ports.Reader | None = None
        self._kept: Recent[Reading] = Recent(most)
        self._guard = Lock()

    def read(self, pairs: Sequence[tuple[str, str]]) -> list[Reading]:
        """As `core.ports.Reader.read`. Raises BadModel."""
        keys = {pair: digest(*pair) for pair in pairs}
        found = self._kept.get(keys.values())
        if new := [pair for pair, key in keys.items() if key not in found]:
            made = {keys[pair]: one for pair, one in zip(new, self._reader().read(new), strict=True)}
            self._kept.put(made)
            found |= made
        return [found[keys[pair]] for pair in pairs]

    def _reader(self) -> ports.Reader:
        with self._guard:
            self._loaded = self._loaded or self._loading()
            return self._loaded


SHIPPED = Shared(load.reader)
