"""A reranker over what serves: the starter's, live if it costs next to nothing, or one trained here, live only if it pays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from selfstudy.core.files import read_json, write_json
from selfstudy.core.ports import Embedder, Reranker, Retriever
from selfstudy.core.quiet import quiet
from selfstudy.core.records import Artifact, Example, digest
from selfstudy.core.run import Lazy, Run, Work, stage
from selfstudy.evals import guard
from selfstudy.evals.gate import Gate, Verdict, by_writer, judge_reranker
from selfstudy.index.hybrid import Spread
from selfstudy.index.reranked import Reranked, order
from selfstudy.models.starter.judge import Relevance, cross_encoder
from selfstudy.recipes.candidate import answers, clearly_best, examples_of
from selfstudy.recipes.outcome import Outcome
from selfstudy.recipes.system import ARTIFACT, STARTER, Reranking, System, reranker_of
from selfstudy.synth.draft import pick
from selfstudy.train import reranker as train

_BLOCK = 8
_CUT = 10


class Rerank(BaseModel):
    """How a reranker is used, weighed and judged."""

    model_config = ConfigDict(extra="forbid")

    depth: int = Field(5, ge=2, description="passages of hybrid search that are read for a question")
    weights: tuple[Annotated[float, Field(ge=0, allow_inf_nan=False)], ...] = Field(
        (0.05, 0.1, 0.15, 0.2, 0.25, 0.3),
        description="what one log-odds of the reranker may count beside the score of hybrid search; tuning questions choose",
    )
    tune: int = Field(120, ge=1, description="tuning questions that its weight is set on, at most")
    usual: float = Field(
        0.15, ge=0, description="what the starter's judge counts unless tuning questions say clearly otherwise; one trained here counts 0"
    )
    exam: int = Field(500, ge=1, description="exam questions that it is judged on, at most")
    guard: int = Field(250, ge=2, description="everyday questions that it is judged on")


@stage("study.judge", version=1)
def judge_of_the_starter(work: Work, config: None, shipped: str) -> None:
    """`model/`: the starter's judge of relevance as a cross-encoder."""
    with quiet():
        cross_encoder().save_pretrained(str(work.folder / "model"), create_model_card=False)


@stage("study.reread", version=1)
def reread(
    work: Work, config: None, mined: Artifact, split: str, most: int, depth: int, searched: Retriever, reranker: Reranker
) -> dict[str, int]:
    """`rows.json`: for questions of a split the scores of their first hits by search and by the reranker, and which are the evidence.

    A kill loses one block of questions.
    """
    examples = pick(examples_of(mined, split), most, f"rerank {split}")
    with work.log("read") as log:
        for start in range(len(log), len(examples), _BLOCK):
            block = examples[start : start + _BLOCK]
            found = searched.search([example.question for example in block], max(depth, _CUT))
            pairs = [(example.question, hit.passage.indexed) for example, hits in zip(block, found, strict=True) for hit in hits[:depth]]
            scores = iter(reranker.score(pairs) if pairs else ())
            rows = [_row(example, hits, [float(next(scores)) for _ in hits[:depth]]) for example, hits in zip(block, found, strict=True)]
            log.extend({str(start + place): row for place, row in enumerate(rows)})
            work.progress(start + len(block), len(examples))
        write_json(work.folder / "rows.json", log.values())
    return {"questions": len(examples)}


def _row(example: Example, hits: Sequence[Any], read: list[float]) -> dict[str, Any]:
    own = [place for place, hit in enumerate(hits) if answers(hit.passage, example)]
    return {"id": example.id, "writer": example.writer, "own": own, "found": [hit.score for hit in hits], "read": read}


@stage("study.reread_guard", version=1)
def reread_guard(work: Work, config: None, most: int, depth: int, embedder: Embedder, reranker: Reranker) -> dict[str, int]:
    """`rows.json`, as `reread`: everyday questions among their passages and those of the guard, found by meaning."""
    texts = guard.texts(guard.FEW)
    asked = pick(range(len(texts.questions)), most, "rerank guard")
    vectors = embedder.embed(texts.passages, "passage", work.progress)
    scores = embedder.embed([texts.questions[place] for place in asked], "query") @ vectors.T
    rows = []
    for done, (place, mine) in enumerate(zip(asked, scores, strict=True), 1):
        best = np.argsort(-mine, kind="stable")[: max(depth, _CUT)]
        read = reranker.score([(texts.questions[place], texts.passages[at]) for at in best[:depth]])
        own = [int(at) for at in np.flatnonzero(best == place)]
        rows.append({"own": own, "found": Spread.of(mine).standard(mine[best]).tolist(), "read": [float(one) for one in read]})
        work.progress(done, len(asked))
    write_json(work.folder / "rows.json", rows)
    return {"questions": len(rows)}


def reciprocal_ranks(rows: Sequence[dict[str, Any]], weight: float) -> NDArray[np.float64]:
    """1 / rank of the evidence at that weight of the reranker, 0 beyond ten; a weight of 0 is the search alone."""
    ranks = np.zeros(len(rows))
    for at, row in enumerate(rows):
        first = len(row["read"])
        places = [*order(row["found"][:first], row["read"], weight), *range(first, len(row["found"]))][:_CUT]
        ranks[at] = next((1 / rank for rank, place in enumerate(places, 1) if place in row["own"]), 0.0)
    return ranks


class RerankerStudy:
    """The stages of one reranker over the examples of an embedder's study; `searched` is the hybrid search of `live`, not reranked.

    `base` is the folder of the base embedder (None: out of reach), `embedder` the one that serves.
    """

    def __init__(
        self,
        run: Run,
        rerank: Rerank,
        training: train.Reranker,
        mined: Artifact,
        searched: Lazy,
        embedder: Lazy,
        base: Lazy,
        live: System,
    ) -> None:
        self.run, self.rerank, self.training, self.mined = run, rerank, training, mined
        self.searched, self.embedder, self.base, self.live = searched, embedder, base, live

    @cached_property
    def trained(self) -> Artifact | None:
        """`model/`: the reranker that was tuned here; None: the starter's, as it is."""
        trains = bool(self.training.minutes or self.training.max_steps)
        if self.training.start == "embedder":
            start = self.run.stage(train.grown, None, self.base)
        elif trains:
            start = self.run.stage(judge_of_the_starter, None, Relevance().fingerprint)
        else:
            return None
        if not trains:
            return start
        return self.run.stage(train.reranker, self.training, self.mined, Lazy(start.key, lambda: start.path / "model"))

    @property
    def model(self) -> str:
        """The reranker's name."""
        return STARTER if self.trained is None else f"{ARTIFACT}{self.trained.key}"

    @cached_property
    def _reranker(self) -> Lazy:
        key = Relevance().fingerprint if self.trained is None else self.trained.key
        return Lazy(key, lambda: self._loaded)

    @cached_property
    def _loaded(self) -> Reranker:
        return reranker_of(self.model, self.run.folder.parent)

    def _read(self, split: str, most: int) -> Artifact:
        return self.run.stage(reread, None, self.mined, split, most, self.rerank.depth, self.searched, self._reranker)

    @cached_property
    def weight(self) -> float:
        """The reranker's weight: the best on tuning questions where that is clearly better than the usual one, else that; 0: none."""
        rows = read_json(self._read("tune", self.rerank.tune).path / "rows.json")
        usual = self.rerank.usual if self.trained is None else 0.0
        ranks = {share: reciprocal_ranks(rows, share) for share in (0.0, usual, *self.rerank.weights)}
        best = clearly_best(ranks, usual)
        return best if (ranks[best] != ranks[0.0]).any() else 0.0  # one that moves nothing is not worth its time

    @cached_property
    def exam(self) -> list[dict[str, Any]]:
        """The exam's questions, read."""
        rows: list[dict[str, Any]] = read_json(self._read("exam", self.rerank.exam).path / "rows.json")
        return rows

    @cached_property
    def guard(self) -> list[dict[str, Any]]:
        """Everyday questions, read."""
        made = self.run.stage(reread_guard, None, self.rerank.guard, self.rerank.depth, self.embedder, self._reranker)
        rows: list[dict[str, Any]] = read_json(made.path / "rows.json")
        return rows

    @property
    def key(self) -> str:
        """The candidate: this reranker, weighed over this search."""
        return digest("reranker", self._reranker.key, self.mined.key, self.searched.key, self.rerank.model_dump_json())

    def plan(self) -> None:
        """Ask for the training and the tuning questions; what follows depends on what these show."""
        self._read("tune", self.rerank.tune)

    def system(self) -> System:
        """What serves now, reranked."""
        return replace(self.live, key=self.key, reranking=Reranking(self.model, self.weight, self.rerank.depth))

    def judge(self, gate: Gate, unseen: set[str], candidates: int, own: Callable[[Retriever, Retriever], Any]) -> tuple[Verdict, Outcome]:
        """The verdict on hybrid search with the reranker beside hybrid search without; `own` gives the ranks of the user's questions, by
        the first of its arguments after those by the second.
        """
        if not self.weight:
            return self._unweighed()
        sides = [[reciprocal_ranks(rows, share) for share in (0.0, self.weight)] for rows in (self.exam, self.guard)]
        hybrid, guarded = ((before, after) for before, after in sides)
        writers = [row["writer"] for row in self.exam]
        searched: Retriever = self.searched.load()
        verdict = judge_reranker(
            gate, hybrid=hybrid, writers=writers, unseen=unseen, guard=guarded, candidates=candidates,
            own=own(Reranked(searched, self._loaded, self.weight, self.rerank.depth), searched), trained=self.trained is not None,
        )  # fmt: skip
        pairs = {"hybrid": hybrid, "guard": guarded}
        return verdict, self._outcome(verdict, pairs, writers=by_writer(*hybrid, writers))

    def _unweighed(self) -> tuple[Verdict, Outcome]:
        rows = read_json(self._read("tune", self.rerank.tune).path / "rows.json")
        told = f"Refused: on {len(rows)} tuning questions the reranker is no better at any weight than hybrid search alone."
        verdict = Verdict(False, told, ())
        return verdict, self._outcome(verdict, {})

    def _outcome(self, verdict: Verdict, pairs: Any, **more: Any) -> Outcome:
        note = f"The reranker. It reads the first {self.rerank.depth} passages of hybrid search."
        return Outcome.of(self.key, verdict, pairs, weight=self.weight, note=note, **more)
