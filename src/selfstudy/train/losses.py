"""The embedder's loss, for sentence-transformers' trainer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer


def in_batch(model: SentenceTransformer, temperature: float, taught: float, anchor: float) -> Any:
    """The module that the trainer calls with the features of anchors (n) and of one or more columns of passages (n each).

    Scores are cosines over `temperature`, each anchor against the m passages of all columns. The loss is (1 - taught) times the
    cross-entropy of its own positive (InfoNCE, arXiv 1807.03748) plus `taught` times that of the softmax of what a teacher gives the same
    passages (arXiv 1503.02531), plus `anchor` times the mean cosine distance of anchors and positives to where the base puts them.

    Labels are (n, m + 2 dim): the teacher's scores, then the base's vectors of the anchor and of its positive.
    """
    import torch
    from torch.nn.functional import cross_entropy, normalize, softmax

    class InBatch(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, sentence_features: Iterable[dict[str, torch.Tensor]], labels: torch.Tensor) -> torch.Tensor:
            anchors, *passages = (normalize(self.model(features)["sentence_embedding"], dim=-1) for features in sentence_features)
            scores = anchors @ torch.cat(passages).T / temperature
            sizes = [scores.shape[1], anchors.shape[1], anchors.shape[1]]
            given, asked, searched = torch.split(labels.to(scores), sizes, dim=1)
            own = cross_entropy(scores, torch.arange(len(anchors), device=scores.device))
            soft = cross_entropy(scores, softmax(given, dim=-1))
            drift = 2 - (anchors * asked).sum(dim=-1).mean() - (passages[0] * searched).sum(dim=-1).mean()
            loss: torch.Tensor = (1 - taught) * own + taught * soft + anchor * drift
            return loss

    return InBatch()
