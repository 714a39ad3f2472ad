"""What the report of an adaptation or an evaluation shows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from selfstudy.core.records import Difference, Interval, Record
from selfstudy.evals.gate import Verdict


@dataclass(frozen=True, slots=True)
class Ranked(Record):
    """An exam question with the rank of its evidence before and after; None where it is not among the first ten."""

    question: str
    writer: str
    before: int | None
    after: int | None


@dataclass(frozen=True, slots=True)
class ReportData(Record):
    """What the page shows; whatever is left empty is left out of it.

    `before`, `after` and `differences` go by retriever ("lexical", "dense", "hybrid") and metric (`ranking.METRICS`), as in
    `evaluate --json`; `forest` goes by what is compared ("dense, all", "writer: cloze", "hybrid", "guard", ...), in the order shown;
    `asked` holds the exam questions with their ranks by dense search; `dropped` counts questions that the round trip dropped, by reason,
    beside the `kept` ones; `counts` goes by writer and split; `loss` holds (step, training loss); `config` goes by dotted path.
    """

    title: str
    created: str = ""
    verdict: Verdict | None = None
    before: dict[str, dict[str, Interval]] = field(default_factory=dict)
    after: dict[str, dict[str, Interval]] = field(default_factory=dict)
    differences: dict[str, dict[str, Difference]] = field(default_factory=dict)
    forest: dict[str, Difference] = field(default_factory=dict)
    asked: tuple[Ranked, ...] = ()
    kept: int = 0
    dropped: dict[str, int] = field(default_factory=dict)
    counts: dict[str, dict[str, int]] = field(default_factory=dict)
    loss: tuple[tuple[int, float], ...] = ()
    config: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
