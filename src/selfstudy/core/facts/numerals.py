"""Numbers that are written as words of Chinese, or as roman numerals."""

from __future__ import annotations

import re

HANZI = "零〇一二三四五六七八九十百千万亿兩两"
"""The characters of numbers; without those of formal bills."""
_DIGITS = {"零": 0, "〇": 0, "一": 1, "二": 2, "兩": 2, "两": 2, "三": 3, "四": 4, "五": 5, "六": 6, "七": 7, "八": 8, "九": 9}
_PLACES = {"十": 10, "百": 100, "千": 1000}
_ROMAN = {"i": 1, "v": 5, "x": 10, "l": 50, "c": 100}
_ROMAN_FORM = re.compile(r"(?=[ivxlc])c{0,3}(?:xc|xl|l?x{0,3})(?:ix|iv|v?i{0,3})")


def hanzi_number(text: str) -> int | None:
    """The whole number that `text` writes in Chinese: 三十 is 30, 二〇二三 is 2023, 一万二 is 12000. None where it is none."""
    if all(char in _DIGITS for char in text):
        return int("".join(str(_DIGITS[char]) for char in text)) if text else None
    whole = part = digit = 0
    place = 1
    for char in text:
        if char in _DIGITS:
            digit, place = _DIGITS[char], 1 if char in "零〇" else place
        elif char in _PLACES:
            part, digit, place = part + (digit or 1) * _PLACES[char], 0, _PLACES[char]
        elif char in "万亿":
            size = 10**4 if char == "万" else 10**8
            more = part + digit
            whole, part, digit, place = ((whole + more) or 1) * size if size > whole else whole + more * size, 0, 0, size
        else:
            return None
    return whole + part + digit * (place // 10 or 1)


def roman_number(text: str) -> int | None:
    """The number that `text` writes in roman numerals of lower case, up to 399; None where it is none."""
    if not _ROMAN_FORM.fullmatch(text):
        return None
    values = [_ROMAN[char] for char in text]
    return sum(-value if value < next_value else value for value, next_value in zip(values, [*values[1:], 0], strict=True))
