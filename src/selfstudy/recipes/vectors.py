"""Vectors that a study makes and keeps: of passages, questions and the guard, as a body has them and as a head moves them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from selfstudy.core.artifacts import artifacts, manifest
from selfstudy.core.files import whole_file
from selfstudy.core.ports import Embedder, Vectors
from selfstudy.core.records import Artifact
from selfstudy.core.run import Lazy, Work, stage
from selfstudy.core.studied import kept_of, passages_of, texts_of
from selfstudy.evals import guard
from selfstudy.index.dense import Dense, Flat
from selfstudy.index.snapshot import Snapshot
from selfstudy.recipes.system import System
from selfstudy.train.head import head_of

_PART = 512
UNSTORED = Lazy("", lambda: ("", np.zeros((0, 0), np.float32)))
"""What the store has of an embedder whose vectors it never held."""


def saved(path: Path, vectors: Vectors) -> None:
    """Write a matrix, so that a part that exists is whole."""
    with whole_file(path) as file:
        np.save(file, vectors)


@stage("study.body_vectors", version=1)
def body_vectors(work: Work, config: None, corpus: Artifact, embedder: Embedder, stored: tuple[str, Vectors]) -> str:
    """`vectors.npy`: a row for each passage of the corpus, in its order. A kill loses one part of 512.

    `stored` are a fingerprint and the vectors that the store has of it: an embedder that is still that one need not work again.
    """
    if embedder.fingerprint == stored[0]:
        saved(work.folder / "vectors.npy", stored[1])
        return embedder.fingerprint
    texts = texts_of(corpus)
    parts = []
    for start in range(0, len(texts), _PART):
        part = work.folder / f"part-{start:09d}.npy"
        if not part.exists():
            saved(part, embedder.embed(texts[start : start + _PART], "passage"))
        work.progress(min(start + _PART, len(texts)), len(texts))
        parts.append(part)
    saved(work.folder / "vectors.npy", np.concatenate([np.load(part) for part in parts]))
    for part in parts:
        part.unlink()
    return embedder.fingerprint


@stage("study.passage_vectors", version=2)
def passage_vectors(
    work: Work, config: None, corpus: Artifact, body: Artifact, fitted: Artifact, share: float, embedder: Embedder
) -> dict[str, Any]:
    """`vectors.npy`: the vectors of `embedder`, which is the body with `share` of the head, so the head is all that has to be applied."""
    vectors = np.load(body.path / "vectors.npy")
    saved(work.folder / "vectors.npy", moved(vectors, fitted, share))
    ids = [passage.id for passage in passages_of(corpus)]
    return {"fingerprint": embedder.fingerprint, "ids": ids}


def moved(vectors: Vectors, fitted: Artifact | None, share: float) -> Vectors:
    """What the head of `fitted` makes of a body's vectors."""
    head = head_of(fitted.path, share) if fitted is not None else None
    return vectors if head is None else head(vectors)


@stage("study.question_vectors", version=1)
def question_vectors(work: Work, config: None, kept: Artifact, embedder: Embedder) -> int:
    """`vectors.npy`: a row for each kept question, in its order."""
    texts = [example.question for example in kept_of(kept)]
    saved(work.folder / "vectors.npy", embedder.embed(texts, "query", work.progress))
    return len(texts)


@stage("study.guard_vectors", version=1)
def guard_vectors(work: Work, config: None, embedder: Embedder) -> None:
    """`questions.npy` and `passages.npy`: the guard as this embedder sees it."""
    found = guard.embed(embedder, work.progress)
    saved(work.folder / "questions.npy", found.questions)
    saved(work.folder / "passages.npy", found.passages)


def dense_over(snapshot: Snapshot, embedder: Embedder, made: Artifact) -> Dense:
    """Dense search by vectors that may not be stored yet: row i of what is `made` belongs to the snapshot's row i."""
    return Dense(snapshot, embedder, Flat(np.load(made.path / "vectors.npy"), embedder.fingerprint))


def prepared(artifacts_folder: Path, system: System) -> tuple[list[str], Vectors] | None:
    """Passage ids and their vectors, where a study made them with this system's embedder."""
    for artifact in reversed(artifacts(artifacts_folder)):
        if artifact.kind == "passage_vectors" and manifest(artifact).result["fingerprint"] == system.fingerprint:
            ids = manifest(artifact).result["ids"]
            return ids, np.load(artifact.path / "vectors.npy")
    return None
