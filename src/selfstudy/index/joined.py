"""Meaning and imitated words as one dense search: two vectors of unit length side by side (SPAR, arXiv 2110.06918)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from selfstudy.core.records import Hit
from selfstudy.index.dense import Dense
from selfstudy.index.question import check_k, check_questions
from selfstudy.index.ranking import Scores, searched


class Joined:
    """The mean of two inner products, which is that of both vectors written one after the other and scaled by the root of one half."""

    name = "dense"

    def __init__(self, meaning: Dense, words: Dense) -> None:
        if meaning.snapshot is not words.snapshot:
            raise ValueError("both must search the same snapshot")
        self.snapshot = meaning.snapshot
        self.meaning = meaning
        self.words = words

    def search(self, questions: Sequence[str], k: int, where: str | None = None) -> list[list[Hit]]:
        """As `Dense.search`."""
        texts, k = check_questions(questions), check_k(k)
        return searched(self.snapshot, self.scores(texts), k, self.snapshot.mask(where), self.name)

    def scores(self, questions: Sequence[str]) -> Iterator[Scores]:
        """For blocks of the questions in turn, (questions, passages) inner products."""
        for meaning, words in zip(self.meaning.scores(questions), self.words.scores(questions), strict=True):
            yield (meaning + words) * np.float32(0.5)
