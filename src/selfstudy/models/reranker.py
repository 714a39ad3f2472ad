"""Rerankers in the format of sentence-transformers' CrossEncoder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from selfstudy.core.errors import BadModel, first_line
from selfstudy.core.memory import ran_out
from selfstudy.core.ports import Vectors
from selfstudy.core.quiet import quiet
from selfstudy.core.together import Together
from selfstudy.models.folder import ModelFolder

_BATCH = 32


class CrossReranker:
    """A `core.ports.Reranker` over a folder that CrossEncoder saved, loaded with the first pair. Safe to share between threads, whose pairs
    are read together. Where memory runs out the batches become smaller, and stay so.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._batch_size = _BATCH
        self._together: Together[tuple[str, str], np.float32] = Together(self._scores, 2 * _BATCH)
        self._model: Any = None
        self._fingerprint: str | None = None

    @property
    def fingerprint(self) -> str:
        if self._fingerprint is None:
            self._fingerprint = ModelFolder(self.folder).fingerprint
        return self._fingerprint

    def score(self, pairs: Sequence[tuple[str, str]]) -> Vectors:
        """As `core.ports.Reranker.score`: the model's own logit. Raises BadModel, also where memory runs out with one pair."""
        return np.asarray(self._together(pairs), np.float32).reshape(len(pairs))

    def _scores(self, pairs: Sequence[tuple[str, str]]) -> Any:
        import torch

        if self._model is None:
            self._model = _load(self.folder)
        while True:
            try:
                return self._model.predict(
                    [tuple(pair) for pair in pairs], batch_size=self._batch_size, activation_fn=torch.nn.Identity(), show_progress_bar=False
                )
            except (RuntimeError, MemoryError) as error:
                if not ran_out(error):
                    raise
                if self._batch_size == 1:
                    raise BadModel(
                        f"Memory ran out while the reranker in {self.folder} read one passage: {first_line(error)}",
                        "Take a smaller reranker, or none: --set reranker.on=false.",
                    ) from error
            self._batch_size = max(1, self._batch_size // 4)  # after the except block, whose error would hold on to the memory
            if torch.cuda.is_available():
                torch.cuda.empty_cache()


def _load(folder: Path) -> Any:
    from sentence_transformers import CrossEncoder

    try:
        with quiet():
            return CrossEncoder(str(folder), local_files_only=True)
    except Exception as error:  # every format of weights has its own
        raise BadModel(f"The reranker in {folder} cannot be loaded: {first_line(error)}", "Run `selfstudy adapt` again.") from error
