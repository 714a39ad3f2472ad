"""Labelled questions through every retriever, base and live: the user's own proof."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from selfstudy.core.errors import BadInput, nearest
from selfstudy.core.ports import Retriever
from selfstudy.evals.bootstrap import Values
from selfstudy.evals.labelled import Query, read_qrels, read_queries
from selfstudy.evals.paired import compare
from selfstudy.evals.ranking import METRICS, judged, per_question, summary
from selfstudy.index.snapshot import Snapshot

_DEPTH = 50
"""Passages searched for, so that ten documents come together even where each has several."""
_BLOCK = 64

Labelled = tuple[list[Query], dict[str, dict[str, int]]]
Measured = dict[str, dict[str, Values]]


def labelled(snapshot: Snapshot, queries: Path, qrels: Path, scope: str | None) -> Labelled:
    """The questions that have words and a relevant document in the index, with their judgements. Raises BadInput where there is none."""
    asked, judgements = read_queries(queries), read_qrels(qrels)
    there = snapshot.documents
    known = {id: {doc: score for doc, score in found.items() if doc in there} for id, found in judgements.items()}
    able = set(judged([query.id for query in asked], known))
    kept = [query for query in asked if query.id in able and query.text.strip()]
    if not kept:
        raise BadInput(
            f"None of the {len(asked)} questions has a relevant document in this index.",
            "Check that the ids in the qrels are those of the questions and of the documents (`selfstudy search` shows them).",
        )
    if scope is not None:
        if scope not in snapshot.fields:
            raise BadInput(
                f"No document has the field {scope!r}{nearest(scope, snapshot.fields) or '.'}", "Name a field that documents have."
            )
        lacking = [query.id for query in kept if scope not in query.fields]
        if lacking:
            raise BadInput(
                f"{len(lacking)} questions have no field {scope!r}, {lacking[0]!r} for one.", "Leave --scope out, or add the field."
            )
    return kept, known


def left_out(queries: Path, kept: Sequence[Query]) -> dict[str, Any]:
    """`set_aside`, the ids of the questions that have no words, and `unlabelled`, how many others are not `kept`; where any are."""
    every = read_queries(queries)
    blank = [query.id for query in every if not query.text.strip()]
    told = {"set_aside": blank, "unlabelled": len(every) - len(blank) - len(kept)}
    return {name: value for name, value in told.items() if value}


def measure(retrievers: Mapping[str, Retriever], questions: Labelled, scope: str | None = None) -> Measured:
    """Every metric per question for every retriever. A document stands where its best passage is served, whatever that one's score."""
    asked, judgements = questions
    wheres: dict[str | None, list[Query]] = defaultdict(list)
    for query in asked:
        wheres[None if scope is None else f"{scope} = {_literal(query.fields[scope])}"].append(query)
    measured: Measured = {}
    for name, retriever in retrievers.items():
        runs: dict[str, dict[str, float]] = {}
        for where, group in wheres.items():
            for start in range(0, len(group), _BLOCK):
                block = group[start : start + _BLOCK]
                for query, hits in zip(block, retriever.search([query.text for query in block], _DEPTH, where), strict=True):
                    served = dict.fromkeys(place.document for hit in hits for place in hit.passage.places)
                    # Not the scores of the hits: who holds equal ones was decided by the search, and by a reranker after it.
                    runs[query.id] = {document: float(len(served) - place) for place, document in enumerate(served)}
        measured[name] = per_question(runs, judgements, [query.id for query in asked])
    return measured


def compared(base: Measured, live: Measured) -> dict[str, Any]:
    """The JSON of `evaluate`: every metric with its interval for both, and their paired differences."""
    return {
        "base": _summaries(base),
        "live": _summaries(live),
        "compare": {name: {metric: compare(base[name][metric], live[name][metric]).json() for metric in METRICS} for name in base},
    }


def own_ranks(snapshot: Snapshot, queries: Path, qrels: Path, before: Retriever, after: Retriever) -> tuple[Values, Values]:
    """MRR@10 per question of the user's own questions, before and after."""
    questions = labelled(snapshot, queries, qrels, None)
    measured = measure({"before": before, "after": after}, questions)
    return measured["before"]["mrr@10"], measured["after"]["mrr@10"]


def _summaries(measured: Measured) -> dict[str, Any]:
    return {name: {metric: summary(values[metric]).json() for metric in METRICS} for name, values in measured.items()}


def _literal(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return str(value)
    return "'" + str(value).replace("'", "''") + "'"


def rows(questions: Sequence[Query], base: Measured, live: Measured) -> list[dict[str, Any]]:
    """One row for each question with its metrics, as `--out` writes them."""
    return [
        {
            "id": query.id,
            "question": query.text,
            **{
                f"{side}.{name}.{metric}": float(values[metric][place])
                for side, measured in (("base", base), ("live", live))
                for name, values in measured.items()
                for metric in METRICS
            },
        }
        for place, query in enumerate(questions)
    ]
