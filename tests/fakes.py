"""Retrievers, embedders and readers that do as a test tells them, and note what they were asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from selfstudy.answer.default import DEFAULT
from selfstudy.core.ports import Progress, Role, Vectors, silent
from selfstudy.core.records import Hit, Reading
from selfstudy.testing import FakeEmbedder

ALWAYS = replace(DEFAULT, meaning=replace(DEFAULT.meaning, threshold=0.0), words=replace(DEFAULT.words, threshold=0.0))
"""A calibration that never abstains."""


class Found:
    """A retriever that finds the same for every question."""

    key = "found"

    def __init__(self, hits: Sequence[Hit]) -> None:
        self.hits = list(hits)
        self.asked: list[str] = []
        self.asked_for: list[tuple[int, str | None]] = []

    def search(self, questions: Sequence[str], k: int, where: str | None = None) -> list[list[Hit]]:
        self.asked += questions
        self.asked_for.append((k, where))
        return [self.hits[:k] for _ in questions]


class Counting:
    """The fake embedder, noting what it was truly asked; a question has other vectors than a passage."""

    def __init__(self, seed: int = 0) -> None:
        self._fake = FakeEmbedder(seed=seed)
        self.name, self.dim, self.fingerprint = self._fake.name, self._fake.dim, self._fake.fingerprint
        self.asked: list[str] = []

    def embed(self, texts: Sequence[str], role: Role = "passage", progress: Progress = silent) -> Vectors:
        self.asked += texts
        return self._fake.embed([f"{role} {text}" for text in texts], role, progress)


@dataclass
class Believing:
    """A reader that finds the words it is given, wherever they stand, and believes in them as far as it is told."""

    words: str
    answered: float
    read_: list[tuple[str, str]] = field(default_factory=list)

    def read(self, pairs: Sequence[tuple[str, str]]) -> list[Reading]:
        self.read_.extend(pairs)
        starts = [text.find(self.words) for _, text in pairs]
        return [Reading(at, at + len(self.words), self.answered, 1.0) if at >= 0 else Reading(0, 0, 0.0, 0.0) for at in starts]
