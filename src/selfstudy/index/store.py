"""A home on disk: many readers, one writer, and one pointer that says what the index is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from threading import Lock as ThreadLock
from typing import Any, Self

from selfstudy.core.errors import HomeError
from selfstudy.core.files import Lock, make_folder
from selfstudy.index.snapshot import Snapshot
from selfstudy.index.state import NAME as STATE
from selfstudy.index.state import State, read_state, write_state
from selfstudy.index.tables import connect
from selfstudy.index.writer import GRACE, Writer

LOCK = "write.lock"
USUAL = ".selfstudy"
"""The name of a home that nobody named."""


class Store:
    """The index of a home. Holds no lock and no version: what it shows is what the pointer says when it is asked."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self._connected: Any = None
        self._snapshot: Snapshot | None = None
        self._guard = ThreadLock()

    @classmethod
    def open(cls, home: Path, create: bool = False) -> Self:
        """The store in the folder `home`, made where there is none and `create` is set. Raises HomeError."""
        if create:
            make_folder(home)
        try:
            read_state(home)
        except FileNotFoundError as error:
            if not create:
                mend = f"Add documents first: selfstudy --home {home} add FOLDER"
                if (home / USUAL / STATE).exists():
                    mend = f"Name the home inside: selfstudy --home {home / USUAL}"
                raise HomeError(f"There is no index in {home}.", mend) from error
            cls._create(home)
        return cls(home)

    @staticmethod
    def _create(home: Path) -> None:
        with Lock(home / LOCK, "making the home", wait=10):
            try:
                read_state(home)
            except FileNotFoundError:
                write_state(home, State())

    @property
    def state(self) -> State:
        """The pointer as it is now."""
        return read_state(self.home)

    @property
    def _database(self) -> Any:
        if self._connected is None:
            self._connected = connect(self.home)
        return self._connected

    def snapshot(self) -> Snapshot:
        """The index as it is now; the same object as long as nothing is committed."""
        with self._guard:
            state = self.state
            if self._snapshot is None or self._snapshot.state != state:
                self._snapshot = Snapshot(self._database, self.home, state)
            return self._snapshot

    @contextmanager
    def writing(self, what: str = "writing", wait: float = 0.0) -> Iterator[Writer]:
        """The writer of this home, alone. Without a `commit` nothing that it does is ever seen.

        `what` is told to others who want to write meanwhile, after `wait` seconds: Busy. Raises HomeError.
        """
        with Lock(self.home / LOCK, what, wait):
            yield Writer(self._database, self.home, self.state)

    def compact(self, grace: timedelta = GRACE) -> State:
        """Make the store small and fast; see `Writer.compact`."""
        with self.writing("compacting the index") as writer:
            return writer.compact(grace)
