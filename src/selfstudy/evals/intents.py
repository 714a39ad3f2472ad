"""What questions want: clusters of questions that are asked alike, whatever they are about, each named by its telling words."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from selfstudy.core.ports import Embedder
from selfstudy.core.records import Record
from selfstudy.core.text import STOP_WORDS, tokens

FEWEST = 8
"""Questions below which there is nothing to group."""
_SHARED = 0.01
_FEW = 5
_TRIED = (2, 3, 4, 6, 8, 12, 16, 24, 32)
_SAMPLE = 1000


@dataclass(frozen=True, slots=True)
class Intent(Record):
    """Questions that want the same: its telling words, how many questions it has, and some of them, the most typical first."""

    words: tuple[str, ...]
    questions: int
    examples: tuple[str, ...]


def intents(questions: Sequence[str], embedder: Embedder, most: int = 16, shown: int = 5) -> list[Intent]:
    """The intents of `questions`, the largest first; none for fewer than FEWEST questions.

    How many there are, up to `most`, is what the silhouette likes best.
    """
    if len(questions) < FEWEST:
        return []
    framed = frames(questions)
    vectors = embedder.embed(framed, "query").astype(np.float64)
    groups = clusters(vectors, most=most)
    words = telling(framed, groups)
    found = []
    for group in sorted(set(groups.tolist())):
        rows = np.flatnonzero(groups == group)
        typical = rows[np.argsort(-(vectors[rows] @ vectors[rows].mean(axis=0)), kind="stable")]
        found.append(Intent(tuple(words[group]), len(rows), tuple(questions[row] for row in typical[:shown])))
    return sorted(found, key=lambda intent: (-intent.questions, intent.words))


def frames(questions: Sequence[str]) -> list[str]:
    """Each question without what it is about: only the words that one question in a hundred has, five at least; whole where none is left.

    So "What are the symptoms of Lyme disease?" and "... of measles?" are one frame, "what are the symptoms of".
    """
    split = [[word.lower() for word in tokens(question)] for question in questions]
    shared = Counter(word for words in split for word in set(words))
    enough = max(_FEW, _SHARED * len(questions))
    kept = (" ".join(word for word in words if shared[word] >= enough) for words in split)
    return [frame or question for frame, question in zip(kept, questions, strict=True)]


def clusters(vectors: NDArray[np.float64], count: int | None = None, most: int = 16, seed: int = 0) -> NDArray[np.int64]:
    """The cluster of each row by k-means (scikit-learn): `count` of them, else as many as has the best silhouette on a sample."""
    from sklearn.cluster import KMeans
    from sklearn.metrics import silhouette_score

    different = len(np.unique(vectors.round(6), axis=0))
    tried = [count] if count is not None else [k for k in _TRIED if k <= most]
    found: list[tuple[float, NDArray[np.int64]]] = []
    for k in tried:
        if k > different:
            break
        labels = KMeans(k, n_init=4, random_state=seed).fit_predict(vectors).astype(np.int64)
        alone = count is not None or k == len(vectors)
        score = 0.0 if alone else float(silhouette_score(vectors, labels, sample_size=min(_SAMPLE, len(vectors)), random_state=seed))
        found.append((score, labels))
    if not found:
        return np.zeros(len(vectors), np.int64)
    return max(found, key=lambda scored: scored[0])[1]


def telling(texts: Sequence[str], groups: NDArray[np.int64], most: int = 4) -> dict[int, list[str]]:
    """For each group the words that tell it from the others: how often they come in it, times the rarity of that over all groups.

    Of words that come alike those that carry meaning come first.
    """
    words = {int(group): Counter[str]() for group in sorted(set(groups.tolist()))}
    for text, group in zip(texts, groups, strict=True):
        words[int(group)].update(set(tokens(text.lower())))
    sizes = Counter(int(group) for group in groups)
    overall = Counter(word for counts in words.values() for word in counts.elements())
    found = {}
    for group, counts in words.items():
        score = {word: count / sizes[group] * math.log(1 + len(texts) / overall[word]) for word, count in counts.items()}
        found[group] = sorted(score, key=lambda word: (-score[word], word in STOP_WORDS, word))[:most]
    return found
