"""A candidate before the gate: what it learns from, and the share of meaning in its hybrid search."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from selfstudy.core.records import Document, Passage, Place, passage_id
from selfstudy.index.hybrid import Hybrid
from selfstudy.index.store import Store
from selfstudy.recipes.system import retrievers
from selfstudy.recipes.teacher import Teacher
from selfstudy.recipes.weighing import clearly_best
from selfstudy.testing import FakeEmbedder


def test_the_teacher_thinks_what_hybrid_search_thinks(tmp_path: Path) -> None:
    embedder = FakeEmbedder(dim=32)
    texts = [f"The {part} of pump {n} is oiled by hand." for n in range(40) for part in ("valve", "wheel")]
    with Store.open(tmp_path, create=True).writing() as writer:
        for n, text in enumerate(texts):
            writer.put([(Document(f"d{n}", text), [Passage(passage_id("", text), "", text, (Place(f"d{n}", 0, len(text)),))], None)])
        passages = list(writer.snapshot().passages)
        writer.add_vectors(embedder.fingerprint, [p.id for p in passages], embedder.embed([p.indexed for p in passages]))
        writer.commit()
    snapshot = Store.open(tmp_path).snapshot()
    base = retrievers(snapshot, embedder, 0.5)
    hybrid = base["hybrid"]
    assert isinstance(hybrid, Hybrid)
    questions = ["Which wheel of pump 7 is oiled?", "valve 12", "nothing of the kind", "valve 12"]
    chosen = [[snapshot.ids[row] for row in rows] for rows in ([3, 9, 70], [0, 41], [5], [7, 3])]
    teacher = Teacher(snapshot, base, embedder)
    for question, ids, scores in zip(questions, chosen, teacher.scores(questions, chosen), strict=True):
        (hits,) = hybrid.search([question], len(texts))
        expected = {hit.passage.id: hit.score for hit in hits}
        assert np.allclose(scores, [expected[id] for id in ids], atol=1e-5)
    asked, searched = teacher.vectors(questions[:2], [chosen[0][2], chosen[1][0]])
    assert np.allclose(asked, embedder.embed(questions[:2], "query"))
    assert np.allclose(searched, embedder.embed([snapshot.passages[snapshot.row(id)].indexed for id in (chosen[0][2], chosen[1][0])]))


def test_the_share_moves_only_for_a_clear_gain() -> None:
    usual = np.tile([1.0, 0.5, 0.0, 0.5], 25)
    noise = np.tile([0.5, -0.5], 50)
    assert clearly_best({0.5: usual, 0.6: usual + 0.02, 0.7: usual + 0.05}, 0.5) == 0.7
    assert clearly_best({0.5: usual, 0.6: usual + 0.02, 0.7: usual + 0.05 + noise}, 0.5) == 0.5, "noise explains the gain"
    assert clearly_best({0.5: usual, 0.6: usual - 0.02}, 0.5) == 0.5
    assert clearly_best({0.4: np.zeros(0), 0.5: np.zeros(0)}, 0.5) == 0.5
