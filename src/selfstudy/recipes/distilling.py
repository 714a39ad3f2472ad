"""A smaller embedder out of the one that serves, and what it costs: ranks over the exam, size and speed beside its teacher's."""

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
    """Put the student of what serves in `study` into the new folder `out`, and say how it does beside its teacher. Raises BadInput."""
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

    def ranks(embedder: Embedder) -> Any:
        vectors = Flat(embedder.embed(texts), embedder.fingerprint)
        return reciprocal(ranks_of(Dense(study.snapshot, embedder, vectors), examples))

    before, after = ranks(teacher), ranks(small)
    make_folder(out.absolute().parent)
    with whole_folder(out) as beside:
        shutil.copytree(made.path / "model", beside, dirs_exist_ok=True)
    plain = SentenceEmbedder(folder, cache=converted(study.home))  # as `teacher`, without its memory
    return {
        "model": str(out),
        "metrics": {"dense": {"before": summary(before).json(), "after": summary(after).json()}},
        "differences": {"dense": compare(before, after).json()},
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
