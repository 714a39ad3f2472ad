"""What a model wants to stand before a text, by the role that the text plays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from selfstudy.core.ports import Role

_NAMES: dict[Role, tuple[str, ...]] = {"query": ("query",), "passage": ("passage", "document", "corpus")}


def prompt_for(role: Role, prompts: Mapping[str, Any], default: str | None) -> str:
    """What stands before every text of `role`, "" for most models: of the `prompts` that sentence-transformers knows by name the role's,
    else the `default` one.
    """
    said = [prompts[name] for name in _NAMES[role] if prompts.get(name) is not None]
    if said:
        return next((str(text) for text in said if text), "")
    return str(prompts.get(str(default)) or "")
