"""What the report page of an adapt shows, gathered from its stages."""

from __future__ import annotations

import platform
from collections import Counter
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from selfstudy.evals.paired import compare
from selfstudy.evals.report import Ranked, ReportData
from selfstudy.recipes.outcome import Outcome
from selfstudy.recipes.settings import Settings

_VERSIONS = ("selfstudy", "sentence-transformers", "torch", "openvino", "lancedb")


def page_of(title: str, settings: Settings, outcome: Outcome, rows: list[dict[str, Any]], own: Any, losses: list[float]) -> ReportData:
    """The page of a judged candidate: exam `rows`, `own` ranks before and after (or None), `losses` as the trainer logged them."""
    reasons: Counter[str] = Counter()
    for counts in outcome.round_trip.values():
        reasons.update(counts)
    kept = reasons.pop("kept", 0)
    forest = {"dense, all": outcome.differences["dense"], "hybrid, all": outcome.differences["hybrid"]}
    forest |= {f"writer: {name}": difference for name, difference in outcome.writers.items()}
    forest["guard"] = outcome.differences["guard"]
    if own is not None and len(own[0]):
        forest["own questions"] = compare(*own)
    sides = ("before", "after")
    metrics = {side: {name: {"mrr@10": outcome.metrics[name][side]} for name in ("dense", "hybrid")} for side in sides}
    return ReportData(
        title=title,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        verdict=outcome.verdict,
        before=metrics["before"],
        after=metrics["after"],
        differences={name: {"mrr@10": outcome.differences[name]} for name in ("dense", "hybrid")},
        forest=forest,
        asked=tuple(Ranked(row["question"], row["writer"], row["dense_before"] or None, row["dense_after"] or None) for row in rows),
        kept=kept,
        dropped=dict(reasons),
        counts=outcome.questions,
        loss=tuple((5 * (place + 1), loss) for place, loss in enumerate(losses)),
        config=_flat(settings.model_dump(mode="json")),
        versions={name: version(name) for name in _VERSIONS} | {"python": platform.python_version()},
        notes=tuple(filter(None, [outcome.note])),
    )


def _flat(config: dict[str, Any], within: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in config.items():
        flat |= _flat(value, f"{within}{name}.") if isinstance(value, dict) else {f"{within}{name}": value}
    return flat
