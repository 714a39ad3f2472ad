"""Training in rounds: each goes as far from the base as the tuning questions want, and a further one only where it has gained."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np

from selfstudy.core.artifacts import complete, manifest
from selfstudy.core.errors import BadConfig
from selfstudy.core.ports import Embedder
from selfstudy.core.records import Artifact, Passage, digest
from selfstudy.core.run import Lazy, Work, stage
from selfstudy.core.studied import examples_of
from selfstudy.evals.bootstrap import Values
from selfstudy.evals.paired import compare
from selfstudy.evals.ranking import ranks_of_own, reciprocal
from selfstudy.recipes.caches import vectors_of
from selfstudy.recipes.examples import Examples
from selfstudy.recipes.remembering import Remembering
from selfstudy.recipes.teacher import Teacher
from selfstudy.recipes.vectors import dense_over
from selfstudy.train import embedder as training
from selfstudy.train import pretraining
from selfstudy.train.averaging import average
from selfstudy.train.embedder import embedder as train_embedder
from selfstudy.train.pretraining import pretrained


class Rounds:
    """The rounds of training on the examples of one snapshot, from the base's weights on."""

    def __init__(self, examples: Examples) -> None:
        self.examples, self.run, self.settings = examples, examples.run, examples.settings

    @property
    def start(self) -> Lazy:
        """The folder of the base."""
        return Lazy(self.examples.base.fingerprint, lambda: self._base.model_folder)

    @cached_property
    def trained(self) -> Artifact | None:
        """What the trainer made; None where it has no time, or the weights are out of reach, behind an API."""
        wanted = self.settings.training
        if not (wanted.minutes or wanted.max_steps) or self._base.model_folder is None:
            return None
        start = self.start
        if self.settings.pretraining.method != "off":
            used = self.run.stage(pretrained, self.settings.pretraining, self.examples.corpus, start)
            start = Lazy(used.key, partial(_model_of, used))
        return self._trained(self.examples.mined, start)

    @cached_property
    def averaged(self) -> Artifact | None:
        """`model/`: as far from the base as the tuning questions would have it, without a head; None: the base's own weights.

        A further round goes on from there, with negatives that are mined anew, as long as the one before is proven to have gained on the
        tuning questions; it too is kept only as far as they want it.
        """
        if self.trained is None:
            return None
        start = self.start
        best = self._averaged(self.trained, start)
        for _ in range(1, self.settings.rounds):
            if not self._gained(start, best):
                break
            start = Lazy(best.key, partial(_model_of, best))
            best = self._averaged(self._trained(self._mined_by(best), start), start)
        return best

    def check(self) -> None:
        """Raise BadConfig for settings of the training that do not fit the base, or would do nothing."""
        wanted, folder = self.settings.training, self._base.model_folder
        if folder is not None:
            training.check(wanted, folder)
            pretraining.check(self.settings.pretraining, folder)
        if self.settings.pretraining.method != "off" and (folder is None or not (wanted.minutes or wanted.max_steps)):
            raise BadConfig(
                f"pretraining.method = {self.settings.pretraining.method!r} would do nothing: nothing is trained after it.",
                "The weights of this embedder are out of reach: leave it out." if folder is None else "Give training.minutes or max_steps.",
            )

    @property
    def _base(self) -> Remembering:
        return self.examples.embedder(self.examples.base.embedder)

    def _mined_by(self, body: Artifact) -> Artifact:
        """The examples again, with negatives that the tuned `body` itself takes for evidence."""
        examples = self.examples

        def dense() -> Any:
            return dense_over(examples.snapshot, examples.embedder_of(body).load(), examples.vectors_of(body))

        return examples.mined_by(examples.lazy("dense", body.key, dense))

    def _trained(self, mined: Artifact, start: Lazy) -> Artifact:
        examples = self.examples
        teacher = examples.lazy("teacher", examples.base.fingerprint, lambda: Teacher(examples.snapshot, examples.retrievers, self._base))
        return self.run.stage(train_embedder, self.settings.training, mined, start, teacher)

    def _averaged(self, trained: Artifact, start: Lazy) -> Artifact:
        return self.run.stage(average, self.settings.average, trained, start, self._tuned_by(tune_score))

    def _gained(self, start: Lazy, best: Artifact) -> bool:
        """Whether a round that led from `start` to `best` is proven to have gained; a plan reckons with it."""
        if complete(best.path) is not None and manifest(best).result["share"] == 0:
            return False
        told = self.run.stage(gain, None, start, Lazy(best.key, partial(_model_of, best)), self._tuned_by(tune_ranks))
        return complete(told.path) is None or proven(told, self.settings.gate.alpha)

    def _tuned_by(self, judge: Callable[..., Any]) -> Lazy:
        """What the tuning questions say of a model folder."""
        mined, passages = self.examples.mined, self.examples.snapshot.passages
        return Lazy(digest("tune score", mined.key), lambda: judge(mined, list(passages), self._loaded))

    def _loaded(self, folder: Path) -> Embedder:
        from selfstudy.models.sentence import SentenceEmbedder

        return Remembering(SentenceEmbedder(folder), vectors_of(self.examples.home, self.settings.cache))


def _model_of(made: Artifact) -> Path:
    return made.path / "model"


@stage("study.gain", version=1)
def gain(work: Work, config: None, before: Path, after: Path, ranks: Callable[[Path], Values]) -> dict[str, Any] | None:
    """How much better the tuning questions find their passages by the model in `after` than by that in `before`; None: there are none."""
    had = ranks(before)
    work.progress(1, 2)
    has = ranks(after)
    return compare(had, has).json() if len(had) else None


def proven(made: Artifact, alpha: float) -> bool:
    """Whether that gain is significant."""
    told = manifest(made).result
    return bool(told) and told["low"] > 0 and told["p"] <= alpha


def tune_score(mined: Artifact, passages: Sequence[Passage], load: Callable[[Path], Embedder]) -> Callable[[Path], float]:
    """A function from a model folder to its dense MRR@10 on tuning questions, see `tune_ranks`."""
    ranks = tune_ranks(mined, passages, load)

    def score(folder: Path) -> float:
        found = ranks(folder)
        return float(found.mean()) if len(found) else 0.0

    return score


def tune_ranks(mined: Artifact, passages: Sequence[Passage], load: Callable[[Path], Embedder]) -> Callable[[Path], Values]:
    """A function from a model folder to 1 / dense rank (0 beyond 10) of tuning questions, among their passages, distractors and others."""
    examples = examples_of(mined, "tune")[:300]
    pool = {hit.passage.id: hit.passage for e in examples for hit in (*e.evidence, *e.distractors[:2])}
    for passage in sorted(passages, key=lambda p: p.id):
        if len(pool) >= 600:
            break
        pool.setdefault(passage.id, passage)
    places = {id: place for place, id in enumerate(pool)}

    def ranks(folder: Path) -> Values:
        embedder = load(folder)
        matrix = embedder.embed([passage.indexed for passage in pool.values()], "passage")
        asked = embedder.embed([example.question for example in examples], "query")
        own = np.array([places[example.evidence[0].passage.id] for example in examples], np.int64)
        return reciprocal(ranks_of_own(asked, matrix, own))

    return ranks
