"""Settings of the training that cannot be, or that would do nothing, are told before any work."""

from __future__ import annotations

from pathlib import Path

import pytest

from selfstudy.core import config
from selfstudy.core.errors import BadConfig
from selfstudy.recipes.engine import Engine
from selfstudy.recipes.settings import Settings


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("average.shares=[]", r"average.shares = \[\] \(--set\): expected one share at least"),
        ("average.shares=[2.0]", r"A fault in the configuration:\n  average.shares.0 = 2.0 \(--set\): expected less than or equal to 1"),
        ("average.shares=[-0.5]", "expected greater than or equal to 0"),
        ("average.nearer=[1.5]", "expected less than or equal to 1"),
        ("average.nearer=[0]", "expected greater than 0"),
        ("head.shares=[]", r"head.shares = \[\] \(--set\): expected one share at least"),
        ("head.shares=[1.25]", "expected less than or equal to 1"),
        ("reranker.weights=[-1]", "expected greater than or equal to 0"),
        ("reranker.weights=[inf]", "expected a finite number"),
        ("reranker.weights=[nan]", "expected"),
        ('training={loss="cached", tempering="learned"}', "training: with loss = 'cached' the temperature is always fixed"),
        ('training={loss="cached", tempering="annealed"}', "always fixed: leave tempering"),
        ('training={loss="hard_triplet", taught=0, tempering="difficulty"}', "the temperature is not read"),
        ("training.frozen_layers=-1", "expected greater than or equal to 0"),
        ("pretraining.method=mlmm", "expected 'off', 'tsdae', 'crops' or 'mlm'"),
    ],
)
def test_what_cannot_be_is_told(given: str, told: str) -> None:
    with pytest.raises(BadConfig, match=told):
        config.load(Settings, None, [given])


@pytest.mark.parametrize(
    "given",
    [
        "average.shares=[1.0]", "average.shares=[0, 1]", "average.nearer=[]", "head.shares=[1]", "reranker.weights=[]",
        "reranker.weights=[3.5]", "training.frozen_layers=0", 'training={loss="cached"}',
        'training={loss="kl", taught=0, tempering="learned"}', "training.tempering=annealed",
        'training={loss="triplet", tempering="learned"}',
    ],
)  # fmt: skip
def test_what_can_be_is_let_through(given: str) -> None:
    assert config.load(Settings, None, [given])


def test_pretraining_that_nothing_follows_is_told(tmp_path: Path) -> None:
    engine = Engine.open(tmp_path, create=True, sets=["pretraining.method=crops", "training.minutes=0"])
    with pytest.raises(BadConfig, match="'crops' would do nothing"):
        engine.studies.study().check()


def test_every_switch_of_a_part_is_called_on() -> None:
    settings, origins = config.load(Settings)
    assert [one.path for one in config.describe(settings, origins) if one.path.count(".") == 0 and isinstance(one.value, bool)] == []
    switches = {one.path.rpartition(".")[0] for one in config.describe(settings, origins) if one.path.endswith(".on")}
    assert switches >= {"head", "imitation", "sentences", "int8", "reranker", "reader", "judged", "votes", "tuning.reflection"}
    for given in ("int8=auto", "reranker=off", "reader=false", "judged=false"):
        with pytest.raises(BadConfig, match="is a section; its names are on"):
            config.load(Settings, None, [given])


@pytest.mark.parametrize("given", ["training.matryoshka=[1000]", "training.frozen_layers=6", "pretraining.method=tsdae"])
def test_what_does_not_fit_the_embedder_is_told_by_a_plan_and_before_any_work(given: str, tmp_path: Path) -> None:
    from shapes import shaped

    shape = "albert" if "tsdae" in given else "distilbert"
    base = f"embedder=st:{shaped(shape, tmp_path / 'base')}"
    (tmp_path / "notes.md").write_text("# Street\n\nThe green kettle of the street is repaired by the owner.\n")
    Engine.open(tmp_path / "home", create=True, sets=[base]).add([tmp_path / "notes.md"])
    before = sorted(path.name for path in (tmp_path / "home").glob("artifacts/*"))
    engine = Engine.open(tmp_path / "home", sets=[base, given])
    for work in (engine.studies.plan, engine.adapt):
        with pytest.raises(BadConfig, match=given.partition("=")[0]):
            work()
    assert sorted(path.name for path in (tmp_path / "home").glob("artifacts/*")) == before
