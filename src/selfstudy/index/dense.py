"""Meaning: exact inner products between the question's vector and every passage's."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from selfstudy.core.errors import ForeignVector
from selfstudy.core.ports import Embedder, Vectors
from selfstudy.core.records import Hit
from selfstudy.index.question import check_k, check_questions
from selfstudy.index.ranking import Scores, blocks, searched
from selfstudy.index.snapshot import Snapshot


@dataclass(frozen=True, slots=True, eq=False)
class Flat:
    """A matrix of passage vectors, (passages, dim), and the fingerprint of the embedder that made them."""

    matrix: Vectors
    fingerprint: str

    def scores(self, vectors: Vectors, fingerprint: str) -> Scores:
        """(len(vectors), passages) inner products, to six decimals: what lies below differs with how many questions are asked at once.

        Raises ForeignVector for vectors of another embedder.
        """
        scores: Scores = self.checked(vectors, fingerprint) @ self.matrix.T
        return np.round(scores, 6, out=scores)

    def checked(self, vectors: Vectors, fingerprint: str) -> Vectors:
        """`vectors`, which may be compared with these. Raises ForeignVector for vectors of another embedder."""
        if fingerprint != self.fingerprint:
            raise ForeignVector(
                f"The question's vector is of the embedder {fingerprint!r}, the index is of {self.fingerprint!r}.",
                "Search with the embedder that the index was made with, or add the documents again with this one.",
            )
        if vectors.ndim != 2 or vectors.shape[1] != self.matrix.shape[1]:
            raise ForeignVector(
                f"The question's vectors have the shape {vectors.shape}, the index has {self.matrix.shape[1]} dimensions.",
                "Search with the embedder that the index was made with.",
            )
        return vectors


class Dense:
    """Exact search by inner product. `flat` defaults to the snapshot's vectors of `embedder`, loaded at the first question.

    Give `flat` to search with vectors that are not stored: row i belongs to the snapshot's row i.
    """

    name = "dense"

    def __init__(self, snapshot: Snapshot, embedder: Embedder, flat: Flat | None = None) -> None:
        if flat is not None and len(flat.matrix) != len(snapshot):
            raise ValueError(f"{len(flat.matrix)} vectors do not belong to {len(snapshot)} passages")
        self.snapshot = snapshot
        self.embedder = embedder
        self._flat = flat

    @property
    def flat(self) -> Flat:
        """The vectors that are searched."""
        if self._flat is None:
            fingerprint = self.embedder.fingerprint
            self._flat = Flat(self.snapshot.vectors(fingerprint), fingerprint)
        return self._flat

    def vectors(self, questions: Sequence[str]) -> Vectors:
        """(len(questions), dim) vectors that may be compared with those that are searched. Raises ForeignVector."""
        return self.flat.checked(self.embedder.embed(questions, "query"), self.embedder.fingerprint)

    def search(self, questions: Sequence[str], k: int, where: str | None = None) -> list[list[Hit]]:
        """The best `k` passages for each question, best first. Raises BadInput, and ForeignVector where the index is another embedder's."""
        texts, k = check_questions(questions), check_k(k)
        return searched(self.snapshot, self.scores(texts), k, self.snapshot.mask(where), self.name)

    def scores(self, questions: Sequence[str]) -> Iterator[Scores]:
        """For blocks of the questions in turn, (questions, passages) inner products."""
        texts = check_questions(questions)
        if not len(self.snapshot):
            yield np.zeros((len(texts), 0), np.float32)
            return
        for block in blocks(texts, len(self.snapshot)):
            yield self.flat.scores(self.embedder.embed(block, "query"), self.embedder.fingerprint)
