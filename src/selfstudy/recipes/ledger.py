"""The ledger of a home: who asked what, which passages and models answered, and how people judged it. One SQLite file, safe to kill."""

from __future__ import annotations

import json
import math
import secrets
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any, Literal

from selfstudy.core.errors import BadInput, Busy, HomeError, first_line
from selfstudy.core.files import home_errors
from selfstudy.core.records import Answer, Hit, Record

NAME = "ledger.db"
VOTES_A_DAY = 200
"""Votes that one user may cast within 24 hours: nobody alone decides what is learned."""
CLICKS_A_DAY = 1000
"""Clicks of one user that are kept within 24 hours."""
LONGEST = 4000
"""Characters of a corrected answer."""
_WAIT = 10.0
_DAY = 86_400.0
_COLUMNS = 11
_TABLES = """
create table if not exists asked (
  id text primary key, at real not null, user text not null, kind text not null, question text not null, answer text not null,
  abstained integer, confidence real, passages text not null, system text not null, cited text not null default '[]'
) strict;
create index if not exists asked_at on asked (at);
create table if not exists votes (
  answer text not null references asked (id), user text not null, at real not null, verdict text not null,
  corrected text not null, passage text not null, primary key (answer, user)
) strict;
create index if not exists votes_of on votes (user, at);
create table if not exists clicks (
  answer text not null references asked (id), user text not null, at real not null, passage text not null,
  primary key (answer, user, passage)
) strict;
create index if not exists clicks_of on clicks (user, at);
"""

Judgement = Literal["up", "down"]
Sign = Literal["up", "down", "click"]


@dataclass(frozen=True, slots=True)
class Asked(Record):
    """A question as it was answered: `system` says by which model over which state of the index, `at` when (seconds since 1970).

    `passages` are the ids of those that were found, best first, `cited` of those that the answer rests on; `kind` is the door through which
    it was asked.
    """

    id: str
    at: float
    user: str
    kind: str
    question: str
    answer: str
    abstained: bool | None
    confidence: float | None
    passages: tuple[str, ...]
    system: str
    cited: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Vote(Record):
    """How a person judged an answer. `corrected` is what it should have said, `passage` the one that holds it; "" where nobody said.

    A click says nothing in words: its `passage` is the one whose source was opened.
    """

    asked: Asked
    user: str
    at: float
    verdict: Sign
    corrected: str = ""
    passage: str = ""


class Ledger:
    """Safe to share between threads and processes. What was voted is on the disk before `vote` returns."""

    def __init__(self, home: Path) -> None:
        self._path = home / NAME
        self._guard = Lock()
        self._connected: sqlite3.Connection | None = None

    def asked(self, user: str, kind: str, question: str, hits: Sequence[Hit], system: str, answer: Answer | None = None) -> str:
        """Note a question with what was found and said. Returns the id by which it can be voted on."""
        id = secrets.token_hex(16)
        said = (answer.text, answer.abstained, answer.confidence) if answer is not None else ("", None, None)
        passages = json.dumps([hit.passage.id for hit in hits])
        cited = json.dumps(list(dict.fromkeys(one.passage for one in answer.citations)) if answer is not None else [])
        row = (id, time.time(), user, kind, question, *said, passages, system, cited)
        with self._writing() as database:
            database.execute(f"insert into asked values ({', '.join('?' * len(row))})", row)
        return id

    def vote(self, answer: str, user: str, verdict: Judgement, corrected: str = "", passage: str = "") -> Vote:
        """Keep a vote; a second one of the same user on the same answer takes the place of the first.

        Raises BadInput for an answer that this user was never given, a passage that was not found for it, and a vote too many.
        """
        if len(corrected) > LONGEST:
            raise BadInput(f"The corrected answer has {len(corrected):,} characters; at most {LONGEST:,} are kept.", "Shorten it.")
        now = time.time()
        with self._writing(durable=True) as database:
            asked = _given(database, answer, user, passage)
            if not asked.answer:
                raise BadInput(f"You were given no answer {answer!r}.", "Vote with the id that came with the answer.")
            cast = database.execute(
                "select count(*) from votes where user = ? and at > ? and answer != ?", (user, now - _DAY, answer)
            ).fetchone()[0]
            if cast >= VOTES_A_DAY:
                raise BadInput(f"{VOTES_A_DAY} votes within a day are enough.", "Vote again tomorrow.")
            database.execute("insert or replace into votes values (?, ?, ?, ?, ?, ?)", (answer, user, now, verdict, corrected, passage))
        return Vote(asked, user, now, verdict, corrected, passage)

    def click(self, question: str, user: str, passage: str) -> Vote:
        """Keep that `user` opened the source of `passage`, which was found for his question of that id; once is as good as often.

        Raises BadInput for a question that this user never asked, a passage that was not found for it, and a click too many.
        """
        now = time.time()
        with self._writing() as database:
            asked = _given(database, question, user, passage)
            kept = database.execute("select count(*) from clicks where user = ? and at > ?", (user, now - _DAY)).fetchone()[0]
            if kept >= CLICKS_A_DAY:
                raise BadInput(f"{CLICKS_A_DAY} clicks within a day are enough.", "Further ones are not kept.")
            database.execute("insert or ignore into clicks values (?, ?, ?, ?)", (question, user, now, passage))
        return Vote(asked, user, now, "click", passage=passage)

    def votes(self) -> list[Vote]:
        """Every vote, oldest first."""
        return self._read("votes.user, votes.at, verdict, corrected, passage", "votes")

    def clicks(self) -> list[Vote]:
        """Every click, oldest first."""
        return self._read("clicks.user, clicks.at, 'click', '', passage", "clicks")

    def _read(self, columns: str, table: str) -> list[Vote]:
        wanted = (
            f"select asked.*, {columns} from {table} join asked on asked.id = {table}.answer order by {table}.at, {table}.answer, passage"
        )
        with self._writing() as database:
            rows = database.execute(wanted).fetchall()
        return [Vote(_asked(row), *row[_COLUMNS:]) for row in rows]

    def questions(self, last: int = 100, since: float = 0.0, until: float = math.inf) -> list[Asked]:
        """The last questions, newest first, after `since` and no later than `until`."""
        wanted = "select * from asked where at > ? and at <= ? order by at desc, id limit ?"
        with self._writing() as database:
            rows = database.execute(wanted, (since, until, last)).fetchall()
        return [_asked(row) for row in rows]

    @contextmanager
    def _writing(self, durable: bool = False) -> Iterator[sqlite3.Connection]:
        """One transaction. All of them survive a kill; a `durable` one survives the loss of power too."""
        try:
            with home_errors(self._path), self._guard:
                database = self._connected = self._connected or self._open()
                database.execute(f"pragma synchronous = {'full' if durable else 'normal'}")
                database.execute("begin immediate")
                try:
                    yield database
                    database.execute("commit")
                except BaseException:
                    database.execute("rollback")
                    raise
        except sqlite3.Error as error:
            raise self._told(error) from error

    def _open(self) -> sqlite3.Connection:
        database = sqlite3.connect(self._path, timeout=_WAIT, isolation_level=None, check_same_thread=False)
        database.execute("pragma journal_mode = wal")
        database.executescript(_TABLES)
        if "cited" not in {row[1] for row in database.execute("pragma table_info(asked)")}:  # a ledger that an earlier version made
            database.execute("alter table asked add column cited text not null default '[]'")
        return database

    def _told(self, error: sqlite3.Error) -> HomeError:
        if "locked" in str(error):
            return Busy(f"{self._path} is in use.", "Ask again in a moment.")
        return HomeError(f"Cannot use {self._path}: {first_line(error)}.", "Free some space, or put back a copy of the file.")


def _given(database: sqlite3.Connection, id: str, user: str, passage: str) -> Asked:
    """What `user` asked under that id, with `passage` among what was found. Raises BadInput."""
    row = database.execute("select * from asked where id = ? and user = ?", (id, user)).fetchone()
    if row is None:
        raise BadInput(f"You were given no answer {id!r}.", "Vote with the id that came with the answer.")
    asked = _asked(row)
    if passage and passage not in asked.passages:
        raise BadInput(f"The passage {passage!r} was not found for this question.", "Name one of the answer's hits.")
    return asked


def _asked(row: Sequence[Any]) -> Asked:
    id, at, user, kind, question, answer, abstained, confidence, passages, system, cited = row[:_COLUMNS]
    unsure = None if abstained is None else bool(abstained)
    return Asked(id, at, user, kind, question, answer, unsure, confidence, tuple(json.loads(passages)), system, tuple(json.loads(cited)))
