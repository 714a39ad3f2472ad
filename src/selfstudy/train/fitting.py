"""Fitting a sentence-transformers model with a loss over rows that stand in their order: its trainer, with progress and resume."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from selfstudy.core.run import Work
from selfstudy.train.sparing import MicroBatch, reading
from selfstudy.train.trainers import shared_arguments, trained, without_examples

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

_LEARNED = "loss.pt"
"""In a checkpoint: what the loss itself learns."""


def fit(
    work: Work, model: SentenceTransformer, loss: Any, rows: Any, *,
    size: int, steps: int, save_steps: int, learning_rate: float, warmup_ratio: float, report_to: str = "none", seed: int = 0,
    prompts: Mapping[str, str] | None = None, apart: bool = False,
) -> list[float]:  # fmt: skip
    """Train `model` in place for `steps` of `size` rows. Returns the logged losses, those before a kill included.

    Rows come as they stand: who is whose negative was decided where they were put together. Parts of the loss that have a `progress` are
    told it, 0 to 1. `prompts` stand before the texts of a column. `apart`: the loss is a mean over rows that know nothing of one another.
    """
    from transformers import TrainerCallback

    class Tell(TrainerCallback):
        def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            for part in loss.modules():
                if hasattr(part, "progress"):
                    part.progress = state.global_step / steps

    without_examples(model)
    how = arguments(
        work.folder / "checkpoints", size=size, steps=steps, save_steps=save_steps, learning_rate=learning_rate, warmup_ratio=warmup_ratio,
        report_to=report_to, seed=seed, prompts=prompts,
    )  # fmt: skip
    trainer = _trainer()(model=model, args=how, train_dataset=rows, loss=loss, callbacks=[Tell()])
    if apart:
        return trained(trainer, work)
    micro = MicroBatch(size)
    with reading(model[0], micro):
        return trained(trainer, work, micro)


def _trainer() -> Any:
    """sentence-transformers' trainer, whose checkpoints hold what the loss learns, too."""
    import torch
    from sentence_transformers import SentenceTransformerTrainer

    class Fitting(SentenceTransformerTrainer):
        def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
            super()._save(output_dir, state_dict)
            if learned := _learned(self.loss, self.model):
                folder = Path(str(output_dir or self.args.output_dir))
                torch.save({name: weight.detach() for name, weight in learned.items()}, folder / _LEARNED)

        def _load_from_checkpoint(self, checkpoint_path: str) -> None:  # type: ignore[override]  # as sentence-transformers has it
            super()._load_from_checkpoint(checkpoint_path)
            if learned := _learned(self.loss, self.model):
                kept = torch.load(Path(checkpoint_path) / _LEARNED, map_location="cpu", weights_only=True)
                with torch.no_grad():
                    for name, weight in learned.items():
                        weight.copy_(kept[name])

    return Fitting


def _learned(loss: Any, model: Any) -> dict[str, Any]:
    """The weights of `loss` that are none of the model's: a temperature, a decoder's."""
    whose = {id(weight) for weight in model.parameters()}
    return {name: weight for name, weight in loss.named_parameters() if id(weight) not in whose}


def arguments(
    folder: Path, *, size: int, steps: int, save_steps: int, learning_rate: float, warmup_ratio: float, report_to: str, seed: int,
    prompts: Mapping[str, str] | None = None,
) -> Any:  # fmt: skip
    """The trainer's arguments; checkpoints go to `folder`."""
    from sentence_transformers import SentenceTransformerTrainingArguments

    return SentenceTransformerTrainingArguments(
        **shared_arguments(folder),
        max_steps=steps,
        per_device_train_batch_size=size,
        learning_rate=learning_rate,
        warmup_steps=max(1, int(warmup_ratio * steps)),
        batch_sampler=_in_order,
        save_steps=save_steps,
        report_to=report_to,
        seed=seed,
        prompts={column: prompt for column, prompt in (prompts or {}).items() if prompt} or None,
    )


def _in_order(dataset: Any, batch_size: int, drop_last: bool, **_: Any) -> Any:
    from sentence_transformers.base.sampler import DefaultBatchSampler
    from torch.utils.data import SequentialSampler

    return DefaultBatchSampler(SequentialSampler(dataset), batch_size=batch_size, drop_last=drop_last)
