"""What serves: an embedder, its share in hybrid search, and when to abstain. The pointer of the home names one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from selfstudy.core.artifacts import find
from selfstudy.core.errors import BadModel
from selfstudy.core.ports import Embedder, Progress, Retriever, Role, Vectors, silent
from selfstudy.core.records import Record
from selfstudy.index.dense import Dense
from selfstudy.index.hybrid import Hybrid
from selfstudy.index.lexical import Lexical
from selfstudy.index.snapshot import Snapshot

ARTIFACT = "artifact:"


@dataclass(frozen=True, slots=True)
class System(Record):
    """`key` is None for the base. `embedder` is a plug-in's name, or `artifact:<key>` for a tuned one."""

    embedder: str
    fingerprint: str
    weight: float
    key: str | None = None
    abstention: dict[str, Any] | None = None


def load_embedder(name: str, home: Path) -> Embedder:
    """The embedder called `name`; converted models are kept in the home. Raises UnknownPlugin, BadModel, BadInput."""
    from selfstudy.core.plugs import resolve
    from selfstudy.models.sentence import SentenceEmbedder

    cache = home / "cache" / "openvino"
    if name.startswith(ARTIFACT):
        folder = find(home / "artifacts", name.removeprefix(ARTIFACT)).path / "model"
        return SentenceEmbedder(folder, name, cache=cache)
    found: Embedder = resolve(name, cache=cache)
    return found


def retrievers(snapshot: Snapshot, embedder: Embedder, weight: float, dense: Dense | None = None) -> dict[str, Retriever]:
    """The three ways to search a snapshot, by name."""
    lexical, meaning = Lexical(snapshot), dense or Dense(snapshot, embedder)
    return {"lexical": lexical, "dense": meaning, "hybrid": Hybrid(lexical, meaning, weight)}


class Remembering:
    """An embedder that keeps the vectors of the questions that it has seen, since one question is searched in several ways."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self._seen: dict[str, Vectors] = {}

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
    def model_folder(self) -> Path:
        """The folder of the model, to train from. Raises BadModel where the embedder has none."""
        folder = getattr(self._embedder, "folder", None)
        if folder is None:
            raise BadModel(
                f"{self.name} has no folder with weights, so it cannot be tuned.", "Use an embedder of sentence-transformers: st:<folder>."
            )
        path: Path = folder.path
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
        new = list(dict.fromkeys(text for text in texts if text not in self._seen))
        if new:
            self._seen.update(zip(new, self._embedder.embed(new, "query", progress), strict=True))
        return np.stack([self._seen[text] for text in texts]) if len(texts) else np.empty((0, self.dim), np.float32)
