"""Tuning a reranker, with sentence-transformers' own trainer: a cross-encoder that tells evidence from its hard negatives."""

from __future__ import annotations

import random
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from selfstudy.core.files import read_json, write_json
from selfstudy.core.quiet import quiet
from selfstudy.core.records import Artifact, Example
from selfstudy.core.run import Work, stage
from selfstudy.core.studied import examples_of
from selfstudy.train.model import load
from selfstudy.train.rows import evidence_text
from selfstudy.train.sparing import spare
from selfstudy.train.trainers import free_memory, has_bf16, shared_arguments, trained, without_examples

if TYPE_CHECKING:
    from sentence_transformers import CrossEncoder

_TIMED = 4
"""Steps of a copy that tell how long one takes."""


class RerankerTraining(BaseModel):
    """How the reranker is tuned. Names are the Hugging Face trainer's where it has them."""

    model_config = ConfigDict(extra="forbid")

    start: Literal["starter", "embedder"] = Field(
        "starter", description="what it grows from: the starter's judge of relevance (English), or the base embedder's own encoder"
    )
    minutes: float = Field(
        0.0,
        ge=0,
        description="time budget, which decides the number of steps; 0 trains nothing, and the starter's reader is taken as it is",
    )
    max_steps: int = Field(0, ge=0, description="a number of steps instead of the time budget; 0 leaves it to the budget")
    per_device_train_batch_size: int = Field(32, ge=2, description="pairs of a step")
    negatives: int = Field(3, ge=1, description="hard negatives beside the evidence of each question")
    learning_rate: float = Field(2e-5, gt=0)
    warmup_ratio: float = Field(0.1, ge=0, lt=1)
    tokens: int = Field(192, ge=32, description="question and passage are cut after so many tokens together")
    save_seconds: float = Field(45.0, gt=0, description="how much work a kill may cost", exclude=True)
    seed: int = 0


@stage("train.reranker", version=1)
def reranker(work: Work, config: RerankerTraining, mined: Artifact, start: Path) -> dict[str, Any]:
    """Train on the `train` split from the CrossEncoder in `start`; write `model/` and `losses.json`.

    Each question's evidence counts 1 and its hard negatives 0 (binary cross-entropy, the rarer 1 weighted up). Resumes from its last
    checkpoint after a kill. Raises BadModel where memory runs out with one pair at a time.
    """
    model = cross_encoder(start, config.tokens)
    examples = [one for one in examples_of(mined, "train") if one.distractors]
    said = work.folder / "steps.json"
    if not said.exists():  # a resumed run keeps the number that it began with, or its schedule would not fit
        write_json(said, _planned(work, config, start, examples))
    plan: dict[str, Any] = read_json(said)
    losses = _train(work, config, model, pairs(examples, config), plan) if plan["steps"] else []
    with quiet():
        model.save_pretrained(str(work.folder / "model"), create_model_card=False)
    write_json(work.folder / "losses.json", losses)
    shutil.rmtree(work.folder / "checkpoints", ignore_errors=True)
    return {**plan, "bf16": has_bf16(), "examples": len(examples)}


@stage("train.grown", version=1)
def grown(work: Work, config: None, base: Path) -> None:
    """`model/`: the encoder and pooling of the embedder in `base` under a new head of one weight per dimension."""
    import torch
    from sentence_transformers import CrossEncoder
    from sentence_transformers.cross_encoder.modules import Dense

    torch.manual_seed(0)
    encoder, pooling, *_ = load(base)
    width = int(pooling.get_embedding_dimension())  # type: ignore[operator]
    head = Dense(width, 1, activation_function=torch.nn.Identity(), module_output_name="scores")
    with quiet():
        CrossEncoder(modules=[encoder, pooling, head]).save_pretrained(str(work.folder / "model"), create_model_card=False)


def cross_encoder(folder: Path, tokens: int) -> CrossEncoder:
    """The model of `folder`, which cuts its pairs after `tokens`."""
    from sentence_transformers import CrossEncoder

    with quiet():
        model: CrossEncoder = CrossEncoder(str(folder), local_files_only=True)
    model.max_seq_length = min(tokens, model.max_seq_length or tokens)
    return model


def pairs(examples: Sequence[Example], config: RerankerTraining) -> dict[str, list[Any]]:
    """Columns question, passage and label, each question's evidence and negatives one behind the other, the questions in chance order."""
    chooser = random.Random(config.seed)
    rows: list[tuple[str, str, float]] = []
    for example in chooser.sample(list(examples), len(examples)):
        wrong = chooser.sample(example.distractors, min(config.negatives, len(example.distractors)))
        rows.append((example.question, evidence_text(example, chooser), 1.0))
        rows += [(example.question, hit.passage.indexed, 0.0) for hit in wrong]
    return {name: [row[place] for row in rows] for place, name in enumerate(("question", "passage", "label"))}


def _planned(work: Work, config: RerankerTraining, start: Path, examples: Sequence[Example]) -> dict[str, Any]:
    """How many steps there will be, and the seconds of one: some are made by a copy that is thrown away."""
    if not examples or not (config.minutes or config.max_steps):
        return {"steps": 0, "seconds": 0.0}
    rows = pairs(examples, config)
    once = -(-len(rows["label"]) // config.per_device_train_batch_size)
    if config.max_steps:
        return {"steps": config.max_steps, "seconds": 0.0}
    trial = _trainer(config, cross_encoder(start, config.tokens), rows, work.folder / "trial", _TIMED, 10**6)
    spare(trial, free_memory)
    seconds = trial.train().metrics["train_runtime"] / _TIMED
    shutil.rmtree(work.folder / "trial", ignore_errors=True)
    return {"steps": min(int(config.minutes * 60 / seconds), 4 * once), "seconds": round(seconds, 3)}


def _trainer(config: RerankerTraining, model: CrossEncoder, rows: dict[str, list[Any]], folder: Path, steps: int, save_steps: int) -> Any:
    import torch
    from datasets import Dataset
    from sentence_transformers.cross_encoder import CrossEncoderTrainer, CrossEncoderTrainingArguments
    from sentence_transformers.cross_encoder.losses import BinaryCrossEntropyLoss
    from transformers import PrinterCallback

    without_examples(model)
    right = sum(rows["label"])
    trainer = CrossEncoderTrainer(
        model=model,
        args=CrossEncoderTrainingArguments(
            **shared_arguments(folder),
            max_steps=steps,
            per_device_train_batch_size=config.per_device_train_batch_size,
            learning_rate=config.learning_rate,
            warmup_steps=max(1, int(config.warmup_ratio * steps)),
            save_steps=save_steps,
            report_to="none",
            seed=config.seed,
        ),
        train_dataset=Dataset.from_dict(rows),
        loss=BinaryCrossEntropyLoss(model, pos_weight=torch.tensor((len(rows["label"]) - right) / max(1.0, right))),
    )
    trainer.remove_callback(PrinterCallback)
    return trainer


def _train(work: Work, config: RerankerTraining, model: CrossEncoder, rows: dict[str, list[Any]], plan: dict[str, Any]) -> list[float]:
    """Train `model` in place. Returns the logged losses, those before a kill included."""
    saved = max(1, int(config.save_seconds / (plan["seconds"] or 1.0)))
    return trained(_trainer(config, model, rows, work.folder / "checkpoints", plan["steps"], saved), work)
