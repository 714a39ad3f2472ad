"""What the libraries' trainers share here: precision and memory of the machine, progress, and the checkpoint to go on from."""

from __future__ import annotations

import gc
import json
import shutil
import sys
from pathlib import Path
from typing import Any

from selfstudy.core.run import Work
from selfstudy.train.sparing import MicroBatch, spare

LENGTHS = 32
"""Batches are padded to multiples of so many tokens: bf16 on a CPU keeps what it compiled for each length, ten GiB after 1,200 steps."""


def has_bf16() -> bool:
    """Whether bf16 is faster than fp32 here: a CPU with AVX512-BF16 or AMX, or a GPU. Elsewhere it is emulated and slower."""
    import torch

    if torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported())
    asks = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(bool(getattr(torch.cpu, ask, bool)()) for ask in asks)


def precision() -> dict[str, Any]:
    """Arguments of the trainers: bf16 where faster, and the CPU by name where nothing else computes; else bf16 means a GPU to them."""
    import torch

    return {"bf16": has_bf16(), "use_cpu": not torch.accelerator.is_available()}


def shared_arguments(folder: Path, logging_steps: int = 5) -> dict[str, Any]:
    """What every trainer here is told: one checkpoint in `folder`, the precision of the machine, and no bar of its own."""
    return {
        "output_dir": str(folder), "save_strategy": "steps", "save_total_limit": 1, "logging_steps": logging_steps, "disable_tqdm": True,
        "dataloader_pin_memory": False,
    } | precision()  # fmt: skip


def without_examples(model: Any) -> None:
    """Keep the trainer from looking for examples for a hub's page of `model`, with a progress bar of its own."""
    model.model_card_data.widget = [{}]
    model.model_card_data.local_files_only = True


def free_memory() -> None:
    """Give back what models that nobody uses any more have taken: cycles keep them alive, and a GPU's allocator keeps their blocks."""
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()


def trained(trainer: Any, work: Work, micro: MicroBatch | None = None) -> list[float]:
    """Train, going on from the last checkpoint, with progress and no words. Returns the logged losses, those before a kill included.

    Where memory runs out the step is made again with fewer rows at once (`spare`, which says what `micro` is). Raises BadModel where one is
    too much.
    """
    from transformers import PrinterCallback, TrainerCallback

    class Watch(TrainerCallback):
        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            work.progress(state.global_step, state.max_steps)

    trainer.add_callback(Watch())
    trainer.remove_callback(PrinterCallback)
    spare(trainer, free_memory, micro)
    trainer.train(resume_from_checkpoint=last_checkpoint(Path(trainer.args.output_dir)))
    return [round(float(entry["loss"]), 4) for entry in trainer.state.log_history if "loss" in entry]


def last_checkpoint(folder: Path) -> str | None:
    """The newest checkpoint that was written to its end; the trainer's state is the last file that it writes."""
    whole = []
    for path in folder.glob("checkpoint-*"):
        try:
            whole.append((int(json.loads((path / "trainer_state.json").read_text(encoding="utf-8"))["global_step"]), str(path)))
        except (OSError, ValueError, KeyError):
            shutil.rmtree(path, ignore_errors=True)
    return max(whole)[1] if whole else None
