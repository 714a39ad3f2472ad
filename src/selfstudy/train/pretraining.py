"""Getting used to the documents before any question is asked: denoising (TSDAE) or contrastive cropping over the raw passages."""

from __future__ import annotations

import random
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from selfstudy.core.artifacts import read_records
from selfstudy.core.files import write_json
from selfstudy.core.quiet import quiet
from selfstudy.core.records import Artifact, Passage
from selfstudy.core.run import Work, stage
from selfstudy.core.text import is_cjk
from selfstudy.train.fitting import fit
from selfstudy.train.model import load

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer


class Pretraining(BaseModel):
    """What the embedder does with raw passages before it is trained on questions."""

    model_config = ConfigDict(extra="forbid")

    method: Literal["off", "tsdae", "crops"] = Field(
        "off",
        description="tsdae: write a passage again out of the vector of what is left of it; crops: tell which two pieces were one passage",
    )
    steps: int = Field(200, ge=1)
    per_device_train_batch_size: int = Field(16, ge=2)
    learning_rate: float = Field(3e-5, gt=0)
    warmup_ratio: float = Field(0.1, ge=0, lt=1)
    deleted: float = Field(0.6, gt=0, lt=1, description="share of the words that tsdae takes out")
    temperature: float = Field(0.05, gt=0, description="of the crops' in-batch softmax")
    tokens: int = Field(96, ge=16, description="passages are cut after so many tokens")
    save_steps: int = Field(20, ge=1, exclude=True, description="steps between checkpoints")
    seed: int = 0


@stage("train.pretrained", version=1)
def pretrained(work: Work, config: Pretraining, corpus: Artifact, base: Path) -> dict[str, int]:
    """`model/`: the embedder in `base`, whole and of its own shape, after `steps` over the corpus; `losses.json`. Resumes after a kill.

    tsdae: a decoder that shares the encoder's weights writes the passage out of the vector of its remains (arXiv 2104.06979). Its authors
    report that it helps before contrastive training and hurts after it. crops: in-batch softmax over pairs of pieces (arXiv 2112.09118).
    """
    model = load(base)
    longest, model.max_seq_length = model.max_seq_length, min(config.tokens, model.max_seq_length or config.tokens)
    texts = [passage.text for passage in read_records(corpus.path / "passages.jsonl", Passage)]
    losses = fit(
        work, model, _loss(config, model), _rows(config, texts), size=config.per_device_train_batch_size, steps=config.steps,
        save_steps=config.save_steps, learning_rate=config.learning_rate, warmup_ratio=config.warmup_ratio, seed=config.seed,
    )  # fmt: skip
    model.max_seq_length = longest
    with quiet():
        model.save_pretrained(str(work.folder / "model"), create_model_card=False)
    write_json(work.folder / "losses.json", losses)
    shutil.rmtree(work.folder / "checkpoints", ignore_errors=True)
    return {"steps": config.steps, "passages": len(texts)}


def _loss(config: Pretraining, model: SentenceTransformer) -> Any:
    from sentence_transformers.sentence_transformer import losses

    if config.method == "crops":
        return losses.MultipleNegativesRankingLoss(model, scale=1 / config.temperature)
    with quiet():  # of the decoder's weights some are new: those that look at the vector, and those that choose words
        return losses.DenoisingAutoEncoderLoss(model, tie_encoder_decoder=True)


def _rows(config: Pretraining, texts: Sequence[str]) -> Any:
    """Two columns, enough for all steps: remains and whole, or two pieces. No two rows of a batch are of one passage."""
    from datasets import Dataset

    chooser = random.Random(config.seed)
    size = min(config.per_device_train_batch_size, len(texts)) * config.steps
    order: list[str] = []
    while len(order) < size:
        order += chooser.sample(list(texts), len(texts))
    if config.method == "crops":
        pairs = [(crop(text, chooser), crop(text, chooser)) for text in order[:size]]
    else:
        pairs = [(remains(text, config.deleted, chooser), text) for text in order[:size]]
    return Dataset.from_dict({"first": [first for first, _ in pairs], "second": [second for _, second in pairs]})


def remains(text: str, deleted: float, chooser: random.Random) -> str:
    """`text` without that share of its words, at least one of which stays."""
    words = _words(text)
    kept = [word for word in words if chooser.random() >= deleted] or words[:1]
    return " ".join(kept)


def crop(text: str, chooser: random.Random) -> str:
    """A piece of `text` of a third to two thirds of its words."""
    words = _words(text)
    length = max(1, round(len(words) * chooser.uniform(1 / 3, 2 / 3)))
    start = chooser.randint(0, max(0, len(words) - length))
    return " ".join(words[start : start + length])


def _words(text: str) -> list[str]:
    """Words, and characters of scripts that write none."""
    return "".join(f" {char} " if is_cjk(char) else char for char in text).split()
