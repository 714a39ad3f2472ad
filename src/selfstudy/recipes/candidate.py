"""The candidate of a study: the embedder that training and a head make of the base, with its share in hybrid search."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from selfstudy.core.files import read_json
from selfstudy.core.ports import Embedder, Retriever
from selfstudy.core.records import Artifact, digest
from selfstudy.core.run import Lazy
from selfstudy.recipes.adapted import adapted
from selfstudy.recipes.examples import Examples
from selfstudy.recipes.fitting import head
from selfstudy.recipes.remembering import Remembering
from selfstudy.recipes.rounds import Rounds
from selfstudy.recipes.system import ARTIFACT, System, retrievers
from selfstudy.recipes.vectors import dense_over, passage_vectors, question_vectors
from selfstudy.recipes.weighing import weight
from selfstudy.train.averaging import joined, nearer


class Candidate:
    """The stages of one candidate over the examples of a snapshot. `share` below 1 is one nearer to the base."""

    def __init__(self, examples: Examples, share: float = 1.0) -> None:
        self.examples, self.run, self.share = examples, examples.run, share
        self.rounds = Rounds(examples)

    @cached_property
    def body(self) -> Artifact | None:
        """`model/` without a head; None: the base's own weights."""
        if self.share == 1 or self.rounds.averaged is None:
            return self.rounds.averaged
        return self.run.stage(nearer, None, self.share, self.rounds.averaged, self.rounds.start)

    @cached_property
    def fitted(self) -> Artifact:
        """The head, fitted on the vectors of what the rounds came to."""
        examples, body = self.examples, self.rounds.averaged
        asked = self.run.stage(question_vectors, None, examples.kept, examples.embedder_of(body))
        return self.run.stage(head, examples.settings.head, examples.mined, asked, examples.vectors_of(body), examples.corpus)

    @cached_property
    def model(self) -> Artifact:
        """`model/` is a sentence-transformers folder, or for an embedder behind an API its name and the head."""
        settings = self.examples.settings
        if self.examples.embedder(self.examples.base.embedder).model_folder is None:
            return self.run.stage(adapted, None, self.share, settings.embedder, self.fitted)
        return self.run.stage(joined, None, self.share, self.body or self.rounds.start, self.rounds.trained, self.fitted)

    @property
    def name(self) -> str:
        """The candidate, as an embedder."""
        return f"{ARTIFACT}{self.model.key}"

    @property
    def embedder(self) -> Remembering:
        return self.examples.embedder(self.name)

    @cached_property
    def vectors(self) -> Artifact:
        """Those of the corpus."""
        examples, body = self.examples, self.examples.vectors_of(self.body)
        return self.run.stage(passage_vectors, None, examples.corpus, body, self.fitted, self.share, examples.embedder_of(self.model))

    @cached_property
    def weighed(self) -> Artifact:
        share = self.examples.base.weight  # none where the base cannot read these documents: its tuned self may, and has to prove it
        hybrid = Lazy(digest("tuned hybrid", self.vectors.key, repr(share)), lambda: self._retrievers(share)["hybrid"])
        return self.run.stage(weight, None, self.examples.mined, hybrid)

    @property
    def weight(self) -> float:
        """The dense share of the candidate's hybrid search."""
        return float(read_json(self.weighed.path / "weight.json")["weight"])

    @property
    def retrievers(self) -> dict[str, Retriever]:
        """The candidate's three ways to search."""
        return self._retrievers(self.weight)

    def _retrievers(self, weight: float) -> dict[str, Retriever]:
        snapshot, embedder = self.examples.snapshot, self.embedder
        return retrievers(snapshot, embedder, weight, dense_over(snapshot, embedder, self.vectors))

    @cached_property
    def calibrated(self) -> Artifact:
        """When the candidate should abstain."""

        def load() -> tuple[Any, Embedder]:
            return self.retrievers["hybrid"], self.embedder

        return self.examples.calibrated(Lazy(digest("tuned system", self.weighed.key), load))

    @property
    def key(self) -> str:
        """Its model and its share in hybrid search. It sits the exam once, beside what serves then."""
        return digest("candidate", self.model.key, self.weighed.key)

    def system(self, calibrated: bool, generator: str | None) -> System:
        """The candidate as it would serve, beside `generator`; one that is not calibrated abstains by the default."""
        abstention = read_json(self.calibrated.path / "calibration.json") if calibrated else None
        return System(self.name, self.embedder.fingerprint, self.weight, self.key, abstention, generator)

    @property
    def losses(self) -> list[float]:
        """Of the training, or where there was none, of the head."""
        path = (self.rounds.trained or self.fitted).path / "losses.json"
        losses: list[float] = read_json(path) if path.exists() else []
        return losses
