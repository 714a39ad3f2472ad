"""The first passages of another retriever, put in order anew by a model that reads question and passage together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from selfstudy.core.ports import Reranker, Retriever
from selfstudy.core.records import Hit
from selfstudy.index.question import check_k, check_questions


def order(found: ArrayLike, read: ArrayLike, weight: float) -> NDArray[np.int64]:
    """The places of one question's hits, best first, by found + weight * read; equal ones keep their order.

    `found` are scores of hybrid search (deviations from the mean of all passages), `read` the reranker's log-odds. Neither is stretched to
    the hits at hand: where no passage looks better than the next, little moves.
    """
    mixed = np.asarray(found, np.float64) + weight * np.asarray(read, np.float64)
    return np.argsort(-mixed, kind="stable").astype(np.int64)


class Reranked:
    """`retriever` whose first `depth` hits `reranker` has read; `weight` says how much one log-odds counts.

    What lies deeper stays where it was. Scores are the search's, from high to low: only who holds which changes, so that whoever reads
    them (a threshold, a page) sees one scale.
    """

    def __init__(self, retriever: Retriever, reranker: Reranker, weight: float, depth: int = 5, name: str = "reranked") -> None:
        self.retriever = retriever
        self.reranker = reranker
        self.weight = weight
        self.depth = check_k(depth)
        self.name = name

    def search(self, questions: Sequence[str], k: int, where: str | None = None) -> list[list[Hit]]:
        """The best `k` passages for each question, best first. Raises BadInput."""
        texts, k = check_questions(questions), check_k(k)
        found = self.retriever.search(texts, max(k, self.depth), where)
        pairs = [(text, hit.passage.indexed) for text, hits in zip(texts, found, strict=True) for hit in hits[: self.depth]]
        scores = iter(self.reranker.score(pairs) if pairs else ())
        return [self._ordered(hits, [float(next(scores)) for _ in hits[: self.depth]])[:k] for hits in found]

    def _ordered(self, hits: Sequence[Hit], read: Sequence[float]) -> list[Hit]:
        first, deeper = hits[: len(read)], hits[len(read) :]
        places = order([hit.score for hit in first], read, self.weight)
        moved = [replace(first[at], score=first[place].score, by=self.name) for place, at in enumerate(places)]
        return [*moved, *deeper]
