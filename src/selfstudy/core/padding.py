"""Rows of numbers of unlike lengths side by side."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def padded(rows: Sequence[Sequence[int]], fill: int, multiple: int, most: int | None = None) -> NDArray[np.int64]:
    """(len(rows), length) numbers, rows filled up to a multiple that holds the longest, or to `most` where that is less.

    A multiple, because whatever computes with them prepares each new length anew, and some keep what they prepared.
    """
    longest = max(len(row) for row in rows)
    whole = -(-longest // multiple) * multiple
    filled = np.full((len(rows), whole if most is None else max(longest, min(whole, most))), fill, np.int64)
    for row, given in zip(filled, rows, strict=True):
        row[: len(given)] = given
    return filled
