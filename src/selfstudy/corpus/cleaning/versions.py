"""Versions of one document: the same words with other facts, told apart and put in order by a number, a date or a word like "final"."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from selfstudy.core.facts.dates import first_date
from selfstudy.core.facts.stated import same_facts
from selfstudy.core.records import Record, Scalar
from selfstudy.corpus.cleaning.dedup import Signature, signature
from selfstudy.corpus.cleaning.version_names import DRAFT, PLAIN, REVISED, Marks, marks_of, months_first, place_and_name

_STATED = re.compile(r"(?:^|\n)[^\n]{0,40}?\b(?:version|revision|rev\.)[ :]{1,2}(?P<n>\d+(?:\.\d+)*)\b", re.IGNORECASE)
_COUNTED = re.compile(r"(?P<stem>.*(?:[^\W\d_]{3}|[\u3400-\u9fff]{2})) ?(?P<n>[2-9]|1\d|20)")
_HEAD = 600
_SERIES = 12
"""Documents of one name and more dates than these are a series, like minutes and reports, and no versions of one another."""
_SINGLE = ("csv", "tsv", "xlsx", "eml", "mbox", "msg")
"""Formats in which each file stands for itself: months of figures, letters."""


class Versions(BaseModel):
    """When documents count as versions of one another: shares of three-word sequences, numbers apart, that two of them have in common."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    on: bool = Field(True, description="whether superseded documents are left out of search unless it asks for them")
    numbered: float = Field(0.5, ge=0, le=1, description="least overlap where their names differ in a number or a word like final")
    dated: float = Field(0.6, ge=0, le=1, description="least overlap where their names differ in a date, and their facts differ")
    unnamed: float = Field(0.8, ge=0, le=1, description="least overlap under one title, where only what they state of their date differs")


@dataclass(frozen=True, slots=True)
class Source(Record):
    """What versions are told by: a document's id, title, metadata, and what is indexed of it."""

    id: str
    title: str
    text: str
    meta: dict[str, Scalar] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Family(Record):
    """Versions of one document, oldest first. `current` is the one that counts; None where nothing tells which, and a person must say.

    `why` says what they were ordered by.
    """

    members: tuple[str, ...]
    current: str | None
    why: str


def families(sources: Sequence[Source], cfg: Versions = Versions(), chosen: Mapping[str, str] | None = None) -> list[Family]:  # noqa: B008
    """The families of versions among `sources`, by their first member. `chosen` are ids with what a person said of them.

    "current" makes a document the current one of its family; "keep" and "drop" take it out of any. The order of `sources` says nothing.
    """
    said = chosen or {}
    free = sorted((one for one in sources if said.get(one.id) not in ("keep", "drop")), key=lambda one: one.id)
    month_first = months_first(one.id for one in free)
    marks = _with_counts({one.id: _marks(one, month_first) for one in free})
    signatures = _Signatures(free)
    links: dict[str, set[str]] = defaultdict(set)
    for one, other in _pairs(free, marks, cfg, signatures):
        links[one].add(other)
        links[other].add(one)
    by_id = {one.id: one for one in free}
    return [_family([by_id[id] for id in members], marks, said) for members in _connected(links)]


def _marks(one: Source, month_first: bool) -> Marks:
    """What a document's name says of its version, else its title, else its first lines."""
    found = marks_of(place_and_name(one.id)[1], month_first)
    titled = marks_of(one.title, month_first)
    stated = _STATED.search(one.text[:_HEAD])
    number = found.number or titled.number or (tuple(int(part) for part in stated["n"].split(".")) if stated else ())
    return replace(
        found,
        date=found.date or titled.date,
        number=number,
        rank=found.rank or titled.rank,
        marked=found.marked or titled.marked,
        weak=found.weak or (titled.weak and not found.marked),
        model=found.model or ("" if found.date or found.number else titled.model),
    )


def _with_counts(marks: Mapping[str, Marks]) -> dict[str, Marks]:
    """`marks`, where a number at the end of a name without other marks counts if there is a document of that name without it."""
    plain = {(place_and_name(id)[0], found.stem) for id, found in marks.items() if not (found.marked and found.number)}
    counted = dict(marks)
    for id, found in marks.items():
        match = _COUNTED.fullmatch(found.stem) if not found.marked else None
        if match and (place_and_name(id)[0], match["stem"]) in plain:
            counted[id] = replace(found, stem=match["stem"], number=(int(match["n"]),), marked=True, weak=True)
    return counted


class _Signatures:
    """MinHash signatures of texts without their numbers, made when they are asked for."""

    def __init__(self, sources: Sequence[Source]) -> None:
        self._texts = {one.id: one.text for one in sources}
        self._made: dict[str, Signature] = {}

    def of(self, id: str) -> Signature:
        if id not in self._made:
            self._made[id] = signature(re.sub(r"\d+(?:[.,]\d+)*", "0", self._texts[id]))
        return self._made[id]

    def overlap(self, one: str, other: str) -> float:
        return float(np.mean(self.of(one) == self.of(other)))


def _pairs(sources: Sequence[Source], marks: Mapping[str, Marks], cfg: Versions, signatures: _Signatures) -> Iterator[tuple[str, str]]:
    """Pairs that are versions of one another."""
    named: dict[tuple[str, str], list[Source]] = defaultdict(list)
    titled: dict[tuple[str, str, str], list[Source]] = defaultdict(list)
    for one in sources:
        archive = place_and_name(one.id)[0]
        named[marks[one.id].stem, archive].append(one)
        if _stated(one) and one.title:
            titled[marks_of(one.title).stem, str(one.meta.get("folder") or ""), archive].append(one)
    for (stem, _), members in sorted(named.items()):
        if stem and len(members) > 1 and any(marks[one.id].marked for one in members):
            yield from _of_one_name(members, marks, cfg, signatures)
    for _, members in sorted(titled.items()):
        for a, b in combinations(members[: 4 * _SERIES], 2):
            apart = a.meta.get("format") in _SINGLE or b.meta.get("format") in _SINGLE or _numbered(marks[a.id].stem, marks[b.id].stem)
            if not apart and _stated(a) != _stated(b) and signatures.overlap(a.id, b.id) >= cfg.unnamed and not same_facts(a.text, b.text):
                yield a.id, b.id


def _of_one_name(
    members: Sequence[Source], marks: Mapping[str, Marks], cfg: Versions, signatures: _Signatures
) -> Iterator[tuple[str, str]]:
    series = len({marks[one.id].date for one in members}) > _SERIES
    for a, b in combinations(members[: 16 * _SERIES], 2):
        one, other = marks[a.id], marks[b.id]
        if not one.marked and not other.marked:
            continue  # equal names in two folders say nothing
        by_date = one.number == other.number and one.rank == other.rank and one.date != other.date
        if by_date and (series or a.meta.get("format") in _SINGLE or b.meta.get("format") in _SINGLE):
            continue
        unsure = one.weak or other.weak or one.model != other.model
        least = cfg.unnamed if unsure else cfg.dated if by_date else cfg.numbered
        if signatures.overlap(a.id, b.id) >= least and not ((by_date or unsure) and same_facts(a.text, b.text)):
            yield a.id, b.id


def _numbered(stem: str, other: str) -> bool:
    """Whether two names differ in numbers alone that say nothing of a version: those of products, forms, clauses."""
    return stem != other and re.sub(r"\d+", "0", stem) == re.sub(r"\d+", "0", other)


def _stated(one: Source) -> str:
    """The date that a document states of itself, with its time where that follows, as text in its order; "" where it states none."""
    text = str(one.meta.get("updated") or one.meta.get("date") or "")
    day = first_date(text)
    return text if (day and text.startswith(day)) or re.fullmatch(r"\d{4}", text) else day or ""


def _connected(links: Mapping[str, set[str]]) -> Iterator[list[str]]:
    seen: set[str] = set()
    for first in sorted(links):
        if first not in seen:
            group, waiting = set(), [first]
            while waiting:
                id = waiting.pop()
                if id not in group:
                    group.add(id)
                    waiting += links[id]
            seen |= group
            yield sorted(group)


def _family(members: Sequence[Source], marks: Mapping[str, Marks], said: Mapping[str, str]) -> Family:
    """The members in order: by the dates of their names if all have one, by their numbers, their ranks, the dates that they state.

    What is called old or a draft comes before all others; a draft of a later date or number than theirs replaces none of them and is none
    of the family.
    """
    stated = {one.id: _stated(one) for one in members}
    found = {one.id: marks[one.id] for one in members}
    wanted = [id for id in sorted(found) if said.get(id) == "current"]
    late = _late_drafts(found) if not wanted else set()
    if len(found) - len(late) > 1:
        found = {id: one for id, one in found.items() if id not in late}
    dated = all(one.date for one in found.values())
    ways: dict[str, dict[str, tuple[object, ...]]] = {
        "the words of the name": {id: (min(int(one.rank), PLAIN),) for id, one in found.items()},
        "the date in the name": {id: (one.date if dated else "",) for id, one in found.items()},
        "the number and words of the name": {id: (_number(one, found.values()), one.rank) for id, one in found.items()},
        "the date that each states": {id: (stated[id] if all(stated[each] for each in found) else "",) for id in found},
        "the one without a date in its name": {id: (not one.date, one.date) for id, one in found.items()},  # it is kept up to date
    }
    order = sorted(found, key=lambda id: (*(keys[id] for keys in ways.values()), id))
    if wanted:
        return Family((*(id for id in order if id != wanted[-1]), wanted[-1]), wanted[-1], "a person's word")
    before, last = order[-2:]
    clear = any(keys[last] != keys[before] for keys in ways.values())
    why = next(name for name, keys in ways.items() if len(set(keys.values())) > 1) if clear else ""
    if late & set(found):
        why, unclear = "", "the newest is a draft"
    elif len({one.model for one in found.values()}) > 1:
        why, unclear = "", "what tells the names apart may be products or their years"
    elif found[last].rank == REVISED and not found[last].number and any(one.number >= (2,) for one in found.values()):
        why, unclear = "", "nothing tells whether the revised one is newer than the numbers"
    else:
        unclear = "nothing tells which is the newest"
    return Family(tuple(order), last if why else None, why or unclear)


def _late_drafts(found: Mapping[str, Marks]) -> set[str]:
    """The drafts whose names bear a later date or number than all that is neither draft nor old."""
    others = [one for one in found.values() if one.rank >= PLAIN]
    if not others:
        return set()
    dates = [one.date for one in others]
    most = max(_number(one, found.values()) for one in others)

    def late(one: Marks) -> bool:
        if one.date and all(dates) and one.date != max(dates):
            return one.date > max(dates)
        return bool(one.number) and one.number > most

    return {id for id, one in found.items() if DRAFT <= one.rank < PLAIN and late(one)}


def _number(one: Marks, found: Collection[Marks]) -> tuple[int, ...]:
    """The number of a name among those that are `found`. One without comes after a first version and before a second; one that is called
    revised or final comes after all numbers that are not."""
    if one.number or not any(other.number for other in found):
        return one.number
    highest = max(other.rank for other in found if other.number)
    if one.rank > max(highest, PLAIN):
        return (10**9,)
    return (0,) if highest > max(one.rank, PLAIN) else (1, 10**7)
