"""Near duplicates fold where results are shown, and only there."""

from __future__ import annotations

from collections.abc import Sequence

from selfstudy.core.records import Hit


def fold(hits: Sequence[Hit], k: int | None = None) -> list[Hit]:
    """The first hit of each group of near duplicates, in order, at most `k` of them. Search for more than `k` to fill the places."""
    kept: dict[str, Hit] = {}
    for hit in hits:
        kept.setdefault(hit.passage.near or hit.passage.id, hit)
    return list(kept.values())[:k]
