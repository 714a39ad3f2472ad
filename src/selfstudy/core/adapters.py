"""LoRA adapters, as PEFT writes them: what the folder of one says of itself, and the model that it stands on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def about_adapter(folder: Path) -> dict[str, Any] | None:
    """What the adapter in `folder` says of itself; None where it is no adapter."""
    about = folder / "adapter_config.json"
    said: dict[str, Any] | None = json.loads(about.read_text(encoding="utf-8")) if about.is_file() else None
    return said


def beneath(folder: Path) -> str | None:
    """The model, by its name or folder, that the adapter in `folder` stands on; None where it is no adapter."""
    said = about_adapter(folder)
    return str(said["base_model_name_or_path"]) if said is not None else None
