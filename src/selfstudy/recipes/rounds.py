"""Whether a round of training has gained anything: only then a further one is worth its time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from selfstudy.core.artifacts import manifest
from selfstudy.core.records import Artifact
from selfstudy.core.run import Work, stage
from selfstudy.evals.bootstrap import Values
from selfstudy.evals.paired import compare


@stage("study.gain", version=1)
def gain(work: Work, config: None, before: Path, after: Path, ranks: Callable[[Path], Values]) -> dict[str, Any] | None:
    """How much better the tuning questions find their passages by the model in `after` than by that in `before`; None: there are none."""
    had = ranks(before)
    work.progress(1, 2)
    has = ranks(after)
    return compare(had, has).json() if len(had) else None


def proven(made: Artifact, alpha: float) -> bool:
    """Whether that gain is significant."""
    told = manifest(made).result
    return bool(told) and told["low"] > 0 and told["p"] <= alpha
