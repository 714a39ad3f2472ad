"""A model in int8: near the original, a quarter of its size, calibrated once, and never mistaken for it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_models import make_model

from selfstudy.core.errors import BadInput, BadModel, MissingExtra
from selfstudy.core.ports import Embedder
from selfstudy.models.int8 import Int8Embedder
from selfstudy.models.sentence import SentenceEmbedder

PASSAGES = [f"the report {chr(97 + n)} goes on what is the passage {chr(122 - n)}" for n in range(20)]


def test_calibrated_once_near_the_original_and_smaller(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    folder, cache = make_model(tmp_path / "model", prompts={"query": "query: "}), tmp_path / "cache"
    floating, small = SentenceEmbedder(folder, cache=cache, threads=1), Int8Embedder(folder, PASSAGES, cache, threads=1)
    assert isinstance(small, Embedder)
    texts = [*PASSAGES, "", "long " * 50]
    for role in ("query", "passage"):
        ours, theirs = small.embed(texts, role), floating.embed(texts, role)
        cosine = (ours * theirs).sum(axis=1)
        assert 0.97 < cosine.min() < cosine.max() < 1.001
        assert np.abs(ours - theirs).max() > 1e-5
        np.testing.assert_allclose(np.linalg.norm(ours, axis=1), 1, atol=1e-3)
    assert small.fingerprint not in (floating.fingerprint, Int8Embedder(folder, PASSAGES[1:], cache).fingerprint)
    assert capsys.readouterr().out == ""
    sizes = [(cache / embedder.fingerprint / "model.bin").stat().st_size for embedder in (small, floating)]
    assert sizes[0] < 0.5 * sizes[1]  # a model of this size is half scales
    monkeypatch.setitem(sys.modules, "nncf", None)
    again = Int8Embedder(folder, PASSAGES, cache, threads=1)
    np.testing.assert_allclose(again.embed(texts), small.embed(texts), atol=1e-6)
    with pytest.raises(MissingExtra, match="nncf") as told:
        Int8Embedder(folder, PASSAGES[1:], cache, threads=1).embed(["what"])
    assert "selfstudy[int8]" in str(told.value)
    assert not [path for path in cache.iterdir() if path.name.startswith(".")]


def test_what_cannot_be_calibrated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = make_model(tmp_path / "model")
    with pytest.raises(BadInput, match="no passages"):
        Int8Embedder(folder, [], tmp_path)
    (folder / "model.safetensors").write_bytes(b"no weights at all")
    with pytest.raises(BadModel, match="cannot be loaded"):
        Int8Embedder(folder, PASSAGES, tmp_path / "cache").embed(["what"])
