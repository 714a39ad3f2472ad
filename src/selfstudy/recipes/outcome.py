"""What an adapt came to, as it is shown, kept in the history and printed as JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from selfstudy.core.records import Difference, Interval, Record
from selfstudy.evals.gate import Verdict


@dataclass(frozen=True, slots=True)
class Outcome(Record):
    """What an adapt came to. `metrics` holds the MRR@10 of the exam and the guard before and after; `report` is relative to the home.

    `generator` and `reranker` are the Outcomes of what was tuned after the search, as plain data. `votes`: whether people's votes were
    learned from, and why.
    """

    key: str
    promoted: bool
    reason: str
    verdict: Verdict | None
    metrics: dict[str, dict[str, Interval]]
    differences: dict[str, Difference]
    writers: dict[str, Difference]
    questions: dict[str, dict[str, int]]
    round_trip: dict[str, dict[str, int]]
    negatives: dict[str, int]
    weight: float
    seconds: float
    report: str
    note: str = ""
    generator: dict[str, Any] | None = None
    votes: dict[str, Any] | None = None
    reranker: dict[str, Any] | None = None

    def fails_only(self, name: str) -> bool:
        """Whether the check of this name is the one that refused."""
        return self.verdict is not None and [check.name for check in self.verdict.checks if not check.passed] == [name]
