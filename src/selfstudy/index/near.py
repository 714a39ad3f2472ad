"""Nearest vectors without looking at all of them: one bit for each dimension says who is worth comparing, the vectors themselves decide.

A passage's bits are the signs of its vector around the mean of all; those that share most signs with the question are compared exactly
(as sketches for cosine similarity: Charikar, STOC 2002). The bits take a thirty-second of the vectors' memory, are made in no time, and
are those of exactly these vectors: there is no graph that could be out of date.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from selfstudy.index.dense import Flat
from selfstudy.index.ranking import Scores
from selfstudy.index.snapshot import Mask, Rows

_BLOCK = 16_384
_FAR = np.uint16(2**16 - 1)


@dataclass(frozen=True, slots=True, eq=False)
class Near:
    """`flat` with the signs of its vectors, (ceil(dim / 64), passages) of 64 bits each, and what the spread of all scores follows from."""

    flat: Flat
    signs: NDArray[np.uint64]
    mean: NDArray[np.float64]
    second: NDArray[np.float64]

    @classmethod
    def of(cls, flat: Flat) -> Self:
        """The signs and moments of `flat`, block by block."""
        matrix = flat.matrix
        passages, dim = matrix.shape
        mean = matrix.sum(axis=0, dtype=np.float64) / max(1, passages)
        second = np.zeros((dim, dim))
        signs = np.zeros((-(-dim // 64), passages), np.uint64)
        for start in range(0, passages, _BLOCK):
            block = matrix[start : start + _BLOCK]
            second += block.T @ block
            signs[:, start : start + _BLOCK] = _packed(block > mean.astype(np.float32)).T
        return cls(flat, signs, mean, second / max(1, passages))

    def moments(self, vector: Scores) -> tuple[float, float]:
        """Mean and deviation of the inner products of `vector` with all passages, without working them out."""
        wide = vector.astype(np.float64)
        mean = float(wide @ self.mean)
        return mean, float(np.sqrt(max(0.0, float(wide @ self.second @ wide) - mean * mean)))

    def worth(self, vector: Scores, depth: int, mask: Mask | None = None) -> Rows:
        """About `depth` rows, ascending, whose signs are most like those of `vector`, only those in `mask`."""
        if mask is not None and np.count_nonzero(mask) <= depth:
            return np.flatnonzero(mask)
        wanted = _packed((vector > 0)[None])[0]
        apart = np.zeros(self.signs.shape[1], np.uint16)
        other = np.empty(len(apart), np.uint64)
        for signs, bits in zip(self.signs, wanted, strict=True):
            apart += np.bitwise_count(np.bitwise_xor(signs, bits, out=other))
        if mask is not None:
            apart[~mask] = _FAR
        upto = np.cumsum(np.bincount(apart, minlength=1)[: 64 * len(wanted) + 1])
        return np.flatnonzero(apart <= int(np.searchsorted(upto, min(depth, int(upto[-1])))))

    def scores(self, vector: Scores, rows: Rows) -> Scores:
        """(len(rows),) inner products, to six decimals as `Flat.scores` gives them."""
        found: Scores = self.flat.matrix[rows] @ vector
        return np.round(found, 6, out=found)


def _packed(bits: NDArray[Any]) -> NDArray[np.uint64]:
    """(rows, dim) of truth as (rows, ceil(dim / 64)) of 64 bits each."""
    packed = np.packbits(bits, axis=1)
    return np.ascontiguousarray(np.pad(packed, ((0, 0), (0, -packed.shape[1] % 8)))).view(np.uint64)
