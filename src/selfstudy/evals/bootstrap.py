"""Means of resamples: how far a mean over these questions might have come out otherwise."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

from selfstudy.core.errors import NotEnough

Values = NDArray[np.float64]

_BLOCK = 2**21


def checked(values: ArrayLike) -> Values:
    """`values` as one dimension of finite float64, one for each question. Raises ValueError, and NotEnough where there is none."""
    array = np.asarray(values, np.float64)
    if array.ndim != 1:
        raise ValueError(f"one value per question makes one dimension, not shape {array.shape}")
    if not len(array):
        raise NotEnough("There is not one question to average over.", "Give questions that have at least one relevant document.")
    if not np.isfinite(array).all():
        raise ValueError("a value of a question is not a finite number")
    return array


def blocks(resamples: int, width: int) -> Iterator[int]:
    """`resamples` in parts, each so small that a row of `width` numbers for every resample takes at most some 16 MB."""
    size = max(1, _BLOCK // width)
    for start in range(0, resamples, size):
        yield min(size, resamples - start)


def interval(values: Values, resamples: int, seed: int) -> tuple[float, float]:
    """The percentile 95% interval of the mean (Efron & Tibshirani 1993, ch. 13): questions are drawn anew, with replacement.

    One value, or values that are all equal, have an interval of no width: nothing in them says how they would vary.
    """
    if (values == values[0]).all():
        return float(values[0]), float(values[0])
    rng = np.random.default_rng([seed, 0])
    n = len(values)
    means = [values[rng.integers(0, n, (rows, n), dtype=np.int32)].mean(axis=1) for rows in blocks(resamples, n)]
    low, high = np.percentile(np.concatenate(means), (2.5, 97.5))
    return float(low), float(high)
