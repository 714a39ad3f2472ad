"""Getting used to the documents before any question is asked: denoising (TSDAE), contrastive cropping or masked words."""

from __future__ import annotations

import random
import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from selfstudy.core.errors import BadConfig
from selfstudy.core.files import write_json
from selfstudy.core.quiet import quiet
from selfstudy.core.records import Artifact
from selfstudy.core.run import Work, stage
from selfstudy.core.studied import passages_of
from selfstudy.core.text import CJK
from selfstudy.train.fitting import fit
from selfstudy.train.labelled import Fit
from selfstudy.train.masked import fit_masked, no_decoder, no_masks
from selfstudy.train.model import cut_after, load, prompt_of

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

_WORD = re.compile(rf"[{CJK}]|[^\s{CJK}]+")
"""A word, or a character of a script that writes none."""


class Pretraining(BaseModel):
    """What the embedder does with raw passages before it is trained on questions."""

    model_config = ConfigDict(extra="forbid")

    method: Literal["off", "tsdae", "crops", "mlm"] = Field(
        "off",
        description="tsdae: write a passage again out of the vector of what is left of it; crops: tell which two pieces were one passage; "
        "mlm: guess words that are masked",
    )
    steps: int = Field(200, ge=1)
    per_device_train_batch_size: int = Field(16, ge=2)
    learning_rate: float = Field(3e-5, gt=0)
    warmup_ratio: float = Field(0.1, ge=0, lt=1)
    deleted: float = Field(0.6, gt=0, lt=1, description="share of the words that tsdae takes out")
    temperature: float = Field(0.05, gt=0, description="of the crops' in-batch softmax")
    mlm_probability: float = Field(0.15, gt=0, lt=1, description="share of the tokens that mlm masks")
    tokens: int = Field(96, ge=16, description="passages are cut after so many tokens")
    save_steps: int = Field(20, ge=1, exclude=True, description="steps between checkpoints")
    seed: int = 0


@stage("train.pretrained", version=3)
def pretrained(work: Work, config: Pretraining, corpus: Artifact, base: Path) -> dict[str, int]:
    """`model/`: the embedder in `base`, whole and of its own shape, after `steps` over the corpus; `losses.json`. Resumes after a kill.

    tsdae: a decoder that shares the encoder's weights writes the passage out of the vector of its remains (arXiv 2104.06979). Its authors
    report that it helps before contrastive training and hurts after it. crops: in-batch softmax over pairs of pieces (arXiv 2112.09118).
    mlm: masked words, chosen by a head that is the folder's or else new, and is not kept (arXiv 1810.04805; before contrastive training:
    arXiv 2004.10964).

    The encoder reads passages behind their prompt, as it does when it serves. Raises BadConfig for a model that the method cannot teach.
    """
    check(config, base)
    model, prompt = load(base), prompt_of(base, "passage")
    longest = model.max_seq_length
    cut_after(model, min(config.tokens, longest or config.tokens))
    texts = [passage.text for passage in passages_of(corpus)]
    if config.method == "mlm":
        losses = _masked(work, config, model, base, [prompt + text for text in texts])
    else:
        losses = _compared(work, config, model, texts, prompt)
    cut_after(model, longest)
    with quiet():
        model.save_pretrained(str(work.folder / "model"), create_model_card=False)
    write_json(work.folder / "losses.json", losses)
    shutil.rmtree(work.folder / "checkpoints", ignore_errors=True)
    return {"steps": config.steps, "passages": len(texts)}


def check(config: Pretraining, base: Path) -> None:
    """Raise BadConfig where the method cannot teach the model in `base`, before anything is done for it. crops teaches every one."""
    if config.method in ("off", "crops"):
        return
    model = load(base)
    reason = no_decoder(model) if config.method == "tsdae" else no_masks(model)
    if reason:
        other = "crops or mlm" if config.method == "tsdae" and not no_masks(model) else "crops"
        raise BadConfig(f"pretraining.method = {config.method!r} cannot teach this embedder: {reason}.", f"Take {other} instead.")


def _compared(work: Work, config: Pretraining, model: SentenceTransformer, texts: Sequence[str], prompt: str) -> list[float]:
    """tsdae and crops: one text beside another."""
    prompts = {"first": prompt, "second": prompt if config.method == "crops" else ""}  # what is written again has no prompt
    different = list(dict.fromkeys(texts))
    size = min(config.per_device_train_batch_size, len(different))
    return fit(
        work, model, _loss(config, model), _rows(config, different, size), size=size, steps=config.steps,
        save_steps=config.save_steps, learning_rate=config.learning_rate, warmup_ratio=config.warmup_ratio, seed=config.seed,
        prompts=prompts, apart=config.method == "tsdae",
    )  # fmt: skip


def _masked(work: Work, config: Pretraining, model: SentenceTransformer, base: Path, texts: Sequence[str]) -> list[float]:
    """mlm: each text for itself."""
    how = Fit(
        max_steps=config.steps, per_device_train_batch_size=config.per_device_train_batch_size, learning_rate=config.learning_rate,
        warmup_ratio=config.warmup_ratio, weight_decay=0.0, save_steps=config.save_steps, group_by_length=False, seed=config.seed,
    )  # fmt: skip
    return fit_masked(work, how, model, base, texts, config.mlm_probability)


def _loss(config: Pretraining, model: SentenceTransformer) -> Any:
    import torch
    from sentence_transformers.sentence_transformer import losses

    if config.method == "crops":
        return losses.MultipleNegativesRankingLoss(model, scale=1 / config.temperature)
    torch.manual_seed(config.seed)
    with quiet():  # of the decoder's weights some are new: those that look at the vector, and those that choose words
        return losses.DenoisingAutoEncoderLoss(model, tie_encoder_decoder=True)


def _rows(config: Pretraining, texts: Sequence[str], size: int) -> Any:
    """Two columns, enough for all steps: remains and whole, or two pieces. No two rows of a batch, of `size`, are of one passage."""
    from datasets import Dataset

    chooser = random.Random(config.seed)
    pairs: list[tuple[str, str]] = []
    deck: list[str] = []
    for _ in range(config.steps):
        if len(deck) < size:
            left = set(deck)
            deck += [text for text in chooser.sample(texts, len(texts)) if text not in left]
        batch, deck = deck[:size], deck[size:]
        if config.method == "crops":
            pairs += [(crop(text, chooser), crop(text, chooser)) for text in batch]
        else:
            pairs += [(remains(text, config.deleted, chooser), text) for text in batch]
    return Dataset.from_dict({"first": [first for first, _ in pairs], "second": [second for _, second in pairs]})


def remains(text: str, deleted: float, chooser: random.Random) -> str:
    """`text` without that share of its words, at least one of which stays; a space where there was one before a word that stays."""
    words = list(_WORD.finditer(text))
    kept = [word for word in words if chooser.random() >= deleted] or words[:1]
    return "".join(f" {word[0]}" if text[: word.start()][-1:].isspace() else word[0] for word in kept).strip()


def crop(text: str, chooser: random.Random) -> str:
    """A piece of `text` of a third to two thirds of its words, as it stands there."""
    words = list(_WORD.finditer(text))
    length = max(1, round(len(words) * chooser.uniform(1 / 3, 2 / 3)))
    start = chooser.randint(0, max(0, len(words) - length))
    piece = words[start : start + length]
    return text[piece[0].start() : piece[-1].end()] if piece else ""
