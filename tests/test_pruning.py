"""What a prune leaves standing; over a whole home it is tested in test_adapt.py."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from selfstudy.core.artifacts import artifacts
from selfstudy.core.run import Run, Work, stage
from selfstudy.recipes.history import Event
from selfstudy.recipes.pruning import prune, serving_since
from selfstudy.recipes.system import System

BASE = System("minilm", "0", 0.5)


def event(number: int, kind: str, system: System | None, before: System | None) -> Event:
    return Event(number, "2026-01-01T00:00:00+00:00", kind, system.key if system else None, "", system, before)  # type: ignore[arg-type]


def test_what_served_before_stays_as_far_back_as_was_asked() -> None:
    first, second, third, refused = (replace(BASE, embedder=f"artifact:{name}", key=name) for name in "abcr")
    finer = replace(second, key="finer", weight=0.6)  # the same models, searched otherwise
    events = [
        event(1, "promoted", first, BASE), event(2, "promoted", second, first), event(3, "promoted", finer, second),
        event(4, "judged", refused, finer), event(5, "promoted", third, finer),
    ]  # fmt: skip
    assert serving_since(third, events, 0) == [third]
    assert serving_since(third, events, 1) == [third, finer, second]
    assert serving_since(third, events, 2) == [third, finer, second, first]
    assert serving_since(third, events, 9) == [third, finer, second, first, BASE]


@stage("test.model")
def model(work: Work, config: None, name: str, stands_on: str) -> None:
    """A model's folder, as an adapter's names the one that it stands on."""
    (work.folder / "model").mkdir()
    (work.folder / "model" / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": stands_on}), encoding="utf-8")


def test_an_adapter_keeps_what_it_stands_on(tmp_path: Path) -> None:
    run = Run(tmp_path)
    below = run.stage(model, None, "below", "a hub's model")
    adapter = run.stage(model, None, "adapter", str(below.path / "model"))
    other = run.stage(model, None, "other", "a hub's model")
    serves = replace(BASE, generator=f"hf:artifact:{adapter.key}", key="serves")
    told = prune(tmp_path, [serves], (), remove=True)
    assert [one.name for one in told.unneeded] == [other.path.name]
    assert told.kept_bytes == sum(file.stat().st_size for one in (below, adapter) for file in one.path.rglob("*") if file.is_file())
    assert {path.name for path in tmp_path.glob("model-*")} == {below.path.name, adapter.path.name}


def test_what_is_planned_stays_and_a_killed_prune_is_finished(tmp_path: Path) -> None:
    run = Run(tmp_path)
    planned, other = run.stage(model, None, "planned", ""), run.stage(model, None, "other", "")
    half_gone = f"{other.path.name}.pruned.work"
    other.path.rename(tmp_path / half_gone)  # killed between the rename and the end
    assert artifacts(tmp_path) == [planned]
    assert [one.name for one in prune(tmp_path, [BASE], [planned.key], remove=True).unneeded] == [half_gone]
    assert [path.name for path in tmp_path.glob("model-*")] == [planned.path.name]


def test_a_home_without_a_study_has_nothing_to_prune(tmp_path: Path) -> None:
    assert prune(tmp_path / "artifacts", [BASE], (), remove=True).unneeded == ()
