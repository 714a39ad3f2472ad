"""The embedder's losses by name, for sentence-transformers' trainer: its own where it has them, over vectors that are made once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

Name = Literal["softmax", "cached", "triplet", "hard_triplet", "semi_hard_triplet", "margin_mse", "kl"]
Tempering = Literal["fixed", "learned", "annealed", "difficulty"]
TRIPLETS = ("triplet", "hard_triplet", "semi_hard_triplet")
"""Losses by distance alone, which has no temperature."""
_HOT = 4.0
"""How many times the temperature an annealed one begins at."""
_WAYS = 8
"""Other passages of the batch that a distillation compares each question's own with."""


def in_batch(
    model: SentenceTransformer, temperature: float, taught: float, anchor: float,
    *, name: Name = "softmax", tempering: Tempering = "fixed", margin: float = 0.2,
) -> Any:  # fmt: skip
    """The module that the trainer calls with the features of anchors (n) and of one or more columns of passages (n each).

    Its value is (1 - taught) times the loss `name` plus `taught` times the cross-entropy of the softmax of what a teacher gives the same
    passages (arXiv 1503.02531), plus `anchor` times the mean cosine distance of anchors and positives to where the base puts them.

    softmax: cross-entropy of each anchor's own positive among the m passages of all columns (InfoNCE, arXiv 1807.03748).
    triplet: the first mined negative, else the next row's passage, is `margin` further away than the positive (cosine distance).
    hard_triplet, semi_hard_triplet: the batch's hardest wrong one (arXiv 1703.07737), or one that is wrong by less (arXiv 1503.03832).
    margin_mse, kl: the teacher's differences (arXiv 2010.02666), or its distribution, over the positive and others of the batch.

    Scores are cosines over the temperature, which is fixed; learned (its logarithm, arXiv 2103.00020); annealed from four times as much,
    linearly in `progress`, which the trainer sets from 0 to 1; or by difficulty: up to twice as much, in proportion to the questions of the
    batch whose own passage is not the best, so that a batch with many near misses, some of them right, is softer.

    Labels are (n, m + 2 dim): the teacher's scores, then the base's vectors of the anchor and of its positive.
    """
    import torch
    from torch.nn.functional import cross_entropy, normalize, softmax

    if name == "cached":
        raise ValueError("a cached loss has no vectors of its own to share: see `cached`")

    class InBatch(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model
            self.progress = 0.0
            self.log_temperature = torch.nn.Parameter(torch.tensor(temperature).log()) if tempering == "learned" else None
            self.own = _by_name(model, name, margin)

        def forward(self, sentence_features: Iterable[dict[str, torch.Tensor]], labels: torch.Tensor) -> torch.Tensor:
            anchors, *passages = (normalize(self.model(features)["sentence_embedding"], dim=-1) for features in sentence_features)
            cosines = anchors @ torch.cat(passages).T
            dim = (labels.shape[1] - cosines.shape[1]) // 2
            given, asked, searched = torch.split(labels.to(cosines), [cosines.shape[1], dim, dim], dim=1)
            heat = self.temperature(cosines)
            scores = cosines / heat
            own = self.own(anchors, passages, scores, given, heat)
            soft = cross_entropy(scores, softmax(given, dim=-1))
            loss: torch.Tensor = (1 - taught) * own + taught * soft
            if anchor:
                loss = loss + anchor * (2 - self.beside(anchors, asked) - self.beside(passages[0], searched))
            return loss

        def beside(self, vectors: torch.Tensor, base: torch.Tensor) -> torch.Tensor:
            """The mean inner product with the base's vectors, cut to as many dimensions as the vectors have."""
            width = vectors.shape[1]
            there = base if width == base.shape[1] else normalize(base[:, :width], dim=-1)
            return (vectors * there).sum(dim=-1).mean()

        def temperature(self, cosines: torch.Tensor) -> Any:
            """What the cosines are divided by now."""
            if self.log_temperature is not None:
                return self.log_temperature.exp().clamp(0.01, 1.0)
            if tempering == "annealed":
                return temperature * (_HOT + (1 - _HOT) * self.progress)
            if tempering == "difficulty":
                right = torch.arange(len(cosines), device=cosines.device)
                missed = (cosines.argmax(dim=1) != right).float().mean()
                return temperature * (1 + missed)
            return temperature

    return InBatch()


def _by_name(model: Any, name: Name, margin: float) -> Callable[..., Any]:
    """The loss over (anchors, columns of passages, scores, the teacher's scores, temperature)."""
    import torch
    from torch.nn.functional import cross_entropy

    def rows(anchors: Any) -> Any:
        return torch.arange(len(anchors), device=anchors.device)

    if name == "softmax":
        return lambda anchors, passages, scores, given, heat: cross_entropy(scores, rows(anchors))

    from sentence_transformers.sentence_transformer import losses as library

    cosine = library.BatchHardTripletLossDistanceFunction.cosine_distance
    if name == "triplet":
        triplet = library.TripletLoss(model, library.TripletDistanceMetric.COSINE, margin)

        def against_one(anchors: Any, passages: Any, scores: Any, given: Any, heat: Any) -> Any:
            wrong = passages[1] if len(passages) > 1 else passages[0].roll(-1, 0)
            return triplet.compute_loss_from_embeddings([anchors, passages[0], wrong], given)

        return against_one
    if name in ("hard_triplet", "semi_hard_triplet"):
        kind = library.BatchHardTripletLoss if name == "hard_triplet" else library.BatchSemiHardTripletLoss
        batch = kind(model, cosine, margin)

        def in_pairs(anchors: Any, passages: Any, scores: Any, given: Any, heat: Any) -> Any:
            return batch.compute_loss_from_embeddings([torch.cat([anchors, passages[0]])], torch.cat([rows(anchors)] * 2))

        return in_pairs

    made = library.MarginMSELoss(model) if name == "margin_mse" else library.DistillKLDivLoss(model)

    def distilled(anchors: Any, passages: Any, scores: Any, given: Any, heat: Any) -> Any:
        shifts = range(min(_WAYS, len(anchors)))
        columns = [passages[0].roll(-shift, 0) for shift in shifts]
        taught = torch.stack([given[rows(anchors), (rows(anchors) + shift) % len(anchors)] for shift in shifts], dim=1)
        return made.compute_loss_from_embeddings([anchors / heat, *columns], taught)

    return distilled


def cached(model: SentenceTransformer, temperature: float, mini_batch: int) -> Any:
    """In-batch softmax over batches of any size in the memory of `mini_batch` rows (GradCache, arXiv 2101.06983); labels are not read."""
    from sentence_transformers.sentence_transformer.losses import CachedMultipleNegativesRankingLoss

    return CachedMultipleNegativesRankingLoss(model, scale=1 / temperature, mini_batch_size=mini_batch)


def matryoshka(model: SentenceTransformer, loss: Any, dims: Sequence[int]) -> Any:
    """`loss` over the first dimensions alone, too, each of `dims` and all of them alike (arXiv 2205.13147)."""
    from sentence_transformers.sentence_transformer.losses import MatryoshkaLoss

    whole = int(model.get_embedding_dimension() or 0)
    return MatryoshkaLoss(model, loss, sorted({*(dim for dim in dims if dim < whole), whole}, reverse=True))
