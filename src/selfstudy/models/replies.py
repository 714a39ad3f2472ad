"""Replies that were paid for, kept by what was asked: a second run costs nothing, and a crash loses the calls under way."""

from __future__ import annotations

import json
import sqlite3
import threading
from functools import cached_property
from pathlib import Path
from typing import Any

from selfstudy.core.errors import HomeError
from selfstudy.core.files import home_errors, make_folder
from selfstudy.core.records import Reply, digest


def kept_table(folder: Path, name: str, columns: str) -> sqlite3.Connection:
    """The table `name` in `<folder>/<name>.sqlite`, made where it is missing; what is committed is durable. Raises HomeError."""
    make_folder(folder)
    with home_errors(folder):
        try:
            table = sqlite3.connect(folder / f"{name}.sqlite", timeout=60, check_same_thread=False, isolation_level=None)
            table.execute("PRAGMA journal_mode=WAL")
            table.execute("PRAGMA synchronous=FULL")
            table.execute(f"CREATE TABLE IF NOT EXISTS {name} ({columns})")
        except sqlite3.DatabaseError as error:
            raise HomeError(f"The kept {name} in {folder} cannot be used: {error}.", f"Move {name}.sqlite away to begin anew.") from error
    return table


class Replies:
    """A table on disk from the hash of (model, messages, parameters) to the reply. Several processes may share it."""

    def __init__(self, folder: Path) -> None:
        self._lock = threading.Lock()
        self._folder = folder

    @cached_property
    def _table(self) -> sqlite3.Connection:
        """Opened when it is first needed: a plan writes nothing."""
        return kept_table(self._folder, "replies", "key TEXT PRIMARY KEY, reply TEXT NOT NULL")

    @staticmethod
    def key(**asked: Any) -> str:
        """The hash of everything that the reply depends on."""
        return digest("reply", json.dumps(asked, sort_keys=True, ensure_ascii=False))

    def get(self, key: str) -> Reply | None:
        """The kept reply, if there is one."""
        with self._lock:
            row = self._table.execute("SELECT reply FROM replies WHERE key = ?", (key,)).fetchone()
        return Reply.load(json.loads(row[0])) if row else None

    def put(self, key: str, reply: Reply) -> None:
        """Keep a reply; durable once this returns."""
        with self._lock:
            self._table.execute("INSERT OR REPLACE INTO replies VALUES (?, ?)", (key, json.dumps(reply.json(), ensure_ascii=False)))
