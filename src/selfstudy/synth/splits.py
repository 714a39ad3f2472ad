"""Train, tune and exam, drawn by group, so that no question of the exam has a sibling that trained."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from selfstudy.core.errors import NotEnough
from selfstudy.core.records import Split, digest

_TUNE = 0.15
_EXAM = (0.15, 0.30)
_EXAMINED = 150
"""Passages that an exam should ask about. Over fewer it proves hardly any gain, so that a small corpus gives more of itself to it."""


def shares(passages: int) -> dict[Split, float]:
    """What part of so many passages trains, tunes and examines."""
    least, most = _EXAM
    exam = min(most, max(least, _EXAMINED / max(1, passages)))
    return {"train": 1 - _TUNE - exam, "tune": _TUNE, "exam": exam}


def split_groups(groups: Mapping[str, str], seed: int = 0) -> dict[str, Split]:
    """The split of every group, given the group of every passage: of the passages 70 / 15 / 15, in corpora below a thousand up to
    55 / 15 / 30, as near as whole groups allow.

    Raises NotEnough for fewer than three groups.
    """
    sizes = Counter(groups.values())
    if len(sizes) < 3:
        raise NotEnough(
            f"The passages form {len(sizes)} group{'s' * (len(sizes) != 1)}; at least 3 are needed to train, tune and examine apart.",
            "Add more documents, or name a finer field with --group.",
        )
    wanted = shares(len(groups))
    order = sorted(sizes, key=lambda group: digest("split", str(seed), group))
    splits: dict[str, Split] = {}
    filled: Counter[Split] = Counter()
    for group in order:
        # The split that is emptiest for its share takes the next group; the first three groups fill one split each.
        split = min(wanted, key=lambda name: filled[name] / wanted[name])
        splits[group] = split
        filled[split] += sizes[group]
    return splits
