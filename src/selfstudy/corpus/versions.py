"""Versions of one document: the same words with other facts, told apart and put in order by a number, a date or a word like "final"."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from selfstudy.core.records import Record, Scalar
from selfstudy.corpus.dedup import Signature, same_facts, signature

_MONTH = (
    "jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?"
)
_DATE = re.compile(
    r"(?<!\d)(?P<y>(?:19|20)\d\d)(?:[-_. ]?(?P<m>0[1-9]|1[0-2])(?:[-_. ]?(?P<d>0[1-9]|[12]\d|3[01]))?(?!\d)|[-_. ]?q(?P<q>[1-4])"
    r"|年(?:(?P<cm>\d{1,2})月(?:(?P<cd>\d{1,2})日)?)?)?(?!\d)"
    rf"|(?<![a-z])(?P<mon>{_MONTH})[-_. ]?(?P<my>(?:19|20)\d\d)(?!\d)"
)
_NUMBER = re.compile(r"(?<![a-z])(?:v|ver|version|rev|revision|release|edition|draft|版本|第)[-_. ]?(?P<n>\d+(?:\.\d+)*)(?:版)?(?![a-z])")
_RANKS = (
    (-2, re.compile(r"(?<![a-z])(?:old|outdated|obsolete|superseded|deprecated|archived?|旧版?|作废|过期)(?![a-z])")),
    (-1, re.compile(r"(?<![a-z])(?:draft|wip|preliminary|entwurf|草稿|草案|初稿)(?![a-z])")),
    (2, re.compile(r"(?<![a-z])(?:final|approved|signed|终稿|定稿|最终版?)(?![a-z])")),
    (3, re.compile(r"(?<![a-z])(?:latest|current|newest|最新版?|现行)(?![a-z])")),
)
_COPY = re.compile(r"(?<![a-z])(?:copy(?: of)?|kopie|副本)(?![a-z])|\(\d{1,2}\)|（\d{1,2}）")
_SUFFIX = re.compile(r"\.[a-z][a-z0-9]{1,4}$")
_STATED = re.compile(r"(?:^|\n)[^\n]{0,40}?\b(?:version|revision|rev\.)[ :]{1,2}(?P<n>\d+(?:\.\d+)*)\b", re.IGNORECASE)
_HEAD = 600
_SERIES = 12
"""Documents of one name and more dates than these are a series, like minutes and reports, and no versions of one another."""
_SINGLE = ("csv", "tsv", "xlsx", "eml", "mbox", "msg")
"""Formats in which each file stands for itself: months of figures, letters."""
_MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec".split()


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


@dataclass(frozen=True, slots=True)
class _Marks:
    """What a name says of the version: a stem that versions share, a date, a number, a rank between draft and final."""

    stem: str
    date: str
    number: tuple[int, ...]
    rank: int
    marked: bool


def families(sources: Sequence[Source], cfg: Versions = Versions(), chosen: Mapping[str, str] | None = None) -> list[Family]:  # noqa: B008
    """The families of versions among `sources`, by their first member. `chosen` are ids with what a person said of them.

    "current" makes a document the current one of its family; "keep" and "drop" take it out of any. The order of `sources` says nothing.
    """
    said = chosen or {}
    free = sorted((one for one in sources if said.get(one.id) not in ("keep", "drop")), key=lambda one: one.id)
    marks = {one.id: _marks(one) for one in free}
    signatures = _Signatures(free)
    links: dict[str, set[str]] = defaultdict(set)
    for one, other in _pairs(free, marks, cfg, signatures):
        links[one].add(other)
        links[other].add(one)
    by_id = {one.id: one for one in free}
    return [_family([by_id[id] for id in members], marks, said) for members in _connected(links)]


def _marks(one: Source) -> _Marks:
    name = one.id.rpartition("#")[2] or one.id
    found = _of_name(name)
    titled = _of_name(one.title)
    stated = _STATED.search(one.text[:_HEAD])
    number = found.number or titled.number or (_numbers(stated["n"]) if stated else ())
    return _Marks(found.stem, found.date or titled.date, number, found.rank or titled.rank, found.marked or titled.marked)


def _of_name(name: str) -> _Marks:
    text = _SUFFIX.sub("", unicodedata.normalize("NFKC", name).lower())
    rank = 0
    date = max(map(_date, _DATE.finditer(text)), default="")
    numbered = _NUMBER.search(text)
    number = _numbers(numbered["n"]) if numbered else ()
    for value, words in _RANKS:
        if words.search(text):
            rank = value
    stem = text
    for words in (_NUMBER, _DATE, *(words for _, words in _RANKS), _COPY):
        stem = words.sub(" ", stem)
    return _Marks(" ".join(re.findall(r"[^\W_]+", stem)), date, number, rank, bool(date or number or rank or stem != text))


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split("."))


def _date(match: re.Match[str]) -> str:
    if match["mon"]:
        return f"{match['my']}-{_MONTHS.index(match['mon'][:3]) + 1:02d}"
    month = match["m"] or match["cm"] or (str(3 * int(match["q"])) if match["q"] else "")
    day = match["d"] or match["cd"] or ""
    return "-".join([match["y"], *(part.zfill(2) for part in (month, day) if part)])


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


def _pairs(sources: Sequence[Source], marks: Mapping[str, _Marks], cfg: Versions, signatures: _Signatures) -> Iterator[tuple[str, str]]:
    """Pairs that are versions of one another."""
    named: dict[str, list[Source]] = defaultdict(list)
    titled: dict[tuple[str, str], list[Source]] = defaultdict(list)
    for one in sources:
        named[marks[one.id].stem].append(one)
        if _stated(one) and one.title:
            titled[_of_name(one.title).stem, str(one.meta.get("folder") or "")].append(one)
    for stem, members in sorted(named.items()):
        if stem and len(members) > 1 and any(marks[one.id].marked for one in members):
            yield from _of_one_name(members, marks, cfg, signatures)
    for _, members in sorted(titled.items()):
        for a, b in combinations(members[: 4 * _SERIES], 2):
            single = a.meta.get("format") in _SINGLE or b.meta.get("format") in _SINGLE
            if not single and _stated(a) != _stated(b) and signatures.overlap(a.id, b.id) >= cfg.unnamed and not same_facts(a.text, b.text):
                yield a.id, b.id


def _of_one_name(
    members: Sequence[Source], marks: Mapping[str, _Marks], cfg: Versions, signatures: _Signatures
) -> Iterator[tuple[str, str]]:
    series = len({marks[one.id].date for one in members}) > _SERIES
    for a, b in combinations(members[: 16 * _SERIES], 2):
        one, other = marks[a.id], marks[b.id]
        if not one.marked and not other.marked:
            continue  # equal names in two folders say nothing
        by_date = one.number == other.number and one.rank == other.rank and one.date != other.date
        if by_date and (series or a.meta.get("format") in _SINGLE or b.meta.get("format") in _SINGLE):
            continue
        if signatures.overlap(a.id, b.id) >= (cfg.dated if by_date else cfg.numbered) and not (by_date and same_facts(a.text, b.text)):
            yield a.id, b.id


def _stated(one: Source) -> str:
    return str(one.meta.get("updated") or one.meta.get("date") or "")


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


def _family(members: Sequence[Source], marks: Mapping[str, _Marks], said: Mapping[str, str]) -> Family:
    """The members in order: by the dates of their names if all have one, else by rank and number, else by the dates that they state."""
    ways = {
        "the date in the name": {one.id: marks[one.id].date for one in members},
        "the number and words of the name": {one.id: f"{marks[one.id].rank + 5} {_sortable(marks[one.id].number)}" for one in members},
        "the date that each states": {one.id: _stated(one) for one in members},
    }
    why, keys = "", {one.id: "" for one in members}
    for name, found in ways.items():
        whole = all(found.values()) or name.startswith("the number")
        if whole and len(set(found.values())) > 1:
            keys = {id: f"{keys[id]}\x1f{found[id]}" for id in keys}
            why = why or name
    dated = [one.id for one in members if marks[one.id].date]
    if not why and 0 < len(dated) < len(members):  # "handbook" beside "handbook 2019": what bears no date is kept up to date
        keys = {id: "" if id in dated else "~" for id in keys}
        why = "the one without a date in its name"
    order = sorted(keys, key=lambda id: (keys[id], id))
    wanted = [id for id in order if said.get(id) == "current"]
    if wanted:
        return Family((*(id for id in order if id != wanted[-1]), wanted[-1]), wanted[-1], "a person's word")
    clear = bool(why) and keys[order[-1]] > keys[order[-2]]
    return Family(tuple(order), order[-1] if clear else None, why if clear else "nothing tells which is the newest")


def _sortable(number: tuple[int, ...]) -> str:
    """A number as text in its order; without one a name comes after a first version and before a second."""
    number = number or (1, 10**7)
    return ".".join(f"{part:08d}" for part in number)
