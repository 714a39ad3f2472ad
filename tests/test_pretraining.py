"""Getting used to raw passages: what is left of them, pieces, and what a tiny model made here learns."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
from test_train import WORDS, source, tiny

from selfstudy.core.artifacts import write_records
from selfstudy.core.files import read_json
from selfstudy.core.records import Artifact
from selfstudy.core.run import Lazy, Run
from selfstudy.train.model import load
from selfstudy.train.pretraining import Pretraining, crop, pretrained, remains

_ = tiny  # the fixture


def test_what_is_left_is_a_share_of_the_words_in_their_order() -> None:
    text = " ".join(f"w{n}" for n in range(2000))
    kept = remains(text, 0.6, random.Random(0)).split()
    assert 700 < len(kept) < 900
    assert kept == sorted(kept, key=lambda word: int(word[1:]))
    assert remains("alone", 0.99, random.Random(0)) == "alone"
    assert 2 <= len(remains("水泵每周由人工加油一次。", 0.5, random.Random(1)).split()) <= 11


def test_a_crop_is_one_piece() -> None:
    text = " ".join(f"w{n}" for n in range(90))
    pieces = [crop(text, random.Random(seed)) for seed in range(50)]
    assert all(piece in text for piece in pieces)
    assert 30 <= min(len(piece.split()) for piece in pieces) <= max(len(piece.split()) for piece in pieces) <= 60
    assert len({piece.split()[0] for piece in pieces}) > 10
    assert crop("alone", random.Random(0)) == "alone"


@pytest.fixture
def corpus(tmp_path: Path) -> Artifact:
    chooser = random.Random(0)
    texts = [" ".join(chooser.choices(chooser.sample(WORDS, 5), k=24)) for _ in range(48)]
    folder = tmp_path / "corpus"
    folder.mkdir()
    write_records(folder / "passages.jsonl", [source(text) for text in texts])
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
