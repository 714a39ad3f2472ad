"""Tuning the embedder with sentence-transformers' own trainer: in-batch softmax with hard negatives, within a time budget."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field

from selfstudy.core.artifacts import read_records
from selfstudy.core.files import read_json, write_json
from selfstudy.core.records import Artifact, Example
from selfstudy.core.run import Work, stage
from selfstudy.train.head import Weights
from selfstudy.train.model import averaged, load, with_head
from selfstudy.train.rows import contrastive

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer


class Embedder(BaseModel):
    """How the embedder is tuned. Names are the Hugging Face trainer's where it has them."""

    model_config = ConfigDict(extra="forbid")

    minutes: float = Field(2.0, ge=0, description="time budget, which decides the number of steps; 0 keeps the head alone")
    max_steps: int = Field(0, ge=0, description="a number of steps instead of the time budget; 0 leaves it to the budget")
    per_device_train_batch_size: int = Field(16, ge=2)
    learning_rate: float = Field(2e-5, gt=0)
    temperature: float = Field(0.05, gt=0)
    warmup_ratio: float = Field(0.1, ge=0, lt=1)
    passage_tokens: int = Field(128, ge=16, description="passages are cut after so many tokens while training")
    frozen_layers: int = Field(3, ge=0, description="lower layers that stay as they are, the word vectors with them")
    save_seconds: float = Field(45.0, gt=0, description="how much work a kill may cost")
    report_to: str = Field("none", description="passed to the trainer: tensorboard, wandb, ...")
    seed: int = 0


class Average(BaseModel):
    """How far the tuned weights go from the base's."""

    model_config = ConfigDict(extra="forbid")

    shares: tuple[float, ...] = Field((0.0, 0.5, 1.0), description="shares of the tuned weights that are tried; (1.0,) is no averaging")


@stage("train.embedder", version=1)
def embedder(work: Work, config: Embedder, mined: Artifact, head: Artifact, base: Path) -> dict[str, Any]:
    """Train on the `train` split from `base` with `head` on it; write `start/` and `tuned/` (sentence-transformers folders), `losses.json`.

    Resumes from its last checkpoint after a kill. Returns the number of steps and the seconds of one.
    """
    model = load(base)
    if (head.path / "head.npz").exists():
        model = with_head(model, Weights.load(head.path / "head.npz"))
    if not (work.folder / "start" / "modules.json").exists():
        _save(model, work.folder / "start")
    examples = [example for example in read_records(mined.path / "mined.jsonl", Example) if example.split == "train"]
    said = work.folder / "steps.json"
    if not said.exists():  # a resumed run keeps the number that it began with, or its schedule would not fit
        seconds = _seconds_per_step(config, model, examples) if config.minutes and not config.max_steps else 0.0
        steps = config.max_steps or (int(config.minutes * 60 / seconds) if seconds else 0)
        write_json(said, {"steps": min(steps, 40 * len(examples)), "seconds": round(seconds, 3)})
    plan: dict[str, Any] = read_json(said)
    losses = _train(work, config, model, examples, plan) if plan["steps"] else []
    _save(model, work.folder / "tuned")
    write_json(work.folder / "losses.json", losses)
    shutil.rmtree(work.folder / "checkpoints", ignore_errors=True)
    return {**plan, "bf16": has_bf16(), "examples": len(examples)}


@stage("train.average", version=1)
def average(work: Work, config: Average, trained: Artifact, score: Callable[[Path], float]) -> dict[str, Any]:
    """Average start and tuned weights in each share, keep the one that `score` finds best on `tune` in `model/`, with a model card."""
    shares = config.shares if manifest_steps(trained) else (1.0,)
    scores: dict[float, float] = {}
    for done, share in enumerate(shares, 1):
        folder = work.folder / f"share-{share}"
        _save(averaged(load(trained.path / "start"), load(trained.path / "tuned"), share), folder)
        scores[share] = score(folder) if len(shares) > 1 else 0.0
        work.progress(done, len(shares))
    best = max(shares, key=lambda share: (scores[share], -share))
    shutil.rmtree(work.folder / "model", ignore_errors=True)
    for share in shares:
        folder = work.folder / f"share-{share}"
        if share == best:
            folder.rename(work.folder / "model")
        else:
            shutil.rmtree(folder)
    result = {"share": best, "scores": {str(share): round(value, 4) for share, value in scores.items()}}
    (work.folder / "model" / "README.md").write_text(_card(result, trained), encoding="utf-8")
    return result


def manifest_steps(trained: Artifact) -> int:
    """How many steps a trained embedder made."""
    return int(read_json(trained.path / "steps.json")["steps"])


def has_bf16() -> bool:
    """Whether bf16 is faster than fp32 here: a CPU with AVX512-BF16 or AMX, or a GPU. Elsewhere it is emulated and slower."""
    import torch

    if torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported())
    asks = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(bool(getattr(torch.cpu, ask, bool)()) for ask in asks)


def _save(model: SentenceTransformer, folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    model.save_pretrained(str(folder), create_model_card=False)


def _arguments(config: Embedder, folder: Path, steps: int, save_steps: int) -> Any:
    from sentence_transformers import SentenceTransformerTrainingArguments
    from sentence_transformers.base.sampler import BatchSamplers

    return SentenceTransformerTrainingArguments(
        output_dir=str(folder),
        max_steps=steps,
        per_device_train_batch_size=config.per_device_train_batch_size,
        learning_rate=config.learning_rate,
        warmup_steps=max(1, int(config.warmup_ratio * steps)),
        bf16=has_bf16(),
        batch_sampler=BatchSamplers.NO_DUPLICATES,
        save_strategy="steps",
        save_steps=save_steps,
        save_total_limit=1,
        logging_steps=5,
        report_to=config.report_to,
        disable_tqdm=True,
        seed=config.seed,
        dataloader_pin_memory=False,
    )


def _prepare(config: Embedder, model: SentenceTransformer) -> Any:
    """Freeze the lower layers, cut passages short, and give the loss."""
    from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss

    transformer: Any = model[0].auto_model
    if config.frozen_layers:
        layers = getattr(getattr(transformer, "encoder", None), "layer", [])
        upper = max(1, len(layers) // 2)  # a shallow model keeps half of its layers to learn with
        for part in [transformer.embeddings, *list(layers)[: min(config.frozen_layers, len(layers) - upper)]]:
            part.requires_grad_(False)
    model.max_seq_length = min(config.passage_tokens, model.max_seq_length or config.passage_tokens)
    return MultipleNegativesRankingLoss(model, scale=1 / config.temperature)


def _dataset(config: Embedder, examples: list[Example], steps: int) -> Any:
    from datasets import Dataset

    rounds = max(1, -(-steps * config.per_device_train_batch_size // max(1, len(examples))))
    return Dataset.from_dict(contrastive(examples, min(rounds, 50), config.seed))


def _seconds_per_step(config: Embedder, model: SentenceTransformer, examples: list[Example]) -> float:
    """Time a few real steps on a copy that is thrown away; the first, which sets things up, does not count."""
    import copy

    import torch

    trial = copy.deepcopy(model)
    loss = _prepare(config, trial).train()
    rows = _dataset(config, examples[: 4 * config.per_device_train_batch_size], 4)[: config.per_device_train_batch_size]
    optimiser = torch.optim.AdamW([weight for weight in trial.parameters() if weight.requires_grad], lr=config.learning_rate)
    times = []
    for _ in range(4):
        began = time.perf_counter()
        features = [
            {name: value.to(trial.device) for name, value in trial.preprocess(texts).items() if hasattr(value, "to")}
            for texts in rows.values()
        ]
        with torch.autocast(trial.device.type, dtype=torch.bfloat16, enabled=has_bf16()):
            value = loss(features, None)
        value.backward()
        optimiser.step()
        optimiser.zero_grad()
        times.append(time.perf_counter() - began)
    return sum(times[1:]) / (len(times) - 1)


def _train(work: Work, config: Embedder, model: SentenceTransformer, examples: list[Example], plan: dict[str, Any]) -> list[float]:
    """Train `model` in place. Returns the logged losses, those before a kill included."""
    from sentence_transformers import SentenceTransformerTrainer
    from transformers import PrinterCallback, TrainerCallback

    longest, steps = model.max_seq_length, plan["steps"]
    checkpoints = work.folder / "checkpoints"
    save_steps = max(1, int(config.save_seconds / (plan["seconds"] or 1.0)))

    class Watch(TrainerCallback):
        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            work.progress(state.global_step, steps)

    loss = _prepare(config, model)
    trainer = SentenceTransformerTrainer(
        model=model,
        args=_arguments(config, checkpoints, steps, save_steps),
        train_dataset=_dataset(config, examples, steps),
        loss=loss,
        callbacks=[Watch()],
    )
    trainer.remove_callback(PrinterCallback)
    trainer.train(resume_from_checkpoint=_last_checkpoint(checkpoints))
    model.max_seq_length = longest
    model.requires_grad_(True)
    return [round(float(entry["loss"]), 4) for entry in trainer.state.log_history if "loss" in entry]


def _last_checkpoint(folder: Path) -> str | None:
    """The newest checkpoint that was written to its end; the trainer's state is the last file that it writes."""
    whole = []
    for path in folder.glob("checkpoint-*"):
        try:
            whole.append((int(json.loads((path / "trainer_state.json").read_text(encoding="utf-8"))["global_step"]), str(path)))
        except (OSError, ValueError, KeyError):
            shutil.rmtree(path, ignore_errors=True)
    return max(whole)[1] if whole else None


def _card(result: dict[str, Any], trained: Artifact) -> str:
    return f"""---
library_name: sentence-transformers
pipeline_tag: sentence-similarity
tags: [sentence-transformers, feature-extraction, selfstudy]
---
# An embedder that has studied its documents

Tuned by selfstudy on questions that were written about one collection of documents and that retrieval answered back from it.
It is meant for searching that collection; elsewhere it may be worse than the model that it was grown from.

- Steps of training: {manifest_steps(trained)}; share of the tuned weights against the warm start: {result["share"]}
- MRR@10 on the tuning questions by share: {result["scores"]}
- Whether it was proven better is in the home's history, which holds the exam and the guard.

```python
from sentence_transformers import SentenceTransformer

model = SentenceTransformer("path/of/this/folder")
```
"""
