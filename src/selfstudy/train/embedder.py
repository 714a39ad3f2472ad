"""Tuning the embedder with sentence-transformers' own trainer: in-batch softmax with hard negatives, within a time budget."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Protocol

from pydantic import BaseModel, ConfigDict, Field, model_validator

from selfstudy.core.errors import BadConfig
from selfstudy.core.files import read_json, write_json
from selfstudy.core.ports import Vectors
from selfstudy.core.records import Artifact, Example
from selfstudy.core.run import Work, stage
from selfstudy.core.studied import examples_of
from selfstudy.train.fitting import fit
from selfstudy.train.losses import TRIPLETS, Name, Tempering, cached, in_batch, matryoshka
from selfstudy.train.model import cut_after, layers_of, load, prompt_of, save, transformer_of, word_vectors_of
from selfstudy.train.rows import Rows, batched, contrastive, weighed
from selfstudy.train.sparing import MicroBatch, reading
from selfstudy.train.trainers import free_memory, has_bf16

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

_FROZEN = 3
"""Lower layers that stay as they are unless more are asked for, where half of all are as many."""


class Teacher(Protocol):
    """What training learns from beside the questions: the base, and what lexical and dense search together think."""

    def scores(self, questions: Sequence[str], passages: Sequence[Sequence[str]]) -> Sequence[Vectors]:
        """For each question how well each of the passages (ids) fits, as z-scores over the whole corpus."""
        ...

    def vectors(self, questions: Sequence[str], passages: Sequence[str]) -> tuple[Vectors, Vectors]:
        """The base's vectors, (n, dim) each."""
        ...


class EmbedderTraining(BaseModel):
    """How the embedder is tuned. Names are the Hugging Face trainer's where it has them."""

    model_config = ConfigDict(extra="forbid")

    minutes: float = Field(3.0, ge=0, description="time budget, which decides the number of steps; 0 leaves the base's weights as they are")
    max_steps: int = Field(0, ge=0, description="a number of steps instead of the time budget; 0 leaves it to the budget")
    per_device_train_batch_size: int = Field(32, ge=2)
    mates: int = Field(3, ge=0, description="questions that each brings into its batch because their passages are its hard negatives")
    negatives: int = Field(0, ge=0, description="hard negatives beside each row, on top of the batch's; each costs another passage")
    typos: float = Field(0.0, ge=0, le=1, description="share of the training questions that are mistyped, or all small or capital letters")
    learning_rate: float = Field(1e-4, gt=0)
    loss: Name = Field(
        "softmax",
        description="in-batch softmax, or cached (the same over large batches in little memory, without teacher and anchor), triplet, "
        "hard_triplet, semi_hard_triplet, margin_mse, kl",
    )
    temperature: float = Field(0.05, gt=0)
    tempering: Tempering = Field(
        "fixed", description="the temperature: fixed, learned, annealed from four times as much, or by difficulty of the batch"
    )
    margin: float = Field(0.2, gt=0, description="how much further away a triplet's wrong passage must be, in cosine distance")
    mini_batch: int = Field(32, ge=1, description="rows that a cached loss holds at a time", exclude=True)
    matryoshka: tuple[Annotated[int, Field(gt=0)], ...] = Field(
        (), description="numbers of first dimensions that must be good alone, too, so that vectors may be cut"
    )
    taught: float = Field(
        0.5, ge=0, le=1, description="share of the loss that follows lexical + dense search over the batch; the rest is `loss`"
    )
    anchor: float = Field(
        6.0, ge=0, description="weight of staying near the base's vectors: without it people's questions lose what the written ones gain"
    )
    warmup_ratio: float = Field(0.1, ge=0, lt=1)
    passage_tokens: int = Field(128, ge=16, description="passages are cut after so many tokens while training")
    frozen_layers: int | None = Field(
        None, ge=0, description="lower layers that stay as they are, the word vectors with them; by default three, half of them at most"
    )
    save_seconds: float = Field(45.0, gt=0, description="how much work a kill may cost")
    report_to: str = Field("none", description="passed to the trainer: tensorboard, wandb, ...")
    seed: int = 0

    @model_validator(mode="after")
    def _tempered(self) -> EmbedderTraining:
        """A temperature that no part of the loss reads is not to be set."""
        unread = self.loss == "cached" or (self.loss in TRIPLETS and not self.taught)
        if self.tempering != "fixed" and unread:
            raise ValueError(
                f"with loss = {self.loss!r} the temperature is {'always fixed' if self.loss == 'cached' else 'not read'}: leave tempering"
                f' = "fixed", or take another loss, like "softmax" (tempering = {self.tempering!r} was given)'
            )
        return self


@stage("train.embedder", version=4)
def embedder(work: Work, config: EmbedderTraining, mined: Artifact, base: Path, teacher: Teacher) -> dict[str, Any]:
    """Train on the `train` split from `base`; write `tuned/` (a sentence-transformers folder) and `losses.json`.

    The loss is in `train.losses`; questions and passages are read behind the prompts that they have in `base` when it serves. Resumes from
    its last checkpoint after a kill. Returns the number of steps and the seconds of one. Raises BadConfig for settings that do not fit the
    model, BadModel where memory runs out with one row at a time.
    """
    model = load(base)
    examples = weighed(examples_of(mined, "train"))
    said = work.folder / "steps.json"
    if not said.exists():  # a resumed run keeps the number that it began with, or its schedule would not fit
        seconds = _seconds_per_step(config, model, examples, base) if config.minutes and not config.max_steps else 0.0
        steps = config.max_steps or (int(config.minutes * 60 / seconds) if seconds else 0)
        write_json(said, {"steps": min(steps, _rounds(config, examples)), "seconds": round(seconds, 3)})
    plan: dict[str, Any] = read_json(said)
    losses = _train(work, config, model, examples, plan, teacher, base) if plan["steps"] else []
    save(model, work.folder / "tuned")
    write_json(work.folder / "losses.json", losses)
    shutil.rmtree(work.folder / "checkpoints", ignore_errors=True)
    return {**plan, "bf16": has_bf16(), "examples": len(examples)}


def check(config: EmbedderTraining, base: Path) -> None:
    """Raise BadConfig for settings that do not fit the model in `base`, before anything is done for it."""
    if (config.minutes or config.max_steps) and (config.matryoshka or config.frozen_layers):
        _check(config, load(base))


def _check(config: EmbedderTraining, model: SentenceTransformer) -> None:
    dim, frozen = int(model.get_embedding_dimension() or 0), config.frozen_layers
    if config.matryoshka and max(config.matryoshka) > dim:
        raise BadConfig(
            f"training.matryoshka = {list(config.matryoshka)}: the embedder's vectors have {dim} dimensions.",
            f"Name numbers of first dimensions below {dim}.",
        )
    layers = len(layers_of(transformer_of(model)))
    if frozen and frozen >= layers:
        have = f"{layers} layers, and none would learn" if layers else "no layers that could be frozen one by one"
        raise BadConfig(
            f"training.frozen_layers = {frozen}: the embedder has {have}.",
            f"Freeze {layers - 1} at most." if layers > 1 else "Set it to 0, or leave it out.",
        )


def prepared(config: EmbedderTraining, model: SentenceTransformer) -> Any:
    """Freeze the lower layers, cut passages short, and give the loss. Raises BadConfig for settings that do not fit the model."""
    _check(config, model)
    for part in _frozen(config, transformer_of(model)):
        part.requires_grad_(False)
    cut_after(model, min(config.passage_tokens, model.max_seq_length or config.passage_tokens))
    return _loss(config, model)


def _frozen(config: EmbedderTraining, transformer: Any) -> list[Any]:
    """The parts that stay as they are; none of a static model, whose word vectors are all it has to learn with."""
    if transformer is None or config.frozen_layers == 0:
        return []
    layers = list(layers_of(transformer))
    count = min(_FROZEN, len(layers) - max(1, len(layers) // 2)) if config.frozen_layers is None else config.frozen_layers
    return [getattr(transformer, "embeddings", None) or word_vectors_of(transformer), *layers[: max(0, count)]]


def _loss(config: EmbedderTraining, model: SentenceTransformer) -> Any:
    """The loss that the settings name, over the first dimensions too where they want that."""
    if config.loss == "cached":
        loss = cached(model, config.temperature, config.mini_batch)
    else:
        loss = in_batch(
            model, config.temperature, config.taught, config.anchor, name=config.loss, tempering=config.tempering, margin=config.margin
        )
    return matryoshka(model, loss, config.matryoshka) if config.matryoshka else loss


def _rounds(config: EmbedderTraining, examples: list[Example]) -> int:
    """The steps after which more would only repeat: forty times through the examples."""
    return -(-40 * len(examples) // config.per_device_train_batch_size)


def _rows(config: EmbedderTraining, examples: list[Example], steps: int) -> Rows:
    batches = batched(examples, config.per_device_train_batch_size, steps, config.mates, config.seed)
    return contrastive(batches, config.negatives, config.seed, config.typos)


def _dataset(config: EmbedderTraining, rows: Rows, teacher: Teacher) -> Any:
    """The rows, and as the label of each what the loss compares it with, if it does; labels stay packed, for there may be gigabytes."""
    import numpy as np
    import pyarrow as pa
    from datasets import Dataset

    if config.loss == "cached":
        return Dataset.from_dict(rows.columns)
    questions = rows.columns["anchor"]
    size = len(questions) // len(rows.passages)
    beside = [rows.passages[place // size] for place in range(len(questions))]
    asked, searched = teacher.vectors(questions, [beside[place][place % size] for place in range(len(questions))])
    labels = np.concatenate([np.stack(list(teacher.scores(questions, beside))), asked, searched], axis=1)
    packed = pa.FixedSizeListArray.from_arrays(pa.array(labels.astype(np.float32).reshape(-1)), labels.shape[1])
    return Dataset(pa.table({**rows.columns, "label": packed}))


def _prompts(base: Path, columns: Mapping[str, Any]) -> dict[str, str]:
    """What stands before the texts of each column, as it does when the model serves (e5's "query: " and "passage: ", say)."""
    return {name: prompt for name in columns if (prompt := prompt_of(base, "query" if name == "anchor" else "passage"))}


def _seconds_per_step(config: EmbedderTraining, model: SentenceTransformer, examples: list[Example], base: Path) -> float:
    """Time a few real steps on a copy that is thrown away; the first, which sets things up, does not count."""
    import copy

    import torch

    trial = copy.deepcopy(model)
    loss = prepared(config, trial).train()
    columns = _rows(config, examples, 1).columns
    prompts = _prompts(base, columns)
    passages = sum(len(texts) for name, texts in columns.items() if name != "anchor")
    labels = torch.zeros(len(columns["anchor"]), passages + 2 * (model.get_embedding_dimension() or 0))
    optimiser = torch.optim.AdamW([weight for weight in trial.parameters() if weight.requires_grad], lr=config.learning_rate)
    micro = MicroBatch(len(columns["anchor"]))

    def step() -> float:
        began = time.perf_counter()
        features = [
            {
                key: value.to(trial.device)
                for key, value in trial.preprocess(texts, prompt=prompts.get(name)).items()
                if hasattr(value, "to")
            }
            for name, texts in columns.items()
        ]
        with torch.autocast(trial.device.type, dtype=torch.bfloat16, enabled=has_bf16()):
            value = loss(features, labels)
        value.backward()
        optimiser.step()
        optimiser.zero_grad()
        return time.perf_counter() - began

    def clear() -> None:
        optimiser.zero_grad()
        free_memory()

    with reading(trial[0], micro):
        times = [micro.fitted(step, clear) for _ in range(4)]
    return sum(times[1:]) / (len(times) - 1)


def _train(
    work: Work, config: EmbedderTraining, model: SentenceTransformer, examples: list[Example], plan: dict[str, Any], teacher: Teacher,
    base: Path,
) -> list[float]:  # fmt: skip
    """Train `model` in place. Returns the logged losses, those before a kill included."""
    longest, steps = model.max_seq_length, plan["steps"]
    loss = prepared(config, model)
    rows = _rows(config, examples, steps)
    losses = fit(
        work, model, loss, _dataset(config, rows, teacher),
        size=len(rows.columns["anchor"]) // steps, steps=steps, save_steps=max(1, int(config.save_seconds / (plan["seconds"] or 1.0))),
        learning_rate=config.learning_rate, warmup_ratio=config.warmup_ratio, report_to=config.report_to, seed=config.seed,
        prompts=_prompts(base, rows.columns),
    )  # fmt: skip
    cut_after(model, longest)
    model.requires_grad_(True)
    return losses
