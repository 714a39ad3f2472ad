"""The first passages of a search in the order of their nearest sentences: live only where that is proven to cost next to nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cached_property

import numpy as np

from selfstudy.core.ports import Embedder, Retriever
from selfstudy.core.records import Artifact, digest
from selfstudy.core.run import Lazy, Work, stage
from selfstudy.core.studied import texts_of
from selfstudy.evals.gate import Gate, Verdict, by_writer, judge_sentences
from selfstudy.evals.ranking import first_rank, reciprocal
from selfstudy.index.reranked import order
from selfstudy.index.sentences import Sentences, parts
from selfstudy.recipes.everyday import firsts, read_sides, save_sides
from selfstudy.recipes.exam import exam, read_rows, sides
from selfstudy.recipes.outcome import Outcome
from selfstudy.recipes.remembering import Remembering
from selfstudy.recipes.study import Study
from selfstudy.recipes.system import Finer, System

_BLOCK = 512
_NOTE = "Sentences. The first passages of a search are put in order by the sentence of each that is nearest to the question."


@stage("study.sentences", version=2)
def embedded(work: Work, config: None, corpus: Artifact, embedder: Embedder) -> dict[str, int]:
    """The vectors of all sentences, kept where the embedder remembers; nothing is written here. A kill loses one block of passages."""
    texts = texts_of(corpus)
    for start in range(0, len(texts), _BLOCK):
        Sentences(embedder).keep(texts[start : start + _BLOCK])
        work.progress(min(start + _BLOCK, len(texts)), len(texts))
    return {"passages": len(texts)}


@stage("study.sentences_guard", version=2)
def guarded(work: Work, config: None, most: int, depth: int, share: float, embedder: Embedder, words: Embedder | None) -> None:
    """`before.npy` and `after.npy`: the reciprocal ranks of everyday questions by dense search, and put in order by sentences."""
    ranks = []
    for one in firsts(work, most, depth, "sentences guard", *((embedder,) if words is None else (embedder, words))):
        nearest = Sentences(embedder).score([(one.question, passage) for passage in one.passages])
        orders = (one.places[order(one.scores[one.places], nearest, weight)] for weight in (0.0, share))
        ranks.append([first_rank(places == one.own) for places in orders])
    save_sides(work.folder, *reciprocal(np.array(ranks).T))


class SentenceStudy:
    """The stages of sentences over the search of `system`; `ways_of` gives a system's ways to search.

    `before` is that system without sentences and without a reranker. `widened` says how its questions are.
    """

    def __init__(self, study: Study, system: System, ways_of: Callable[[System], Mapping[str, Retriever]], widened: str) -> None:
        self.study, self.run, self.config = study, study.run, study.settings.sentences
        self.before = replace(system, sentences=None, reranking=None)
        self._ways_of = ways_of
        self._widened = widened

    @property
    def finer(self) -> Finer:
        dense = self.config.joined if self.before.imitation else self.config.dense
        return Finer(dense, self.config.hybrid, self.config.depth)

    def system(self) -> System:
        """`before`, by sentences too."""
        return replace(self.before, key=self.key, sentences=self.finer)

    @cached_property
    def _embedder(self) -> Remembering:
        return self.study.examples.embedder(self.before.embedder)

    @cached_property
    def refusal(self) -> str:
        """Why sentences cannot be tried here; "" where they can."""
        if not self.before.weight:
            return "the embedder cannot read most of these documents"
        if not self._embedder.remembers:
            return "vectors are not kept on disk, so that every search would embed sentences anew"
        sentences = sum(len(parts(text)) for text in texts_of(self.study.examples.corpus))
        if sentences > (room := self._embedder.room):
            return f"there are {sentences:,} sentences, and room for the vectors of {room:,} (cache.vectors_mib)"
        return ""

    @cached_property
    def examined(self) -> Artifact:
        """The exam's questions by dense and by hybrid search, without and with sentences."""
        study, before, after = self.study, self.before, self.system()
        kept = self.run.stage(embedded, None, study.examples.corpus, Lazy(before.fingerprint, lambda: self._embedder))

        return self.run.stage(
            exam, None, study.examples.mined,
            study.examples.lazy(f"plain {before.ranks}{self._widened}", before.fingerprint, lambda: self._ways_of(before)),
            study.examples.lazy(f"by sentence {after.ranks} {kept.key}{self._widened}", before.fingerprint, lambda: self._ways_of(after)),
        )  # fmt: skip

    @cached_property
    def guard(self) -> Artifact:
        """Everyday questions by dense search without and with sentences."""
        beside, finer = self.before.imitation, self.finer
        embedder = Lazy(self.before.fingerprint, lambda: self._embedder)
        words = Lazy(beside, lambda: self.study.examples.embedder(beside)) if beside else None
        return self.run.stage(guarded, None, self.config.guard, finer.depth, finer.dense, embedder, words)

    @property
    def key(self) -> str:
        """The candidate: these weights over this search."""
        return digest("sentences", self.study.examples.mined.key, self.before.ranks, self.config.model_dump_json())

    def plan(self) -> None:
        """Ask for what it needs."""
        _ = (self.examined, self.guard) if self.before.weight and self._embedder.remembers else ()

    def judge(self, gate: Gate, candidates: int = 1) -> tuple[Verdict, Outcome]:
        """The verdict on searching by sentences too, and what the user should see.

        It has nothing to gain, so that it does not matter how many `candidates` there were.
        """
        weight = self.before.weight
        if self.refusal:
            verdict = Verdict(False, f"Not tried: {self.refusal}.", ())
            return verdict, Outcome.of(self.key, verdict, {}, weight=weight, note=_NOTE)
        rows = read_rows(self.examined)
        dense, hybrid = sides(rows, "dense_"), sides(rows, "hybrid_")
        everyday = read_sides(self.guard)
        own = self.study.own_beside(self._ways_of(self.system())["hybrid"], self._ways_of(self.before)["hybrid"])
        verdict = judge_sentences(gate, dense=dense, hybrid=hybrid, guard=everyday, own=own)
        pairs = {"dense": dense, "hybrid": hybrid, "guard": everyday}
        writers = by_writer(*dense, [row["writer"] for row in rows])
        return verdict, Outcome.of(self.key, verdict, pairs, writers=writers, weight=weight, note=_NOTE)
