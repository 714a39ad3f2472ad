"""What trainers share: precision."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import TrainingArguments

from selfstudy.train.trainers import has_bf16, precision


@pytest.mark.skipif(torch.accelerator.is_available(), reason="there is more than a CPU here")
@pytest.mark.parametrize("bf16", [True, False])
def test_a_cpu_with_and_without_bf16_trains_on_itself(bf16: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The machine at hand is one of the two: transformers refuses bf16 without a GPU unless it is told to use the CPU.
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: bf16)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False)
    assert has_bf16() is bf16
    arguments = TrainingArguments(output_dir=str(tmp_path), **precision())
    assert arguments.bf16 is bf16
    assert arguments.device.type == "cpu"
