"""Words and meaning together: a mix of standardised scores over the full lists."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from selfstudy.core.errors import BadInput
from selfstudy.core.records import Hit
from selfstudy.index.dense import Dense
from selfstudy.index.lexical import Lexical
from selfstudy.index.question import check_k, check_questions
from selfstudy.index.ranking import Scores, best, hits
from selfstudy.index.snapshot import Mask, Rows


@dataclass(frozen=True, slots=True)
class Spread:
    """Mean and deviation of one retriever's scores for one question, over all passages."""

    mean: float
    deviation: float

    @classmethod
    def of(cls, scores: Scores) -> Spread:
        wide = scores.astype(np.float64)
        return cls(float(wide.mean()), float(wide.std())) if len(wide) else cls(0.0, 0.0)

    def standard(self, scores: Scores) -> NDArray[np.float64]:
        """`scores` in deviations from the mean; 0 where all passages score alike, which says nothing about any."""
        if self.deviation < 1e-9:
            return np.zeros(len(scores))
        standard: NDArray[np.float64] = (scores.astype(np.float64) - self.mean) / self.deviation
        return standard


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """Passages for one question with the raw scores of both retrievers, and what it takes to mix them at any weight.

    `rows` ascend; `lexical` (BM25, 0 without a common word) and `dense` (inner product) stand beside them. The spreads are over all
    passages of the snapshot, not over these.
    """

    rows: Rows
    lexical: Scores
    dense: Scores
    lexical_spread: Spread
    dense_spread: Spread

    def mix(self, weight: float) -> NDArray[np.float64]:
        """weight * z(dense) + (1 - weight) * z(lexical), for each of `rows`."""
        return weight * self.dense_spread.standard(self.dense) + (1 - weight) * self.lexical_spread.standard(self.lexical)

    def top(self, weight: float, k: int, mask: Mask | None = None) -> tuple[Rows, NDArray[np.float64]]:
        """The best `k` rows at this weight with their mixed scores, best first; `mask` is over all rows of the snapshot."""
        mixed = self.mix(weight)
        at = best(mixed, k, None if mask is None else mask[self.rows])
        return self.rows[at], mixed[at]

    def cut(self, depth: int) -> Candidates:
        """Only what is among the best `depth` of either retriever; a passage without a common word is not among the lexical ones."""
        by_words = best(self.lexical, depth, self.lexical > 0)
        at = np.union1d(by_words, best(self.dense, depth))
        return replace(self, rows=self.rows[at], lexical=self.lexical[at], dense=self.dense[at])


def check_weight(weight: float) -> float:
    """The share of the dense score, 0 to 1. Raises BadInput."""
    if not 0 <= weight <= 1:
        raise BadInput(f"The weight is {weight!r}; it is the share of the dense score, from 0 to 1.", "Give a weight from 0 to 1.")
    return float(weight)


class Hybrid:
    """weight * z(dense) + (1 - weight) * z(lexical), with z over the scores of all passages.

    Full score lists leave nothing undefined: every passage has an inner product, and one without any of the question's words has BM25 0.
    (Reciprocal ranks fell below BM25 alone on medical papers, .502 against .577 MRR@10; this mix, .596, did not.)
    """

    name = "hybrid"

    def __init__(self, lexical: Lexical, dense: Dense, weight: float = 0.5) -> None:
        if lexical.snapshot is not dense.snapshot:
            raise ValueError("both retrievers must search the same snapshot")
        self.snapshot = lexical.snapshot
        self.lexical = lexical
        self.dense = dense
        self.weight = check_weight(weight)

    def search(self, questions: Sequence[str], k: int, where: str | None = None) -> list[list[Hit]]:
        """The best `k` passages for each question, best first. A filter changes which passages are returned, never a score."""
        texts, k = check_questions(questions), check_k(k)
        mask = self.snapshot.mask(where)
        found: list[list[Hit]] = []
        for candidates in self._all(texts):
            rows, scores = candidates.top(self.weight, k, mask)
            found.append(hits(self.snapshot, rows, scores, self.name))
        return found

    def candidates(self, questions: Sequence[str], depth: int) -> list[Candidates]:
        """For each question what is among the best `depth` of either retriever, with raw scores: to fit the weight, to find negatives."""
        depth = check_k(depth)
        return [candidates.cut(depth) for candidates in self._all(check_questions(questions))]

    def _all(self, questions: Sequence[str]) -> Iterator[Candidates]:
        rows = np.arange(len(self.snapshot), dtype=np.int64)
        for by_words, by_meaning in zip(self.lexical.scores(questions), self.dense.scores(questions), strict=True):
            for lexical, dense in zip(by_words, by_meaning, strict=True):
                yield Candidates(rows, lexical, dense, Spread.of(lexical), Spread.of(dense))
