"""Embedders of every shape are tuned: their layers, their words' vectors, and what of them stays as it is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from shapes import MASKED, SHAPES, shaped
from training import Unmoved, artifact, examples

from selfstudy.core.errors import BadConfig
from selfstudy.core.records import Artifact
from selfstudy.core.run import Lazy, Run
from selfstudy.train.averaging import Average, average, joined
from selfstudy.train.embedder import EmbedderTraining, check, embedder, prepared
from selfstudy.train.head import Weights
from selfstudy.train.model import layers_of, load, transformer_of, word_vectors_of
from selfstudy.train.pretraining import Pretraining
from selfstudy.train.pretraining import check as check_pretraining


@pytest.mark.parametrize("kind", SHAPES)
def test_layers_and_word_vectors_are_found_under_any_name(kind: str, tmp_path: Path) -> None:
    transformer = transformer_of(load(shaped(kind, tmp_path)))
    assert len(layers_of(transformer)) == (0 if kind in ("albert", "static") else 4)
    if transformer is None:
        assert kind == "static"
    else:
        assert word_vectors_of(transformer).weight.shape[0] == transformer.config.vocab_size


@pytest.mark.parametrize("kind", SHAPES)
def test_the_lower_half_stays_and_the_rest_learns(kind: str, tmp_path: Path) -> None:
    model = load(shaped(kind, tmp_path))
    prepared(EmbedderTraining(), model)
    transformer = transformer_of(model)
    if kind == "static":
        assert all(weight.requires_grad for weight in model.parameters())
        return
    assert not word_vectors_of(transformer).weight.requires_grad
    learns = [next(layer.parameters()).requires_grad for layer in layers_of(transformer)]
    assert learns == ([] if kind == "albert" else [False, False, True, True])
    assert any(weight.requires_grad for weight in model.parameters())
    assert model.max_seq_length == 64


@pytest.mark.parametrize("kind", SHAPES)
def test_each_is_tuned_and_joined_with_a_head(kind: str, tmp_path: Path) -> None:
    base = Lazy("base", lambda: shaped(kind, tmp_path))
    run, mined = Run(tmp_path / "run"), artifact(tmp_path / "mined", examples())
    settings = EmbedderTraining(max_steps=2, per_device_train_batch_size=4, learning_rate=1e-2, passage_tokens=16)
    trained = run.stage(embedder, settings, mined, base, Lazy("teacher", Unmoved))
    kept = run.stage(average, Average(shares=(1.0,)), trained, base, Lazy("score", lambda: None))
    texts = ["what green kettle", "the lamp of the street"]
    before, after = (load(folder).encode(texts) for folder in (tmp_path / "model", kept.path / "model"))
    assert not np.allclose(before, after, atol=1e-4)
    fitted = tmp_path / "head"
    fitted.mkdir()
    head = Weights(np.ones((32, 4), np.float32), np.ones((4, 32), np.float32))
    head.save(fitted / "head.npz")
    model = run.stage(joined, None, 1.0, kept, trained, Artifact("head", "head", fitted))
    assert np.allclose(load(model.path / "model").encode(texts), head(after / np.linalg.norm(after, axis=1, keepdims=True)), atol=1e-5)
    assert load(model.path / "model").max_seq_length == load(tmp_path / "model").max_seq_length


def test_as_many_layers_are_frozen_as_the_settings_say(tiny: Path, tmp_path: Path) -> None:
    for frozen, learning in ((0, [0, 1, 2, 3]), (1, [1, 2, 3]), (3, [3])):
        model = load(shaped("distilbert", tmp_path / str(frozen)))
        prepared(EmbedderTraining(frozen_layers=frozen), model)
        layers = layers_of(transformer_of(model))
        assert [place for place, layer in enumerate(layers) if next(layer.parameters()).requires_grad] == learning
        assert word_vectors_of(transformer_of(model)).weight.requires_grad is (frozen == 0)
    with pytest.raises(BadConfig, match=r"frozen_layers = 4: the embedder has 4 layers, and none would learn\.\nFreeze 3 at most"):
        check(EmbedderTraining(frozen_layers=4), tmp_path / "0" / "model")
    with pytest.raises(BadConfig, match="no layers that could be frozen"):
        check(EmbedderTraining(frozen_layers=2), shaped("static", tmp_path / "static"))
    check(EmbedderTraining(frozen_layers=4, minutes=0), tmp_path / "0" / "model")
    model = load(tiny)
    prepared(EmbedderTraining(), model)
    assert [next(layer.parameters()).requires_grad for layer in layers_of(transformer_of(model))] == [False, True]


def test_dimensions_that_the_vectors_do_not_have_are_told(tiny: Path) -> None:
    with pytest.raises(BadConfig, match=r"matryoshka = \[16, 1000\]: the embedder's vectors have 32 dimensions"):
        check(EmbedderTraining(matryoshka=(16, 1000)), tiny)
    with pytest.raises(BadConfig, match="32 dimensions"):
        prepared(EmbedderTraining(matryoshka=(33,)), load(tiny))
    check(EmbedderTraining(matryoshka=(16, 32)), tiny)


@pytest.mark.parametrize("kind", SHAPES)
def test_a_method_that_cannot_teach_a_shape_is_refused_before_any_work(kind: str, tmp_path: Path) -> None:
    base = shaped(kind, tmp_path)
    other = "crops or mlm" if kind in MASKED else "crops"
    with pytest.raises(BadConfig, match=f"pretraining.method = 'tsdae' cannot teach this embedder: .*\nTake {other} instead"):
        check_pretraining(Pretraining(method="tsdae"), base)
    if kind not in MASKED:
        with pytest.raises(BadConfig, match=r"pretraining.method = 'mlm' cannot teach this embedder: .*\nTake crops instead"):
            check_pretraining(Pretraining(method="mlm"), base)
    for method in ("off", "crops", *(["mlm"] if kind in MASKED else [])):
        check_pretraining(Pretraining(method=method), base)


def test_what_bert_can_be_taught_is_let_through(tiny: Path, tmp_path: Path) -> None:
    for method in ("off", "crops", "tsdae", "mlm"):
        check_pretraining(Pretraining(method=method), tiny)
    model = load(tiny)
    model.tokenizer.mask_token = None
    model.save_pretrained(str(tmp_path / "maskless"), create_model_card=False)
    with pytest.raises(BadConfig, match="no token that stands for a masked word"):
        check_pretraining(Pretraining(method="mlm"), tmp_path / "maskless")
