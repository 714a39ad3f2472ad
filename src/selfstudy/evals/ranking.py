"""How well passages or documents are ranked: per question, as the field computes it, and the mean with its interval."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from selfstudy.core.ports import Vectors
from selfstudy.core.records import Interval
from selfstudy.evals.bootstrap import Values, checked, interval

METRICS = ("hit@1", "hit@5", "hit@10", "recall@10", "mrr@10", "ndcg@10")
DEPTH = 10
RESAMPLES = 2_000

Run = Mapping[str, Mapping[str, float]]
"""The scores of what was found, by question and document."""
Qrels = Mapping[str, Mapping[str, int]]
"""The judgements, by question and document; above 0 is relevant, and more is better (that counts in nDCG alone)."""


def judged(questions: Sequence[str], qrels: Qrels) -> list[str]:
    """Those of `questions` that have a relevant document, in their order; the others can be neither hit nor missed."""
    return [question for question in questions if any(score > 0 for score in qrels.get(question, {}).values())]


def per_question(runs: Run, qrels: Qrels, questions: Sequence[str]) -> dict[str, Values]:
    """Each of METRICS for each of `questions`, in their order, computed by ir_measures. A question that found nothing counts 0.

    Equal scores go by document id, so that a ranking is the same every time. Raises ValueError for a question without a relevant
    document (see `judged`) and for a score that is no number.
    """
    import ir_measures
    from ir_measures import RR, R, Success, nDCG

    if len(judged(questions, qrels)) < len(questions):
        raise ValueError("a question without a relevant document has no place in the averages")
    measures = dict(zip((Success @ 1, Success @ 5, Success @ 10, R @ 10, RR @ 10, nDCG @ 10), METRICS, strict=True))
    wanted = {question: {document: max(0, score) for document, score in qrels[question].items()} for question in questions}
    ranked = {question: _ranked(found) for question in questions if (found := runs.get(question))}
    places = {question: place for place, question in enumerate(questions)}
    values = {metric: np.zeros(len(questions)) for metric in METRICS}
    if ranked:
        for metric in ir_measures.iter_calc(list(measures), wanted, ranked):
            values[measures[metric.measure]][places[metric.query_id]] = metric.value
    return values


def summary(values: ArrayLike, seed: int = 0, resamples: int = RESAMPLES) -> Interval:
    """The mean over questions with its 95% bootstrap interval. Raises NotEnough for no values."""
    array = checked(values)
    return Interval(float(array.mean()), *interval(array, resamples, seed))


def first_rank(right: Iterable[bool]) -> int:
    """The rank of the first hit that is right, from 1 on; 0 where none is."""
    return next((rank for rank, one in enumerate(right, 1) if one), 0)


def ranks_of_own(questions: Vectors, passages: Vectors, own: NDArray[np.int64]) -> NDArray[np.int64]:
    """For each question the rank of the passage in row `own` by inner product, from 1 on; vectors are (questions or passages, dim).

    A passage with the same score as the own one stands before it: a model that gives all texts one vector gains nothing by ties.
    """
    scores = questions @ passages.T
    mine = scores[np.arange(len(own)), own]
    ranks: NDArray[np.int64] = (scores >= mine[:, None]).sum(axis=1)
    return ranks


def reciprocal(ranks: ArrayLike) -> Values:
    """1 / rank, and 0 beyond DEPTH and for rank 0, which is none: MRR@10 is their mean."""
    array = np.asarray(ranks, np.float64)
    return np.divide(1.0, array, out=np.zeros_like(array), where=(array > 0) & (array <= DEPTH))


def gains(reciprocal: Values) -> Values:
    """nDCG@10 of questions that one passage answers, from its reciprocal ranks: 1 / log2(1 + rank), 0 where it was not found."""
    found: Values = np.zeros(len(reciprocal))
    there = reciprocal > 0
    found[there] = 1 / np.log2(1 + 1 / reciprocal[there])
    return found


def _ranked(scores: Mapping[str, float]) -> dict[str, float]:
    """The best ten with scores that fall by one from place to place: no library behind this has ties left to break in its own way."""
    if any(math.isnan(score) for score in scores.values()):
        raise ValueError("a score is not a number")
    best = sorted(scores, key=lambda document: (-scores[document], document))[:DEPTH]
    return {document: float(DEPTH - place) for place, document in enumerate(best)}
