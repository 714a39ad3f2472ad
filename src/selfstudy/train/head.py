"""The head: a residual layer over frozen vectors, fitted against every passage of the corpus at once.

What in-batch training on a CPU cannot afford (thousands of negatives for every question, hundreds of steps) costs seconds here, because
the vectors stand already: the softmax runs over the whole corpus. It is the warm start of the embedder's own training.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from selfstudy.core.ports import Progress, Vectors, silent


def _some(shares: tuple[float, ...]) -> tuple[float, ...]:
    if not shares:
        raise ValueError("expected one share at least")
    return shares


Shares = Annotated[tuple[Annotated[float, Field(ge=0, le=1)], ...], AfterValidator(_some)]
"""How far to go, 0 to 1, of which tuning questions choose one."""


class Head(BaseModel):
    """How the head is fitted."""

    model_config = ConfigDict(extra="forbid")

    on: bool = Field(True, description="False starts the embedder's training from the base as it is")
    steps: int = Field(300, ge=1)
    batch: int = Field(256, ge=2)
    pool: int = Field(8192, ge=2, description="passages that a step's softmax runs over; all of them up to this number")
    hidden: int = Field(768, ge=1)
    temperature: float = Field(0.05, gt=0)
    learning_rate: float = Field(5e-4, gt=0)
    anchor: float = Field(8.0, ge=0, description="weight of staying near the base vectors: what keeps general ability")
    shares: Shares = Field((0.25, 0.5, 0.75), description="shares of the head's move that the tuning questions choose from")
    seed: int = 0


class Weights:
    """`x + relu(x U) V`, normalised; U is (dim, hidden), V is (hidden, dim). `share` scales V: 0 is the base itself."""

    def __init__(self, inner: Vectors, outer: Vectors, share: float = 1.0) -> None:
        self.inner = inner
        self.outer = outer
        self.share = share

    def __call__(self, vectors: Vectors) -> Vectors:
        moved: Vectors = vectors + self.share * (np.maximum(vectors @ self.inner, 0) @ self.outer)
        unit: Vectors = (moved / np.linalg.norm(moved, axis=1, keepdims=True)).astype(np.float32)
        return unit

    def scaled(self, share: float) -> Weights:
        return Weights(self.inner, self.outer, share)

    def save(self, path: Path) -> None:
        np.savez(path, inner=self.inner, outer=self.outer, share=np.float32(self.share))

    @classmethod
    def load(cls, path: Path) -> Weights:
        with np.load(path) as data:
            return cls(data["inner"], data["outer"], float(data["share"]))


def head_of(fitted: Path, share: float) -> Weights | None:
    """`share` of the head that was fitted into this folder, on top of the share that `tune` chose; None where there is none."""
    path = fitted / "head.npz"
    if not path.exists():
        return None
    head = Weights.load(path)
    return head.scaled(share * head.share)


def fit_head(
    config: Head,
    questions: Vectors,
    passages: Vectors,
    evidence: NDArray[np.int64],
    excluded: Callable[[NDArray[np.int64]], tuple[NDArray[np.int64], NDArray[np.int64]]],
    progress: Progress = silent,
) -> tuple[Weights, list[float]]:
    """Fit the head so that each of `questions` (n, dim) finds its passage `evidence[i]` among all `passages` (m, dim).

    Loss: softmax cross-entropy over the passages (InfoNCE, arXiv 1807.03748) at `temperature`, plus `anchor` times the mean cosine
    distance to the base vectors. `excluded(rows)` gives (which of rows, which passage) pairs of known false negatives, left out of the
    denominator. Returns the weights and the loss of every step.
    """
    import torch
    from torch.nn.functional import normalize

    dim = questions.shape[1]
    generator = torch.Generator().manual_seed(config.seed)
    chooser = np.random.default_rng(config.seed)
    inner = torch.nn.Parameter(torch.randn(dim, config.hidden, generator=generator) / dim**0.5)
    outer = torch.nn.Parameter(torch.zeros(config.hidden, dim))
    optimiser = torch.optim.AdamW([inner, outer], lr=config.learning_rate, weight_decay=0.01)
    all_questions, all_passages = torch.from_numpy(questions), torch.from_numpy(passages)
    losses: list[float] = []

    def moved(vectors: torch.Tensor) -> torch.Tensor:
        return normalize(vectors + torch.relu(vectors @ inner) @ outer, dim=-1)

    # One thread: the products are small, and two threads that wait for each other on busy cores take ten times as long.
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for step in range(config.steps):
            rows = chooser.choice(len(questions), min(config.batch, len(questions)), replace=False)
            pool, target = _pool(evidence[rows], len(passages), config.pool, chooser)
            asked, searched = all_questions[rows], all_passages[pool]
            query, passage = moved(asked), moved(searched)
            scores = query @ passage.T / config.temperature
            which, wrong = excluded(rows)
            at = np.searchsorted(pool, wrong)
            inside = (at < len(pool)) & (pool[np.minimum(at, len(pool) - 1)] == wrong)
            blocked = torch.zeros_like(scores, dtype=torch.bool)
            blocked[which[inside], at[inside]] = True
            blocked[np.arange(len(rows)), target] = False
            loss = torch.nn.functional.cross_entropy(scores.masked_fill(blocked, -torch.inf), torch.from_numpy(target))
            drift = 2 - (query * asked).sum(-1).mean() - (passage * searched).sum(-1).mean()
            optimiser.zero_grad()
            (loss + config.anchor * drift).backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            losses.append(float(loss.detach()))
            progress(step + 1, config.steps)
    finally:
        torch.set_num_threads(threads)
    return Weights(inner.detach().numpy(), outer.detach().numpy()), losses


def _pool(
    evidence: NDArray[np.int64], passages: int, most: int, chooser: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The rows that a step searches, ascending, with every evidence among them, and where in them each evidence stands."""
    if passages <= most:
        pool = np.arange(passages)
    else:
        pool = np.union1d(evidence, chooser.choice(passages, max(most - len(evidence), 1), replace=False))
    return pool, np.searchsorted(pool, evidence)
