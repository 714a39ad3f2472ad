"""The exam of a candidate: how it ranks the evidence of questions, and everyday questions, beside what serves now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from selfstudy.core.files import read_json, write_json
from selfstudy.core.ports import Retriever
from selfstudy.core.records import Artifact, Example, Passage
from selfstudy.core.run import Work, stage
from selfstudy.core.studied import examples_of
from selfstudy.evals import guard
from selfstudy.evals.bootstrap import Values
from selfstudy.evals.ranking import DEPTH, first_rank, reciprocal
from selfstudy.recipes.vectors import moved, saved


@stage("study.exam", version=1)
def exam(work: Work, config: None, mined: Artifact, before: dict[str, Retriever], after: dict[str, Retriever]) -> dict[str, int]:
    """`rows.json`: for every exam question its rank by dense and hybrid search, before and after; 0 stands for not among the first ten."""
    examples = examples_of(mined, "exam")
    rows: list[dict[str, Any]] = [{"id": e.id, "question": e.question, "writer": e.writer} for e in examples]
    sides = [("before", before), ("after", after)]
    for done, (side, retrievers, name) in enumerate([(s, r, n) for s, r in sides for n in ("dense", "hybrid")], 1):
        for row, rank in zip(rows, ranks_of(retrievers[name], examples), strict=True):
            row[f"{name}_{side}"] = rank
        work.progress(done, 4)
    for row, rank in zip(rows, ranks_of(before["lexical"], examples), strict=True):
        row["lexical"] = rank
    write_json(work.folder / "rows.json", rows)
    return {"questions": len(rows)}


def ranks_of(retriever: Retriever, examples: Sequence[Example]) -> list[int]:
    """The rank of the evidence, or of what holds all of it, for each example; 0 where it is not among the first ten."""
    found = retriever.search([example.question for example in examples], DEPTH) if examples else []
    return [first_rank(answers(hit.passage, example) for hit in hits) for example, hits in zip(examples, found, strict=True)]


def answers(passage: Passage, example: Example) -> bool:
    """Whether the passage is the example's evidence, nearly repeats it, or holds it."""
    return passage.holds(example.evidence[0].passage)


def read_rows(exam_artifact: Artifact) -> list[dict[str, Any]]:
    """The rows of a finished exam."""
    rows: list[dict[str, Any]] = read_json(exam_artifact.path / "rows.json")
    return rows


def sides(rows: Sequence[Mapping[str, Any]], name: str = "") -> tuple[Values, Values]:
    """The reciprocal ranks before and after of the rows of an exam, in the columns that begin with `name`."""
    before, after = (reciprocal([row[f"{name}{side}"] for row in rows]) for side in ("before", "after"))
    return before, after


@stage("study.guard", version=2)
def guard_ranks(work: Work, config: None, seen: Artifact, fitted: Artifact | None = None, share: float = 1.0) -> float:
    """`ranks.npy`: the reciprocal rank of every guard question, with the head of `fitted` over the vectors of `seen`."""
    vectors = (moved(np.load(seen.path / f"{name}.npy"), fitted, share) for name in ("questions", "passages"))
    ranks = guard.reciprocal_ranks_of(*vectors)
    saved(work.folder / "ranks.npy", ranks.astype(np.float32))
    return round(float(ranks.mean()), 4)
