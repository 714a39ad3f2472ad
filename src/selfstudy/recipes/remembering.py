"""An embedder whose vectors are made once: in memory, on disk, and for many threads together."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from selfstudy.core.ports import Embedder, Progress, Role, Trainable, Vectors, Vocabulary, silent
from selfstudy.core.recent import Recent
from selfstudy.core.text import cjk_share
from selfstudy.core.together import Together
from selfstudy.index.snapshot import Snapshot
from selfstudy.models.kept import KeptVectors

_TOGETHER = 64
"""Texts of several threads that are embedded together at most."""
_PART = 2048
"""Texts embedded between two writes to the cache."""
_BESIDE = 500
"""Bytes that a kept vector takes beside its numbers: LMDB's pages are not full."""


class Remembering:
    """An embedder whose vectors are made once: questions stay in memory (one is searched in several ways), and everything in `kept`.

    At most `questions` of them, those asked last. Safe to share between threads, whose texts are embedded together.
    """

    def __init__(self, embedder: Embedder, kept: KeptVectors | None = None, questions: int = 20_000) -> None:
        self._embedder = embedder
        self._kept = kept
        self._seen: Recent[Vectors] = Recent(questions)
        self._together: Together[str, Vectors] = Together(lambda texts, role: list(embedder.embed(texts, role)), _TOGETHER)

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
    def remembers(self) -> bool:
        """Whether vectors are kept on disk."""
        return self._kept is not None

    @property
    def room(self) -> int:
        """How many vectors are kept on disk before the oldest are forgotten. Loads the model."""
        return 0 if self._kept is None else self._kept.most // 2 // (4 * self.dim + _BESIDE)

    @property
    def model_folder(self) -> Path | None:
        """The folder of the model, to train from; None where the weights are out of reach."""
        return self._embedder.model_folder if isinstance(self._embedder, Trainable) else None

    def known(self, texts: Sequence[str]) -> float:
        """The share of the tokens of `texts` that are in the embedder's vocabulary; 1 where it cannot say."""
        return _known(self._embedder, texts)

    def embed(self, texts: Sequence[str], role: Role = "passage", progress: Progress = silent) -> Vectors:
        """As `core.ports.Embedder.embed`; a text that was embedded before is looked up, one that is there twice is embedded once."""
        import numpy as np

        found = self._seen.get(texts) if role == "query" else {}
        new = list(dict.fromkeys(text for text in texts if text not in found))
        if new:
            made = self._made(new, role, lambda done, _: progress(len(texts) - len(new) + done, len(texts)))
            found |= made
            if role == "query":
                self._seen.put(made)
        progress(len(texts), len(texts))
        return np.stack([found[text] for text in texts]) if len(texts) else np.empty((0, self.dim), np.float32)

    def _made(self, texts: list[str], role: Role, progress: Progress) -> dict[str, Vectors]:
        """Vectors out of `kept`, the others out of the model, part by part, so that a kill costs no more than one."""
        if self._kept is None:
            return dict(zip(texts, self._embedded(texts, role, progress), strict=True))
        keys = {text: self._kept.key(self.fingerprint, role, text) for text in texts}
        kept = self._kept.get(keys.values())
        found = {text: kept[key] for text, key in keys.items() if key in kept}
        new = [text for text in texts if text not in found]
        for start in range(0, len(new), _PART):
            part, before = new[start : start + _PART], len(found)
            vectors = self._embedded(part, role, lambda done, _, before=before: progress(before + done, len(texts)))  # type: ignore[misc]
            self._kept.put({keys[text]: vector for text, vector in zip(part, vectors, strict=True)})
            found.update(zip(part, vectors, strict=True))
        return found

    def _embedded(self, texts: list[str], role: Role, progress: Progress) -> Sequence[Vectors]:
        """A vector for each text; few texts go with what other threads ask meanwhile, many tell how far they are."""
        return self._together(texts, role) if len(texts) <= _TOGETHER else list(self._embedder.embed(texts, role, progress))


def known_share(snapshot: Snapshot, embedder: Embedder) -> float:
    """The share of tokens of some passages that the embedder has in its vocabulary; 1 where most of the text is not CJK."""
    if not len(snapshot):
        return 1.0
    step = max(1, len(snapshot) // 50)
    texts = [snapshot.passages[row].text for row in range(0, len(snapshot), step)]
    if sum(cjk_share(text) for text in texts) / len(texts) < 0.3:
        return 1.0
    return _known(embedder, texts)


def _known(embedder: Embedder, texts: Sequence[str]) -> float:
    return embedder.known(texts) if isinstance(embedder, Vocabulary) else 1.0
