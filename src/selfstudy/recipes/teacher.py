"""What training learns from beside the questions: how the base sees them and their passages."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from selfstudy.core.ports import Embedder, Vectors
from selfstudy.index.hybrid import Spread
from selfstudy.index.snapshot import Snapshot


class Teacher:
    """What training learns from beside the questions: the base's vectors, and its lexical and dense scores, half and half, as z-scores."""

    def __init__(self, snapshot: Snapshot, base: dict[str, Any], embedder: Embedder) -> None:
        self._snapshot = snapshot
        self._base = base
        self._embedder = embedder

    def scores(self, questions: Sequence[str], passages: Sequence[Sequence[str]]) -> list[NDArray[np.float32]]:
        places: dict[str, list[int]] = defaultdict(list)  # a question that comes again is searched for once
        for place, question in enumerate(questions):
            places[question].append(place)
        by_words, by_meaning = (chain.from_iterable(self._base[name].scores(list(places))) for name in ("lexical", "dense"))
        found: list[NDArray[np.float32]] = [np.zeros(0, np.float32)] * len(questions)
        for its, words, meaning in zip(places.values(), by_words, by_meaning, strict=True):
            worded, meant = Spread.of(words), Spread.of(meaning)
            for place in its:
                rows = [self._snapshot.row(id) for id in passages[place]]
                found[place] = ((worded.standard(words[rows]) + meant.standard(meaning[rows])) / 2).astype(np.float32)
        return found

    def vectors(self, questions: Sequence[str], passages: Sequence[str]) -> tuple[Vectors, Vectors]:
        stored = self._snapshot.vectors(self._embedder.fingerprint)
        return self._embedder.embed(questions, "query"), stored[[self._snapshot.row(id) for id in passages]]
