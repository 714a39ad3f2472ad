"""Several quantities of one unit in a sentence: which of them the question asks for."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from selfstudy.answer.terms import terms
from selfstudy.core.facts.stated import facts_of
from selfstudy.core.facts.units import CURRENCY

_PART = re.compile(r"[;；，、]|,(?=\s)|\b(?:and|or|but|while|whereas)\b", re.IGNORECASE)
_CURRENCY = re.compile(rf"(?:{CURRENCY})\s?$", re.IGNORECASE)
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*|[^\W\d_]+(?:-[^\W\d_]+)?")
_UNIT = re.compile(r"\s?[%‰°€£¥]\w?|[^\S\n]?-?[^\W\d_]+")
_PREFIX = 5
"""Characters of a currency before its amount."""

Quantity = tuple[int, int, str]
"""Where it starts and ends, and its unit in one spelling, or ""."""


@dataclass(frozen=True, slots=True)
class _Part:
    """The part of an enumeration in which the quantity `sentence[start:end]` stands: the terms before it and after it."""

    start: int
    end: int
    before: frozenset[str]
    after: frozenset[str]


def told_apart(sentence: str, words: tuple[int, int], asked: Collection[str]) -> tuple[int, int] | None:
    """`words`, a span of `sentence`, or the quantity of their unit, in them or beside, that the terms `asked` are about; None where these
    do not tell.

    "28 EUR in the country and 45 EUR abroad": it is the one whose part of the enumeration holds all the terms that any other part holds,
    and more. What leads the first part is said of all that nothing leads.
    """
    found = list(_quantities(sentence))
    within = [one for one in found if one[0] < words[1] and words[0] < one[1]]
    if not within or not within[0][2] or len({unit for _, _, unit in within}) > 1:
        return words
    parts = list(_parts(sentence, [one for one in found if one[2] == within[0][2]]))
    own = [part for part in parts if any(part.start == start for start, _, _ in within)]
    if len(own) < len(within):
        return words
    held = [(part.after | (part.before or parts[0].before)) & set(asked) for part in parts]
    best = [part for part, mine in zip(parts, held, strict=True) if all(mine >= others for others in held)]
    if best == own:
        return words
    if len(own) > 1 and (len(best) != 1 or best[0] not in own):
        return words  # which all stand in, and what each is for
    return (best[0].start, best[0].end) if len(best) == 1 else None


def _parts(sentence: str, quantities: Sequence[Quantity]) -> Iterator[_Part]:
    begin = 0
    for (start, end, _), following in zip(quantities, [*quantities[1:], None], strict=True):
        cuts = list(_PART.finditer(sentence, end, following[0])) if following else []
        if following and not cuts:
            continue  # a range, or a change from one to the other
        stop = cuts[-1].start() if cuts else len(sentence)
        yield _Part(start, end, frozenset(terms(sentence[begin:start])), frozenset(terms(sentence[end:stop])))
        begin = stop


def _quantities(sentence: str) -> Iterator[Quantity]:
    for match in _NUMBER.finditer(sentence):
        start, end = match.span()
        number = facts_of(sentence[start:end])[:1]
        before = _CURRENCY.search(sentence, max(0, start - _PREFIX), start)
        after = None if before else _UNIT.match(sentence, end)
        begin, stop = before.start() if before else start, after.end() if after else end
        stated = facts_of(sentence[begin:stop])
        if number and number[0][:1].isdigit() and stated[:1] == number:
            yield (begin, stop, stated[1]) if stated[1] else (start, end, "")
