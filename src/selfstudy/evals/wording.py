"""Numbers as a person reads them, the same in the verdict and on the report page."""

from __future__ import annotations

from selfstudy.core.records import Difference


def signed(value: float) -> str:
    """A difference of a metric, with its sign."""
    return f"{value:+.3f}" if abs(value) >= 0.0005 else "0.000"


def chance(p: float) -> str:
    """A p-value, in full words."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.2g}"


def difference(found: Difference) -> str:
    """A difference with its interval, its p-value and the number of questions behind it."""
    questions = "question" if found.n == 1 else "questions"
    return f"{signed(found.value)} [{signed(found.low)}, {signed(found.high)}] ({chance(found.p)}, {found.n} {questions})"
