"""Passages into the index together with their vectors, batch by batch, so that no reader ever meets one without the other."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np

from selfstudy.core.ports import Embedder
from selfstudy.core.records import Document, Passage
from selfstudy.core.run import Reporter, Stop
from selfstudy.index.snapshot import FileFacts, Snapshot
from selfstudy.index.writer import Writer

BATCH = 256
"""Passages in a batch: what a kill may cost."""

Item = tuple[Document, Sequence[Passage], FileFacts | None]


def put_embedded(writer: Writer, embedders: Sequence[Embedder], items: Sequence[Item], have: set[str]) -> int:
    """Documents, passages and the vectors, by each of `embedders`, of those that are not among `have`, which they join, become the index
    at one moment.

    Returns how many were embedded.
    """
    writer.put(items)
    new = {p.id: p for _, passages, _ in items for p in passages if p.id not in have}
    if new:
        for embedder in embedders:
            vectors = embedder.embed([p.indexed for p in new.values()], "passage")
            writer.add_vectors(embedder.fingerprint, list(new), np.asarray(vectors, np.float32))
        have.update(new)
    writer.commit()
    return len(new)


def embed_missing(
    writer: Writer, snapshot: Snapshot, embedders: Sequence[Embedder], reporter: Reporter, stop: Stop, name: str = "embed"
) -> int:
    """Give every passage of `snapshot` that has none a vector of each of `embedders`, batch by batch. Returns how many lacked one."""
    return max(_embed_missing(writer, snapshot, embedder, reporter, stop, name) for embedder in embedders)


def without_vector(snapshot: Snapshot, embedders: Sequence[Embedder]) -> set[str]:
    """The ids of the passages that lack a vector of one of `embedders`."""
    return {snapshot.ids[row] for embedder in embedders for row in snapshot.missing(embedder.fingerprint)}


def _embed_missing(writer: Writer, snapshot: Snapshot, embedder: Embedder, reporter: Reporter, stop: Stop, name: str) -> int:
    missing = snapshot.missing(embedder.fingerprint)
    if len(missing):
        reporter.stage_started(name, resumed=False)
        began = time.monotonic()
        for start in range(0, len(missing), BATCH):
            block = snapshot.passages.take(missing[start : start + BATCH])
            writer.add_vectors(embedder.fingerprint, [p.id for p in block], embedder.embed([p.indexed for p in block], "passage"))
            writer.commit()
            reporter.progress(name, min(start + BATCH, len(missing)), len(missing))
            stop.check()
        reporter.stage_finished(name, time.monotonic() - began, kept=False)
    return len(missing)
