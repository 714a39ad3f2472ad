"""Fitting a sentence-transformers model with a loss over rows that stand in their order: its trainer, with progress and resume."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from selfstudy.core.run import Work
from selfstudy.train.trainers import precision, trained

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer


def fit(
    work: Work, model: SentenceTransformer, loss: Any, rows: Any, *,
    size: int, steps: int, save_steps: int, learning_rate: float, warmup_ratio: float, report_to: str = "none", seed: int = 0,
) -> list[float]:  # fmt: skip
    """Train `model` in place for `steps` of `size` rows. Returns the logged losses, those before a kill included.

    Rows come as they stand: who is whose negative was decided where they were put together. Parts of the loss that have a `progress` are
    told it, 0 to 1.
    """
    from sentence_transformers import SentenceTransformerTrainer
    from transformers import TrainerCallback

    class Tell(TrainerCallback):
        def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            for part in loss.modules():
                if hasattr(part, "progress"):
                    part.progress = state.global_step / steps

    model.model_card_data.widget = [{}]  # or the trainer looks for examples for a hub's page, with a progress bar of its own
    model.model_card_data.local_files_only = True
    how = arguments(
        work.folder / "checkpoints", size=size, steps=steps, save_steps=save_steps, learning_rate=learning_rate, warmup_ratio=warmup_ratio,
        report_to=report_to, seed=seed,
    )  # fmt: skip
    trainer = SentenceTransformerTrainer(model=model, args=how, train_dataset=rows, loss=loss, callbacks=[Tell()])
    return trained(trainer, work)


def arguments(
    folder: Path, *, size: int, steps: int, save_steps: int, learning_rate: float, warmup_ratio: float, report_to: str, seed: int
) -> Any:
    """The trainer's arguments; checkpoints go to `folder`."""
    from sentence_transformers import SentenceTransformerTrainingArguments

    return SentenceTransformerTrainingArguments(
        output_dir=str(folder),
        max_steps=steps,
        per_device_train_batch_size=size,
        learning_rate=learning_rate,
        warmup_steps=max(1, int(warmup_ratio * steps)),
        **precision(),
        batch_sampler=_in_order,
        save_strategy="steps",
        save_steps=save_steps,
        save_total_limit=1,
        logging_steps=5,
        report_to=report_to,
        disable_tqdm=True,
        seed=seed,
        dataloader_pin_memory=False,
    )


def _in_order(dataset: Any, batch_size: int, drop_last: bool, **_: Any) -> Any:
    from sentence_transformers.base.sampler import DefaultBatchSampler
    from torch.utils.data import SequentialSampler

    return DefaultBatchSampler(SequentialSampler(dataset), batch_size=batch_size, drop_last=drop_last)
