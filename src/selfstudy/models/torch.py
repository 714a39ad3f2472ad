"""A sentence-transformers model run by torch: for every architecture, and what the compiled runtime is measured against."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np

from selfstudy.core.errors import BadModel, first_line
from selfstudy.core.memory import ran_out
from selfstudy.core.ports import Progress, Vectors
from selfstudy.core.quiet import quiet
from selfstudy.models.folder import ModelFolder

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

_CHUNK = 512


def load_model(folder: ModelFolder) -> SentenceTransformer:
    """The folder's model, ready to embed. Raises BadModel where it cannot be loaded."""
    from sentence_transformers import SentenceTransformer

    with quiet():
        try:
            model = SentenceTransformer(str(folder.path), local_files_only=True)
        except Exception as error:  # every format of weights has its own
            raise BadModel(
                f"The model in {folder.path} cannot be loaded: {first_line(error)}", "Put back a whole copy of the model."
            ) from error
    return model.eval()


class TorchRuntime:
    """Embeds with torch in fp32. Safe to share between threads. Where memory runs out the batches become smaller, and stay so."""

    name = "torch"

    def __init__(self, folder: ModelFolder, threads: int | None = None) -> None:
        import torch

        if threads is not None:
            torch.set_num_threads(threads)
        self._model = load_model(folder)
        self._lock = Lock()
        self._batch = 32
        dim = self._model.get_embedding_dimension()
        if dim is None:
            raise BadModel(f"The model in {folder.path} does not say how long its vectors are.", "Give another model.")
        self.dim = dim

    def vectors(self, texts: Sequence[str], prompt: str, progress: Progress) -> Vectors:
        """(len(texts), dim) float32, rows of unit length."""
        out: Vectors = np.empty((len(texts), self.dim), np.float32)
        for start in range(0, len(texts), _CHUNK):
            part = list(texts[start : start + _CHUNK])
            with self._lock:
                out[start : start + len(part)] = self._encoded(part, prompt)
            progress(start + len(part), len(texts))
        return out

    def _encoded(self, texts: list[str], prompt: str) -> Vectors:
        import torch

        while True:
            try:
                made: Vectors = self._model.encode(
                    texts, prompt=prompt, batch_size=self._batch, normalize_embeddings=True, convert_to_numpy=True, show_progress_bar=False
                )
                return made
            except (RuntimeError, MemoryError) as error:
                if not ran_out(error) or self._batch == 1:
                    raise
            self._batch = max(1, self._batch // 4)  # after the except block, whose error would hold on to the memory
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
