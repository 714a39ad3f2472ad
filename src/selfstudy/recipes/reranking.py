"""A reranker over what serves: the starter's, live if it costs next to nothing, or one trained here, live only if it pays."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
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
from selfstudy.core.studied import examples_of
from selfstudy.evals.gate import BeforeAfter, Gate, Verdict, by_writer, judge_reranker
from selfstudy.evals.ranking import DEPTH, first_rank, reciprocal
from selfstudy.index.hybrid import Spread
from selfstudy.index.reranked import Reranked, order
from selfstudy.models.starter.relevance import Relevance, cross_encoder, is_chinese
from selfstudy.recipes.everyday import firsts
from selfstudy.recipes.exam import answers
from selfstudy.recipes.outcome import Outcome
from selfstudy.recipes.system import ARTIFACT, STARTER, Reranking, System, reranker_of
from selfstudy.recipes.weighing import clearly_best
from selfstudy.synth.draft import pick
from selfstudy.train import reranker as train

_BLOCK = 8


class Rerank(BaseModel):
    """Whether a reranker is looked for, and how it is trained, used, weighed and judged."""

    model_config = ConfigDict(extra="forbid")

    on: bool = Field(
        True,
        description="whether a model that reads question and passage together orders the first passages; the starter's if it is proven "
        "to cost next to nothing, one that is trained here if it is proven to pay",
    )
    training: train.RerankerTraining = Field(default_factory=train.RerankerTraining)
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
            found = searched.search([example.question for example in block], max(depth, DEPTH))
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
    rows = []
    for one in firsts(work, most, max(depth, DEPTH), "rerank guard", embedder):
        read = reranker.score([(one.question, passage) for passage in one.passages[:depth]])
        found = Spread.of(one.scores).standard(one.scores[one.places])
        own = [int(at) for at in np.flatnonzero(one.places == one.own)]
        rows.append({"own": own, "found": found.tolist(), "read": [float(score) for score in read]})
    write_json(work.folder / "rows.json", rows)
    return {"questions": len(rows)}


def reciprocal_ranks(rows: Sequence[dict[str, Any]], weight: float) -> NDArray[np.float64]:
    """1 / rank of the evidence at that weight of the reranker, 0 beyond ten; a weight of 0 is the search alone."""
    ranks = []
    for row in rows:
        first = len(row["read"])
        places = [*order(row["found"][:first], row["read"], weight), *range(first, len(row["found"]))]
        ranks.append(first_rank(place in row["own"] for place in places))
    return reciprocal(ranks)


class RerankerStudy:
    """The stages of one reranker over the examples of an embedder's study; `searched` is the hybrid search of `live`, not reranked.

    `base` is the folder of the base embedder (None: out of reach), `embedder` the one that serves, `unseen` the writers whose questions
    training never saw. `own` gives the ranks of the user's questions, by the first of its arguments after those by the second.
    """

    def __init__(
        self,
        run: Run,
        config: Rerank,
        mined: Artifact,
        searched: Lazy,
        embedder: Lazy,
        base: Lazy,
        live: System,
        unseen: Collection[str],
        own: Callable[[Retriever, Retriever], BeforeAfter | None],
    ) -> None:
        self.run, self.config, self.mined = run, config, mined
        self.searched, self.embedder, self.base, self.live = searched, embedder, base, live
        self.unseen, self.own = unseen, own

    @cached_property
    def trained(self) -> Artifact | None:
        """`model/`: the reranker that was tuned here; None: the starter's, as it is."""
        training = self.config.training
        trains = bool(training.minutes or training.max_steps)
        if training.start == "embedder":
            start = self.run.stage(train.grown, None, self.base)
        elif trains and not self.foreign:
            start = self.run.stage(judge_of_the_starter, None, Relevance().fingerprint)
        else:
            return None
        if not trains:
            return start
        return self.run.stage(train.reranker, training, self.mined, Lazy(start.key, lambda: start.path / "model"))

    @cached_property
    def foreign(self) -> bool:
        """Whether the starter's reader, which knows no Chinese, would have to learn from questions most of which are Chinese."""
        if self.config.training.start != "starter" or not self.mined.path.is_dir():  # a plan has no examples yet
            return False
        asked = [is_chinese(example.question) for example in examples_of(self.mined, "train")]
        return 2 * sum(asked) > len(asked)

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
        return self.run.stage(reread, None, self.mined, split, most, self.config.depth, self.searched, self._reranker)

    @cached_property
    def weight(self) -> float:
        """The reranker's weight: the best on tuning questions where that is clearly better than the usual one, else that; 0: none."""
        rows = read_json(self._read("tune", self.config.tune).path / "rows.json")
        usual = self.config.usual if self.trained is None else 0.0
        ranks = {share: reciprocal_ranks(rows, share) for share in (0.0, usual, *self.config.weights)}
        best = clearly_best(ranks, usual)
        return best if (ranks[best] != ranks[0.0]).any() else 0.0  # one that moves nothing is not worth its time

    @cached_property
    def exam(self) -> list[dict[str, Any]]:
        """The exam's questions, read."""
        rows: list[dict[str, Any]] = read_json(self._read("exam", self.config.exam).path / "rows.json")
        return rows

    @cached_property
    def guard(self) -> list[dict[str, Any]]:
        """Everyday questions, read."""
        made = self.run.stage(reread_guard, None, self.config.guard, self.config.depth, self.embedder, self._reranker)
        rows: list[dict[str, Any]] = read_json(made.path / "rows.json")
        return rows

    @property
    def key(self) -> str:
        """The candidate: this reranker, weighed over this search."""
        used = self.config.model_dump_json(exclude={"on", "training"})  # the reranker's own key tells of its training
        return digest("reranker", self._reranker.key, self.mined.key, self.searched.key, used)

    def plan(self) -> None:
        """Ask for the training and the tuning questions; what follows depends on what these show."""
        self._read("tune", self.config.tune)

    def system(self) -> System | None:
        """What serves now, reranked; None where the reranker is no help at any weight."""
        if not self.weight:
            return None
        return replace(self.live, key=self.key, reranking=Reranking(self.model, self.weight, self.config.depth))

    def judge(self, gate: Gate, candidates: int) -> tuple[Verdict, Outcome]:
        """The verdict on hybrid search with the reranker beside hybrid search without."""
        if not self.weight:
            return self._unweighed()
        sides = [[reciprocal_ranks(rows, share) for share in (0.0, self.weight)] for rows in (self.exam, self.guard)]
        hybrid, guarded = ((before, after) for before, after in sides)
        writers = [row["writer"] for row in self.exam]
        searched: Retriever = self.searched.load()
        verdict = judge_reranker(
            gate, hybrid=hybrid, writers=writers, unseen=self.unseen, guard=guarded, candidates=candidates,
            own=self.own(Reranked(searched, self._loaded, self.weight, self.config.depth), searched), trained=self.trained is not None,
        )  # fmt: skip
        pairs = {"hybrid": hybrid, "guard": guarded}
        return verdict, self._outcome(verdict, pairs, writers=by_writer(*hybrid, writers))

    def _unweighed(self) -> tuple[Verdict, Outcome]:
        rows = read_json(self._read("tune", self.config.tune).path / "rows.json")
        told = f"Refused: on {len(rows)} tuning questions the reranker is no better at any weight than hybrid search alone."
        verdict = Verdict(False, told, ())
        return verdict, self._outcome(verdict, {})

    def _outcome(self, verdict: Verdict, pairs: Any, **more: Any) -> Outcome:
        note = f"The reranker. It reads the first {self.config.depth} passages of hybrid search."
        training = self.config.training
        if self.foreign and (training.minutes or training.max_steps):
            note += " None was trained: the starter's reader knows no Chinese; reranker.training.start=embedder grows one that may."
        return Outcome.of(self.key, verdict, pairs, weight=self.weight, note=note, **more)
