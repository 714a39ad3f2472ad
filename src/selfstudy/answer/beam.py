"""Paths of segments: the best few are kept, by the sum of their segments' scores."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar


class Scored(Protocol):
    """What a path is made of: a score, and whether nothing follows."""

    @property
    def score(self) -> float: ...

    @property
    def done(self) -> bool: ...


S = TypeVar("S", bound=Scored)


@dataclass(frozen=True, slots=True)
class Path(Generic[S]):
    """Segments one after the other. Scores are added, since some are negative and a product would turn two of those into a good one."""

    segments: tuple[S, ...] = ()
    closed: bool = False

    @property
    def total(self) -> float:
        return sum(segment.score for segment in self.segments)

    @property
    def done(self) -> bool:
        return self.closed or (bool(self.segments) and self.segments[-1].done)


def search(expand: Callable[[Sequence[Path[S]]], Sequence[Sequence[S]]], width: int, most: int) -> Path[S]:
    """The best path of at most `most` segments. `expand` gives the next segments of each path that is not done; of none, it is done.

    All paths that are kept are expanded at once. Of equal sums the earlier is kept.
    """
    kept: list[Path[S]] = [Path()]
    for _ in range(most):
        begun = [path for path in kept if not path.done]
        if not begun:
            break
        grown: list[Path[S]] = []
        following = iter(expand(begun))
        for path in kept:
            found = [] if path.done else next(following)
            grown += [Path((*path.segments, segment)) for segment in found] or [Path(path.segments, closed=True)]
        kept = sorted(grown, key=lambda path: -path.total)[:width]
    return kept[0]
