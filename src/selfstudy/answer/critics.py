"""Critics: one out of entailment (by words, or a small model's) and relevance, and a generator tuned for the four tasks of Self-RAG."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from selfstudy.answer.scoring import supports, within
from selfstudy.answer.written import bears_out
from selfstudy.core.critique import LABELS, Task, asked
from selfstudy.core.errors import BadModel
from selfstudy.core.ports import SUPPORT, Decoder, Entailment, Triple, Vectors
from selfstudy.core.records import Critique, Passage, Support

Relevance = Callable[[Sequence[tuple[str, str]]], Iterable[float]]
"""The probability for each (question, passage) that the passage is relevant."""


class Worded:
    """A `core.ports.Entailment` that goes by the words: what the passage bears out is fully supported, anything else is not."""

    def supported(self, triples: Sequence[Triple]) -> Vectors:
        """As `core.ports.Entailment.supported`; the probabilities are 0 and 1."""
        borne_out = [bears_out(said, Passage("", "", passage), question) for question, said, passage in triples]
        levels = [SUPPORT.index("fully" if one else "no") for one in borne_out]
        rows: Vectors = np.eye(len(SUPPORT), dtype=np.float32)[levels].reshape(len(levels), len(SUPPORT))
        return rows


class EntailmentCritic:
    """`entailment`, and `relevance` beside it, as a `core.ports.Critic`. It knows nothing of usefulness, and always searches."""

    def __init__(self, entailment: Entailment, relevance: Relevance | None = None) -> None:
        self.entailment = entailment
        self.relevance = relevance

    def retrieve(self, begun: Sequence[tuple[str, str]]) -> list[tuple[float, float, float]]:
        """As `core.ports.Critic.retrieve`."""
        return [(1.0, 0.0, 0.0) for _ in begun]

    def critiques(self, triples: Sequence[Triple]) -> list[Critique]:
        """As `core.ports.Critic.critiques`."""
        shown = [triple for triple in triples if triple[2]]
        supported = iter(supports(self.entailment.supported(shown)) if shown else ())
        pairs = [(question, passage) for question, _, passage in shown]
        relevant = iter(map(float, self.relevance(pairs)) if self.relevance is not None and shown else [None] * len(shown))
        return [Critique(next(relevant), next(supported)) if passage else Critique() for _, _, passage in triples]


class TunedCritic:
    """One causal model for the four tasks, chosen by instruction; a class has the normalised probability of its label."""

    def __init__(self, decoder: Decoder) -> None:
        self.decoder = decoder

    def retrieve(self, begun: Sequence[tuple[str, str]]) -> list[tuple[float, float, float]]:
        """As `core.ports.Critic.retrieve`."""
        found = self.probabilities("retrieve", [(question, said, "") for question, said in begun])
        return [(row[0], row[1], row[2]) for row in found]

    def critiques(self, triples: Sequence[Triple]) -> list[Critique]:
        """As `core.ports.Critic.critiques`."""
        shown = [triple for triple in triples if triple[2]]
        relevant = iter(self.probabilities("relevant", [(question, "", passage) for question, _, passage in shown]))
        supported = iter(self.probabilities("supported", shown))
        useful = self.probabilities("useful", [(question, answer, "") for question, answer, _ in triples])
        return [
            Critique(
                next(relevant)[0] if passage else None,
                Support(*next(supported)) if passage else None,
                (mark[0], mark[1], mark[2], mark[3], mark[4]),
            )
            for (_, _, passage), mark in zip(triples, useful, strict=True)
        ]

    def probabilities(self, task: Task, triples: Sequence[Triple]) -> list[list[float]]:
        """For each triple the probabilities of LABELS[task], in their order."""
        rows = self.decoder.weigh([(asked(task, *triple), "", "") for triple in triples], LABELS[task])
        found = [within(row, LABELS[task]) for row in rows]
        if any(row is None for row in found):
            raise BadModel(f"{self.decoder.name} gives no probabilities for {task}.", "Tune it as a critic first.")
        return [row for row in found if row is not None]
