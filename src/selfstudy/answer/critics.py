"""A small critic (support, and relevance where it tells that too) as a Judge."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from selfstudy.answer.scoring import supports
from selfstudy.core.ports import Critic, Triple
from selfstudy.core.records import Verdict

Relevance = Callable[[Sequence[tuple[str, str]]], Sequence[float]]
"""The probability for each (question, passage) that the passage is relevant."""


class Critical:
    """`critic`, and `relevance` beside it, as a `core.ports.Judge`. It knows nothing of usefulness, and always searches."""

    def __init__(self, critic: Critic, relevance: Relevance | None = None) -> None:
        self.critic = critic
        self.relevance = relevance

    def retrieve(self, begun: Sequence[tuple[str, str]]) -> list[tuple[float, float, float]]:
        """As `core.ports.Judge.retrieve`."""
        return [(1.0, 0.0, 0.0) for _ in begun]

    def verdicts(self, triples: Sequence[Triple]) -> list[Verdict]:
        """As `core.ports.Judge.verdicts`."""
        shown = [triple for triple in triples if triple[2]]
        supported = iter(supports(self.critic.supported(shown)) if shown else ())
        pairs = [(question, passage) for question, _, passage in shown]
        relevant = iter(self.relevance(pairs) if self.relevance is not None and shown else [None] * len(shown))
        return [Verdict(next(relevant), next(supported)) if passage else Verdict() for _, _, passage in triples]
