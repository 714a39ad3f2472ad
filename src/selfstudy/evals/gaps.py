"""Where answers are lost: on the way from the corpus through search and ranking to the answer, the first place where a question fell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from selfstudy.core.records import Record

PLACES = ("not in the corpus", "not retrieved", "not ranked", "not answered", "answered")
DEPTH = 100
RANKED = 10


@dataclass(frozen=True, slots=True)
class Lost(Record):
    """A question with the place where it fell (PLACES), why, the rank of what answers it (0: beyond DEPTH), and two titles."""

    question: str
    writer: str
    place: str
    why: str
    rank: int
    wanted: str
    first: str


def place_of(known: bool, rank: int, abstained: bool, cited: bool) -> tuple[str, str]:
    """The place and why. `known`: what answers is in the corpus; `rank` its place in search, 0 beyond DEPTH; `cited`: by the answer."""
    if not known:
        return "not in the corpus", "no passage here is known to answer it"
    if rank == 0:
        return "not retrieved", f"its passage is not among the first {DEPTH}"
    if rank > RANKED:
        return "not ranked", f"its passage stands at rank {rank}, beyond {RANKED}"
    if abstained:
        return "not answered", f"its passage stands at rank {rank}, and the answer was that there is none"
    if not cited:
        return "not answered", f"its passage stands at rank {rank}, and another one is cited"
    return "answered", ""


def counts(found: Sequence[Lost]) -> dict[str, int]:
    """How many questions fell at each of PLACES."""
    return {place: sum(one.place == place for one in found) for place in PLACES}
