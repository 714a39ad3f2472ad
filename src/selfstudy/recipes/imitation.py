"""Words imitated by vectors, beside the meaning in dense search: live only where that is proven to find more."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np

from selfstudy.core.files import write_json
from selfstudy.core.ports import Embedder, Retriever
from selfstudy.core.records import Artifact, digest
from selfstudy.core.run import Lazy, Work, stage
from selfstudy.core.studied import examples_of, texts_of
from selfstudy.evals import guard
from selfstudy.evals.gate import Gate, Verdict, by_writer, judge_imitation
from selfstudy.index.imitation import Imitate, fit
from selfstudy.index.joined import Joined
from selfstudy.recipes.everyday import read_sides, save_sides
from selfstudy.recipes.exam import ranks_of, read_rows, sides
from selfstudy.recipes.outcome import Outcome
from selfstudy.recipes.study import Study
from selfstudy.recipes.system import ARTIFACT, System
from selfstudy.recipes.vectors import UNSTORED, body_vectors, dense_over, moved


@stage("study.imitation", version=3)
def imitation(work: Work, config: Imitate, corpus: Artifact, share: float) -> dict[str, int]:
    """`model/`: the imitation of BM25 over the passages, whose questions count `share`."""
    texts = texts_of(corpus)
    return fit(texts, config, work.folder / "model", share)


@stage("study.imitation_guard", version=1)
def guarded(work: Work, config: None, seen: Artifact, fitted: Artifact | None, share: float, words: Embedder) -> None:
    """`before.npy` and `after.npy`: the reciprocal rank of every guard question by the meaning in `seen`, and with words beside it."""
    meaning = [moved(np.load(seen.path / f"{name}.npy"), fitted, share) for name in ("questions", "passages")]
    texts = guard.texts(len(meaning[1]) - len(meaning[0]))
    beside = [words.embed(texts.questions, "query"), words.embed(texts.passages, "passage")]
    joined = [np.hstack(both) for both in zip(meaning, beside, strict=True)]
    save_sides(work.folder, *(guard.reciprocal_ranks_of(questions, passages) for questions, passages in (meaning, joined)))


@stage("study.imitation_exam", version=1)
def examined(work: Work, config: None, mined: Artifact, meaning: Retriever, joined: Retriever) -> dict[str, int]:
    """`rows.json`: for every exam question its rank by meaning, and by meaning and words; 0 stands for not among the first ten."""
    examples = examples_of(mined, "exam")
    ranks = zip(ranks_of(meaning, examples), ranks_of(joined, examples), strict=True)
    rows = [{"writer": one.writer, "before": before, "after": after} for one, (before, after) in zip(examples, ranks, strict=True)]
    write_json(work.folder / "rows.json", rows)
    return {"questions": len(rows)}


class ImitationStudy:
    """The stages of imitated words, which count `share`, beside the candidate of `study` or, where that was refused, beside what serves."""

    def __init__(self, study: Study, tuned: bool, share: float) -> None:
        self.study, self.run, self.tuned, self.share = study, study.run, tuned, share
        self.config = study.settings.imitation

    @cached_property
    def model(self) -> Artifact:
        """`model/`: the imitation."""
        return self.run.stage(imitation, self.config, self.study.examples.corpus, self.share)

    @property
    def name(self) -> str:
        """The imitation, as an embedder."""
        return f"{ARTIFACT}{self.model.key}"

    @cached_property
    def _words(self) -> Lazy:
        return Lazy(self.model.key, lambda: self.study.examples.embedder(self.name))

    @cached_property
    def _beside(self) -> str:
        """The embedder of meaning that words stand beside."""
        return self.study.candidate.model.key if self.tuned else self.study.live.fingerprint

    @cached_property
    def examined(self) -> Artifact:
        """The exam's questions by meaning, and by meaning and words."""
        study = self.study
        vectors = self.run.stage(body_vectors, None, study.examples.corpus, self._words, UNSTORED)

        def meaning() -> Any:
            ways = study.candidate.retrievers if self.tuned else study.live_retrievers
            return ways["dense"]

        def joined() -> Any:
            return Joined(meaning(), dense_over(study.snapshot, self._words.load(), vectors))

        return self.run.stage(
            examined,
            None,
            study.examples.mined,
            study.examples.lazy("meaning", self._beside, meaning),
            study.examples.lazy(f"joined {vectors.key}", self._beside, joined),
        )

    @cached_property
    def guard(self) -> Artifact:
        """Everyday questions by both."""
        seen = self.study.guard_seen(self.tuned)
        fitted = self.study.candidate.fitted if self.tuned else None
        return self.run.stage(guarded, None, seen, fitted, self.study.candidate.share if self.tuned else 1.0, self._words)

    @property
    def _note(self) -> str:
        told = "Words imitated by vectors, beside the meaning in dense search."
        return told if self.share == 1 else f"{told} They count {self.share:g}: with more only the guard refused."

    @property
    def key(self) -> str:
        """The candidate: these words beside this meaning."""
        return digest("imitation", self.model.key, self.study.examples.mined.key, self._beside)

    def plan(self) -> None:
        """Ask for what it needs."""
        _ = self.examined, self.guard

    def system(self) -> System:
        """What serves now, with words; by sentences it is tried anew, which count otherwise beside words."""
        return replace(self.study.live, key=self.key, imitation=self.name, sentences=None)

    def judge(self, gate: Gate, candidates: int) -> tuple[Verdict, Outcome]:
        """The verdict on dense search with words beside the same without, and what the user should see."""
        rows = read_rows(self.examined)
        writers = [row["writer"] for row in rows]
        dense = sides(rows)
        everyday = read_sides(self.guard)
        verdict = judge_imitation(gate, dense=dense, guard=everyday, candidates=candidates)
        pairs = {"dense": dense, "guard": everyday}
        return verdict, Outcome.of(
            self.key, verdict, pairs, writers=by_writer(*dense, writers), weight=self.study.live.weight, note=self._note
        )
