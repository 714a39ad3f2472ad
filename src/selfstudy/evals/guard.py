"""The guard against forgetting: everyday questions of our own, searched among passages that have nothing to do with the user's documents.

A model tuned on one folder of documents must not become worse at everything else. The 337 pairs of question and passage are shipped
in guard.jsonl; the distractors are the docstrings of the standard library, so nothing has to be downloaded.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import NamedTuple

import numpy as np

from selfstudy.core.errors import NotEnough
from selfstudy.core.ports import Embedder, Progress, Vectors, silent
from selfstudy.core.records import Record, digest
from selfstudy.core.text import sentences
from selfstudy.evals.bootstrap import Values
from selfstudy.evals.ranking import ranks_of_own, reciprocal
from selfstudy.evals.stdlib import Module, modules

DISTRACTORS = 5_000
FEW = 400
"""Distractors where only the first passages that are found count: what reads everyday text otherwise shows it among these."""
_MOST_WORDS = 40
_FEWEST_WORDS = 4


@dataclass(frozen=True, slots=True)
class Pair(Record):
    """A question as a person types it and the one guard passage that answers it."""

    id: str
    topic: str
    question: str
    passage: str


class Texts(NamedTuple):
    """What the guard embeds: passage i belongs to question i; the passages past the last question are distractors."""

    questions: list[str]
    passages: list[str]


@dataclass(frozen=True, slots=True, eq=False)
class GuardVectors:
    """The vectors of `texts()`: (questions, dim) and (passages, dim) float32 of unit length."""

    questions: Vectors
    passages: Vectors


@cache
def pairs() -> tuple[Pair, ...]:
    """The guard's questions with their passages, in the order of the file."""
    lines = resources.files("selfstudy.evals").joinpath("guard.jsonl").read_text("utf-8").splitlines()
    return tuple(Pair.load(json.loads(line)) for line in lines)


def distractors(n: int = DISTRACTORS) -> tuple[str, ...]:
    """`n` distinct texts of 4 to 40 words from the standard library's documentation, the same ones in the same order on every call.

    Each is the beginning of a docstring; where a thin Python has too few of those, single sentences from further down fill up.
    Raises NotEnough where even these do not suffice. The first call reads the library, which takes some seconds.
    """
    return _drawn(n)


def texts(n: int = DISTRACTORS) -> Texts:
    """The questions, and the passages among which they are searched: their own, then `n` distractors."""
    return Texts([pair.question for pair in pairs()], [pair.passage for pair in pairs()] + list(distractors(n)))


def embed(embedder: Embedder, progress: Progress = silent, n: int = DISTRACTORS) -> GuardVectors:
    """The guard's vectors by `embedder`, for a caller that keeps them or derives others from them."""
    questions, passages = texts(n)
    total = len(questions) + len(passages)
    return GuardVectors(
        embedder.embed(questions, "query", lambda done, _: progress(done, total)),
        embedder.embed(passages, "passage", lambda done, _: progress(len(questions) + done, total)),
    )


def reciprocal_ranks(embedder: Embedder, progress: Progress = silent, n: int = DISTRACTORS) -> Values:
    """For each guard question 1 / rank of its own passage by inner product, 0 beyond rank 10."""
    found = embed(embedder, progress, n)
    return reciprocal_ranks_of(found.questions, found.passages)


def reciprocal_ranks_of(questions: Vectors, passages: Vectors) -> Values:
    """As `reciprocal_ranks`, from vectors: row i of `passages` is the own passage of row i of `questions`.

    Raises ValueError for shapes that do not fit and for vectors that are not finite.
    """
    if questions.ndim != 2 or passages.ndim != 2 or questions.shape[1] != passages.shape[1] or len(passages) < len(questions):
        raise ValueError(f"vectors of shape {questions.shape} and {passages.shape} do not belong together")
    if not (np.isfinite(questions).all() and np.isfinite(passages).all()):
        raise ValueError("a vector is not finite")
    return reciprocal(ranks_of_own(questions, passages, np.arange(len(questions))))


@cache
def _drawn(n: int) -> tuple[str, ...]:
    library = list(modules())
    drawn = sorted(_distinct(_cut(doc) for doc in _docs(library)), key=digest)  # by hash: every part of the library has its share
    if len(drawn) < n:
        later = _distinct(_cut(doc[start:end]) for doc in _docs(library) for start, end in sentences(doc)[1:])
        drawn += sorted(set(later).difference(drawn), key=digest)
    if len(drawn) < n:
        raise NotEnough(
            f"The guard needs {n} texts from this Python's standard library and finds {len(drawn)}.",
            "Use a Python whose standard library is installed as source, with its docstrings.",
        )
    return tuple(drawn[:n])


def _docs(library: list[Module]) -> Iterator[str]:
    for module in library:
        yield module.doc
        yield from (member.doc for member in module.members)


def _cut(doc: str) -> str:
    """The first 40 words of `doc`, of the paragraphs that are no code, in one line; "" where less than four are left."""
    words: list[str] = []
    for paragraph in re.split(r"\n\s*\n", doc):
        if ">>>" in paragraph:
            break
        words += paragraph.split()
        if len(words) >= _MOST_WORDS:
            break
    return " ".join(words[:_MOST_WORDS]) if len(words) >= _FEWEST_WORDS else ""


def _distinct(found: Iterator[str]) -> list[str]:
    return list(dict.fromkeys(text for text in found if text))
