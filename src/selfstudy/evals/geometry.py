"""The space of an embedder by itself: how near belongs to near, how far the rest is spread, and who is whose neighbour."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from selfstudy.core.ports import Vectors
from selfstudy.core.records import Record
from selfstudy.evals.answers import auc

PAIRS = 20_000
BINS = 40
NEAREST = 10
_BLOCK = 2**24

Places = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Cosines(Record):
    """Cosines of one kind of pairs: how many, their mean and deviation, and how many in each of BINS equal bins from -1 to 1."""

    n: int
    mean: float
    deviation: float
    bins: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Geometry(Record):
    """One embedder over one corpus.

    `uniformity` is log E exp(-2 |x - y|^2) over random passages, lower is more evenly spread, and `alignment` E |x - y|^2 over questions
    and the passages that answer them, lower is nearer (Wang and Isola, arXiv 2005.10242; None without questions). `anisotropy` is the mean
    cosine of random passages, 0 where directions are used alike (Ethayarajh, arXiv 1909.00512); `dimensions` how many the variance fills:
    (sum e)^2 / sum e^2 over its eigenvalues. `apart` says how often a question is nearer to its passage than to a hard negative of any
    question. `cosines` go by "positives", "hard negatives", "random".
    """

    uniformity: float
    anisotropy: float
    dimensions: float
    alignment: float | None
    apart: float | None
    cosines: dict[str, Cosines]


def geometry(passages: Vectors, questions: Vectors, positives: Sequence[tuple[int, int]], hard: Sequence[tuple[int, int]]) -> Geometry:
    """The Geometry of unit vectors (n, dim); `positives` and `hard` are pairs of a question's row and a passage's. Needs two passages."""
    rng = np.random.default_rng(0)
    left = rng.integers(0, len(passages), PAIRS)
    right = (left + rng.integers(1, len(passages), PAIRS)) % len(passages)  # never a passage with itself
    among = _dots(passages, passages, np.stack([left, right], 1))
    told = {"random": among}
    if positives:
        strangers = np.stack([rng.integers(0, len(questions), PAIRS), left], 1)
        told = {
            "positives": _dots(questions, passages, np.array(positives)),
            "hard negatives": _dots(questions, passages, np.array(hard, np.int64).reshape(-1, 2)),
            "random": _dots(questions, passages, strangers),
        }
    near, far = told.get("positives"), told.get("hard negatives")
    return Geometry(
        uniformity=float(np.log(np.exp(-2 * (2 - 2 * among)).mean())),
        anisotropy=float(among.mean()),
        dimensions=_dimensions(passages),
        alignment=None if near is None else float((2 - 2 * near).mean()),
        apart=_apart(near, far) if near is not None and far is not None and len(far) else None,
        cosines={name: _cosines(values) for name, values in told.items()},
    )


def _apart(near: NDArray[np.float64], far: NDArray[np.float64]) -> float:
    return auc(np.concatenate([near, far]), np.repeat([1, 0], [len(near), len(far)]))


def _dots(left: Vectors, right: Vectors, pairs: Places) -> NDArray[np.float64]:
    parts = [
        np.einsum("ij,ij->i", left[part[:, 0]], right[part[:, 1]], dtype=np.float64) for part in np.array_split(pairs, 20) if len(part)
    ]
    return np.concatenate(parts).clip(-1, 1) if parts else np.empty(0)


def _cosines(values: NDArray[np.float64]) -> Cosines:
    bins = np.histogram(values, BINS, (-1, 1))[0]
    mean, deviation = (float(values.mean()), float(values.std())) if len(values) else (0.0, 0.0)
    return Cosines(len(values), mean, deviation, tuple(int(count) for count in bins))


def _dimensions(passages: Vectors) -> float:
    drawn = passages[:: max(1, len(passages) // 4000)]
    spread = np.linalg.svd(drawn - drawn.mean(0), compute_uv=False).astype(np.float64) ** 2
    return float(spread.sum() ** 2 / (spread**2).sum()) if spread.sum() > 1e-9 else 1.0


def nearest(vectors: Vectors, rows: Places, k: int = NEAREST) -> Places:
    """(len(rows), k) rows of the nearest other vectors of each of `rows`, nearest first; fewer where there are no more."""
    k = min(k, len(vectors) - 1)
    found = np.empty((len(rows), k), np.int64)
    size = max(1, _BLOCK // max(1, len(vectors)))
    for start in range(0, len(rows), size):
        block = rows[start : start + size]
        scores = vectors[block] @ vectors.T
        scores[np.arange(len(block)), block] = -np.inf
        best = np.argpartition(-scores, k - 1, axis=1)[:, :k] if k < scores.shape[1] else np.argsort(-scores, axis=1)[:, :k]
        order = np.argsort(-np.take_along_axis(scores, best, 1), axis=1, kind="stable")
        found[start : start + len(block)] = np.take_along_axis(best, order, 1)
    return found


def kept(before: Places, after: Places) -> NDArray[np.int64]:
    """How many of each row's neighbours before are neighbours after."""
    return np.array([len(np.intersect1d(one, other)) for one, other in zip(before, after, strict=True)], np.int64)
