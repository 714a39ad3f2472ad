"""A space of many dimensions on a plane: t-SNE where it is installed (`selfstudy[map]`), else the two widest directions."""

from __future__ import annotations

import importlib.util
import itertools
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from selfstudy.core.plugs import extra
from selfstudy.core.ports import Progress, Vectors, silent
from selfstudy.core.text import content_words

_FEWEST = 20  # points below which neighbourhoods say nothing
_WIDTH = 50  # dimensions that t-SNE sees: it is the usual first step, and the rest is noise and time
_ROUNDS = (750, 250)  # the second side begins where the first ended
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
    into the finished plane beside their neighbours. Equal vectors have equal places; between others a few hundredths of the map may be the
    method's own unrest.
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
        if points:
            turn = _turn(flat, points[0])
            flat, flat_asked = flat @ turn, flat_asked @ turn
        points.append(flat)
        questions.append(flat_asked)
    return Layout(method, *_boxed(points, questions))


def _neighbourhoods(sides: Sequence[Vectors], asked: Sequence[Vectors], progress: Progress) -> Layout:
    library: Any = extra("openTSNE", "map")
    planes: list[Any] = []
    points: list[Points] = []
    questions: list[Points] = []
    total = sum(_ROUNDS[: len(sides)])
    perplexity = min(30.0, (len(sides[0]) - 1) / 3)
    done = itertools.count(_EVERY, _EVERY)

    def told(iteration: int, error: float, embedding: Any) -> None:
        progress(min(total, next(done)), total)

    tsne = library.TSNE(
        perplexity=perplexity, early_exaggeration_iter=250, n_iter=500, initialization="pca", random_state=0,
        callbacks=told, callbacks_every_iters=_EVERY,
    )  # fmt: skip
    for vectors, queries in zip(sides, asked, strict=True):
        project = _projection(vectors, _WIDTH)
        if not planes:
            planes.append(tsne.fit(project(vectors)))
        elif np.array_equal(vectors, sides[0]):
            planes.append(planes[0])
        else:
            begun = tsne.prepare_initial(project(vectors))
            begun[:] = planes[0]
            planes.append(begun.optimize(n_iter=_ROUNDS[1], momentum=0.8))
        placed = planes[-1].transform(project(queries), perplexity=min(5.0, perplexity)) if len(queries) else np.empty((0, 2))
        flat, flat_asked = (np.asarray(found, np.float64) for found in (planes[-1], placed))
        if points and planes[-1] is not planes[0]:  # the plane itself turns and grows as it is worked on
            middle, turn, size = flat.mean(0), _turn(flat, points[0]), points[0].std() / (flat.std() or 1.0)
            flat, flat_asked = (((found - middle) @ turn) * size + points[0].mean(0) for found in (flat, flat_asked))
        points.append(flat)
        questions.append(flat_asked)
    progress(total, total)
    return Layout("t-SNE: neighbours stay together; distances between groups say little", *_boxed(points, questions))


def _turn(points: Points, onto: Points) -> Points:
    """The turn, or mirroring, that brings `points` nearest to `onto` (orthogonal Procrustes); both about their middle."""
    left, _, right = np.linalg.svd((points - points.mean(0)).T @ (onto - onto.mean(0)))
    turn: Points = left @ right
    return turn


def _projection(vectors: Vectors, width: int) -> Callable[[Vectors], Points]:
    """Onto the `width` widest directions of `vectors`."""
    middle = vectors.mean(0)
    drawn = vectors[:: max(1, len(vectors) // 5000)] - middle
    _, _, directions = np.linalg.svd(drawn, full_matrices=False)
    turned = np.zeros((vectors.shape[1], width))
    turned[:, : min(width, len(directions))] = directions[:width].T
    return lambda given: np.asarray((given - middle) @ turned, np.float64)


def _boxed(points: list[Points], asked: list[Points]) -> tuple[list[Points], list[Points]]:
    """All of both sides into 0 .. 1, their shape kept: one box for both, or else an outlier of one side would move all the rest of it."""
    everything = np.concatenate([*points, *asked])
    low, high = everything.min(0), everything.max(0)
    size = float((high - low).max()) or 1.0
    shift = (1 - (high - low) / size) / 2
    return [(flat - low) / size + shift for flat in points], [(flat - low) / size + shift for flat in asked]


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
