"""What runs the network that reads: OpenVINO, on a CPU with bf16 three to four times as fast as torch in fp32, or torch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from selfstudy.core.plugs import openvino as library
from selfstudy.core.quiet import quiet
from selfstudy.models.converted import MODEL, NotConvertible, compiled, graph
from selfstudy.models.sentence import threads_of_environment
from selfstudy.models.starter.reading import Floats, Ints

_FURTHEST = 0.5
"""How far a score may lie from torch's; bf16 moves one by .1, a wrong mask by more than one."""


class Torch:
    """`starter.reading.Heads` by torch."""

    def __init__(self, model: Any) -> None:
        self.model = model.eval()

    def __call__(self, ids: Ints, mask: Ints, kinds: Ints) -> tuple[Floats, Floats, Floats]:
        import torch

        with torch.inference_mode():
            span, relevant, support = self.model.heads(*(torch.from_numpy(one) for one in (ids, mask, kinds)))
        return span.numpy(), relevant.numpy(), support.numpy()


class OpenVino:
    """`starter.reading.Heads` by the converted network in `folder`. Raises NotConvertible."""

    def __init__(self, folder: Path) -> None:
        # Latency: a question's passages are one batch, which all cores share.
        self._request = compiled(folder, "LATENCY", threads_of_environment()).create_infer_request()

    def __call__(self, ids: Ints, mask: Ints, kinds: Ints) -> tuple[Floats, Floats, Floats]:
        found = self._request.infer([ids, mask, kinds])
        span, relevant, support = (np.array(found[place]) for place in range(3))
        return span, relevant, support


def convert(model: Any, probes: Sequence[tuple[Ints, Ints, Ints]], into: Path) -> OpenVino:
    """Write the network into the folder `into` as OpenVINO runs it, compared with torch on `probes`. Raises NotConvertible."""
    try:
        with quiet():
            library().save_model(_graph(model), str(into / MODEL), compress_to_fp16=False)
        made, torch = OpenVino(into), Torch(model)
        apart = max(_apart(made, torch, probe) for probe in probes)
    except (RuntimeError, ValueError, TypeError, KeyError, AttributeError, NotImplementedError) as error:
        raise NotConvertible(f"its conversion failed: {(str(error) or type(error).__name__).splitlines()[0]}") from error
    if not apart <= _FURTHEST:
        raise NotConvertible(f"converted, its scores differ (by {apart:.3f} at most)")
    return made


def _apart(one: OpenVino, other: Torch, probe: tuple[Ints, Ints, Ints]) -> float:
    real = probe[1] == 1
    pairs = list(zip(one(*probe), other(*probe), strict=True))
    return max(float(np.abs(mine - theirs)[real if mine.ndim == 3 else ...].max()) for mine, theirs in pairs)


def _graph(model: Any) -> Any:
    import torch

    class Whole(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor, token_type_ids: torch.Tensor) -> Any:
            return self.model.heads(input_ids, attention_mask, token_type_ids)

    ids = torch.ones((3, 11), dtype=torch.long)
    mask = torch.ones_like(ids)
    mask[0, 5:] = 0
    return graph(Whole(), {"input_ids": ids, "attention_mask": mask, "token_type_ids": torch.ones_like(ids)})
