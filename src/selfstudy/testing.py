"""A fake embedder that fits its port, for tests and for whoever writes a plug-in."""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from selfstudy.core.ports import Progress, Role, Vectors, silent
from selfstudy.core.text import stem


@dataclass(frozen=True, slots=True)
class FakeEmbedder:
    """Vectors without a model: each stemmed word adds +1 or -1 at a place that its hash gives, so texts with common words are near."""

    dim: int = 64
    seed: int = 0

    @property
    def name(self) -> str:
        return f"fake:{self.dim}:{self.seed}"

    @property
    def fingerprint(self) -> str:
        return f"fake-{self.dim}-{self.seed}"

    def embed(self, texts: Sequence[str], role: Role = "passage", progress: Progress = silent) -> Vectors:
        """(len(texts), dim) float32, rows of unit length; a text without words points along the first axis."""
        matrix = np.zeros((len(texts), self.dim), np.float32)
        for row, text in enumerate(texts):
            for word in re.findall(r"\w+", text.lower()):
                code = zlib.crc32(f"{self.seed} {stem(word)}".encode())
                matrix[row, code % self.dim] += 1 if code & 0x80000000 else -1
            if not matrix[row].any():
                matrix[row, 0] = 1
            progress(row + 1, len(texts))
        matrix /= np.linalg.norm(matrix, axis=1, keepdims=True)
        return matrix
