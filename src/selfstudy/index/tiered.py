"""Two tiers: words and bits of vectors in memory, before the store, which is the truth.

The hot tier is made of one snapshot and belongs to it: what is added, promoted or rolled back gives another snapshot or other vectors, and
so another hot tier. It can be missing, never stale.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from selfstudy.core.records import Hit
from selfstudy.index.dense import Dense
from selfstudy.index.hybrid import Candidates, Hybrid, Spread
from selfstudy.index.lexical import Lexical
from selfstudy.index.near import Near
from selfstudy.index.question import check_k, check_questions
from selfstudy.index.ranking import Scores, best, hits
from selfstudy.index.snapshot import Mask, Rows, Snapshot
from selfstudy.index.words import Words

LEAST = 10_000
"""Passages from which a hot tier pays; with fewer the exact search of everything takes a few milliseconds."""
DEPTH = 400
"""Vectors that are compared exactly for a question, and about as many passages by words: at 100,000 passages a recall@10 of .99."""
_SHARE = 0.001
"""The same for many passages, as a share of them: of a million 400 find .95, 1,000 more."""
_MOST_K = 200


@dataclass(frozen=True, slots=True, eq=False)
class Hot:
    """A snapshot's words and vectors, ready in memory."""

    words: Words
    near: Near

    @classmethod
    def of(cls, snapshot: Snapshot, dense: Dense, before: Self | None = None) -> Self:
        """The hot tier of `snapshot` and the vectors of `dense`; what `before` holds too is not made again."""
        same = before is not None and before.words.ids == snapshot.ids
        known = before.words if before is not None else None
        words = known if same and known is not None else Words.of(snapshot.ids, (passage.indexed for passage in snapshot.passages), known)
        if same and before is not None and before.near.flat is dense.flat:
            return cls(words, before.near)
        return cls(words, Near.of(dense.flat))

    def by_words(self, lexical: Lexical, question: str) -> Scores:
        """(passages,) as `lexical` scores them."""
        found: Scores = np.zeros(len(self.words.ids), np.float32)
        for text, weight in lexical.parts(question):
            found += weight * self.words.scores(text)
        return found

    def candidates(self, words: Scores, vector: Scores, depth: int, mask: Mask | None) -> Candidates:
        """What may be among the best of either side or of a mix, with exact scores and the spreads of both over all passages."""
        mean = float(words.mean(dtype=np.float64))
        words_spread = Spread(mean, float(np.sqrt(max(0.0, float(np.dot(words, words)) / len(words) - mean * mean))))
        chosen = np.zeros(len(words), bool)
        chosen[self.near.worth(vector, depth, mask)] = chosen[self._best_words(words, depth, mask)] = True
        rows = np.flatnonzero(chosen)
        return Candidates(rows, words[rows], self.near.scores(vector, rows), words_spread, Spread(*self.near.moments(vector)))

    @staticmethod
    def _best_words(words: Scores, depth: int, mask: Mask | None) -> Rows:
        """The rows of about the best `depth` scores above 0, ascending."""
        rows = np.flatnonzero(words if mask is None else words * mask)
        if len(rows) > depth:
            values = words[rows]
            rows = rows[values >= np.partition(values, len(values) - depth)[len(values) - depth]]
        return rows


class Tiered:
    """`full`, answered from `hot` where that can be: the same passages and scores, but for what the bits of vectors miss.

    Words are exact. Where more than a few hundred passages are wanted, `full` answers.
    """

    def __init__(self, full: Lexical | Dense | Hybrid, hot: Hot, depth: int | None = None) -> None:
        dense = full.dense if isinstance(full, Hybrid) else full
        if hot.words.ids != full.snapshot.ids or (isinstance(dense, Dense) and hot.near.flat is not dense.flat):
            raise ValueError("the hot tier is of another snapshot or other vectors")
        self.name = full.name
        self.full = full
        self.hot = hot
        self.depth = depth or max(DEPTH, int(_SHARE * len(full.snapshot)))

    def search(self, questions: Sequence[str], k: int, where: str | None = None) -> list[list[Hit]]:
        """As the full retriever's own."""
        texts, k = check_questions(questions), check_k(k)
        if k > _MOST_K or not len(self.full.snapshot):
            return self.full.search(texts, k, where)
        mask = self.full.snapshot.mask(where)
        return [hits(self.full.snapshot, rows, scores, self.name) for rows, scores in self._found(texts, k, mask)]

    def _found(self, questions: list[str], k: int, mask: Mask | None) -> Iterator[tuple[Rows, NDArray[Any]]]:
        if isinstance(self.full, Lexical):
            for question in questions:
                words = self.hot.by_words(self.full, question)
                rows = best(words, k, words > 0 if mask is None else mask & (words > 0))
                yield rows, words[rows]
            return
        dense = self.full.dense if isinstance(self.full, Hybrid) else self.full
        vectors = dense.vectors(questions)
        for question, vector in zip(questions, vectors, strict=True):
            if isinstance(self.full, Hybrid):
                words = self.hot.by_words(self.full.lexical, question)
                yield self.hot.candidates(words, vector, self.depth, mask).top(self.full.weight, k, mask)
            else:
                worth = self.hot.near.worth(vector, self.depth, mask)
                scores = self.hot.near.scores(vector, worth)
                at = best(scores, k, None if mask is None else mask[worth])
                yield worth[at], scores[at]
