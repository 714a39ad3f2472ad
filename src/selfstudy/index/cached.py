"""Rankings that were worked out before: a Retriever over another, for questions that are asked again and again."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.metadata import version
from typing import Protocol

import numpy as np

from selfstudy.core.ports import Retriever
from selfstudy.core.records import Hit, digest
from selfstudy.index.question import check_k, check_questions
from selfstudy.index.ranking import hits
from selfstudy.index.snapshot import Snapshot


class Rankings(Protocol):
    """Where rankings are kept: small texts by key. Safe to share between threads."""

    def get(self, keys: Sequence[str]) -> dict[str, str]:
        """Those of `keys` that are there."""
        ...

    def put(self, rankings: Mapping[str, str]) -> None: ...


class Cached:
    """`retriever` over `snapshot`, whose rankings are looked up in `rankings` first.

    A ranking is kept under all that it depends on: the index version and what the index holds and hides (a copy of a home may go its own
    way), the question, `k` and the filter, and `by`, which says who searches: the way, the embedder's fingerprint, the share of meaning.
    So nothing has to be thrown away when something else serves or documents come: it is not asked for any more. Only ids and scores are
    kept; passages come from the snapshot.
    """

    def __init__(self, retriever: Retriever, snapshot: Snapshot, by: str, rankings: Rankings) -> None:
        self._retriever = retriever
        self._snapshot = snapshot
        self._by = by
        self._rankings = rankings

    def search(self, questions: Sequence[str], k: int, where: str | None = None) -> list[list[Hit]]:
        """As the retriever's own."""
        texts, k = check_questions(questions), check_k(k)
        mark = self._mark(k, where)
        keys = {text: digest(mark, text) for text in texts}
        kept = self._rankings.get(list(keys.values()))
        found = {text: ranked for text, key in keys.items() if key in kept and (ranked := self._read(kept[key])) is not None}
        new = [text for text in keys if text not in found]
        if new:
            made = dict(zip(new, self._retriever.search(new, k, where), strict=True))
            self._rankings.put({keys[text]: _written(ranked) for text, ranked in made.items()})
            found |= made
        return [found[text] for text in texts]

    def _mark(self, k: int, where: str | None) -> str:
        snapshot = self._snapshot
        among = snapshot.shown if where is None else f"{snapshot.described} {where}"
        return digest("ranking", _version(), self._by, str(snapshot.version), str(k), among)

    def _read(self, kept: str) -> list[Hit] | None:
        """The hits that were kept; None for what this cannot have written."""
        try:
            by, ids, scores = json.loads(kept)
            return hits(self._snapshot, np.array([self._snapshot.row(id) for id in ids], np.int64), np.array(scores, np.float64), str(by))
        except (ValueError, TypeError, KeyError):
            return None


def _written(ranked: Sequence[Hit]) -> str:
    return json.dumps([ranked[0].by if ranked else "", [hit.passage.id for hit in ranked], [hit.score for hit in ranked]])


@cache
def _version() -> str:
    """Another version may rank otherwise, and Redis outlives an update."""
    return version("selfstudy")
