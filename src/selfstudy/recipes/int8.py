"""The embedder that serves, in int8: calibrated on the passages, and live only if it is proven to find them nearly as well."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from pathlib import Path

from selfstudy.core.plugs import extra
from selfstudy.core.ports import Embedder, Retriever
from selfstudy.core.records import Artifact, digest
from selfstudy.core.run import Lazy, Work, stage
from selfstudy.core.studied import texts_of
from selfstudy.evals import guard
from selfstudy.evals.gate import Gate, Verdict, judge_int8
from selfstudy.evals.ranking import gains
from selfstudy.models.int8 import quantise
from selfstudy.recipes.everyday import read_sides, save_sides
from selfstudy.recipes.exam import exam, read_rows, sides
from selfstudy.recipes.outcome import Outcome
from selfstudy.recipes.study import Study
from selfstudy.recipes.system import ARTIFACT, System, converted, retrievers
from selfstudy.recipes.vectors import UNSTORED, body_vectors, dense_over

_NOTE = "The same embedder in int8."


@stage("study.int8", version=2)
def quantised(work: Work, config: None, corpus: Artifact, whole: tuple[Path, Path]) -> None:
    """`model/`: the model of a folder in int8; `whole` are that folder and where it is kept as it runs."""
    folder, cache = whole
    texts = texts_of(corpus)
    quantise(folder, texts, work.folder / "model", cache)


@stage("study.int8_guard", version=1)
def guarded(work: Work, config: None, before: Embedder, after: Embedder) -> None:
    """`before.npy` and `after.npy`: the reciprocal rank of every guard question, among fewer passages than usual."""
    ranks = []
    for done, embedder in enumerate((before, after), 1):
        ranks.append(guard.reciprocal_ranks(embedder, n=guard.FEW))
        work.progress(done, 2)
    save_sides(work.folder, *ranks)


def check() -> None:
    """Raise MissingExtra where models cannot be made int8 here."""
    extra("nncf", "int8")


class Int8Study:
    """The stages of the embedder that serves in `study`, in int8, over the same passages and examples."""

    def __init__(self, study: Study) -> None:
        self.study, self.run = study, study.run
        self.whole = study.examples.embedder(study.live.learned)
        self.full = replace(study.live, embedder=study.live.learned, fingerprint=self.whole.fingerprint, whole=None)

    @property
    def possible(self) -> bool:
        """Whether the weights are at hand."""
        return self.whole.model_folder is not None

    @cached_property
    def model(self) -> Artifact:
        """`model/`: the embedder in int8."""
        folders = Lazy(self.whole.fingerprint, lambda: (self.whole.model_folder, converted(self.study.home)))
        return self.run.stage(quantised, None, self.study.examples.corpus, folders)

    @property
    def name(self) -> str:
        return f"{ARTIFACT}{self.model.key}"

    @cached_property
    def _small(self) -> Lazy:
        return Lazy(self.model.key, lambda: self.study.examples.embedder(self.name))

    @cached_property
    def examined(self) -> Artifact:
        """The exam's questions by the embedder as it is, and in int8."""
        study, weight = self.study, self.full.weight
        vectors = self.run.stage(body_vectors, None, study.examples.corpus, self._small, UNSTORED)
        before = study.examples.lazy(f"full {weight:.3f}", self.full.fingerprint, lambda: retrievers(study.snapshot, self.whole, weight))

        def small() -> dict[str, Retriever]:
            embedder: Embedder = self._small.load()
            return retrievers(study.snapshot, embedder, weight, dense_over(study.snapshot, embedder, vectors))

        return self.run.stage(exam, None, study.examples.mined, before, Lazy(digest("small", vectors.key, f"{weight:.3f}"), small))

    @cached_property
    def guard(self) -> Artifact:
        """Everyday questions by both."""
        return self.run.stage(guarded, None, Lazy(self.full.fingerprint, lambda: self.whole), self._small)

    @property
    def key(self) -> str:
        """The candidate: this embedder in int8 over this search."""
        return digest("int8", self.model.key, self.study.examples.mined.key, f"{self.full.weight:.3f}")

    def plan(self) -> None:
        """Ask for what it needs."""
        _ = (self.examined, self.guard) if self.possible else ()

    def system(self) -> System:
        """What serves now, in int8."""
        small = self.study.examples.embedder(self.name)
        return replace(self.full, embedder=self.name, fingerprint=small.fingerprint, key=self.key, whole=self.full.embedder)

    def judge(self, gate: Gate, candidates: int = 1) -> tuple[Verdict, Outcome]:
        """The verdict on the embedder in int8 beside the same in full precision, and what the user should see.

        It has nothing to gain, so that it does not matter how many `candidates` there were.
        """
        if not self.possible:
            verdict = Verdict(
                False, f"Refused: the weights of {self.full.embedder} are not here, so that there is nothing to make int8.", ()
            )
            return verdict, Outcome.of("", verdict, {}, weight=self.full.weight, note=_NOTE)
        rows = read_rows(self.examined)
        found = sides(rows, "dense_"), sides(rows, "hybrid_"), read_sides(self.guard)
        dense, hybrid, everyday = ((gains(before), gains(after)) for before, after in found)
        verdict = judge_int8(gate, dense=dense, hybrid=hybrid, guard=everyday)
        pairs = {"dense": dense, "hybrid": hybrid, "guard": everyday}
        return verdict, Outcome.of(self.key, verdict, pairs, weight=self.full.weight, note=_NOTE, metric="nDCG@10")
