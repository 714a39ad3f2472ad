"""A model in int8: near the original, a quarter of its size, and live only where the gate finds that it loses next to nothing."""

from __future__ import annotations

import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bert import make_model
from conftest import make_guard_small
from docstrings import home_in

from selfstudy.core.errors import BadInput, BadModel, MissingExtra
from selfstudy.core.ports import Embedder
from selfstudy.evals.gate import Gate, judge_int8
from selfstudy.evals.ranking import gains
from selfstudy.models.int8 import Int8Embedder, quantise
from selfstudy.models.sentence import SentenceEmbedder
from selfstudy.recipes.engine import Engine
from selfstudy.recipes.system import System

PASSAGES = [f"the report {chr(97 + n)} goes on what is the passage {chr(122 - n)}" for n in range(20)]


def test_near_the_original_and_smaller(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    folder, cache = make_model(tmp_path / "model", prompts={"query": "query: "}), tmp_path / "cache"
    quantise(folder, PASSAGES, tmp_path / "int8", cache)
    quantise(folder, PASSAGES[1:], tmp_path / "other", cache)
    assert capsys.readouterr().out == ""
    shutil.copytree(tmp_path / "int8", tmp_path / "moved")
    sizes = [path.stat().st_size for path in (tmp_path / "int8" / "model.bin", next(cache.glob("*/model.bin")))]
    assert sizes[0] < 0.5 * sizes[1]  # a model of this size is half scales
    monkeypatch.setitem(sys.modules, "nncf", None)  # what was made runs without it
    floating, small = SentenceEmbedder(folder, cache=cache, threads=1), Int8Embedder(tmp_path / "moved", threads=1)
    assert isinstance(small, Embedder)
    texts = [*PASSAGES, "", "long " * 50]
    for role in ("query", "passage"):
        ours, theirs = small.embed(texts, role), floating.embed(texts, role)
        cosine = (ours * theirs).sum(axis=1)
        assert 0.97 < cosine.min() < cosine.max() < 1.001
        assert np.abs(ours - theirs).max() > 1e-5
        np.testing.assert_allclose(np.linalg.norm(ours, axis=1), 1, atol=1e-3)
    assert small.known(["the report", "量 子"]) == floating.known(["the report", "量 子"]) < 1
    assert small.embed([]).shape == (0, small.dim) == (0, floating.dim)
    assert len({small.fingerprint, floating.fingerprint, Int8Embedder(tmp_path / "other").fingerprint}) == 3
    assert small.fingerprint == Int8Embedder(tmp_path / "int8").fingerprint
    with pytest.raises(MissingExtra, match="nncf") as told:
        quantise(folder, PASSAGES, tmp_path / "again", cache)
    assert "selfstudy[int8]" in str(told.value)


def test_what_cannot_be_calibrated(tmp_path: Path) -> None:
    folder = make_model(tmp_path / "model")
    with pytest.raises(BadInput, match="no passages"):
        quantise(folder, [], tmp_path / "int8", tmp_path / "cache")
    with pytest.raises(BadModel, match="no model in int8"):
        Int8Embedder(folder)
    (folder / "model.safetensors").write_bytes(b"no weights at all")
    with pytest.raises(BadModel, match="cannot be loaded"):
        quantise(folder, PASSAGES, tmp_path / "int8", tmp_path / "cache")


def test_the_gate_wants_proof_that_next_to_nothing_is_lost() -> None:
    whole = np.tile([1.0, 1.0, 0.63, 0.5], 100)
    same, flipped = whole.copy(), whole.copy()
    same[:2] = [0.63, 1.0]  # one question of four hundred
    flipped[::20] = 0.63
    exam = {"dense": (whole, same), "hybrid": (whole, whole), "guard": (whole[:80], whole[:80])}
    assert judge_int8(Gate(), **exam).promote
    for name, sides in {"dense": (whole, flipped), "hybrid": (whole, flipped), "guard": (whole[:80], whole[:80] - 0.04)}.items():
        verdict = judge_int8(Gate(), **(exam | {name: sides}))
        assert [check.name for check in verdict.checks if not check.passed] == [name]
        assert "nDCG@10" in verdict.reason
    swung = whole.copy()  # as much is gained as lost: the mean is the same, and nothing is proven
    swung[::4], swung[3::4] = 0.5, 1.0
    assert swung.mean() == pytest.approx(whole.mean())
    assert not judge_int8(Gate(), **(exam | {"dense": (whole, swung)})).promote
    assert not judge_int8(Gate(minimum_exam=500), **exam).promote
    assert judge_int8(Gate(int8_margin=0.1), **(exam | {"dense": (whole, flipped)})).promote


def test_gains_are_ndcg() -> None:
    np.testing.assert_allclose(gains(np.array([1.0, 0.5, 1 / 3, 0.1, 0.0])), [1, 0.6309, 0.5, 0.2891, 0], atol=1e-4)


@pytest.fixture(scope="module")
def added(tmp_path_factory: pytest.TempPathFactory) -> Path:
    alone = "imitation = {on = false}\nsentences = {on = false}\nreranker = {on = false}\n"
    return home_in(tmp_path_factory.mktemp("added"), f"int8 = {{on = true}}\n{alone}")


@pytest.fixture(scope="module")
def studied(added: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home whose search is studied, and nothing of it in int8."""
    home = shutil.copytree(added, tmp_path_factory.mktemp("studied") / "home")
    with pytest.MonkeyPatch.context() as patch:
        make_guard_small(patch)
        assert Engine.open(home, sets=["int8.on=false"]).adapt().int8 is None
    return home


def test_what_serves_goes_to_int8_by_the_gate_and_back(studied: Path, small_guard: None, tmp_path: Path) -> None:
    home = shutil.copytree(studied, tmp_path / "home")
    engine = Engine.open(home, sets=["gate.int8_margin=1", "gate.guard_margin=1"])
    assert [stage.stage for stage in engine.plan()].count("study.int8") == 1
    before = engine.live
    outcome = engine.adapt()
    told = outcome.int8
    assert told is not None
    assert told["promoted"]
    assert told["metric"] == "nDCG@10"
    live = engine.live
    assert (live.embedder, live.key) == (live.embedder, told["key"]) != (before.embedder, before.key)
    assert (live.learned, live.weight) == (before.embedder, before.weight)
    again = Engine.open(home, sets=["gate.int8_margin=1", "gate.guard_margin=1"])
    assert again.status()["missing_vectors"] == 0
    question = "How is a widget drawn?"
    floating, small = (again.store.snapshot().vectors(found) for found in (before.fingerprint, live.fingerprint))
    assert 0.9 < (floating * small).sum(axis=1).min() < 1.01
    hits = again.search(question, 3, "dense")
    np.testing.assert_allclose(
        [hit.score for hit in hits], sorted(small @ again.loaded.embedder(live.embedder).embed([question], "query")[0])[:-4:-1], atol=1e-3
    )
    assert again.adapt().int8 == told, "what was judged is not judged again"
    assert again.live == live
    again.rollback()
    assert again.live.embedder == before.embedder


def test_int8_that_loses_too_much_is_refused(studied: Path, small_guard: None, tmp_path: Path) -> None:
    engine = Engine.open(shutil.copytree(studied, tmp_path / "home"), sets=["gate.int8_margin=0"])
    told = engine.adapt().int8
    assert told is not None
    assert not told["promoted"]
    assert told["reason"].startswith("Refused: In int8, nDCG@10 changes on dense search over the exam by")
    assert engine.live.whole is None
    assert engine.history()[-1]["promote"] is False or engine.history()[-1]["event"] == "calibrated"


def test_without_weights_or_without_nncf_nothing_is_made(
    added: Path, small_guard: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = Engine.open(shutil.copytree(added, tmp_path / "home"))
    monkeypatch.setitem(sys.modules, "nncf", None)
    with pytest.raises(MissingExtra, match="nncf"):
        engine.adapt()
    assert engine.history() == []


def test_systems_of_before_open() -> None:
    plain = System("st:model", "f", 0.5, "k")
    small = replace(plain, embedder="artifact:1", whole="st:model")
    assert System.load(small.json()) == small
    assert small.learned == plain.learned == "st:model"
    assert System.load({name: value for name, value in plain.json().items() if name != "whole"}) == plain
