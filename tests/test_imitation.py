"""Words imitated by vectors: what BM25 ranks first they rank first, and they serve beside the meaning only where that is proven to pay."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from docstrings import home_in
from rich.console import Console

from selfstudy.apps import tables
from selfstudy.core.ports import Embedder
from selfstudy.evals.gate import Gate, judge_imitation
from selfstudy.index.dense import Dense
from selfstudy.index.imitation import Imitate, Imitation, fit
from selfstudy.index.joined import Joined
from selfstudy.index.words import Words
from selfstudy.recipes import imitation as recipe
from selfstudy.recipes.engine import Engine
from selfstudy.recipes.system import System

PARTS = "pump valve filter gasket bearing piston crankshaft manifold".split()
DEEDS = "oiled cleaned tightened replaced inspected measured".split()
PASSAGES = [
    f"The {part} is {deed} every {n + m} weeks by hand.{' The office is told.' if n < 5 else ''}"
    for n, part in enumerate(PARTS)
    for m, deed in enumerate(DEEDS)
]


def imitation(folder: Path, texts: list[str], **config: Any) -> Imitation:
    fit(texts, Imitate(**config), folder)
    return Imitation(folder, "artifact:words")


def test_what_bm25_ranks_first_is_first(tmp_path: Path) -> None:
    ours = imitation(tmp_path / "whole", PASSAGES)
    words = Words.of([str(row) for row in range(len(PASSAGES))], PASSAGES)
    questions = [f"Was the office told which {part} was {deed}?" for part in PARTS for deed in DEEDS]
    found = ours.embed(questions, "query") @ ours.embed(PASSAGES).T
    truth = np.stack([words.scores(question) for question in questions])
    assert (found.argmax(axis=1) == truth.argmax(axis=1)).all()
    assert min(np.corrcoef(one, other)[0, 1] for one, other in zip(found, truth, strict=True)) > 0.99
    few = imitation(tmp_path / "few", PASSAGES, dims=4)
    assert few.dim == 5 < ours.dim
    roughly = few.embed(questions, "query") @ few.embed(PASSAGES).T
    assert 0.3 < np.corrcoef(roughly.ravel(), truth.ravel())[0, 1] < 0.99


def test_vectors_of_questions_and_passages(tmp_path: Path) -> None:
    ours = imitation(tmp_path / "words", [*PASSAGES, " ".join(PASSAGES)])
    assert isinstance(ours, Embedder)
    passages = ours.embed([*PASSAGES, "A new gasket, oiled.", "No word of it is known: zyx!", " ".join(PASSAGES[::6]), "", "—"])
    np.testing.assert_allclose(np.linalg.norm(passages, axis=1), 1, atol=1e-5)
    questions = ours.embed(["Who oiled the gasket?", "zyx?", "?", "Was the gasket zyx?"], "query")
    lengths = np.linalg.norm(questions, axis=1)
    np.testing.assert_allclose(lengths[:3], [1, 0, 0], atol=1e-5)
    assert 0.2 < lengths[3] < 0.5, "an unknown word is rarer than any other, and most of what is asked is not known"
    assert (questions[:, -1] == 0).all()
    scores = questions[0] @ passages.T
    assert int(scores.argmax()) == len(PASSAGES), "a passage that came later is found by the words that it shares"
    assert scores[len(PASSAGES) + 1] == pytest.approx(0, abs=1e-6)
    assert ours.embed([], "query").shape == (0, ours.dim)
    fit(PASSAGES, Imitate(), tmp_path / "half", share=0.5)
    (half,) = Imitation(tmp_path / "half", "artifact:half").embed(["Who oiled the gasket?"], "query")
    assert np.linalg.norm(half) == pytest.approx(0.5, abs=1e-5)
    copied = Imitation(shutil.copytree(tmp_path / "words", tmp_path / "copied"), "artifact:other")
    assert copied.fingerprint == ours.fingerprint != imitation(tmp_path / "less", PASSAGES).fingerprint


@pytest.mark.parametrize(
    "texts", [["one passage alone"], ["the same"] * 5, ["—", "!!!", "12"], ["不可抗力条款", "合同的终止", "合同的变更"]]
)
def test_small_and_odd_corpora(texts: list[str], tmp_path: Path) -> None:
    ours = imitation(tmp_path / "words", texts)
    for role in ("query", "passage"):
        assert np.isfinite(ours.embed([*texts, "else"], role)).all()  # type: ignore[arg-type]
    if texts[0].startswith("不"):
        assert (ours.embed(["合同怎么终止?"], "query") @ ours.embed(texts).T).argmax() == 1


def test_the_gate_wants_a_gain_and_nothing_worse() -> None:
    rng = np.random.default_rng(0)
    before = rng.choice([1.0, 0.5, 0.0], 200)
    better = np.minimum(1, before + rng.choice([0.0, 0.5], 200))
    everyday = rng.choice([1.0, 0.5], 100)
    told = {"dense": (before, better), "guard": (everyday, everyday)}
    assert judge_imitation(Gate(), **told).promote
    for name, change in {
        "gain": {"dense": (before, before)},
        "guard": {"guard": (everyday, everyday - 0.1)},
        "exam size": {"dense": (before[:9], better[:9])},
    }.items():
        verdict = judge_imitation(Gate(), **(told | change))
        assert not verdict.promote
        assert name in {check.name for check in verdict.checks if not check.passed}


@pytest.fixture(scope="module")
def added(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return home_in(tmp_path_factory.mktemp("added"), "sentences = {on = false}\nreranker = {on = false}\n")


def test_words_serve_beside_a_refused_embedder_and_follow_what_is_added(added: Path, small_guard: None, tmp_path: Path) -> None:
    home = shutil.copytree(added, tmp_path / "home")
    engine = Engine.open(home)
    assert "study.imitation" in [stage.stage for stage in engine.plan()]
    question = "What is a dromedary's turtle called?"
    before = engine.live
    outcome = engine.adapt()
    assert not outcome.promoted
    assert outcome.imitation is not None
    assert outcome.imitation["promoted"], outcome.imitation["reason"]
    assert outcome.imitation["differences"]["dense"]["low"] > 0
    live = engine.live
    assert (live.embedder, live.weight) == (before.embedder, before.weight)
    assert live.imitation is not None

    (tmp_path / "new.txt").write_text("A turtle that carries a dromedary is called a carapace caravan by those who draw it.")
    again = Engine.open(home)
    again.add([tmp_path / "new.txt"])
    snapshot = again.store.snapshot()
    assert again.status()["missing_vectors"] == 0
    meaning, words = (again.loaded.embedder(name) for name in live.embedders)
    assert [len(snapshot.missing(one.fingerprint)) for one in (meaning, words)] == [0, 0]
    scores = [snapshot.vectors(one.fingerprint) @ one.embed([question], "query")[0] for one in (meaning, words)]
    hits = again.search(question, 5, "dense")
    np.testing.assert_allclose([hit.score for hit in hits], np.sort((scores[0] + scores[1]) / 2)[:-6:-1], atol=1e-4)
    served = again.live
    assert again.adapt().imitation is not None
    assert served.imitation != again.live.imitation, "another corpus has other words"
    again.rollback()
    again.rollback()
    assert again.live.imitation is None
    plain = again.search(question, 5, "dense")
    np.testing.assert_allclose([hit.score for hit in plain], np.sort(scores[0])[:-6:-1], atol=1e-4)


def test_where_only_the_guard_refuses_words_count_half(
    added: Path, small_guard: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    truly, margins = recipe.judge_imitation, iter([-1.0, 1.0])  # a margin that nothing can hold, then one that everything holds
    monkeypatch.setattr(
        recipe, "judge_imitation", lambda gate, **told: truly(gate.model_copy(update={"guard_margin": next(margins)}), **told)
    )
    engine = Engine.open(shutil.copytree(added, tmp_path / "home"))
    outcome = engine.adapt()
    assert outcome.imitation is not None
    assert outcome.imitation["promoted"], outcome.imitation["reason"]
    assert "count 0.5" in outcome.imitation["note"]
    words = engine.loaded.embedder(str(engine.live.imitation))
    assert np.linalg.norm(words.embed(["turtle"], "query")) == pytest.approx(0.5, abs=1e-5)
    console = Console(width=140)
    with console.capture() as shown:
        console.print(tables.outcome(outcome.json()))
    assert "dense MRR@10 by writer" in shown.get().partition("imitated")[2]


def test_without_it_nothing_is_imitated(added: Path, small_guard: None, tmp_path: Path) -> None:
    engine = Engine.open(shutil.copytree(added, tmp_path / "home"), sets=["imitation.on=false"])
    assert "study.imitation" not in [stage.stage for stage in engine.plan()]
    assert engine.adapt().imitation is None
    assert engine.live.embedders == (engine.live.embedder,)


def test_both_sides_must_be_of_one_snapshot(added: Path, tmp_path: Path) -> None:
    engine = Engine.open(shutil.copytree(added, tmp_path / "home"))
    embedder, first = engine.loaded.embedder(engine.live.embedder), engine.store.snapshot()
    engine.remove([next(iter(first.documents))])
    with pytest.raises(ValueError, match="same snapshot"):
        Joined(Dense(first, embedder), Dense(engine.store.snapshot(), embedder))


def test_systems_of_before_open() -> None:
    system = System("st:model", "f", 0.5, "k", imitation="artifact:1")
    assert System.load(system.json()) == system
    plain = replace(system, imitation=None)
    assert System.load({name: value for name, value in plain.json().items() if name != "imitation"}) == plain
    assert plain.ranks != system.ranks
