"""What the libraries' trainers share here: the precision of the machine, its memory, and the checkpoint to go on from."""

from __future__ import annotations

import gc
import json
import shutil
import sys
from pathlib import Path


def has_bf16() -> bool:
    """Whether bf16 is faster than fp32 here: a CPU with AVX512-BF16 or AMX, or a GPU. Elsewhere it is emulated and slower."""
    import torch

    if torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported())
    asks = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(bool(getattr(torch.cpu, ask, bool)()) for ask in asks)


def free_memory() -> None:
    """Give back what models that nobody uses any more have taken: cycles keep them alive, and a GPU's allocator keeps their blocks."""
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()


def last_checkpoint(folder: Path) -> str | None:
    """The newest checkpoint that was written to its end; the trainer's state is the last file that it writes."""
    whole = []
    for path in folder.glob("checkpoint-*"):
        try:
            whole.append((int(json.loads((path / "trainer_state.json").read_text(encoding="utf-8"))["global_step"]), str(path)))
        except (OSError, ValueError, KeyError):
            shutil.rmtree(path, ignore_errors=True)
    return max(whole)[1] if whole else None
