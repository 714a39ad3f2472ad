"""Training any module whose forward gives a loss, over rows that were tokenised before: transformers' trainer, with resume."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from selfstudy.core.run import Work
from selfstudy.train.trainers import shared_arguments, trained


class Fit(BaseModel):
    """How rows are learned from; the names are transformers'."""

    model_config = ConfigDict(extra="forbid")

    num_train_epochs: float = Field(2.0, gt=0)
    max_steps: int = Field(0, ge=0, description="a number of steps instead of epochs; 0 leaves it to these")
    per_device_train_batch_size: int = Field(32, ge=1)
    learning_rate: float = Field(1e-4, gt=0)
    warmup_ratio: float = Field(0.06, ge=0, lt=1)
    weight_decay: float = Field(0.01, ge=0)
    save_steps: int = Field(100, ge=1, exclude=True, description="steps between checkpoints")
    group_by_length: bool = Field(True, description="rows of like length in a batch: faster, and no batch mixes short rows with long ones")
    seed: int = 0


def fit(work: Work, config: Fit, model: Any, rows: Sequence[dict[str, Any]], collate: Callable[[list[dict[str, Any]]], Any]) -> list[float]:
    """Train `model` in place on `rows` (each holds `input_ids`). Returns the logged losses, those before a kill included."""
    from transformers import Trainer, TrainingArguments

    steps = config.max_steps or max(1, round(config.num_train_epochs * len(rows) / config.per_device_train_batch_size))

    arguments = TrainingArguments(
        **shared_arguments(work.folder / "checkpoints", logging_steps=20),
        max_steps=steps,
        per_device_train_batch_size=config.per_device_train_batch_size,
        learning_rate=config.learning_rate,
        warmup_steps=max(1, int(config.warmup_ratio * steps)),
        weight_decay=config.weight_decay,
        train_sampling_strategy="group_by_length" if config.group_by_length else "random",
        save_steps=config.save_steps,
        logging_first_step=True,
        report_to="none",
        remove_unused_columns=False,
        seed=config.seed,
    )
    trainer = Trainer(model=model, args=arguments, train_dataset=list(rows), data_collator=collate)
    return trained(trainer, work)
