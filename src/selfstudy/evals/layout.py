"""A space of many dimensions on a plane: t-SNE where it is installed (`selfstudy[map]`), else the two widest directions."""

from __future__ import annotations

import importlib.util
import itertools
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from selfstudy.core.plugs import extra
from selfstudy.core.ports import Progress, Vectors, silent
from selfstudy.core.text import content_words

_FEWEST = 20  # points below which neighbourhoods say nothing
_WIDTH = 50  # dimensions that t-SNE sees: it is the usual first step, and the rest is noise and time
_ROUNDS = (750, 500)
_EVERY = 10

Points = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """`points[side]` is (passages, 2), `asked[side]` (questions, 2), in 0 .. 1; `method` says how they came about."""

    method: str
    points: list[Points]
    asked: list[Points]


def layout(sides: Sequence[Vectors], asked: Sequence[Vectors], progress: Progress = silent) -> Layout:
    """Passages before and after (or of one embedder alone) on a plane, the second so that what did not move stays where it was.

    t-SNE (van der Maaten and Hinton 2008) by openTSNE keeps neighbours together; distances between groups say little. Questions are placed
    into the finished plane beside their neighbours.
    """
    if importlib.util.find_spec("openTSNE") is None:
        return _widest(sides, asked, "PCA: the two widest directions; pip install 'selfstudy[map]' draws neighbourhoods")
    if len(sides[0]) < _FEWEST:
        return _widest(sides, asked, "PCA: the two widest directions, since there are few points")
    return _neighbourhoods(sides, asked, progress)


def _widest(sides: Sequence[Vectors], asked: Sequence[Vectors], method: str) -> Layout:
    points: list[Points] = []
    questions: list[Points] = []
    for vectors, queries in zip(sides, asked, strict=True):
        project = _projection(vectors, 2)
        flat, flat_asked = project(vectors), project(queries)
        if points:  # turned and mirrored onto the first (orthogonal Procrustes)
            left, _, right = np.linalg.svd(flat.T @ points[0])
            flat, flat_asked = flat @ left @ right, flat_asked @ left @ right
        points.append(flat)
        questions.append(flat_asked)
    return Layout(method, *_boxed(points, questions))


def _neighbourhoods(sides: Sequence[Vectors], asked: Sequence[Vectors], progress: Progress) -> Layout:
    library: Any = extra("openTSNE", "map")
    points: list[Points] = []
    questions: list[Points] = []
    total = sum(_ROUNDS[: len(sides)])
    for number, (vectors, queries) in enumerate(zip(sides, asked, strict=True)):
        project = _projection(vectors, _WIDTH)
        given: dict[str, Any] = {"early_exaggeration_iter": 250, "n_iter": 500, "initialization": "pca"}
        if points:
            start = points[0] - points[0].mean(0)
            given = {"early_exaggeration_iter": 0, "n_iter": 500, "initialization": start / start[:, 0].std() * 1e-4}

        done = itertools.count(sum(_ROUNDS[:number]) + _EVERY, _EVERY)

        def told(iteration: int, error: float, embedding: Any, done: Iterator[int] = done) -> None:
            progress(min(total, next(done)), total)

        perplexity = min(30.0, (len(vectors) - 1) / 3)
        tsne = library.TSNE(perplexity=perplexity, random_state=0, callbacks=told, callbacks_every_iters=_EVERY, **given)
        embedding = tsne.fit(project(vectors))
        points.append(np.asarray(embedding, np.float64))
        placed = embedding.transform(project(queries), perplexity=min(5.0, perplexity)) if len(queries) else np.empty((0, 2))
        questions.append(np.asarray(placed, np.float64))
    return Layout("t-SNE: neighbours stay together; distances between groups say little", *_boxed(points, questions))


def _projection(vectors: Vectors, width: int) -> Callable[[Vectors], Points]:
    """Onto the `width` widest directions of `vectors`."""
    middle = vectors.mean(0)
    drawn = vectors[:: max(1, len(vectors) // 5000)] - middle
    _, _, directions = np.linalg.svd(drawn, full_matrices=False)
    turned = np.zeros((vectors.shape[1], width))
    turned[:, : min(width, len(directions))] = directions[:width].T
    return lambda given: np.asarray((given - middle) @ turned, np.float64)


def _boxed(points: list[Points], asked: list[Points]) -> tuple[list[Points], list[Points]]:
    """All of each side into 0 .. 1, its shape kept."""
    boxed, boxed_asked = [], []
    for flat, queries in zip(points, asked, strict=True):
        everything = np.concatenate([flat, queries])
        low, high = everything.min(0), everything.max(0)
        size = float((high - low).max()) or 1.0
        shift = (1 - (high - low) / size) / 2
        boxed.append((flat - low) / size + shift)
        boxed_asked.append((queries - low) / size + shift)
    return boxed, boxed_asked


def clusters(vectors: Vectors, texts: Sequence[str], most: int = 10) -> tuple[NDArray[np.int64], list[str]]:
    """For each vector the number of its cluster (k-means), and for each cluster the words that tell it from the others."""
    from scipy.cluster.vq import kmeans2

    wanted = max(1, min(most, len(vectors) // 12))
    reduced = _projection(vectors, min(_WIDTH, vectors.shape[1]))(vectors)
    drawn = reduced[:: max(1, len(reduced) // 4000)]
    centres, _ = kmeans2(drawn, wanted, iter=25, minit="++", rng=np.random.default_rng(0), missing="warn")
    found = (reduced**2).sum(1)[:, None] - 2 * reduced @ centres.T + (centres**2).sum(1)
    numbers = found.argmin(1)
    used = {old: new for new, (old, _) in enumerate(Counter(numbers.tolist()).most_common())}
    numbers = np.array([used[number] for number in numbers.tolist()], np.int64)
    return numbers, _names(numbers, texts, len(used))


def _names(numbers: NDArray[np.int64], texts: Sequence[str], count: int) -> list[str]:
    everywhere: Counter[str] = Counter()
    within: list[Counter[str]] = [Counter() for _ in range(count)]
    for number, text in zip(numbers.tolist(), texts, strict=True):
        words = {word for word in content_words(text) if not word.isdigit()}
        everywhere.update(words)
        within[number].update(words)
    names = []
    for counted in within:
        telling = sorted(counted, key=lambda word: (-(counted[word] ** 1.5) / everywhere[word], word))
        names.append(", ".join(telling[:3]) or "(no words)")
    return names
