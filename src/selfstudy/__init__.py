"""A folder of documents goes in; a question-answering system that has studied them comes out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from selfstudy.recipes.engine import Engine

__all__ = ["Engine", "__version__"]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    # On first use, so that `import selfstudy` stays light.
    if name == "Engine":
        from selfstudy.recipes.engine import Engine

        return Engine
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
