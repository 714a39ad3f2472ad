"""Replies that were paid for, kept by what was asked: a second run costs nothing, and a crash loses the calls under way."""

from __future__ import annotations

import errno
import json
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import Any

from selfstudy.core.errors import Busy, HomeError, first_line
from selfstudy.core.files import home_error, home_errors, make_folder
from selfstudy.core.ports import Progress, silent
from selfstudy.core.records import Message, Reply, digest


class Kept:
    """The table `name` in `<folder>/<name>.sqlite`, made when it is first needed: a plan writes nothing.

    Several threads and processes may share it; what is written is durable. All of it raises HomeError where the file cannot be used.
    """

    def __init__(self, folder: Path, name: str, columns: str) -> None:
        self._lock = threading.Lock()
        self._folder = folder
        self._name = name
        self._columns = columns

    def rows(self, question: str, values: Sequence[Any]) -> list[Any]:
        """What a question in SQL finds."""
        with self._told(), self._lock:
            return self._table.execute(question, values).fetchall()

    def put(self, rows: Sequence[tuple[Any, ...]]) -> None:
        """Keep rows; durable once this returns."""
        if rows:
            with self._told(), self._lock:
                self._table.executemany(f"INSERT OR REPLACE INTO {self._name} VALUES ({', '.join('?' * len(rows[0]))})", rows)

    @cached_property
    def _table(self) -> sqlite3.Connection:
        make_folder(self._folder)
        table = sqlite3.connect(self._folder / f"{self._name}.sqlite", timeout=60, check_same_thread=False, isolation_level=None)
        table.execute("PRAGMA journal_mode=WAL")
        table.execute("PRAGMA synchronous=FULL")
        table.execute(f"CREATE TABLE IF NOT EXISTS {self._name} ({self._columns})")
        return table

    @contextmanager
    def _told(self) -> Iterator[None]:
        with home_errors(self._folder):
            try:
                yield
            except sqlite3.DatabaseError as error:
                raise self._error(error) from error

    def _error(self, error: sqlite3.DatabaseError) -> HomeError:
        code = getattr(error, "sqlite_errorcode", 0)
        file = self._folder / f"{self._name}.sqlite"
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            return Busy(f"{file} is in use.", "Ask again in a moment.")
        if code == sqlite3.SQLITE_FULL and (full := home_error(file, OSError(errno.ENOSPC, ""))):
            return full
        mend = f"Move {file.name} away to begin anew."
        return HomeError(f"The kept {self._name} in {self._folder} cannot be used: {first_line(error)}.", mend)


class Replies:
    """A table on disk from the hash of (model, messages, parameters) to the reply. Several processes may share it."""

    def __init__(self, folder: Path) -> None:
        self._kept = Kept(folder, "replies", "key TEXT PRIMARY KEY, reply TEXT NOT NULL")

    @staticmethod
    def key(**asked: Any) -> str:
        """The hash of everything that the reply depends on."""
        return digest("reply", json.dumps(asked, sort_keys=True, ensure_ascii=False))

    def get(self, key: str) -> Reply | None:
        """The kept reply, if there is one that can still be read."""
        rows = self._kept.rows("SELECT reply FROM replies WHERE key = ?", (key,))
        with suppress(ValueError):
            return Reply.load(json.loads(rows[0][0])) if rows else None
        return None

    def put(self, key: str, reply: Reply) -> None:
        """Keep a reply; durable once this returns."""
        self._kept.put([(key, json.dumps(reply.json(), ensure_ascii=False))])


class Remembered:
    """An LLM that only says once more what another one said before; whatever else it is asked is a fault that passes."""

    def __init__(self, name: str, fingerprint: str, replies: Replies, thinking: int = 0) -> None:
        self.name = name
        self.fingerprint = fingerprint
        self._replies = replies
        self._thinking = thinking

    def chat(
        self,
        batch: Sequence[Sequence[Message]],
        schema: dict[str, Any] | None = None,
        logprobs: int = 0,
        max_tokens: int = 512,
        temperature: float = 0.0,
        progress: Progress = silent,
    ) -> list[Reply]:
        """As `core.ports.LLM.chat`."""
        asked = {"schema": schema, "logprobs": logprobs, "max_tokens": max_tokens + self._thinking, "temperature": temperature}
        keys = [Replies.key(llm=self.fingerprint, messages=[one.json() for one in messages], **asked) for messages in batch]
        return [self._replies.get(key) or Reply("", fault="it was not asked yet", transient=True) for key in keys]
