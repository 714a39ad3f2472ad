"""What serves: an embedder, its share in hybrid search, and when to abstain. The pointer of the home names one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from selfstudy.core.artifacts import find
from selfstudy.core.errors import BadConfig
from selfstudy.core.ports import Embedder, Reranker, Retriever
from selfstudy.core.records import Record
from selfstudy.index.dense import Dense
from selfstudy.index.hybrid import Hybrid
from selfstudy.index.imitation import Imitation, holds_imitation
from selfstudy.index.joined import Joined
from selfstudy.index.lexical import Lexical
from selfstudy.index.reranked import Reranked
from selfstudy.index.sentences import Sentences
from selfstudy.index.snapshot import Snapshot
from selfstudy.models.int8 import Int8Embedder, holds_int8
from selfstudy.models.reranker import CrossReranker
from selfstudy.models.starter.relevance import Relevance, is_chinese
from selfstudy.models.starter.shared import SHIPPED
from selfstudy.recipes.adapted import load_adapted
from selfstudy.recipes.remembering import Remembering

ARTIFACT = "artifact:"
STARTER = "starter:"


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


def load_embedder(
    name: str, home: Path, api: Any = None, meter: Any = None, reads: Mapping[str, Mapping[str, Any]] = MappingProxyType({})
) -> Embedder:
    """The embedder called `name`; converted models and vectors that were paid for are kept in the home. `meter` counts what is paid, and
    `reads` are the prompts and the longest text of an st: embedder by its name, where they are set.

    Raises UnknownPlugin, BadModel, BadInput, BadConfig.
    """
    from selfstudy.core.plugs import resolve
    from selfstudy.models.sentence import SentenceEmbedder

    def plugged(name: str) -> Embedder:
        # The models that are compiled and the vectors that were paid for are kept apart: the first can be made again.
        options: dict[str, Any] = {"cache": cache}
        if name.startswith("openai:"):
            options = {"cache": home / "paid", "api": api, "meter": meter}
        mine = reads.get(name, {})
        if mine and not name.startswith("st:"):
            raise BadConfig(f"{' and '.join(mine)} are for an st: embedder, and {name!r} is none.", "Take them out of the settings.")
        options |= mine
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


def reranked(ways: dict[str, Retriever], system: System, home: Path, embedder: Remembering) -> dict[str, Retriever]:
    """`ways` as `system` puts their first passages in order: by sentences, and hybrid search by its reranker. Raises BadInput for one
    that is gone.
    """
    if (finer := system.sentences) is not None and embedder.remembers:  # else each search would embed them anew
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
