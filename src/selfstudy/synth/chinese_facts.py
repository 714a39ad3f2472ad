"""The dates and amounts that a Chinese text states, each of them whole: half a date is an answer that nobody asks for."""

from __future__ import annotations

import re
from collections.abc import Iterator

_SIGN = "〇零一二三四五六七八九十"
_MONTH = rf"(?:\d{{1,2}}|[{_SIGN}]{{1,3}})月"
_DAY = rf"(?:\d{{1,2}}|[{_SIGN}]{{1,3}})[日号號]"
_ERA = "(?:公元|西元)?前|公元|西元|民国|民國|昭和|平成|明治|大正"
_CENTURY = rf"(?:\d{{1,2}}|[{_SIGN}]{{1,3}})世[纪紀]"
_DATE = re.compile(
    rf"""(?<![\da-zA-Z年{_SIGN}])
    (?: (?: (?:{_ERA})\d{{1,4}} | \d{{4}} | [{_SIGN}]{{4}} | \d{{2,3}}(?=年{_MONTH}) | (?:{_CENTURY})?\d\d(?=年代) ) 年
        (?: {_MONTH}(?:{_DAY}|[上中下]旬|[初末底份])? | 代(?:[中初末后後][期叶葉]|[初末])?
        |   度 | 年?[初末底](?![中级級]) | [上下]半年 | [春夏秋冬]季 )?
    |   {_MONTH}{_DAY} )
    (?: [凌清]晨 | 早上 | [上中下]午 | 傍晚 | [晚夜][上间間]? )?
    (?: \d{{1,2}}[时時点點](?:\d{{1,2}}分|半)?许? | \d{{1,2}}[:：]\d\d )?""",
    re.VERBOSE,
)
_AMOUNT = re.compile(
    r"(?<![\da-zA-Z.,])\d[\d,]*(?:\.\d+)?(?:万|亿)?(?P<unit>[元天次件家名岁%％米吨克倍]|[个個]月|个|人(?!民)|平方米|公里|小时|公斤)"
)
_SPAN = re.compile(r"(?<![\da-zA-Z.,月])\d+(?:\.\d+)?(?:年[零又]?\d{1,2}[个個]月|(?P<unit>[年日])(?!\d))")
_LASTS = re.compile(r"(?:[为為约約近满滿达達了限刑隔长長每共]|超[过過]|不少于|至少|经过)$")
_WITHIN = re.compile(r"[之以]?[内內]|以[上下]|之久|有期|[时時][间間]|的[历歷]史")


def dates(text: str) -> Iterator[tuple[int, int]]:
    """Where dates stand in `text`, from a year or a month to the hour of a day."""
    return (match.span() for match in _DATE.finditer(text))


def amounts(text: str) -> Iterator[tuple[int, int, str]]:
    """Where amounts stand in `text`, and what asks for each: "多少元", or "多久" for years and months.

    No part of a date is one; years and days alone are one where the words beside them say that they last.
    """
    dated = list(dates(text))
    found = [*_AMOUNT.finditer(text), *(match for match in _SPAN.finditer(text) if _lasts(text, match))]
    taken: list[tuple[int, int]] = []
    for match in sorted(found, key=lambda match: (match.start(), -match.end())):
        if not any(match.start() < end and start < match.end() for start, end in [*dated, *taken]):
            taken.append(match.span())
            yield *match.span(), "多久" if match["unit"] is None else f"多少{match['unit']}"


def _lasts(text: str, match: re.Match[str]) -> bool:
    return match["unit"] is None or _LASTS.search(text, 0, match.start()) is not None or _WITHIN.match(text, match.end()) is not None
