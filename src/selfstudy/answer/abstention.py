"""When to say that the documents do not hold the answer: a probability from a few features, and a threshold.

The weights of the features are learned once, from questions as people put them (`default.py`). What a home adds is a straight line over
their log-odds (Platt, 1999) and the threshold, from its own questions. Weights learned from questions that rules wrote do not carry over to
people's: rules repeat the words of the passage, people do not, and coverage then counts for all (AUC .77 in place of .86 on clapnq).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import BaseModel, ConfigDict, Field

from selfstudy.answer.signals import COSINES, NAMES, Features
from selfstudy.core.errors import HomeError
from selfstudy.core.records import Record

Numbers = NDArray[np.float64]
Flags = NDArray[np.bool_]


class Abstain(BaseModel):
    """How the threshold is set."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    objective: Literal["f1", "risk"] = Field("f1", description="f1: find the unanswerable best; risk: few of them among the answered")
    risk: float = Field(0.1, gt=0, lt=1, description="for objective risk: the share of unanswerable questions among the answered ones")
    fewest: int = Field(20, ge=2, description="answerable and unanswerable examples below which the default stays")


@dataclass(frozen=True, slots=True)
class Line(Record):
    """log-odds = bias + weights . (features - means) / scales; an answer is given from the probability `threshold` on."""

    means: tuple[float, ...]
    scales: tuple[float, ...]
    weights: tuple[float, ...]
    bias: float
    threshold: float


@dataclass(frozen=True, slots=True)
class Calibration(Record):
    """One Line for questions that were compared by meaning and words, one for those compared by words alone."""

    names: tuple[str, ...]
    meaning: Line
    words: Line


def confidence(features: Features, calibration: Calibration) -> Numbers:
    """(n,) probabilities that the hits hold the answer; 0 for a question without anything to read. Raises HomeError for other features."""
    if calibration.names != NAMES:
        raise HomeError(
            f"The threshold for abstaining was set on other features ({', '.join(calibration.names)}) than this version reads.",
            "Run `selfstudy adapt` again.",
        )
    found = np.zeros(len(features))
    for line, rows in ((calibration.meaning, by_meaning(features)), (calibration.words, by_words(features))):
        found[rows] = _probability(_log_odds(features[rows], line))
    return found


def abstains(features: Features, calibration: Calibration) -> Flags:
    """(n,) whether the question is better not answered."""
    thresholds = np.where(by_meaning(features), calibration.meaning.threshold, calibration.words.threshold)
    refused: Flags = (confidence(features, calibration) < thresholds) | np.isnan(features).all(axis=1)
    return refused


def by_meaning(features: Features) -> Flags:
    """Rows that hold everything."""
    return np.asarray(~np.isnan(features).any(axis=1))


def by_words(features: Features) -> Flags:
    """Rows that hold everything but the cosines."""
    return np.asarray(np.isnan(features[:, :COSINES]).any(axis=1) & ~np.isnan(features[:, COSINES:]).any(axis=1))


def fit(features: Features, labels: ArrayLike, prior: Calibration, cfg: Abstain = Abstain()) -> Calibration:  # noqa: B008
    """`prior` with its probabilities and thresholds fitted to examples; `labels` are 1 where the hits hold the answer, 0 where not.

    Where there are too few examples of a sort, or where the prior ranks them upside down, its line stays as it is.
    """
    answerable = np.asarray(labels, dtype=np.float64)
    return replace(
        prior,
        meaning=_fitted(prior.meaning, features, answerable, by_meaning(features), cfg),
        words=_fitted(prior.words, features, answerable, by_words(features), cfg),
    )


def _fitted(line: Line, features: Features, answerable: Numbers, rows: Flags, cfg: Abstain) -> Line:
    chosen, odds = answerable[rows], _log_odds(features[rows], line)
    positive, negative = int(chosen.sum()), int((1 - chosen).sum())
    if min(positive, negative) < cfg.fewest:
        return line
    # Platt's targets: a little off 1 and 0, so that examples which the features tell apart do not make the line infinitely steep.
    targets = np.where(chosen == 1, (positive + 1) / (positive + 2), 1 / (negative + 2))
    (slope,), bias = _logistic(odds[:, None], targets, 1e-3)
    if slope <= 0:
        return line
    line = replace(line, weights=tuple(slope * weight for weight in line.weights), bias=slope * line.bias + bias)
    return replace(line, threshold=threshold(_probability(_log_odds(features[rows], line)), chosen, cfg))


def between(one: Calibration, other: Calibration) -> Calibration:
    """Half-way between two calibrations of the same features."""
    return replace(one, meaning=_halfway(one.meaning, other.meaning), words=_halfway(one.words, other.words))


def _halfway(one: Line, other: Line) -> Line:
    weights = tuple((first + second) / 2 for first, second in zip(one.weights, other.weights, strict=True))
    return replace(one, weights=weights, bias=(one.bias + other.bias) / 2, threshold=(one.threshold + other.threshold) / 2)


def threshold(probabilities: Numbers, answerable: Numbers, cfg: Abstain = Abstain()) -> float:  # noqa: B008
    """The probability under which to abstain.

    f1: 1 - F/2, with F the highest F1 of abstention on these examples (Lipton et al., arXiv 1402.1892): as good as the cut that reached F,
    and it does not jump with single examples. risk: the lowest cut at which the unanswerable share of the answered is within `cfg.risk`.
    """
    order = np.argsort(probabilities, kind="stable")
    unanswerable = 1 - answerable[order]
    refused = np.arange(len(order) + 1)  # the cut refuses the first so many
    found = np.concatenate([[0.0], np.cumsum(unanswerable)])
    if cfg.objective == "f1":
        f1 = 2 * found / np.maximum(1, refused + found[-1])
        return float(1 - f1.max() / 2)
    risk = (found[-1] - found) / np.maximum(1, len(order) - refused)
    at = int(np.argmax(risk <= cfg.risk))  # the last risk is that of answering nothing, 0
    cuts = np.concatenate([probabilities[order], [1.0]])
    return float(cuts[at]) if at else 0.0


def _standard(features: Features, line: Line) -> Numbers:
    standard: Numbers = np.nan_to_num((features - np.array(line.means)) / np.array(line.scales))
    return standard


def _log_odds(features: Features, line: Line) -> Numbers:
    odds: Numbers = _standard(features, line) @ np.array(line.weights) + line.bias
    return odds


def _probability(odds: Numbers) -> Numbers:
    probability: Numbers = 1 / (1 + np.exp(-np.clip(odds, -500, 500)))
    return probability


def _logistic(columns: Numbers, targets: Numbers, ridge: float) -> tuple[Numbers, float]:
    """Weights and bias of a logistic regression with a ridge on the weights: Newton's method, its step halved until the loss falls."""
    design = np.column_stack([columns, np.ones(len(columns))])
    penalty = np.append(np.full(columns.shape[1], ridge), 1e-9)

    def loss(at: Numbers) -> float:
        odds = design @ at
        return float(np.sum(np.logaddexp(0, odds) - targets * odds) + 0.5 * np.sum(penalty * at**2))

    at, best = np.zeros(design.shape[1]), loss(np.zeros(design.shape[1]))
    for _ in range(100):
        probability = _probability(design @ at)
        gradient = design.T @ (probability - targets) + penalty * at
        curvature = (design.T * (probability * (1 - probability))) @ design + np.diag(penalty + 1e-9)
        step = np.linalg.solve(curvature, gradient)
        while (now := loss(at - step)) > best and np.abs(step).max() > 1e-10:
            step = step / 2
        at, gained, best = at - step, best - now, now
        if gained < 1e-10:
            break
    return at[:-1], float(at[-1])
