"""Replies that were paid for, kept by what was asked: a second run costs nothing, and a crash loses the calls under way."""

from __future__ import annotations

import json
import sqlite3
import threading
from pathlib import Path
from typing import Any

from selfstudy.core.errors import HomeError
from selfstudy.core.files import home_errors, make_folder
from selfstudy.core.records import Reply, digest


class Replies:
    """A table on disk from the hash of (model, messages, parameters) to the reply. Several processes may share it."""

    def __init__(self, folder: Path) -> None:
        make_folder(folder)
        self._lock = threading.Lock()
        with home_errors(folder):
            try:
                self._table = sqlite3.connect(folder / "replies.sqlite", timeout=60, check_same_thread=False, isolation_level=None)
                self._table.execute("PRAGMA journal_mode=WAL")
                self._table.execute("PRAGMA synchronous=FULL")
                self._table.execute("CREATE TABLE IF NOT EXISTS replies (key TEXT PRIMARY KEY, reply TEXT NOT NULL)")
            except sqlite3.DatabaseError as error:
                raise HomeError(
                    f"The kept replies in {folder} cannot be used: {error}.", "Move replies.sqlite away to begin anew."
                ) from error

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

    def close(self) -> None:
        self._table.close()
