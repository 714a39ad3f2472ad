"""Training goes on where memory runs out: the same batches, with fewer rows at once, and the same gradients."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from passages import passage
from shapes import shaped
from training import Unmoved, artifact, examples, still

from selfstudy.core.artifacts import write_records
from selfstudy.core.errors import BadModel
from selfstudy.core.files import read_json
from selfstudy.core.records import Artifact
from selfstudy.core.run import Lazy, Run
from selfstudy.models.reranker import CrossReranker
from selfstudy.train import trainers
from selfstudy.train.embedder import EmbedderTraining, embedder, prepared
from selfstudy.train.model import load
from selfstudy.train.pretraining import Pretraining, pretrained
from selfstudy.train.reranker import RerankerTraining, grown, reranker
from selfstudy.train.sparing import MicroBatch, pieces, reading

Room = Callable[..., list[int]]


@pytest.fixture
def room(monkeypatch: pytest.MonkeyPatch) -> Room:
    """A function that gives BERT room for so many rows at once; it gives the list of how many were read in training, or tried to be."""
    from transformers import BertModel

    read: list[int] = []
    now = {"most": 10**9, "training": True}
    forward = BertModel.forward

    def narrow(self: Any, input_ids: Any = None, *rest: Any, **more: Any) -> Any:
        if self.training is now["training"]:  # a trainer reads three texts for the model's card, too
            read.append(len(input_ids))
            if len(input_ids) > now["most"]:
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return forward(self, input_ids, *rest, **more)

    monkeypatch.setattr(BertModel, "forward", narrow)

    def give(rows: int, training: bool = True) -> list[int]:
        now.update(most=rows, training=training)
        read.clear()
        return read

    return give


def test_a_batch_comes_apart_into_pieces_that_are_nearly_alike() -> None:
    batch = {"a_input_ids": torch.arange(14).reshape(7, 2), "label": torch.arange(7), "text": list("abcdefg"), "modality": "text"}
    found = pieces(batch, 3)
    assert [len(piece["label"]) for piece in found] == [2, 2, 3]
    assert torch.equal(torch.cat([piece["a_input_ids"] for piece in found]), batch["a_input_ids"])
    assert [piece["text"] for piece in found] == [["a", "b"], ["c", "d"], ["e", "f", "g"]]
    assert all(piece["modality"] == "text" for piece in found)
    assert len(pieces(batch, 7)) == 1
    static = {"input_ids": torch.arange(3), "offsets": torch.arange(3)}
    assert len(pieces(static, 1)) == 1, "the words of a static model stand in one line"


def test_half_as_many_at_once_until_it_goes_and_no_fewer_than_one() -> None:
    micro, cleared, tried = MicroBatch(5), [], []

    def step() -> str:
        tried.append(micro.size)
        if micro.size > 2:
            raise MemoryError
        return "made"

    assert micro.fitted(step, lambda: cleared.append(micro.size)) == "made"
    assert (tried, cleared) == ([5, 3, 2], [3, 2])

    def never() -> None:
        raise RuntimeError("[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory")

    with pytest.raises(BadModel, match=r"even with one row at a time: \[enforce fail"):
        micro.fitted(never, lambda: None)

    def wrong() -> None:
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    with pytest.raises(RuntimeError, match="mat1 and mat2"):
        MicroBatch(8).fitted(wrong, lambda: None)


@pytest.mark.parametrize("options", [{}, {"loss": "cached", "mini_batch": 4}, {"loss": "hard_triplet"}, {"matryoshka": (8,)}], ids=str)
def test_read_in_pieces_the_loss_and_its_gradient_are_those_of_the_whole_batch(options: dict[str, Any], tiny: Path, tmp_path: Path) -> None:
    folder = still(tiny, tmp_path / "still")
    rows = examples()[:8]
    labels = torch.zeros(8, 8 + 2 * 32)

    def found(size: int) -> tuple[float, dict[str, torch.Tensor]]:
        model = load(folder)
        loss = prepared(EmbedderTraining(**options), model).train()
        texts = [[e.question for e in rows], [e.evidence[0].passage.indexed for e in rows]]
        with reading(model[0], MicroBatch(size)):
            features = [{name: value for name, value in model.preprocess(one).items() if hasattr(value, "to")} for one in texts]
            value = loss(features, labels)
            value.backward()
        return float(value.detach()), {name: weight.grad for name, weight in model.named_parameters() if weight.grad is not None}

    whole, apart = found(8), found(3)
    assert apart[0] == pytest.approx(whole[0], abs=1e-5)
    assert whole[1].keys() == apart[1].keys()
    assert all(torch.allclose(gradient, apart[1][name], atol=1e-5) for name, gradient in whole[1].items())


def test_the_embedder_learns_the_same_in_less_memory(room: Room, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trainers, "has_bf16", lambda: False)  # which rounds sums in another order to something else
    base = Lazy("base", lambda: still(tiny, tmp_path / "still"))
    settings = EmbedderTraining(max_steps=4, per_device_train_batch_size=8, learning_rate=1e-3)
    mined, teacher = artifact(tmp_path / "mined", examples()), Lazy("teacher", Unmoved)
    read = room(8)
    whole = Run(tmp_path / "whole").stage(embedder, settings, mined, base, teacher)
    assert read == [8, 8] * 4
    read = room(3)
    apart = Run(tmp_path / "apart").stage(embedder, settings, mined, base, teacher)
    assert read[:2] == [8, 4], "tried, and tried again"
    assert set(read[2:]) == {2}
    assert (apart.path / "steps.json").read_text() == (whole.path / "steps.json").read_text()
    assert read_json(apart.path / "losses.json") == pytest.approx(read_json(whole.path / "losses.json"), abs=0.02)
    one, other = (load(made.path / "tuned").state_dict() for made in (whole, apart))
    bare = "key.bias"  # which moves no softmax: its gradient is rounding alone
    assert all(torch.allclose(weight, other[name], atol=1e-6) for name, weight in one.items() if not name.endswith(bare))


def test_time_is_taken_in_less_memory_too(room: Room, tiny: Path, tmp_path: Path) -> None:
    read = room(2)
    settings = EmbedderTraining(minutes=0.0001, per_device_train_batch_size=8)
    mined, teacher = artifact(tmp_path / "mined", examples()), Lazy("teacher", Unmoved)
    made = Run(tmp_path / "run").stage(embedder, settings, mined, Lazy("base", lambda: tiny), teacher)
    assert read_json(made.path / "steps.json")["seconds"] > 0
    assert read[:2] == [8, 4]


def test_where_one_row_is_too_much_it_says_what_to_do(room: Room, tiny: Path, tmp_path: Path) -> None:
    room(0)
    settings = EmbedderTraining(max_steps=2, per_device_train_batch_size=4)
    mined, teacher = artifact(tmp_path / "mined", examples()), Lazy("teacher", Unmoved)
    with pytest.raises(BadModel, match=r"Memory ran out in training, even with one row at a time: CUDA out of memory.*\nLet texts be cut"):
        Run(tmp_path / "run").stage(embedder, settings, mined, Lazy("base", lambda: tiny), teacher)


@pytest.mark.parametrize("method", ["crops", "tsdae", "mlm"])
def test_pretraining_goes_on_in_less_memory(method: str, room: Room, tiny: Path, tmp_path: Path) -> None:
    folder = tmp_path / "corpus"
    folder.mkdir()
    write_records(folder / "passages.jsonl", [passage(f"the green {word} of the street") for word in "kettle lamp engine bridge".split()])
    read = room(1)
    settings = Pretraining(method=method, steps=2, per_device_train_batch_size=4, learning_rate=1e-2)
    made = Run(tmp_path / "run").stage(pretrained, settings, Artifact("corpus", "corpus", folder), Lazy("base", lambda: tiny))
    assert read[:2] == [4, 2]
    assert set(read[2:]) == {1}
    before, after = (load(one).encode("the lamp") for one in (tiny, made.path / "model"))
    assert not np.allclose(before, after, atol=1e-4)


def test_a_reranker_learns_and_reads_in_less_memory(room: Room, tiny: Path, tmp_path: Path) -> None:
    run, mined = Run(tmp_path / "run"), artifact(tmp_path / "mined", examples())
    begun = run.stage(grown, None, Lazy("base", lambda: still(tiny, tmp_path / "still")))
    start = Lazy(begun.key, lambda: begun.path / "model")
    settings = RerankerTraining(max_steps=4, per_device_train_batch_size=8, learning_rate=1e-3, start="embedder", tokens=64)
    room(8)
    whole = run.stage(reranker, settings, mined, start)
    read = room(3)
    apart = Run(tmp_path / "apart").stage(reranker, settings, mined, start)
    assert read[:2] == [8, 4]
    assert set(read[2:]) == {2}
    assert read_json(apart.path / "losses.json") == pytest.approx(read_json(whole.path / "losses.json"), abs=0.02)
    read = room(3)
    Run(tmp_path / "timed").stage(reranker, settings.model_copy(update={"max_steps": 0, "minutes": 0.001}), mined, start)
    assert read[:2] == [8, 4]
    pairs = [(one.question, one.evidence[0].passage.indexed) for one in examples()]
    room(64, training=False)
    scores = CrossReranker(whole.path / "model").score(pairs)
    read = room(3, training=False)
    frugal = CrossReranker(whole.path / "model")
    assert np.allclose(frugal.score(pairs), scores, atol=1e-4)
    assert read[:3] == [32, 8, 2]
    assert frugal.score(pairs[:4]).shape == (4,)
    assert set(read[3:]) == {2}, "it stays small"
    room(0, training=False)
    with pytest.raises(BadModel, match="Memory ran out while the reranker"):
        CrossReranker(whole.path / "model").score(pairs)


def test_a_static_model_has_nothing_to_read_in_pieces(tmp_path: Path) -> None:
    model = load(shaped("static", tmp_path))
    texts = ["the green kettle", "water"]
    whole = model[0](model.preprocess(texts))["sentence_embedding"]
    with reading(model[0], MicroBatch(1)):
        assert torch.equal(model[0](model.preprocess(texts))["sentence_embedding"], whole)
    assert "forward" not in vars(model[0])
