"""The losses by name: hand-computed values, and what each of them teaches a tiny model made here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from training import Unmoved, artifact, examples

from selfstudy.core.ports import Vectors
from selfstudy.core.run import Lazy, Run
from selfstudy.train import embedder as embedder_training
from selfstudy.train.embedder import EmbedderTraining, embedder
from selfstudy.train.losses import in_batch
from selfstudy.train.model import load
from selfstudy.train.rows import contrastive


def value(anchors: Any, passages: Any, given: Any = None, temperature: float = 0.5, taught: float = 0.0, **options: Any) -> float:
    """The loss over given vectors of two dimensions, without an anchor."""
    import torch

    columns = [{"sentence_embedding": torch.tensor(one)} for one in (anchors, passages)]
    scores = torch.tensor(given) if given is not None else torch.zeros(len(anchors), len(passages))
    labels = torch.cat([scores, torch.zeros(len(anchors), 4)], dim=1)
    loss = in_batch(torch.nn.Identity(), temperature, taught, 0.0, **options)  # type: ignore[arg-type]
    loss.progress = options.get("progress", 0.0)
    return float(loss(columns, labels).detach())


RIGHT = ([[1.0, 0.0], [0.0, 1.0]], [[1.0, 0.0], [0.0, 1.0]])
CROSSED = ([[1.0, 0.0], [0.0, 1.0]], [[0.0, 1.0], [1.0, 0.0]])
NEAR = ([[1.0, 0.0], [0.0, 1.0]], [[1.0, 0.0], [0.8, 0.6]])


def test_triplets_want_their_margin_and_no_more() -> None:
    assert value(*RIGHT, name="triplet", margin=0.9) == pytest.approx(0.0, abs=1e-6)
    assert value(*CROSSED, name="triplet", margin=0.9) == pytest.approx(1.9, abs=1e-6)
    # The second passage is .4 from its own question and .2 from the other one's; the first is 0 from its own and 1 from the other's.
    assert value(*NEAR, name="triplet", margin=0.5) == pytest.approx((0.3 + 0.0) / 2, abs=1e-6)


def test_the_hardest_is_looked_for_in_the_batch() -> None:
    assert value(*RIGHT, name="hard_triplet", margin=0.9) == pytest.approx(0.0, abs=1e-6)
    # Each vector against its own pair and the nearest of the other pair, by distance: 0 and .2, .4 and .4 (to passage 1 it is 1),
    # 0 and .2, .4 and .2.
    assert value(*NEAR, name="hard_triplet", margin=0.5) == pytest.approx((0.3 + 0.0 + 0.3 + 0.7) / 4, abs=1e-6)
    assert value(*RIGHT, name="semi_hard_triplet", margin=0.9) == pytest.approx(0.0, abs=1e-6)
    assert value(*RIGHT, name="semi_hard_triplet", margin=1.2) == pytest.approx(0.2, abs=1e-6)
    # The first question is nearer to the second one than to its own passage: the semi-hard loss looks at what lies behind that.
    mixed = ([[1.0, 0.0], [0.96, 0.28], [-1.0, 0.0]], [[0.8, 0.6], [0.0, 1.0], [-1.0, 0.0]])
    assert value(*mixed, name="semi_hard_triplet", margin=0.5) < value(*mixed, name="hard_triplet", margin=0.5) - 0.05


def test_distillation_follows_the_teacher_wherever_it_leads() -> None:
    # At temperature .5 the right vectors score 2 and 0, the crossed ones 0 and 2.
    like_right, like_crossed = [[2.0, 0.0], [0.0, 2.0]], [[0.0, 2.0], [2.0, 0.0]]
    for name in ("margin_mse", "kl"):
        assert value(*RIGHT, like_right, name=name) == pytest.approx(0.0, abs=1e-5)
        assert value(*CROSSED, like_crossed, name=name) == pytest.approx(0.0, abs=1e-5)
        assert value(*CROSSED, like_right, name=name) > 1
    assert value(*CROSSED, like_right, name="margin_mse") == pytest.approx(16.0, abs=1e-5)  # margins of -2 where 2 is wanted
    sure, unsure = np.exp(2) / (1 + np.exp(2)), 1 / (1 + np.exp(2))
    assert value(*CROSSED, like_right, name="kl") == pytest.approx(2 * (sure - unsure), abs=1e-5)


def test_temperatures() -> None:
    def at(temperature: float) -> float:
        return float(np.log(1 + np.exp(-1 / temperature)))

    assert value(*RIGHT, temperature=0.25, tempering="fixed") == pytest.approx(at(0.25), abs=1e-6)
    assert value(*RIGHT, temperature=0.25, tempering="learned") == pytest.approx(at(0.25), abs=1e-6), "where it begins"
    assert value(*RIGHT, temperature=0.25, tempering="annealed") == pytest.approx(at(1.0), abs=1e-6)
    assert value(*RIGHT, temperature=0.25, tempering="difficulty") == pytest.approx(at(0.25), abs=1e-6), "every one is found"
    hard = value(*CROSSED, temperature=0.25, tempering="difficulty")
    assert hard == pytest.approx(2 + at(0.5), abs=1e-6), "none is found: twice as much"


def test_an_annealed_temperature_arrives() -> None:
    import torch

    loss = in_batch(torch.nn.Identity(), 0.1, 0.0, 0.0, tempering="annealed")  # type: ignore[arg-type]
    cosines = torch.eye(2)
    found = []
    for progress in (0.0, 0.5, 1.0):
        loss.progress = progress
        found.append(float(loss.temperature(cosines)))
    assert found == pytest.approx([0.4, 0.25, 0.1])


class Wise(Unmoved):
    """A teacher that knows which passage belongs to which question."""

    def scores(self, questions: Any, passages: Any) -> list[Vectors]:
        about = {one.question: one.evidence[0].passage.id for one in examples()}
        return [
            np.array([8.0 * (id == about[question]) for id in ids], np.float32) for question, ids in zip(questions, passages, strict=True)
        ]


def apart(folder: Path, dim: int = 32) -> float:
    """How much nearer questions are to their own passages than to all, in cosine, by the first `dim` dimensions."""
    rows = examples()
    asked, searched = (
        load(folder).encode(texts, truncate_dim=dim, normalize_embeddings=True)
        for texts in ([e.question for e in rows], [e.evidence[0].passage.indexed for e in rows])
    )
    cosines = asked @ searched.T
    return float(np.diagonal(cosines).mean() - cosines.mean())


def test_a_loss_without_a_teacher_asks_none(tiny: Path, tmp_path: Path) -> None:
    class Silent(Unmoved):
        def scores(self, questions: Any, passages: Any) -> Any:
            raise AssertionError("what it says is never read")

    settings = EmbedderTraining(max_steps=2, per_device_train_batch_size=8, loss="cached", mini_batch=4)
    mined = artifact(tmp_path / "mined", examples())
    made = Run(tmp_path / "run").stage(embedder, settings, mined, Lazy("base", lambda: tiny), Lazy("silent", Silent))
    assert (made.path / "tuned").is_dir()


def test_labels_are_packed_numbers(tmp_path: Path) -> None:
    rows = contrastive([examples()[:4], examples()[4:8]], 0)
    label = embedder_training._dataset(EmbedderTraining(), rows, Unmoved())._data.table.column("label")
    assert (label.type.list_size, str(label.type.value_type)) == (4 + 2 * 32, "float"), "a score for each passage of the batch, two vectors"


@pytest.mark.parametrize(
    "options",
    [
        {"loss": "cached", "mini_batch": 4},
        {"loss": "triplet", "negatives": 1},
        {"loss": "semi_hard_triplet"},
        {"loss": "margin_mse"},
        {"loss": "kl"},
        {"tempering": "learned"},
        {"tempering": "annealed"},
        {"tempering": "difficulty"},
        {"matryoshka": (8,)},
    ],
    ids=lambda options: "-".join(map(str, options.values())),
)
def test_each_brings_questions_to_their_passages(tiny: Path, tmp_path: Path, options: dict[str, Any]) -> None:
    """All but the hard triplet, which collapses where passages of a batch are as alike as these (LOG.md)."""
    settings = EmbedderTraining(
        max_steps=60,
        learning_rate=5e-3,
        temperature=0.1,
        per_device_train_batch_size=8,
        frozen_layers=0,
        taught=0.0,
        anchor=0.0,
        **options,
    )
    made = Run(tmp_path / "run").stage(
        embedder, settings, artifact(tmp_path / "mined", examples()), Lazy("base", lambda: tiny), Lazy("wise", Wise)
    )
    tuned = made.path / "tuned"
    assert apart(tuned) > apart(tiny) + 0.2
    if "matryoshka" in options:
        assert apart(tuned, 8) > apart(tiny, 8) + 0.2
