"""The labels of numbered items: 3, c, iii, 三."""

from __future__ import annotations

_ROMAN = tuple(zip((1000, 900, 500, 400, 100, 90, 50, 40, 10, 9, 5, 4, 1), "m cm d cd c xc l xl x ix v iv i".split(), strict=True))
_CHINESE = "〇一二三四五六七八九"
_HIGHEST = 4000


def label(number: int, kind: str = "decimal") -> str:
    """`number` as Word and browsers write it in a format of this name; in digits where the format is not known or has no sign for it."""
    if not 0 < number < _HIGHEST:
        return str(number)
    if kind in ("lowerRoman", "upperRoman"):
        return _cased(_roman(number), kind)
    if kind in ("lowerLetter", "upperLetter"):
        return _cased(chr(97 + (number - 1) % 26) * (1 + (number - 1) // 26), kind)
    if kind == "decimalZero":
        return f"{number:02}"
    if kind.startswith(("chinese", "japanese", "taiwanese", "ideographDigital")) and number < 100:
        return _chinese(number)
    return str(number)


def _cased(text: str, kind: str) -> str:
    return text.upper() if kind.startswith("upper") else text


def _roman(number: int) -> str:
    text = ""
    for value, sign in _ROMAN:
        text += sign * (number // value)
        number %= value
    return text


def _chinese(number: int) -> str:
    tens, ones = divmod(number, 10)
    return (("" if tens == 1 else _CHINESE[tens]) + "十" if tens else "") + (_CHINESE[ones] if ones else "")
