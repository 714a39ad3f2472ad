"""Train, tune and exam, drawn by group, so that no question of the exam has a sibling that trained."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from selfstudy.core.errors import NotEnough
from selfstudy.core.records import Split, digest

SHARES: dict[Split, float] = {"train": 0.70, "tune": 0.15, "exam": 0.15}


def split_groups(groups: Mapping[str, str], seed: int = 0) -> dict[str, Split]:
    """The split of every group, given the group of every passage: 70 / 15 / 15 of the passages, as near as whole groups allow.

    Raises NotEnough for fewer than three groups.
    """
    sizes = Counter(groups.values())
    if len(sizes) < 3:
        raise NotEnough(
            f"The passages form {len(sizes)} group{'s' * (len(sizes) != 1)}; at least 3 are needed to train, tune and examine apart.",
            "Add more documents, or name a finer field with --group.",
        )
    order = sorted(sizes, key=lambda group: digest("split", str(seed), group))
    splits: dict[str, Split] = {}
    filled: Counter[Split] = Counter()
    for group in order:
        # The split that is emptiest for its share takes the next group; the first three groups fill one split each.
        split = min(SHARES, key=lambda name: filled[name] / SHARES[name])
        splits[group] = split
        filled[split] += sizes[group]
    return splits
