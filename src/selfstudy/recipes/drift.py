"""What the questions of late say: whether people are content, whether they ask about other things, and whether to study again."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from selfstudy.core.records import Difference, Interval, Record
from selfstudy.core.text import stems
from selfstudy.evals.ranking import summary
from selfstudy.recipes.ledger import NAME, Asked, Ledger, Vote

_DAY = 86_400.0
_READ = 20_000
"""Questions that are looked at, the newest: so many of late, and so many of before."""
_LEAST = 20
"""Votes below which nobody can say how content people are."""


class Drift(BaseModel):
    """When to study again."""

    model_config = ConfigDict(extra="forbid")

    days: float = Field(7.0, gt=0, description="what counts as of late")
    minimum: int = Field(50, ge=2, description="fewer questions of late, or before, say nothing")
    words: float = Field(
        0.35, ge=0, le=1, description="how different the questions' words may become: Jensen-Shannon distance beyond chance"
    )
    abstained: float = Field(0.1, ge=0, le=1, description="how much more often no answer may be found than before")
    votes: int = Field(100, ge=1, description="new votes after which a study may learn something")
    every: float = Field(0.0, ge=0, description="hours after which a service looks again, and studies where there is a reason; 0: never")


@dataclass(frozen=True, slots=True)
class Drifted(Record):
    """How things stand. `satisfaction`: the share of votes up less that of votes down, in points from -100 to 100 like a net promoter
    score, each user counting once; None below twenty votes. `words`: how far the words of late are from those before, 0 for
    as far as chance takes two halves of one lot, 1 for nothing in common. `reasons`: why to study again; none: no need.
    """

    asked: int
    voted: int
    clicked: int
    satisfaction: Interval | None
    abstained: Difference | None
    words: float | None
    new_votes: int
    reasons: tuple[str, ...]


def drifted(home: Path, config: Drift, studied: float = 0.0, now: float | None = None) -> Drifted:
    """Look at the ledger of a home; `studied` is when it was studied last, in seconds since 1970."""
    late = (time.time() if now is None else now) - config.days * _DAY
    fresh, old, votes, clicks = ([], [], [], 0) if not (home / NAME).exists() else _told(Ledger(home), late)
    enough = min(len(fresh), len(old)) >= config.minimum
    words = distance(fresh, old) if enough else None
    abstained = more_abstained(fresh, old, config.minimum)
    new_votes = sum(vote.at > studied for vote in votes)
    reasons = []
    if words is not None and words > config.words:
        reasons.append(f"People ask about other things than before (distance {words:.2f}).")
    if abstained is not None and abstained.low > 0 and abstained.value > config.abstained:
        reasons.append(f"No answer is found more often than before ({abstained.value:+.0%}).")
    if new_votes >= config.votes:
        reasons.append(f"{new_votes} votes have come since the last study.")
    return Drifted(len(fresh) + len(old), len(votes), clicks, satisfaction(votes), abstained, words, new_votes, tuple(reasons))


def _told(ledger: Ledger, late: float) -> tuple[list[Asked], list[Asked], list[Vote], int]:
    return ledger.questions(_READ, since=late), ledger.questions(_READ, until=late), ledger.votes(), len(ledger.clicks())


def satisfaction(votes: Sequence[Vote]) -> Interval | None:
    """Up less down in points, with its 95% bootstrap interval over users, so that who votes a lot does not count for many.

    Where fewer than ten users voted, over votes. None for fewer than twenty votes; clicks are none.
    """
    votes = [vote for vote in votes if vote.verdict != "click"]
    if len(votes) < _LEAST:
        return None
    points: dict[str, list[float]] = {}
    for vote in votes:
        points.setdefault(vote.user, []).append(100.0 if vote.verdict == "up" else -100.0)
    means = [float(np.mean(said)) for said in points.values()]
    return summary(means if len(means) >= 10 else [value for said in points.values() for value in said])


def more_abstained(fresh: Sequence[Asked], old: Sequence[Asked], minimum: int) -> Difference | None:
    """The share of questions of late that found no answer, less that before, with its 95% bootstrap interval; None for too few.

    `p` is that of a two-sided test by permutation.
    """
    sides = [np.array([one.abstained for one in side if one.abstained is not None], float) for side in (fresh, old)]
    if min(map(len, sides)) < minimum:
        return None
    random = np.random.default_rng(0)
    drawn = [random.choice(side, (2000, len(side))).mean(axis=1) for side in sides]
    low, high = np.percentile(drawn[0] - drawn[1], [2.5, 97.5])
    found = float(sides[0].mean() - sides[1].mean())
    together = np.concatenate(sides)
    shuffled = random.permuted(np.tile(together, (2000, 1)), axis=1)
    chance = shuffled[:, : len(sides[0])].mean(axis=1) - shuffled[:, len(sides[0]) :].mean(axis=1)
    p = (1 + int((np.abs(chance) >= abs(found) - 1e-12).sum())) / 2001
    return Difference(found, float(low), float(high), p, len(together))


def distance(fresh: Sequence[Asked], old: Sequence[Asked]) -> float:
    """The Jensen-Shannon distance of the words that questions use, beyond what two random halves of them are apart: 0 to 1."""
    bags = [stems(one.question) for one in (*fresh, *old)]
    order = np.random.default_rng(0).permutation(len(bags))
    apart = _jensen_shannon(bags[: len(fresh)], bags[len(fresh) :])
    chance = _jensen_shannon([bags[at] for at in order[: len(fresh)]], [bags[at] for at in order[len(fresh) :]])
    return max(0.0, (apart - chance) / (1 - chance)) if chance < 1 else 0.0


def _jensen_shannon(one: Sequence[set[str]], other: Sequence[set[str]]) -> float:
    from scipy.spatial.distance import jensenshannon

    counts = [Counter(stem for bag in side for stem in bag) for side in (one, other)]
    words = sorted(counts[0].keys() | counts[1].keys())
    if not all(counts):
        return 0.0
    found: float = jensenshannon(*([count[word] for word in words] for count in counts), base=2)
    return found
