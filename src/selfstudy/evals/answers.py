"""Did it abstain where it should, how sure may one be of what it answers, and is the answer the right one?"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from selfstudy.core.choices import affirmed, matched
from selfstudy.core.records import Example, Record
from selfstudy.core.text import MARKS, spaced_words

_ARTICLE = re.compile(r"\b(?:a|an|the)\b")
_FIRST = 40
"""The words of an answer (Chinese: characters) among which the right ones must stand: who talks on finds them by chance."""


@dataclass(frozen=True, slots=True)
class Abstention(Record):
    """How well the unanswerable questions were found. `answered` is the share of answerable ones that got an answer."""

    f1: float
    precision: float
    recall: float
    answered: float
    n: int


@dataclass(frozen=True, slots=True)
class RiskCoverage(Record):
    """Point i: answering only the `coverage[i]` of questions that are surest makes a share `risk[i]` of the answers wrong.

    `area` is the mean risk over all coverages (AURC); `best` is the area if confidence put every right answer before every wrong one.
    """

    coverage: tuple[float, ...]
    risk: tuple[float, ...]
    threshold: tuple[float, ...]
    area: float
    best: float


def abstention(abstained: ArrayLike, answerable: ArrayLike) -> Abstention:
    """F1, precision and recall of abstaining, against whether the documents hold the answer. What is divided by 0 is 0."""
    refused, there = np.asarray(abstained, dtype=bool), np.asarray(answerable, dtype=bool)
    if refused.shape != there.shape:
        raise ValueError(f"{refused.shape} decisions do not fit {there.shape} questions")
    right, wrong, missed = int((refused & ~there).sum()), int((refused & there).sum()), int((~refused & ~there).sum())
    return Abstention(
        f1=_share(2 * right, 2 * right + wrong + missed),
        precision=_share(right, right + wrong),
        recall=_share(right, right + missed),
        answered=_share(int((~refused & there).sum()), int(there.sum())),
        n=len(there),
    )


def risk_coverage(confidence: ArrayLike, correct: ArrayLike) -> RiskCoverage:
    """The curve of El-Yaniv and Wiener (2010). Questions of equal confidence are answered together, so each tie is one point.

    The area counts every question once: within a tie the risk is the mean over all orders of it. Raises ValueError without questions.
    """
    sure, right = np.asarray(confidence, dtype=np.float64), np.asarray(correct, dtype=np.float64)
    if sure.shape != right.shape or not len(sure):
        raise ValueError(f"{sure.shape} confidences do not fit {right.shape} answers")
    order = np.argsort(-sure, kind="stable")
    sure, wrong = sure[order], 1 - right[order]
    last = np.flatnonzero(np.append(np.diff(sure) != 0, True))  # the last place of each tie
    counts = np.diff(np.append(-1, last))
    errors = np.add.reduceat(wrong, np.append(0, last[:-1] + 1))
    expected = np.repeat(errors / counts, counts)
    places = np.arange(1, len(sure) + 1)
    return RiskCoverage(
        coverage=tuple(((last + 1) / len(sure)).tolist()),
        risk=tuple((np.cumsum(wrong)[last] / (last + 1)).tolist()),
        threshold=tuple(sure[last].tolist()),
        area=float(np.mean(np.cumsum(expected) / places)),
        best=float(np.mean(np.cumsum(np.sort(wrong)) / places)),
    )


def auc(values: ArrayLike, labels: ArrayLike) -> float:
    """How often a value labelled 1 is above one labelled 0, a tie counting half; nan where a label is absent."""
    numbers, there = np.asarray(values, dtype=np.float64), np.asarray(labels, dtype=bool)
    if numbers.shape != there.shape:
        raise ValueError(f"{numbers.shape} values do not fit {there.shape} labels")
    above, below = numbers[there], np.sort(numbers[~there])
    if not len(above) or not len(below):
        return float("nan")
    passed = np.searchsorted(below, above, "left") + np.searchsorted(below, above, "right")
    return float(passed.mean() / (2 * len(below)))


def normalized(text: str) -> list[str]:
    """Words as SQuAD compares them: lower case, no signs, no articles; every CJK character is a word. Marks [1] are dropped."""
    plain = _ARTICLE.sub(" ", re.sub(r"[^\w\s]|_", " ", MARKS.sub(" ", text).lower()))
    return spaced_words(plain)


def token_f1(answer: str, references: Sequence[str]) -> float:
    """The highest F1 of common words (Chinese: characters) with a reference; 1 for no words against no words."""
    return max((_f1(normalized(answer), normalized(reference)) for reference in references), default=0.0)


def exact_match(answer: str, references: Sequence[str]) -> float:
    """1 if the answer has the words of a reference and no others, in its order."""
    return float(any(normalized(answer) == normalized(reference) for reference in references))


def holds(answer: str, references: Sequence[str]) -> float:
    """1 if the words of a reference stand in the answer side by side: what can be asked of an answer in whole sentences."""
    words = f" {' '.join(normalized(answer))} "
    wanted = (normalized(reference) for reference in references)
    return float(any(f" {' '.join(reference)} " in words for reference in wanted if reference))


def score(answer: str, example: Example) -> float:
    """How right an answer is, 0 to 1, whatever its form: 1 where its first words hold the right ones, else the token F1 of all of it.

    So nobody wins by talking on. `exact_match` and `token_f1` alone are those of SQuAD. A claim's answer is its first verdict, that of a
    multiple choice the one that it names and does not deny (`core.choices`).
    """
    if example.kind == "claim":
        right = affirmed(example.answers[0])
        return float(right is not None and affirmed(answer) == right)
    if example.choices:
        return float(matched(MARKS.sub("", answer), example.choices) in example.answers)
    return max(holds(" ".join(normalized(answer)[:_FIRST]), example.answers), token_f1(answer, example.answers))


def _f1(answer: list[str], reference: list[str]) -> float:
    if not answer or not reference:
        return float(answer == reference)
    common = sum((Counter(answer) & Counter(reference)).values())
    return 2 * common / (len(answer) + len(reference))


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
