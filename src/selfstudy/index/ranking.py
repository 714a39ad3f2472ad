"""From scores to the best rows: the same for every retriever, and the same every time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from selfstudy.core.records import Hit
from selfstudy.index.snapshot import Mask, Rows, Snapshot

_BLOCK = 2**23
_MOST = 256

Scores = NDArray[np.float32]


def best(scores: NDArray[np.floating], k: int, mask: Mask | None = None) -> Rows:
    """The rows of the `k` highest of `scores`, best first, only those in `mask`; equal scores go by row, that is by passage id."""
    rows = np.arange(len(scores)) if mask is None else np.flatnonzero(mask)
    values = scores[rows]
    if k < len(rows):
        least = np.partition(values, len(rows) - k)[len(rows) - k]
        near = values >= least
        rows, values = rows[near], values[near]
    order = np.lexsort((rows, -values))[:k]
    return rows[order].astype(np.int64)


def hits(snapshot: Snapshot, rows: Rows, scores: NDArray[np.floating], by: str) -> list[Hit]:
    """The passages at `rows` as hits; `scores` stand beside them, one for each."""
    return [Hit(passage, float(score), by) for passage, score in zip(snapshot.passages.take(rows), scores, strict=True)]


def searched(snapshot: Snapshot, scored: Iterable[NDArray[np.floating]], k: int, mask: Mask | None, by: str) -> list[list[Hit]]:
    """The best `k` passages for each row of the blocks of scores, best first."""
    found: list[list[Hit]] = []
    for block in scored:
        for scores in block:
            rows = best(scores, k, mask)
            found.append(hits(snapshot, rows, scores[rows], by))
    return found


def blocks(questions: Sequence[str], passages: int) -> Iterator[Sequence[str]]:
    """`questions` in parts so small that a score for every passage fits into 32 MB."""
    size = max(1, min(_MOST, _BLOCK // max(1, passages)))
    for start in range(0, len(questions), size):
        yield questions[start : start + size]
