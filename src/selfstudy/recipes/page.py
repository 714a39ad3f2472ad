"""What the report page of an adapt shows, gathered from its stages."""

from __future__ import annotations

import json
import platform
from collections import Counter
from datetime import UTC, datetime
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from selfstudy.core.files import read_json
from selfstudy.evals.paired import compare
from selfstudy.evals.report import Asked, ReportData

if TYPE_CHECKING:
    from selfstudy.recipes.adapt import Outcome, Study

_VERSIONS = ("selfstudy", "sentence-transformers", "torch", "openvino", "lancedb")


def page_of(study: Study, outcome: Outcome, rows: list[dict[str, Any]], own: Any) -> ReportData:
    """The page of a judged candidate."""
    reasons: Counter[str] = Counter()
    for counts in outcome.round_trip.values():
        reasons.update(counts)
    kept = reasons.pop("kept", 0)
    forest = {"dense, all": outcome.differences["dense"], "hybrid, all": outcome.differences["hybrid"]}
    forest |= {f"writer: {name}": difference for name, difference in outcome.writers.items()}
    forest["guard"] = outcome.differences["guard"]
    if own is not None and len(own[0]):
        forest["own questions"] = compare(*own)
    losses = read_json(study.trained.path / "losses.json")
    sides = ("before", "after")
    metrics = {side: {name: {"mrr@10": outcome.metrics[name][side]} for name in ("dense", "hybrid")} for side in sides}
    return ReportData(
        title=study.home.resolve().name,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        verdict=outcome.verdict,
        before=metrics["before"],
        after=metrics["after"],
        differences={name: {"mrr@10": outcome.differences[name]} for name in ("dense", "hybrid")},
        forest=forest,
        asked=tuple(Asked(row["question"], row["writer"], row["dense_before"] or None, row["dense_after"] or None) for row in rows),
        kept=kept,
        dropped=dict(reasons),
        counts=outcome.questions,
        loss=tuple((5 * (place + 1), loss) for place, loss in enumerate(losses)),
        config=_flat(json.loads(study.settings.model_dump_json())),
        versions={name: version(name) for name in _VERSIONS} | {"python": platform.python_version()},
        notes=tuple(filter(None, [outcome.note])),
    )


def _flat(config: dict[str, Any], within: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in config.items():
        flat |= _flat(value, f"{within}{name}.") if isinstance(value, dict) else {f"{within}{name}": value}
    return flat
