"""The guard over a part of what serves: everyday questions before and after, and the first passages that they find."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from selfstudy.core.ports import Embedder
from selfstudy.core.records import Artifact
from selfstudy.core.run import Work
from selfstudy.evals import guard
from selfstudy.evals.bootstrap import Values
from selfstudy.recipes.vectors import saved
from selfstudy.synth.draft import pick


class Firsts(NamedTuple):
    """What an everyday question finds: `scores` of all passages, and of the first ones their `places` and texts; `own` answers it."""

    question: str
    own: int
    scores: NDArray[np.float32]
    places: NDArray[np.intp]
    passages: list[str]


def firsts(work: Work, most: int, depth: int, seed: str, *embedders: Embedder) -> Iterator[Firsts]:
    """For `most` questions drawn by `seed` their first `depth` passages by the mean cosine of `embedders`, best first, equals in order."""
    texts = guard.texts(guard.FEW)
    asked = pick(range(len(texts.questions)), most, seed)
    questions = [texts.questions[own] for own in asked]
    vectors = [(one.embed(questions, "query"), one.embed(texts.passages, "passage", work.progress)) for one in embedders]
    scores = np.mean([query @ passages.T for query, passages in vectors], axis=0)
    for done, (question, own, mine) in enumerate(zip(questions, asked, scores, strict=True), 1):
        places = np.argsort(-mine, kind="stable")[:depth]
        yield Firsts(question, own, mine, places, [texts.passages[place] for place in places])
        work.progress(done, len(asked))


def save_sides(folder: Path, before: Values, after: Values) -> None:
    """`before.npy` and `after.npy`: the reciprocal rank of every everyday question."""
    for name, ranks in (("before", before), ("after", after)):
        saved(folder / f"{name}.npy", ranks.astype(np.float32))


def read_sides(made: Artifact) -> tuple[Values, Values]:
    """The reciprocal ranks that `save_sides` wrote, before and after."""
    return np.load(made.path / "before.npy"), np.load(made.path / "after.npy")
