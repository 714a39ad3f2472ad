"""What serves: an embedder, its share in hybrid search, and when to abstain. The pointer of the home names one."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from selfstudy.core.artifacts import find
from selfstudy.core.ports import Embedder, Progress, Retriever, Role, Vectors, silent
from selfstudy.core.records import Record
from selfstudy.index.dense import Dense
from selfstudy.index.hybrid import Hybrid
from selfstudy.index.lexical import Lexical
from selfstudy.index.snapshot import Snapshot
from selfstudy.recipes.adapted import load_adapted

ARTIFACT = "artifact:"
REMEMBERED = 20_000
"""Questions whose vectors are kept in memory; the oldest go first."""


@dataclass(frozen=True, slots=True)
class System(Record):
    """`key` is None for the base. `embedder` is a plug-in's name, or `artifact:<key>` for a tuned one.

    `generator` is `hf:artifact:<key>` where one was tuned here and proven better.
    """

    embedder: str
    fingerprint: str
    weight: float
    key: str | None = None
    abstention: dict[str, Any] | None = None
    generator: str | None = None


def load_embedder(name: str, home: Path, api: Any = None, meter: Any = None) -> Embedder:
    """The embedder called `name`; converted models and vectors that were paid for are kept in the home. `meter` counts what is paid.

    Raises UnknownPlugin, BadModel, BadInput.
    """
    from selfstudy.core.plugs import resolve
    from selfstudy.models.sentence import SentenceEmbedder

    def plugged(name: str) -> Embedder:
        # The models that are compiled and the vectors that were paid for are kept apart: the first can be made again.
        options = {"cache": home / "paid", "api": api, "meter": meter} if name.startswith("openai:") else {"cache": cache}
        found: Embedder = resolve(name, **options)
        return found

    cache = home / "cache" / "openvino"
    if name.startswith(ARTIFACT):
        folder = find(home / "artifacts", name.removeprefix(ARTIFACT)).path / "model"
        return load_adapted(folder, plugged) or SentenceEmbedder(folder, name, cache=cache)
    return plugged(name)


def retrievers(snapshot: Snapshot, embedder: Embedder, weight: float, dense: Dense | None = None) -> dict[str, Retriever]:
    """The three ways to search a snapshot, by name."""
    lexical, meaning = Lexical(snapshot), dense or Dense(snapshot, embedder)
    return {"lexical": lexical, "dense": meaning, "hybrid": Hybrid(lexical, meaning, weight)}


class Remembering:
    """An embedder that keeps the vectors of the questions that it has seen, since one question is searched in several ways."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self._seen: dict[str, Vectors] = {}
        self._guard = threading.Lock()

    @property
    def name(self) -> str:
        return self._embedder.name

    @property
    def dim(self) -> int:
        return self._embedder.dim

    @property
    def fingerprint(self) -> str:
        return self._embedder.fingerprint

    @property
    def model_folder(self) -> Path | None:
        """The folder of the model, to train from; None where the weights are out of reach."""
        folder = getattr(self._embedder, "folder", None)
        path: Path | None = folder.path if folder is not None else None
        return path

    def known(self, texts: Sequence[str]) -> float:
        """The share of the tokens of `texts` that are in the embedder's vocabulary; 1 where it cannot say."""
        known = getattr(self._embedder, "known", None)
        return float(known(texts)) if known is not None else 1.0

    def embed(self, texts: Sequence[str], role: Role = "passage", progress: Progress = silent) -> Vectors:
        """As `core.ports.Embedder.embed`; only queries are remembered."""
        import numpy as np

        if role != "query":
            return self._embedder.embed(texts, role, progress)
        seen = {text: vector for text in texts if (vector := self._seen.get(text)) is not None}
        new = list(dict.fromkeys(text for text in texts if text not in seen))
        if new:
            seen.update(zip(new, self._embedder.embed(new, "query", progress), strict=True))
            self._keep({text: seen[text] for text in new})
        return np.stack([seen[text] for text in texts]) if len(texts) else np.empty((0, self.dim), np.float32)

    def _keep(self, vectors: dict[str, Vectors]) -> None:
        with self._guard:
            self._seen.update(vectors)
            for text in list(self._seen)[: max(0, len(self._seen) - REMEMBERED)]:
                del self._seen[text]
