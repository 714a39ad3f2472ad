"""Rounds of training: a further one only where the one before is proven to have gained."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from selfstudy.core.files import make_folder
from selfstudy.core.records import Artifact
from selfstudy.core.run import Lazy, Run, Work, stage
from selfstudy.evals.gate import Gate
from selfstudy.recipes.rounds import Rounds

N = 40


@stage("test.round", version=1)
def made(work: Work, config: None, number: int, share: float) -> dict[str, float]:
    """`model/` with its number."""
    make_folder(work.folder / "model")
    (work.folder / "model" / "number").write_text(str(number))
    return {"share": share}


class Trained(Rounds):
    """Training whose rounds are made at once: `shares` are what is kept of each, `ranks` what the tuning questions say after each."""

    trained: Any = Artifact("trained", "trained", Path())

    def __init__(self, folder: Path, shares: list[float], ranks: list[Any], planning: bool = False) -> None:
        self.run = Run(folder / "artifacts", planning=planning)
        self.settings: Any = SimpleNamespace(rounds=len(shares), gate=Gate())
        make_folder(folder / "base")
        (folder / "base" / "number").write_text("0")
        self.base_model, self.shares, self.ranks = folder / "base", shares, ranks
        self.rounds = 0

    @property
    def start(self) -> Lazy:
        return Lazy("base", lambda: self.base_model)

    def _mined_by(self, body: Artifact) -> Artifact:
        return body

    def _trained(self, mined: Artifact, start: Lazy) -> Artifact:
        return mined

    def _averaged(self, trained: Artifact, start: Lazy) -> Artifact:
        self.rounds += 1
        return self.run.stage(made, None, self.rounds, self.shares[self.rounds - 1])

    def _tuned_by(self, judge: Any) -> Lazy:
        return Lazy("tune", lambda: lambda folder: self.ranks[int((folder / "number").read_text())])


def gained(by: float) -> Any:
    """The base's ranks, better by so much at two questions of three."""
    return np.linspace(0, 0.5, N) + by * (np.arange(N) % 3 > 0)


BASE = gained(0.0)
NOISE = 0.01 * (-1.0) ** np.arange(N)


@pytest.mark.parametrize(
    ("shares", "ranks", "rounds"),
    [
        ([0.4, 0.4, 0.4], [BASE, gained(0.1), gained(0.2), gained(0.3)], 3),
        ([0.4, 0.4, 0.4], [BASE, gained(0.1), gained(0.1) + NOISE, gained(0.3)], 2),
        ([0.4, 0.4, 0.4], [BASE, BASE + NOISE, gained(0.2), gained(0.3)], 1),
        ([0.4, 0.4, 0.4], [BASE, gained(-0.1), gained(0.2), gained(0.3)], 1),
        ([0.0, 0.4, 0.4], [BASE, gained(0.1), gained(0.2), gained(0.3)], 1),
        ([0.4, 0.0, 0.4], [BASE, gained(0.1), gained(0.2), gained(0.3)], 2),
        ([0.4, 0.4], [np.zeros(0)] * 3, 1),
        ([0.4], [BASE, gained(0.1)], 1),
    ],
)
def test_rounds_go_on_while_the_gain_is_significant(shares: list[float], ranks: list[Any], rounds: int, tmp_path: Path) -> None:
    study = Trained(tmp_path, shares, ranks)
    kept = study.averaged
    assert kept is not None
    assert study.rounds == rounds
    assert (kept.path / "model" / "number").read_text() == str(rounds)
    assert Trained(tmp_path, shares, ranks).averaged == kept, "as it was decided before"


def test_a_plan_reckons_with_every_round_that_was_not_decided(tmp_path: Path) -> None:
    shares, ranks = [0.4, 0.4, 0.4], [BASE, gained(0.1), gained(0.1), gained(0.3)]
    planned = Trained(tmp_path, shares, ranks, planning=True)
    assert planned.averaged is not None
    assert planned.rounds == 3
    assert Trained(tmp_path, shares, ranks).averaged is not None
    again = Trained(tmp_path, shares, ranks, planning=True)
    assert again.averaged is not None
    assert again.rounds == 2
    assert all(one.state == "kept" for one in again.run.planned)
