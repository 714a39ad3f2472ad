"""Near duplicates, and what stands inside other passages, fold where results are shown, and only there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from selfstudy.core.records import Hit


def fold(hits: Sequence[Hit], k: int | None = None) -> list[Hit]:
    """The first hit of each group of near duplicates, in order, at most `k` of them. Search for more than `k` to fill the places.

    A passage that stands inside others gives its place to these where all of them were found, too: they say more.
    """
    first: dict[str, Hit] = {}
    for hit in hits:
        first.setdefault(hit.passage.family, hit)
    kept: dict[str, Hit] = {}
    for hit in hits:
        whole = [first[id] for id in hit.passage.within if id in first]
        for shown in whole if whole and len(whole) == len(hit.passage.within) else [hit]:
            kept.setdefault(shown.passage.family, replace(shown, score=hit.score))
    return list(kept.values())[:k]
