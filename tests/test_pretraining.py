"""Getting used to raw passages: what is left of them, pieces, and what a tiny model made here learns."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from passages import passage
from shapes import MASKED, shaped
from training import WORDS, batches_read, prompted, still

from selfstudy.core.artifacts import write_records
from selfstudy.core.errors import Stopped
from selfstudy.core.files import read_json
from selfstudy.core.records import Artifact
from selfstudy.core.run import Lazy, Run
from selfstudy.train import pretraining
from selfstudy.train.model import load
from selfstudy.train.pretraining import Pretraining, crop, pretrained, remains


def test_what_is_left_is_a_share_of_the_words_in_their_order() -> None:
    text = " ".join(f"w{n}" for n in range(2000))
    kept = remains(text, 0.6, random.Random(0)).split()
    assert 700 < len(kept) < 900
    assert kept == sorted(kept, key=lambda word: int(word[1:]))
    assert remains("alone", 0.99, random.Random(0)) == "alone"
    assert 2 <= len(remains("水泵每周由人工加油一次。", 0.5, random.Random(1))) <= 11
    assert " " not in remains("水泵每周由人工加油一次。", 0.5, random.Random(1)), "no space comes between characters that had none"


def test_a_crop_is_one_piece() -> None:
    text = " ".join(f"w{n}" for n in range(90))
    pieces = [crop(text, random.Random(seed)) for seed in range(50)]
    assert all(piece in text for piece in pieces)
    assert 30 <= min(len(piece.split()) for piece in pieces) <= max(len(piece.split()) for piece in pieces) <= 60
    assert len({piece.split()[0] for piece in pieces}) > 10
    assert crop("alone", random.Random(0)) == "alone"
    chinese = "水泵每周由\n人工 (Pump 7) 加油一次。"
    assert all(crop(chinese, random.Random(seed)) in chinese for seed in range(50)), "as it stands there"


@pytest.mark.parametrize(("method", "size"), [("crops", 16), ("tsdae", 16), ("crops", 64)])
def test_no_batch_holds_a_passage_twice(method: Any, size: int) -> None:
    texts = [f"passage{n} " * 9 for n in range(40)]
    rows = pretraining._rows(Pretraining(method=method, steps=50), texts, min(size, len(texts)))
    of = [row["second"].split()[0] for row in rows]
    batches = [of[start : start + min(size, 40)] for start in range(0, len(of), min(size, 40))]
    assert len(batches) == 50
    assert all(len(set(batch)) == len(batch) for batch in batches)


@pytest.fixture
def corpus(tmp_path: Path) -> Artifact:
    chooser = random.Random(0)
    texts = [" ".join(chooser.choices(chooser.sample(WORDS, 5), k=24)) for _ in range(48)]
    folder = tmp_path / "corpus"
    folder.mkdir()
    write_records(folder / "passages.jsonl", [passage(text) for text in texts])
    return Artifact("corpus", "corpus", folder)


def told_apart(folder: Path, corpus: Artifact) -> float:
    """How often two new pieces of one passage are each other's nearest."""
    chooser = random.Random(9)
    texts = [line.split('"text": "')[1].split('"')[0] for line in (corpus.path / "passages.jsonl").read_text().splitlines()]
    pairs = [(crop(text, chooser), crop(text, chooser)) for text in texts]
    first, second = (load(folder).encode([pair[side] for pair in pairs], normalize_embeddings=True) for side in (0, 1))
    return float(((first @ second.T).argmax(axis=1) == np.arange(len(pairs))).mean())


def test_crops_teach_which_pieces_were_one_passage(tiny: Path, corpus: Artifact, tmp_path: Path) -> None:
    settings = Pretraining(method="crops", steps=60, learning_rate=3e-3, per_device_train_batch_size=16, temperature=0.1)
    made = Run(tmp_path / "run").stage(pretrained, settings, corpus, Lazy("base", lambda: tiny))
    assert told_apart(made.path / "model", corpus) > told_apart(tiny, corpus) + 0.1
    assert load(made.path / "model").max_seq_length == 64
    assert not (made.path / "checkpoints").exists()


def test_denoising_learns_to_write_the_passage_again(tiny: Path, corpus: Artifact, tmp_path: Path) -> None:
    settings = Pretraining(method="tsdae", steps=150, learning_rate=6e-3, per_device_train_batch_size=16)
    made = Run(tmp_path / "run").stage(pretrained, settings, corpus, Lazy("base", lambda: tiny))
    losses = read_json(made.path / "losses.json")
    assert losses[0] > np.log(16), "it chooses among words, not among the passages of a batch"
    assert losses[-1] < losses[0] - 0.5
    assert losses[-1] < np.log(len(WORDS)) - 0.3, "better than any word as likely as any other"
    shapes = [{name: weight.shape for name, weight in load(folder).state_dict().items()} for folder in (tiny, made.path / "model")]
    assert shapes[0] == shapes[1], "what wrote is not part of the embedder"


def test_masked_words_are_learned_by_the_encoder_and_the_head_is_dropped(tiny: Path, corpus: Artifact, tmp_path: Path) -> None:
    settings = Pretraining(method="mlm", steps=150, learning_rate=6e-3)
    made = Run(tmp_path / "run").stage(pretrained, settings, corpus, Lazy("base", lambda: tiny))
    losses = read_json(made.path / "losses.json")
    assert losses[-1] < losses[0] - 1
    assert losses[-1] < np.log(len(WORDS)) - 0.05, "better than any word as likely as any other"
    before, after = load(tiny), load(made.path / "model")
    assert {name: weight.shape for name, weight in before.state_dict().items()} == {n: w.shape for n, w in after.state_dict().items()}
    moved = [name for name, weight in before.state_dict().items() if not torch.equal(weight, after.state_dict()[name])]
    assert any("layer.0.attention" in name for name in moved)
    assert any("word_embeddings" in name for name in moved)
    assert not any("pooler" in name for name in moved), "nothing of the embedder but the encoder learns"
    assert [type(module) for module in before] == [type(module) for module in after]
    assert after.max_seq_length == 64
    assert not (made.path / "checkpoints").exists()


@pytest.mark.parametrize("kind", MASKED)
def test_masked_words_teach_other_shapes_too(kind: str, corpus: Artifact, tmp_path: Path) -> None:
    settings = Pretraining(method="mlm", steps=2, learning_rate=1e-2, per_device_train_batch_size=4)
    made = Run(tmp_path / "run").stage(pretrained, settings, corpus, Lazy("base", lambda: shaped(kind, tmp_path)))
    before, after = (load(folder).encode(["the green kettle"]) for folder in (tmp_path / "model", made.path / "model"))
    assert np.isfinite(after).all()
    assert not np.allclose(before, after, atol=1e-4)


def test_a_static_model_learns_from_crops(corpus: Artifact, tmp_path: Path) -> None:
    settings = Pretraining(method="crops", steps=2, learning_rate=1e-2, per_device_train_batch_size=4)
    made = Run(tmp_path / "run").stage(pretrained, settings, corpus, Lazy("base", lambda: shaped("static", tmp_path)))
    before, after = (load(folder).encode(["the green kettle"]) for folder in (tmp_path / "model", made.path / "model"))
    assert not np.allclose(before, after, atol=1e-4)


class Stopping:
    """A reporter that stops the work, as a Ctrl-C does, at a step."""

    def __init__(self, run: Run, step: int) -> None:
        self._run, self._step, self.steps = run, step, []

    def stage_started(self, name: str, resumed: bool) -> None: ...

    def stage_finished(self, name: str, seconds: float, kept: bool) -> None: ...

    def progress(self, name: str, done: int, total: int) -> None:
        self.steps.append(done)
        self._run.stop.requested = done == self._step


@pytest.mark.parametrize("method", ["tsdae", "mlm"])
def test_stopped_it_goes_on_where_it_was_with_all_that_had_learned(method: str, tiny: Path, corpus: Artifact, tmp_path: Path) -> None:
    base = Lazy("base", lambda: still(tiny, tmp_path / "still"))
    settings = Pretraining(method=method, steps=6, learning_rate=1e-2, per_device_train_batch_size=8, save_steps=3)
    whole = Run(tmp_path / "whole").stage(pretrained, settings, corpus, base)
    run = Run(tmp_path / "run")
    run.reporter = stopping = Stopping(run, 4)
    with pytest.raises(Stopped):
        run.stage(pretrained, settings, corpus, base)
    again = Run(tmp_path / "run")
    again.reporter = going_on = Stopping(again, 0)
    made = again.stage(pretrained, settings, corpus, base)
    assert (stopping.steps, going_on.steps) == ([1, 2, 3, 4], [4, 5, 6])
    one, other = (load(artifact.path / "model").state_dict() for artifact in (whole, made))
    apart = max(float((weight - other[name]).abs().max()) for name, weight in one.items())
    assert apart < (1e-4 if method == "tsdae" else 0.03), "the same steps; only which words are masked is drawn anew"


@pytest.mark.parametrize(("method", "behind"), [("crops", (True, True)), ("tsdae", (True, False)), ("mlm", (True,))])
def test_passages_are_read_behind_their_prompt(
    method: str, behind: tuple[bool, ...], tiny: Path, corpus: Artifact, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = prompted(tiny, tmp_path / "prompted")
    read = batches_read(monkeypatch, base)
    settings = Pretraining(method=method, steps=1, per_device_train_batch_size=8, mlm_probability=0.01)
    Run(tmp_path / "run").stage(pretrained, settings, corpus, Lazy("base", lambda: base))
    assert len(read) == 1
    for column, wanted in zip(read[0].values(), behind, strict=True):
        assert all(text.startswith("tunnel tunnel tunnel") is wanted for text in column)
