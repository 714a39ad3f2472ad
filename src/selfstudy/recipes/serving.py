"""What answers at one moment: a snapshot of the index, the system that its pointer names, and the retrievers over both."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, cast

from selfstudy.core.errors import BadInput, HomeError
from selfstudy.core.ports import Retriever
from selfstudy.index.batched import Batched
from selfstudy.index.cached import Cached, Rankings
from selfstudy.index.hybrid import Hybrid
from selfstudy.index.joined import Joined
from selfstudy.index.snapshot import Snapshot
from selfstudy.index.state import State
from selfstudy.index.store import Store
from selfstudy.index.tiered import LEAST, Hot, Tiered
from selfstudy.recipes.glossary import Expansion
from selfstudy.recipes.remembering import Remembering
from selfstudy.recipes.system import System, reranked, served


@dataclass(frozen=True, slots=True, eq=False)
class Serving:
    """One answer uses one of these from its first step to its last, so that no answer mixes two models or two states of the index."""

    snapshot: Snapshot
    live: System
    embedder: Remembering
    retrievers: Mapping[str, Retriever]

    @property
    def version(self) -> str:
        """The model and the index in a few words, for logs and for whoever compares answers."""
        return f"{self.live.key or 'base'}@{self.snapshot.version}"


class Opening:
    """Opens what serves whenever the pointer of the home has moved, or its glossary has changed. Safe for threads.

    `rankings_of` says where rankings are kept, `expansion_of` how questions are widened.

    With `eager` everything is loaded before it serves, with a hot tier in memory where the index holds `hot` passages or more (0: never),
    questions of several threads are searched together, and while one thread opens what is new the others are answered by what served
    before, whole.
    """

    def __init__(
        self,
        store: Store,
        live_of: Callable[[Snapshot], System],
        embedder_of: Callable[[str], Remembering],
        *,
        rankings_of: Callable[[], Rankings | None],
        expansion_of: Callable[[], Expansion | None],
        eager: bool = False,
        hot: int = LEAST,
    ) -> None:
        self._store = store
        self._live_of = live_of
        self._embedder_of = embedder_of
        self._rankings_of = rankings_of
        self._expansion_of = expansion_of
        self._eager = eager
        self._hot_from = hot
        self._hot: Hot | None = None
        self._held: tuple[State, Expansion | None, Serving] | None = None
        self._opening = threading.Lock()

    def now(self) -> Serving:
        """What serves now; the same object as long as nothing is committed and the glossary stays as it is."""
        held = self._held
        if held is not None and self._is_now(held):
            return held[-1]
        if not self._opening.acquire(blocking=held is None or not self._eager):
            assert held is not None
            return held[-1]
        try:
            if self._held is None or not self._is_now(self._held):
                self._held = self._open()
            return self._held[-1]
        finally:
            self._opening.release()

    def _is_now(self, held: tuple[State, Expansion | None, Serving]) -> bool:
        return held[0] == self._store.state and held[1] is self._expansion()

    def _expansion(self) -> Expansion | None:
        """How questions are widened; a service goes on with what it has where a person left a line of the glossary half-written."""
        try:
            return self._expansion_of()
        except BadInput:
            if self._held is None or not self._eager:
                raise
            return self._held[1]

    def _open(self) -> tuple[State, Expansion | None, Serving]:
        expand = self._expansion()
        snapshot = self._store.snapshot()
        live = self._live_of(snapshot)
        embedder = self._embedder_of(live.embedder)
        ways = served(snapshot, live, self._embedder_of, expand)
        if self._eager:
            with suppress(HomeError):  # a passage without a vector, say: whoever searches is told
                ways["dense"].search(["warm"], 1)
                ways["lexical"].search(["warm"], 1)
                ways = self._tiered(snapshot, ways)
        ways = reranked(ways, live, self._store.home, embedder)
        if self._eager:
            with suppress(HomeError):  # and whatever reads the first passages
                ways["hybrid"].search(["warm"], 1)
            ways = {name: Batched(way) for name, way in ways.items()}
        if (rankings := self._rankings_of()) is not None:
            by = f"{embedder.fingerprint} {live.ranks} {expand.key if expand is not None else ''}"
            ways = {name: Cached(way, snapshot, f"{name} {by}", rankings) for name, way in ways.items()}
        return snapshot.state, expand, Serving(snapshot, live, embedder, ways)

    def _tiered(self, snapshot: Snapshot, ways: Mapping[str, Retriever]) -> dict[str, Retriever]:
        """`ways` over a hot tier where there are enough passages; what did not change since the last one is taken from it."""
        if not self._hot_from or len(snapshot) < self._hot_from:
            self._hot = None
            return dict(ways)
        hot = self._hot = Hot.of(snapshot, cast(Hybrid, ways["hybrid"]).dense, self._hot)
        return {name: way if isinstance(way, Joined) else Tiered(cast(Any, way), hot) for name, way in ways.items()}
