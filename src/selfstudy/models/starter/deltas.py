"""A tuned model shipped as what differs from its base: eight bits for each weight, a scale for each row."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from selfstudy.core.errors import BadModel

if TYPE_CHECKING:
    from torch import Tensor

_SCALE = ".scale"
BASE = "base"
"""What the weights differ from, in the file's metadata."""


def save(path: Path, tuned: Mapping[str, Tensor], base: Mapping[str, Tensor], about: Mapping[str, str]) -> None:
    """Write what differs: of matrices that `base` has eight bits of the difference, of its vectors sixteen; what it lacks, whole."""
    import torch
    from safetensors.torch import save_file

    written: dict[str, Tensor] = {}
    for name, weight in tuned.items():
        before = base.get(name)
        if before is not None and torch.equal(weight, before):
            continue
        if weight.ndim < 2 or before is None:
            written[name] = (weight if before is None else weight - before).half().contiguous()
            continue
        difference = weight - before
        scale = (difference.abs().amax(dim=1, keepdim=True) / 127).clamp_min(1e-12)
        written[name] = (difference / scale).round().to(torch.int8).contiguous()
        written[name + _SCALE] = scale.float().contiguous()
    save_file(written, path, metadata=dict(about))


def load(path: Path, base: Mapping[str, Tensor], named: str = "") -> dict[str, Tensor]:
    """The tuned weights: those of `base` with the differences added, and those that only the file has.

    Raises BadModel, also where the file was made over another base than the one `named`.
    """
    import torch
    from safetensors import safe_open

    try:
        with safe_open(path, framework="pt") as file:
            told = (file.metadata() or {}).get(BASE, "")
            read = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (the file is no dict)
    except Exception as error:  # the format's own errors have no common ancestor
        raise BadModel(f"{path} cannot be read: {error}", "Build it with `make starter`, or install selfstudy again.") from error
    if told != named:
        raise BadModel(f"{path} was made over other weights than those of {named[:12]}.", "Build it again with `make starter`.")
    found = {name: weight.clone() for name, weight in base.items()}
    for name, weight in read.items():
        if name.endswith(_SCALE):
            continue
        whole = weight.float() * read[name + _SCALE] if weight.dtype == torch.int8 else weight.float()
        found[name] = found[name] + whole if name in found else whole
    return found
