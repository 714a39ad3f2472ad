"""Sentence-transformers models taken apart and put together: layers, the head as plain modules, and averages of weights."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from selfstudy.core.files import read_json
from selfstudy.core.ports import Role
from selfstudy.core.roles import prompt_for
from selfstudy.train.head import Weights

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer


def load(folder: Path) -> SentenceTransformer:
    """The model of `folder`, on the CPU unless torch finds a GPU."""
    from sentence_transformers import SentenceTransformer
    from transformers.utils import logging

    logging.disable_progress_bar()  # type: ignore[no-untyped-call]  # the reporter shows progress
    return SentenceTransformer(str(folder), local_files_only=True)


def save(model: SentenceTransformer, folder: Path) -> None:
    """Have `folder` hold `model` and nothing else."""
    shutil.rmtree(folder, ignore_errors=True)
    model.save_pretrained(str(folder), create_model_card=False)


def prompt_of(folder: Path, role: Role) -> str:
    """What stands before every text of `role` when the model of `folder` serves (e5's "query: ", say), "" for most models."""
    about = folder / "config_sentence_transformers.json"
    said = read_json(about) if about.is_file() else {}
    return prompt_for(role, said.get("prompts") or {}, said.get("default_prompt_name"))


def transformer_of(model: SentenceTransformer) -> Any:
    """The transformer that `model` begins with; None for a static model, which holds a vector for each word and nothing more."""
    return getattr(model[0], "auto_model", None)


def layers_of(transformer: Any) -> Any:
    """The layers of a transformer, lowest first: the list (torch's ModuleList) that stands in it, under whatever name.

    Empty where there is none: in a static model (None), and in ALBERT, which goes through one layer again and again.
    """
    from torch.nn import ModuleList

    count = getattr(getattr(transformer, "config", None), "num_hidden_layers", 0)
    lists = (part for part in transformer.modules() if isinstance(part, ModuleList)) if count else ()
    return next((part for part in lists if len(part) == count), [])


def word_vectors_of(transformer: Any) -> Any:
    """The module that holds the vectors of a transformer's words."""
    return transformer.get_input_embeddings()


def cut_after(model: SentenceTransformer, tokens: int | None) -> None:
    """Let `model` read so many tokens of a text; a static model reads all of them, which costs it nothing."""
    if transformer_of(model) is not None:
        model.max_seq_length = tokens


def with_head(model: SentenceTransformer, head: Weights) -> SentenceTransformer:
    """`model` with the head after it, as two plain Dense modules that any sentence-transformers loads.

    relu(x) - relu(-x) = x, so the residual x + relu(x U) V is Dense([I, -I, U], relu) and then Dense([I; -I; V]).
    """
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Dense, Normalize

    dim, hidden = head.inner.shape
    eye = np.eye(dim, dtype=np.float32)
    widen = np.concatenate([eye, -eye, head.inner], axis=1)
    narrow = np.concatenate([eye, -eye, head.share * head.outer], axis=0)
    parts = [module for module in model if not isinstance(module, Normalize)]
    first = Dense(dim, 2 * dim + hidden, bias=False, activation_function=torch.nn.ReLU(), init_weight=torch.from_numpy(widen.T.copy()))
    second = Dense(
        2 * dim + hidden, dim, bias=False, activation_function=torch.nn.Identity(), init_weight=torch.from_numpy(narrow.T.copy())
    )
    joined = SentenceTransformer(modules=[*parts, Normalize(), first, second, Normalize()], device=str(model.device))
    cut_after(joined, model.max_seq_length)
    joined.prompts = model.prompts
    joined.default_prompt_name = model.default_prompt_name
    return joined


def averaged(base: SentenceTransformer, tuned: SentenceTransformer, share: float) -> SentenceTransformer:
    """`tuned` with every weight set to share * tuned + (1 - share) * base (arXiv 2109.01903), in place; both must be of one shape."""
    import torch

    with torch.no_grad():
        other = base.state_dict()
        for name, weight in tuned.state_dict().items():
            if weight.is_floating_point():
                weight.mul_(share).add_(other[name], alpha=1 - share)
    return tuned
