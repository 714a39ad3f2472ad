"""A smaller embedder out of the one that serves, and what it costs: ranks of questions, size and speed beside its teacher's."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Any

from selfstudy.core.errors import BadInput
from selfstudy.core.files import make_folder, whole_folder
from selfstudy.core.ports import Embedder
from selfstudy.core.run import Lazy
from selfstudy.core.studied import examples_of
from selfstudy.evals.paired import compare
from selfstudy.evals.ranking import reciprocal, summary
from selfstudy.index.dense import Dense, Flat
from selfstudy.models.sentence import SentenceEmbedder
from selfstudy.recipes.exam import ranks_of
from selfstudy.recipes.study import Study
from selfstudy.recipes.system import converted
from selfstudy.train.student import Student, student

_TIMED = 64
"""Passages whose embedding is timed."""


def distil(study: Study, config: Student, out: Path) -> dict[str, Any]:
    """Put the student of what serves in `study` into the new folder `out`, and say how it does beside its teacher. Raises BadInput.

    Dense MRR@10 over the written questions of the exam, and over the user's own where there are some.
    """
    if out.exists():
        raise BadInput(f"{out} is there already.", "Name a folder that does not exist yet.")
    teacher = study.examples.embedder(study.live.learned)
    folder = teacher.model_folder
    if folder is None:
        raise BadInput(f"The weights of {study.live.learned} are not here, so that no student can be made.", "Use an embedder of your own.")
    loaded = Lazy(teacher.fingerprint, lambda: teacher)
    made = study.run.stage(student, config, study.examples.corpus, study.examples.kept, Lazy(teacher.fingerprint, lambda: folder), loaded)
    small = SentenceEmbedder(made.path / "model", cache=converted(study.home))
    examples = examples_of(study.examples.mined, "exam")
    texts = [passage.indexed for passage in study.snapshot.passages]

    def dense(embedder: Embedder) -> Dense:
        return Dense(study.snapshot, embedder, Flat(embedder.embed(texts), embedder.fingerprint))

    its, mine = dense(teacher), dense(small)
    pairs = {"exam": (reciprocal(ranks_of(its, examples)), reciprocal(ranks_of(mine, examples)))}
    if (own := study.own_beside(mine, its)) is not None:
        pairs["own"] = own
    make_folder(out.absolute().parent)
    with whole_folder(out) as beside:
        shutil.copytree(made.path / "model", beside, dirs_exist_ok=True)
    plain = SentenceEmbedder(folder, cache=converted(study.home))  # as `teacher`, without its memory
    return {
        "model": str(out),
        "metrics": {name: {"teacher": summary(before).json(), "student": summary(after).json()} for name, (before, after) in pairs.items()},
        "differences": {name: compare(before, after).json() for name, (before, after) in pairs.items()},
        "size": round(_bytes(out) / _bytes(folder), 3),
        "speed": round(_seconds(plain, texts[:_TIMED]) / _seconds(small, texts[:_TIMED]), 2),
    }


def _bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.suffix in (".safetensors", ".bin"))


def _seconds(embedder: Embedder, texts: list[str]) -> float:
    """The best of three times."""
    embedder.embed(texts[:2])
    took = []
    for _ in range(3):
        began = time.perf_counter()
        embedder.embed(texts)
        took.append(time.perf_counter() - began)
    return max(1e-6, min(took))
