"""What an adapt came to, as it is shown, kept in the history and printed as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, Self

from selfstudy.core.records import Difference, Interval, Record
from selfstudy.evals.gate import BeforeAfter, Gate, Verdict
from selfstudy.evals.paired import compare
from selfstudy.evals.ranking import summary
from selfstudy.models.api import Meter
from selfstudy.recipes.system import System


@dataclass(frozen=True, slots=True)
class Outcome(Record):
    """What an adapt came to. `metrics` holds `metric` of the exam and the guard before and after; `report` is relative to the home.

    `imitation`, `sentences`, `int8`, `reranker` and `generator` are the Outcomes of what came beside and after it, as plain data.
    `critic`: of a generator that judges itself what its critic learned: `shares` of labels, what was `dropped`, a `sample` of rows to read.
    `votes`: whether people's votes were learned from, and why. `paid`: what models behind an API were asked, None where none was.
    """

    key: str
    promoted: bool
    reason: str
    verdict: Verdict | None
    metrics: dict[str, dict[str, Interval]]
    differences: dict[str, Difference]
    weight: float
    writers: dict[str, Difference] = field(default_factory=dict)
    questions: dict[str, dict[str, int]] = field(default_factory=dict)
    round_trip: dict[str, dict[str, int]] = field(default_factory=dict)
    negatives: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    report: str = ""
    note: str = ""
    metric: str = "MRR@10"
    critic: dict[str, Any] | None = None
    votes: dict[str, Any] | None = None
    paid: dict[str, Any] | None = None
    imitation: dict[str, Any] | None = None
    sentences: dict[str, Any] | None = None
    int8: dict[str, Any] | None = None
    reranker: dict[str, Any] | None = None
    generator: dict[str, Any] | None = None

    @classmethod
    def of(cls, key: str, verdict: Verdict, pairs: Mapping[str, BeforeAfter], **more: Any) -> Self:
        """What `verdict` says of a candidate, with the means and differences of `pairs`, by name."""
        metrics = {name: {"before": summary(pair[0]), "after": summary(pair[1])} for name, pair in pairs.items()}
        differences = {name: compare(*pair) for name, pair in pairs.items()}
        return cls(key, verdict.promote, verdict.reason, verdict, metrics, differences, **more)

    def withdrawn(self, reason: str) -> Self:
        """The same, where it does not serve any more, nor what went live with it."""
        gone = {"promoted": False, "reason": reason}
        imitation, sentences = (told | gone if told and told["promoted"] else told for told in (self.imitation, self.sentences))
        return replace(self, promoted=False, reason=reason, imitation=imitation, sentences=sentences)

    def fails_only(self, *names: str) -> bool:
        """Whether it was refused, and by none but checks of these names."""
        failed = {check.name for check in self.verdict.checks if not check.passed} if self.verdict is not None else set()
        return bool(failed) and failed <= set(names)


class PartStudy(Protocol):
    """The stages of what comes beside the search: imitated words, sentences, int8, a reranker, a generator."""

    @property
    def key(self) -> str:
        """The candidate: what was made, over this search and these examples."""

    def plan(self) -> None:
        """Ask for what it needs, as far as that is known before anything ran."""

    def judge(self, gate: Gate, candidates: int) -> tuple[Verdict, Outcome]:
        """The verdict on the candidate, and what the user should see; where it must be proven to gain, `candidates` counts those that
        its exam judged, this one included.
        """

    def system(self) -> System | None:
        """What serves now, with this part; None where there is none that could serve."""


def paid(meter: Meter) -> dict[str, Any] | None:
    """What models behind an API were asked in this run, by the names that they gave themselves; None where nothing was."""
    if not meter.calls and not meter.kept:
        return None
    return {
        "calls": meter.calls, "kept": meter.kept, "prompt_tokens": meter.prompt_tokens, "completion_tokens": meter.completion_tokens,
        "money": None if meter.unpriced else round(meter.money, 6), "models": dict(meter.models),
        "unpriced": sorted(meter.unpriced), "estimated": sorted(meter.estimated),
    }  # fmt: skip
