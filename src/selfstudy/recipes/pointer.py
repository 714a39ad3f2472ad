"""The pointer of a home: which system serves, and how another one takes its place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from selfstudy.core.errors import BadInput, HomeError, SelfstudyError
from selfstudy.core.run import Reporter, Stop
from selfstudy.index.snapshot import Snapshot
from selfstudy.index.store import Store
from selfstudy.recipes.embedding import embed_missing
from selfstudy.recipes.history import Event, History
from selfstudy.recipes.remembering import Remembering, known_share
from selfstudy.recipes.settings import Settings
from selfstudy.recipes.settle import READS
from selfstudy.recipes.system import ARTIFACT, System


class Pointer:
    """Reads and moves the pointer; every move is in the history, and every passage has its vector before it."""

    def __init__(self, home: Path, store: Store, settings: Settings, embedder_of: Callable[[str], Remembering], reporter: Reporter) -> None:
        self._home = home
        self._store = store
        self._settings = settings
        self._embedder_of = embedder_of
        self._reporter = reporter
        self._history = History(home)
        self._known: tuple[int, float] | None = None

    def base(self, snapshot: Snapshot | None = None) -> System:
        """The system before anything was learned, for this index or the one that is now."""
        snapshot = snapshot or self._store.snapshot()
        embedder = self._embedder_of(self._settings.embedder)
        known = self._known
        if known is None or known[0] != snapshot.version:
            known = self._known = (snapshot.version, known_share(snapshot, embedder))
        return System(self._settings.embedder, embedder.fingerprint, self._settings.weight if known[1] >= READS else 0.0)

    def live(self, snapshot: Snapshot | None = None) -> System:
        """The system that the pointer named when this was the index, or that it names now."""
        snapshot = snapshot or self._store.snapshot()
        said = snapshot.state.live
        if said is None:
            return self.base(snapshot)
        system = System.load(said)
        if system.key is None:  # the base with its calibration, which holds only for the embedder and share that it was made with
            base = self.base(snapshot)
            return system if replace(system, abstention=None) == base else base
        return system if system.embedder.startswith(ARTIFACT) or self._loads(system) else self.base(snapshot)

    def _loads(self, system: System) -> bool:
        """Whether the embedder that was proven is what its name loads: its folder may hold other weights since, or other prompts be set."""
        try:
            return self._embedder_of(system.embedder).fingerprint == system.fingerprint
        except SelfstudyError:
            return False

    def promote(self, key: str, force: bool) -> Event:
        """As `Engine.promote`."""
        judged = self._history.candidate(key)
        if not judged.promote and not force:
            raise BadInput(
                f"The candidate {judged.key} was refused: {judged.reason}", "Use --force to let it serve all the same; that is recorded."
            )
        if judged.system is None:
            raise HomeError(f"The candidate {judged.key} is not kept here.", "Run `selfstudy adapt` again.")
        return self.serve("promoted", judged.system, judged.reason, forced=not judged.promote)

    def rollback(self) -> Event:
        """As `Engine.rollback`."""
        live, undone = self.live(), 0
        for event in reversed(self._history.events()):
            if event.event == "rolled back":
                undone += 1
            elif undone and event.event == "promoted" and event.before != event.system:
                undone -= 1  # the promotion that was taken back
            # A kill may have come between the swap and its event: then the judgement says what served before.
            elif event.event in ("promoted", "judged") and event.system == live and event.before not in (None, live):
                return self.serve("rolled back", event.before, f"back from {live.key}")
        raise BadInput("Nothing was promoted that could be rolled back.", "`selfstudy history` shows what happened here.")

    def serve(self, event: Any, system: System | None, reason: str, forced: bool = False) -> Event:
        """Swap: embed what the new system lacks, then one replacement of the pointer. Only this holds the writer's lock."""
        stop = Stop()
        with stop.on_interrupt():
            self.fill(system or self.base(), "embed for the swap")  # most of the work, while others may still write
            with self._store.writing("swapping what serves", wait=30) as writer:
                before = self.live()  # what serves now, whoever else was promoting a moment ago
                serving = system or self.base()
                vectors = self._prepared(serving)
                if vectors is not None:
                    writer.add_vectors(serving.fingerprint, *vectors)
                embed_missing(writer, writer.snapshot(), self._embedders(serving), self._reporter, stop, "embed for the swap")
                writer.set_live(system.json() if system is not None else None)
                writer.commit()
                return self._history.add(event, serving.key, reason, system, before=before, forced=forced)

    def fill(self, system: System, name: str) -> None:
        """Give every passage a vector of each of this system's embedders."""
        snapshot = self._store.snapshot()
        if any(len(snapshot.missing(embedder.fingerprint)) for embedder in self._embedders(system)):
            stop = Stop()
            with self._store.writing("embedding", wait=30) as writer, stop.on_interrupt():
                vectors = self._prepared(system)
                if vectors is not None:
                    writer.add_vectors(system.fingerprint, *vectors)
                embed_missing(writer, writer.snapshot(), self._embedders(system), self._reporter, stop, name)
                writer.commit()

    def _embedders(self, system: System) -> list[Remembering]:
        return [self._embedder_of(name) for name in system.embedders]

    def _prepared(self, system: System) -> tuple[list[str], Any] | None:
        """Ids and vectors that the study already made with this system's embedder."""
        from selfstudy.recipes.vectors import prepared

        return prepared(self._home / "artifacts", system)
