"""The embedder's loss, for sentence-transformers' trainer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer


def in_batch(model: SentenceTransformer, temperature: float, taught: float) -> Any:
    """The module that the trainer calls with the features of anchors (n) and of one or more columns of passages (n each).

    Scores are cosines over `temperature`, each anchor against the m passages of all columns. The loss is (1 - taught) times the
    cross-entropy of its own positive (InfoNCE, arXiv 1807.03748) plus `taught` times the cross-entropy of softmax(labels), with labels
    (n, m): what a teacher gives each passage (arXiv 1503.02531). With `taught` 0 labels may be None.
    """
    import torch
    from torch.nn.functional import cross_entropy, normalize, softmax

    class InBatch(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, sentence_features: Iterable[dict[str, torch.Tensor]], labels: torch.Tensor | None) -> torch.Tensor:
            anchors, *passages = (normalize(self.model(features)["sentence_embedding"], dim=-1) for features in sentence_features)
            scores = anchors @ torch.cat(passages).T / temperature
            loss = cross_entropy(scores, torch.arange(len(anchors), device=scores.device))
            if taught and labels is not None:
                soft = cross_entropy(scores, softmax(labels.to(scores), dim=-1))
                loss = (1 - taught) * loss + taught * soft
            return loss

    return InBatch()
