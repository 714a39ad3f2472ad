"""What the name of a document says of its version: dates, numbers and words like "final", and the stem that versions share."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import PurePosixPath

from selfstudy.core.facts.dates import MONTH, month_number
from selfstudy.core.facts.numerals import hanzi_number
from selfstudy.corpus.formats.detect import ARCHIVES, SUFFIXES

OLD, DRAFT, PLAIN, REVISED, FINAL, LATEST = -2, -1, 0, 1, 2, 3
_YEAR = r"(?:19|20)\d\d"
_DAY = r"(?:0[1-9]|[12]\d|3[01])"
_ONE_OR_TWO = r"(?:0?[1-9]|[12]\d|3[01])"
_DAY_FIRST = re.compile(rf"(?<![\d.])(?P<one>{_ONE_OR_TWO})(?P<sign>[-_.])(?P<two>{_ONE_OR_TWO})(?P=sign)(?P<y>{_YEAR})(?!\d)")
_DATES = (
    re.compile(rf"(?<!\d)(?P<y>{_YEAR})[-_. ]?(?P<m>0[1-9]|1[0-2])[-_. ]?(?P<d>{_DAY})(?!\d)"),
    re.compile(rf"(?<!\d)(?P<y>{_YEAR})年(?:(?P<m>\d{{1,2}})月(?:(?P<d>\d{{1,2}})日)?)?版?"),
    _DAY_FIRST,
    re.compile(rf"(?<!\d)(?P<d>\d{{1,2}})(?:st|nd|rd|th|\.)?[-_ ]?(?P<name>{MONTH})[-_., ]{{0,2}}(?P<y>{_YEAR})(?!\d)"),
    re.compile(rf"(?<![a-zä])(?P<name>{MONTH})[-_. ]?(?P<d>\d{{1,2}})(?:st|nd|rd|th)?[-_, ]{{1,2}}(?P<y>{_YEAR})(?!\d)"),
    re.compile(rf"(?<![a-zä])(?P<name>{MONTH})[-_. ]{{0,2}}(?P<y>{_YEAR})(?!\d)"),
    re.compile(rf"(?<!\d)(?P<y>{_YEAR})[-_. ]?(?P<name>{MONTH})(?![a-z])(?:[-_. ]?(?P<d>{_DAY})(?!\d))?"),
    re.compile(rf"(?<!\d)(?P<y>{_YEAR})(?:[-_. ]?(?P<m>0[1-9]|1[0-2])(?!\d)|[-_. ]?q(?P<q>[1-4]))"),
    re.compile(rf"(?<!\d)(?P<y>{_YEAR})(?!\d)"),
    re.compile(rf"(?<![a-z\d.])(?P<short>[12]\d)(?P<m>0[1-9]|1[0-2])(?P<d>{_DAY})(?![a-z\d.])"),
)
_ORDINALS = "first second third fourth fifth sixth seventh eighth ninth tenth".split()
_NUMBERS = (
    re.compile(
        r"(?<![a-z])(?:v|ver|version|rev|revision|release|edition|auflage|版本)[-_. ]{0,2}(?P<n>\d+(?:\.\d+)*)版?(?![a-z])"
        r"|(?<![a-z])(?:rev|revision)[-_. ]{1,2}(?P<letter>[a-z])(?![a-z\d])"
        r"|(?<![a-z\d])(?P<nth>\d{1,2})(?:st|nd|rd|th|\.)[-_. ]?(?:ed|edition|version|revision|auflage)(?![a-z])"
        rf"|(?<![a-z])(?P<ordinal>{'|'.join(_ORDINALS)})[-_. ](?:ed|edition|version|revision)(?![a-z])"
        r"|第 ?(?P<hanzi>[\d一二三四五六七八九十]+) ?(?:版|稿|次修[订正])|版本(?P<word>[一二三四五六七八九十]+)"
    ),
)
_DRAFTS = re.compile(r"(?<![a-z])draft[-_. ]{0,2}(?P<n>\d{1,2})(?![a-z\d])")
_RANKS = (
    (OLD, re.compile(r"(?<![a-z])(?:old|outdated|obsolete|superseded|deprecated|archived?|bak|veraltet|旧版?|作废|过期)(?![a-z])")),
    (DRAFT, re.compile(r"(?<![a-z])(?:draft|wip|preliminary|entwurf|草稿|草案|初稿|征求意见稿|讨论稿|送审稿)(?![a-z])")),
    (
        REVISED,
        re.compile(
            r"(?<![a-z])(?:revised|updated|amended|überarbeitet|aktualisiert)(?![a-z])|修[订正](?:[版稿本]|(?=[\W\d_]*$))|更新版|新版"
        ),
    ),
    (FINAL, re.compile(r"(?<![a-z])(?:final|approved|signed|终稿|定稿|最终版?|正式[版稿])(?![a-z])")),
    (LATEST, re.compile(r"(?<![a-z])(?:latest|current|newest|最新版?|现行)(?![a-z])")),
)
_COPY = re.compile(r"(?<![a-z])(?:copy(?: of)?|kopie|副本)(?![a-z])|\(\d{1,2}\)|（\d{1,2}）")
_LAST = re.compile(r"(?<=[-_ .(])(?:(?P<new>new|neu|新)|(?P<old>backup|备份)|(?P<n>\d{1,3}(?:\.\d{1,3}){1,2}))(?=[\W_]*$)")
"""What says something of the version only as the last word of a name: new employees and backups have policies too."""
_PART = re.compile(
    r"(?:section|chapter|clause|part|article|annex|appendix|table|figure|step|unit|lesson|level|kapitel|abschnitt|teil|anlage)[\W_]*$"
)
_KEYWORD = re.compile(r"(?<![a-z])(?:v|ver|version|rev|revision|stand|dated|as of)(?![a-z\d])")
_SUFFIX = re.compile(r"\.[a-z][a-z0-9]{1,4}$")
_DIGIT = re.compile(r"\d")
_LETTERS = re.compile(r"[^\W\d_]")
_WORD = re.compile(r"[^\W\d_]{4}|[\u3400-\u9fff]{2}")
_MODEL = 100
"""A number from here on is rather one of a product: a pump v200."""


@dataclass(frozen=True, slots=True)
class Marks:
    """What a name says of the version: a stem that versions share, a date, a number, a rank between OLD and LATEST.

    `weak`: what tells the version may as well be a part of the name. `model`: a year or number that may as well be a product's.
    """

    stem: str
    date: str
    number: tuple[int, ...]
    rank: float
    marked: bool
    weak: bool = False
    model: str = ""


def place_and_name(id: str) -> tuple[str, str]:
    """The archive in which a document lies, "" where in none, and its own name: that of the attachment, not of the letter."""
    parts = id.split("#")
    inside = (at for at, part in enumerate(parts[:-1], 1) if SUFFIXES.get(PurePosixPath(part).suffix.lower()) in ARCHIVES)
    return "#".join(parts[: max(inside, default=0)]), parts[-1] or id


def months_first(names: Iterable[str]) -> bool:
    """Whether who named these writes 12-31-2024: some date can only be read so, and none only the other way."""
    pairs = [(int(match["one"]), int(match["two"])) for name in names for match in _DAY_FIRST.finditer(name)]
    return any(two > 12 for _, two in pairs) and not any(one > 12 for one, _ in pairs)


@lru_cache(maxsize=1 << 16)
def marks_of(name: str, month_first: bool = False) -> Marks:
    """What `name` says. A date like 01-02-2024 begins with the day unless it is told that the month comes first."""
    text = _SUFFIX.sub("", unicodedata.normalize("NFKC", name).lower())
    drafts = _DRAFTS.search(text)
    rest, dated = _taken(text, _DATES if _DIGIT.search(text) else ())
    rest, numbered = _taken(rest, _NUMBERS)
    rest, _ = _taken(rest, [_DRAFTS])
    ranks: set[float] = {DRAFT} if drafts else set()
    for value, words in _RANKS:
        rest, found = _taken(rest, [words])
        ranks |= {value} if found else set()
    rest, _ = _taken(rest, [_COPY, *([_KEYWORD] if dated else [])])
    rest, last = _last(rest, bool(numbered or dated))
    ranks |= {REVISED} if last and last["new"] else {OLD} if last and last["old"] else set()
    rank = min(ranks | {PLAIN}) or max(ranks | {PLAIN})  # a final draft is a draft
    if rank == DRAFT and drafts:
        rank += int(drafts["n"]) / 100
    models = [match for match in dated if _may_name_a_product(match, text, rest)]
    models += [match for match in numbered if match.start() < text.rfind("/") or _number(match)[0] >= _MODEL]
    date = max((_date(match, month_first) for match in dated if match not in models), default="")
    number = next((_number(match) for match in numbered if match not in models), _numbers(last["n"]) if last and last["n"] else ())
    stem = " ".join(re.findall(r"[^\W_]+", rest))
    model = " ".join(sorted({match[0] for match in models}))
    return Marks(stem, date, number, rank, bool(date or number or rank or rest != text), last is not None, model)


def _taken(text: str, patterns: Sequence[re.Pattern[str]]) -> tuple[str, list[re.Match[str]]]:
    """`text` with blanks in place of what `patterns` match, one after the other, and the matches."""
    found: list[re.Match[str]] = []
    for pattern in patterns:
        matches = list(pattern.finditer(text))
        for match in matches:
            text = text[: match.start()] + " " * len(match[0]) + text[match.end() :]
        found += matches
    return text, found


def _last(text: str, numbered: bool) -> tuple[str, re.Match[str] | None]:
    match = _LAST.search(text, text.rfind("/") + 1)
    if match is None or (match["n"] and (numbered or _PART.search(text[: match.start()]))):
        return text, None
    return text[: match.start()] + " " * len(match[0]) + text[match.end() :], match


def _may_name_a_product(match: re.Match[str], text: str, rest: str) -> bool:
    """Whether a year stands in the middle of a name, as in "Windows 2019 guide", or beside a folder's words; `rest` is without marks."""
    if any(part for key, part in match.groupdict().items() if key != "y"):
        return False
    begin, end = text.rfind("/", 0, match.start()) + 1, text.find("/", match.end())
    before, after = rest[begin : match.start()], rest[match.end() : end if end >= 0 else len(rest)]
    if end >= 0:
        return bool(_LETTERS.search(before + after))
    return bool(_LETTERS.search(before) and _WORD.search(after))


def _number(match: re.Match[str]) -> tuple[int, ...]:
    if match["letter"]:
        return (ord(match["letter"]) - ord("a") + 1,)
    if match["ordinal"]:
        return (_ORDINALS.index(match["ordinal"]) + 1,)
    if hanzi := match["hanzi"] or match["word"]:
        return (int(hanzi) if hanzi.isdecimal() else hanzi_number(hanzi) or 0,)
    return _numbers(match["n"] or match["nth"])


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split("."))


def _date(match: re.Match[str], month_first: bool) -> str:
    """YYYY, YYYY-MM or YYYY-MM-DD; "" for what is no date."""
    said = match.groupdict()
    year = said.get("y") or f"20{said['short']}"
    month, day = said.get("m") or "", said.get("d") or ""
    if said.get("one"):
        one, two = int(said["one"]), int(said["two"])
        day, month = (two, one) if two > 12 or (month_first and one <= 12) else (one, two)
        if month > 12:
            return ""
    elif said.get("name"):
        month = month_number(said["name"])
    elif said.get("q"):
        month = 3 * int(said["q"])
    return "-".join([year, *(str(part).zfill(2) for part in (month, day) if part)])
