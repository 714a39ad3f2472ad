"""What serves: an embedder, its share in hybrid search, and when to abstain. The pointer of the home names one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from selfstudy.core.artifacts import find
from selfstudy.core.errors import BadConfig
from selfstudy.core.ports import Embedder, Progress, Reranker, Retriever, Role, Vectors, silent
from selfstudy.core.recent import Recent
from selfstudy.core.records import Record
from selfstudy.core.text import cjk_share
from selfstudy.core.together import Together
from selfstudy.index.dense import Dense
from selfstudy.index.hybrid import Hybrid
from selfstudy.index.imitation import Imitation, holds_imitation
from selfstudy.index.joined import Joined
from selfstudy.index.lexical import Lexical
from selfstudy.index.reranked import Reranked
from selfstudy.index.sentences import Sentences
from selfstudy.index.snapshot import Snapshot
from selfstudy.models.int8 import Int8Embedder, holds_int8
from selfstudy.models.kept import KeptVectors
from selfstudy.models.reranker import CrossReranker
from selfstudy.models.starter.judge import Relevance, is_chinese
from selfstudy.models.starter.shared import SHIPPED
from selfstudy.recipes.adapted import load_adapted

ARTIFACT = "artifact:"
STARTER = "starter:"
_TOGETHER = 64
"""Texts of several threads that are embedded together at most."""
_PART = 2048
"""Texts embedded between two writes to the cache."""
_BESIDE = 500
"""Bytes that a kept vector takes beside its numbers: LMDB's pages are not full."""


@dataclass(frozen=True, slots=True)
class Reranking(Record):
    """`model` reads the first `depth` hits of hybrid search; `weight` says how much its log-odds count. `starter:`, or `artifact:<key>`."""

    model: str
    weight: float
    depth: int


@dataclass(frozen=True, slots=True)
class Finer(Record):
    """How much the nearest sentence counts in dense and in hybrid search, among the first `depth` passages of each."""

    dense: float
    hybrid: float
    depth: int


@dataclass(frozen=True, slots=True)
class System(Record):
    """`key` is None for the base. `embedder` is a plug-in's name, or `artifact:<key>` for a tuned one.

    `generator` is `hf:artifact:<key>` where one was tuned here and proven better, and so is `reranking`. `whole` is the name of the
    embedder in full precision, where `embedder` is the same in int8. `imitation` is the name of the embedder of words that stands beside
    it in dense search, where that was proven to pay. `sentences`, and the starter's reranker, serve where they were proven to cost next to
    nothing.
    """

    embedder: str
    fingerprint: str
    weight: float
    key: str | None = None
    abstention: dict[str, Any] | None = None
    generator: str | None = None
    reranking: Reranking | None = None
    whole: str | None = None
    imitation: str | None = None
    sentences: Finer | None = None

    @property
    def learned(self) -> str:
        """The name of the embedder in full precision."""
        return self.whole or self.embedder

    @property
    def embedders(self) -> tuple[str, ...]:
        """The names of all embedders whose vectors every passage must have; the first is that of meaning."""
        return (self.embedder, self.imitation) if self.imitation else (self.embedder,)

    @property
    def ranks(self) -> str:
        """The same for systems that rank alike."""
        beside = (self.reranking, self.imitation, self.sentences)
        return " ".join([self.fingerprint, repr(self.weight), *(str(one) for one in beside if one)])


def load_embedder(name: str, home: Path, api: Any = None, meter: Any = None, reads: Mapping[str, Any] = MappingProxyType({})) -> Embedder:
    """The embedder called `name`; converted models and vectors that were paid for are kept in the home. `meter` counts what is paid, and
    `reads` are the prompts and the longest text of an st: embedder, where they are set.

    Raises UnknownPlugin, BadModel, BadInput, BadConfig.
    """
    from selfstudy.core.plugs import resolve
    from selfstudy.models.sentence import SentenceEmbedder

    def plugged(name: str) -> Embedder:
        # The models that are compiled and the vectors that were paid for are kept apart: the first can be made again.
        options: dict[str, Any] = {"cache": cache}
        if name.startswith("openai:"):
            options = {"cache": home / "paid", "api": api, "meter": meter}
        if reads and not name.startswith("st:"):
            raise BadConfig(f"{' and '.join(reads)} are for an st: embedder, and {name!r} is none.", "Take them out of the settings.")
        options |= reads
        found: Embedder = resolve(name, **options)
        return found

    cache = converted(home)
    if name.startswith(ARTIFACT):
        folder = find(home / "artifacts", name.removeprefix(ARTIFACT)).path / "model"
        if holds_imitation(folder):
            return Imitation(folder, name)
        if holds_int8(folder):
            return Int8Embedder(folder, name)
        return load_adapted(folder, plugged) or SentenceEmbedder(folder, name, cache=cache)
    return plugged(name)


def converted(home: Path) -> Path:
    """Where models are kept as they run; they can be made again."""
    return home / "cache" / "openvino"


def reranked(ways: dict[str, Retriever], system: System, home: Path, embedder: Embedder) -> dict[str, Retriever]:
    """`ways` as `system` puts their first passages in order: by sentences, and hybrid search by its reranker. Raises BadInput for one
    that is gone.
    """
    if (finer := system.sentences) is not None and getattr(embedder, "remembers", True):  # else each search would embed them anew
        by_sentence, weights = Sentences(embedder), {"dense": finer.dense, "hybrid": finer.hybrid}
        ways = ways | {name: Reranked(ways[name], by_sentence, weight, finer.depth, name) for name, weight in weights.items()}
    if (chosen := system.reranking) is None:
        return ways
    return ways | {"hybrid": Reranked(ways["hybrid"], reranker_of(chosen.model, home), chosen.weight, chosen.depth)}


@lru_cache(maxsize=4)
def reranker_of(model: str, home: Path) -> Reranker:
    """The reranker of that name, the same object for all who ask for it; nothing is loaded yet. Raises BadInput for one that is gone."""
    if model == STARTER:
        return Relevance(SHIPPED.kept_in(converted(home)))
    return CrossReranker(find(home / "artifacts", model.removeprefix(ARTIFACT)).path / "model")


def can_read(model: str, question: str) -> bool:
    """Whether the reranker of that name knows the language of the question."""
    return model != STARTER or not is_chinese(question)


def retrievers(
    snapshot: Snapshot,
    embedder: Embedder,
    weight: float,
    dense: Dense | None = None,
    expand: Callable[[str], str] | None = None,
    imitation: Embedder | None = None,
) -> dict[str, Retriever]:
    """The three ways to search a snapshot, by name. `expand` gives words to search for as well, `imitation` stands beside `embedder` in
    dense search: hybrid search has the words themselves.
    """
    lexical, meaning = Lexical(snapshot, expand), dense or Dense(snapshot, embedder)
    by_vectors = Joined(meaning, Dense(snapshot, imitation)) if imitation is not None else meaning
    return {"lexical": lexical, "dense": by_vectors, "hybrid": Hybrid(lexical, meaning, weight)}


def served(
    snapshot: Snapshot, system: System, embedder_of: Callable[[str], Embedder], expand: Callable[[str], str] | None = None
) -> dict[str, Retriever]:
    """The three ways to search as `system` does, before their first passages are put in order."""
    imitation = embedder_of(system.imitation) if system.imitation else None
    return retrievers(snapshot, embedder_of(system.embedder), system.weight, expand=expand, imitation=imitation)


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
        folder = getattr(self._embedder, "folder", None)
        path: Path | None = folder.path if folder is not None else None
        return path

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
    known = getattr(embedder, "known", None)
    return float(known(texts)) if known is not None else 1.0
