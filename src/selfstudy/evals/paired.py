"""Before and after on the same questions: the mean difference, its interval, and how likely chance alone would give as much."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from selfstudy.core.records import Difference
from selfstudy.evals.bootstrap import Values, blocks, checked, interval

RESAMPLES = 10_000
EXACT = 12
_EQUAL = 1e-9


def compare(before: ArrayLike, after: ArrayLike, seed: int = 0, resamples: int = RESAMPLES) -> Difference:
    """The mean of `after - before`, paired by question: positive where `after` is better.

    The interval is the percentile bootstrap over questions; the p-value is two-sided, from Fisher's randomisation test (each
    question's difference changes its sign by a coin), the test that Smucker, Allan & Carterette (CIKM 2007) recommend for retrieval.
    Up to 12 questions every choice of signs is counted; above, `resamples` of them are drawn and p = (1 + as extreme) / (1 + drawn),
    which is never 0 (Phipson & Smyth 2010).
    Raises ValueError for sides of different length or values that are not finite, NotEnough for no questions.
    """
    first, second = np.asarray(before, np.float64), np.asarray(after, np.float64)
    if first.shape != second.shape:
        raise ValueError(f"before and after must hold the same questions: {first.shape} and {second.shape} values were given")
    differences = checked(second - first)
    low, high = interval(differences, resamples, seed)
    return Difference(float(differences.mean()), low, high, _p(differences, resamples, seed), len(differences))


def _p(differences: Values, resamples: int, seed: int) -> float:
    moved = differences[differences != 0]  # a sign changes nothing at the others
    observed = abs(moved.sum()) * (1 - _EQUAL)
    if len(moved) <= EXACT:
        signs = (np.arange(2 ** len(moved))[:, None] >> np.arange(len(moved))) & 1
        return float((abs((2 * signs - 1) @ moved) >= observed).mean())
    rng = np.random.default_rng([seed, 1])
    extreme = 0
    for rows in blocks(resamples, len(moved)):
        flipped = np.unpackbits(rng.integers(0, 256, (rows, -(-len(moved) // 8)), np.uint8), axis=1, count=len(moved))
        extreme += int((abs(2 * (flipped @ moved) - moved.sum()) >= observed).sum())
    return (1 + extreme) / (1 + resamples)
