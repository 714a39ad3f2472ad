"""Words: BM25 over title path and text by the store's full text index."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from selfstudy.core.records import Hit
from selfstudy.index.question import check_k, check_questions
from selfstudy.index.ranking import Scores, blocks, hits
from selfstudy.index.snapshot import Mask, Rows, Snapshot

_DEEPER = 8
_ADDED = 0.2
"""Weight of added words: with as much as the question's own, passages that explain a term come before those that use it."""


class Lexical:
    """BM25 (k1 = 1.2, b = .75) with English stemming and stop words; Chinese as `analyze.body` spaces it.

    Only passages that hold a word of the question are hits; where `expand` is given, or one of the words that it adds to the question.
    """

    name = "lexical"

    def __init__(self, snapshot: Snapshot, expand: Callable[[str], str] | None = None) -> None:
        self.snapshot = snapshot
        self._expand = expand

    def search(self, questions: Sequence[str], k: int, where: str | None = None) -> list[list[Hit]]:
        """The best `k` passages for each question, best first; fewer where fewer hold any of its words. Raises BadInput."""
        texts, k = check_questions(questions), min(check_k(k), len(self.snapshot))
        mask = self.snapshot.mask(where)
        return [hits(self.snapshot, *self._best(text, k, mask), by=self.name) for text in texts]

    def scores(self, questions: Sequence[str]) -> Iterator[Scores]:
        """For blocks of the questions in turn, (questions, passages) BM25 scores; a passage without any of the words has 0."""
        for block in blocks(check_questions(questions), len(self.snapshot)):
            scores = np.zeros((len(block), len(self.snapshot)), np.float32)
            for one, question in zip(scores, block, strict=True):
                rows, values = self._found(question)
                one[rows] = values
            yield scores

    def parts(self, question: str) -> list[tuple[str, float]]:
        """What is searched for, with its weight: the question and, at a part of its weight, the words that are added to it."""
        added = self._expand(question) if self._expand is not None else ""
        return [(question, 1.0), (added, _ADDED)] if added else [(question, 1.0)]

    def _found(self, question: str, limit: int | None = None) -> tuple[Rows, Scores]:
        """As `Snapshot.lexical`, of all `parts`."""
        parts = self.parts(question)
        if len(parts) == 1:
            return self.snapshot.lexical(question, limit)
        total = np.zeros(len(self.snapshot), np.float32)
        for text, weight in parts:
            rows, scores = self.snapshot.lexical(text)
            total[rows] += weight * scores
        rows = np.flatnonzero(total)
        order = np.lexsort((rows, -total[rows]))[:limit]
        return rows[order], total[rows[order]]

    def _best(self, question: str, k: int, mask: Mask | None) -> tuple[Rows, Scores]:
        """Search deeper until `k` passages pass the filter and none that ties with the last was cut off, or no more are found."""
        limit = k + 16 if mask is None else 4 * k + 256
        while True:
            rows, scores = self._found(question, limit)
            exhausted = len(rows) < limit
            whole = np.ones(len(rows), bool) if exhausted else scores > scores[-1]
            if mask is not None:
                whole &= mask[rows]
            if exhausted or whole.sum() >= k:
                return rows[whole][:k], scores[whole][:k]
            limit *= _DEEPER
