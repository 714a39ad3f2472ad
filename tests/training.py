"""What trainers are tested with: a tiny embedder, examples in its words, and a teacher that knows nothing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from passages import passage

from selfstudy.core.artifacts import write_records
from selfstudy.core.ports import Vectors
from selfstudy.core.records import Artifact, Example, Hit
from selfstudy.train.model import load

WORDS = "kettle lamp engine bridge violin glacier orchard tunnel green blue the of is repaired by water street owner what how".split()


def model(folder: Path) -> Path:
    """A BERT of two layers with random weights in `folder`, as sentence-transformers saves it; it knows WORDS."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer
    from transformers import BertConfig, BertModel, BertTokenizerFast

    torch.manual_seed(0)
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
    (folder / "vocab.txt").write_text("\n".join(vocabulary) + "\n")
    sizes: dict[str, float] = {
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 64,
        "max_position_embeddings": 64,
    }
    sizes |= {"initializer_range": 0.3}  # so that its vectors differ from one another
    BertModel(BertConfig(vocab_size=len(vocabulary), **sizes)).save_pretrained(folder / "bert")
    BertTokenizerFast(str(folder / "vocab.txt"), model_max_length=64).save_pretrained(folder / "bert")
    made = SentenceTransformer(modules=[Transformer(str(folder / "bert"), max_seq_length=64), Pooling(32), Normalize()], device="cpu")
    made.save_pretrained(str(folder / "model"), create_model_card=False)
    return folder / "model"


def still(model: Path, folder: Path) -> Path:
    """A copy of `model` in `folder` that drops nothing out, so that the same rows give the same gradients."""
    if not folder.exists():
        made = load(model)
        made[0].auto_model.config.hidden_dropout_prob = made[0].auto_model.config.attention_probs_dropout_prob = 0.0
        made.save_pretrained(str(folder), create_model_card=False)
    return folder


def prompted(model: Path, folder: Path) -> Path:
    """A copy of `model` in `folder` that wants words before questions and passages, as e5 does."""
    made = load(model)
    made.prompts = {"query": "bridge bridge bridge ", "passage": "tunnel tunnel tunnel "}
    made.save_pretrained(str(folder), create_model_card=False)
    return folder


def batches_read(monkeypatch: pytest.MonkeyPatch, folder: Path) -> list[dict[str, list[str]]]:
    """The batches that trainers will see from now on: the texts of each column, as the tokenizer of `folder` decodes them."""
    from transformers import Trainer

    words: Any = load(folder).tokenizer
    read: list[dict[str, list[str]]] = []
    step = Trainer.training_step

    def seen(self: Any, model: Any, inputs: Any, *rest: Any) -> Any:
        columns = {name.removesuffix("input_ids"): ids for name, ids in inputs.items() if name.endswith("input_ids")}
        read.append({name: words.batch_decode(ids, skip_special_tokens=True) for name, ids in columns.items()})
        return step(self, model, inputs, *rest)

    monkeypatch.setattr(Trainer, "training_step", seen)
    return read


def examples() -> list[Example]:
    things, colours = WORDS[:8], WORDS[8:10]
    passages = {(t, c): passage(f"the {c} {t} of the street is repaired by the owner") for t in things for c in colours}
    return [
        Example(
            f"{t}{c}{n}",
            f"{how} {c} {t}",
            (),
            (Hit(p, 1.0, "w"),),
            (Hit(passages[t, colours[1 - colours.index(c)]], 1.0, "dense"),),
            split="train",
        )
        for n, how in enumerate(("what", "how"))
        for (t, c), p in passages.items()
    ]


def artifact(folder: Path, rows: Sequence[Example]) -> Artifact:
    folder.mkdir(parents=True, exist_ok=True)
    write_records(folder / "mined.jsonl", rows)
    return Artifact(folder.name, "mined", folder)


class Unmoved:
    """A teacher that knows nothing."""

    def scores(self, questions: Sequence[str], passages: Sequence[Sequence[str]]) -> list[Vectors]:
        return [np.zeros(len(ids), np.float32) for ids in passages]

    def vectors(self, questions: Sequence[str], passages: Sequence[str]) -> tuple[Vectors, Vectors]:
        return np.zeros((len(questions), 32), np.float32), np.zeros((len(passages), 32), np.float32)
