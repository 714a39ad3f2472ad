"""A labelled set in the layout of BEIR (Thakur et al. 2021), as the benches read one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from selfstudy.evals.labelled import read_qrels


def rows_in(path: Path) -> list[dict[str, Any]]:
    """The rows of a JSON lines file, in order."""
    return [json.loads(line) for line in path.open(encoding="utf-8")]


def relevant(folder: Path) -> dict[str, dict[str, int]]:
    """For each question of `folder`/qrels.tsv, in order, its relevant documents with their scores, which are above 0."""
    judged = read_qrels(folder / "qrels.tsv")
    return {question: {document: score for document, score in found.items() if score > 0} for question, found in judged.items()}
