"""Dates as people and files write them."""

from __future__ import annotations

import re
from datetime import date
from email.utils import parsedate

MONTH = (
    r"(?:jan(?:uary?)?|feb(?:ruary?)?|mar(?:ch)?|mär(?:z)?|apr(?:il)?|may|mai|june?|juni|july?|juli|aug(?:ust)?|sept?(?:ember)?|o[ck]t(?:ober)?"
    r"|nov(?:ember)?|de[cz](?:ember)?)"
)
"""A month's name in English or German, whole or short, in lower case: `month_number` says which."""
_MONTHS = {
    name: number
    for number, names in enumerate("jan feb mar,mär apr may,mai jun jul aug sep oct,okt nov dec,dez".split(), 1)
    for name in names.split(",")
}
_WEEKDAY = r"(?:(?:[a-z]{3,7}(?:day|tag)|mittwoch|mon|tues?|wed|thu(?:rs?)?|fri|sat|sun)\.?,?\s+)?"
_FORMS = tuple(
    re.compile(form)
    for form in (
        r"(?P<y>\d{4})(?P<sign>[-/.])(?P<m>\d{1,2})(?P=sign)(?P<d>\d{1,2})(?!\d)",
        r"d:(?P<y>\d{4})(?P<m>\d\d)(?P<d>\d\d)?",
        r"(?P<y>\d{4})(?P<m>\d\d)(?P<d>\d\d)(?:\d{4}|\d{6})?(?!\d)",  # with a time or without; ten digits count seconds
        r"(?P<y>(?:19|20)(?:1[3-9]|[2-9]\d))(?P<m>\d\d)(?!\d)",  # 201112 may as well be a day of 2020
        r"(?P<y>\d{4})[-/.](?P<m>\d\d)(?![-/.]?\d)",
        r"(?P<y>\d{4})\s?年\s?(?P<m>\d{1,2})\s?月(?:\s?(?P<d>\d{1,2})\s?日?)?",
        r"(?P<d>\d{1,2})\.\s?(?P<m>\d{1,2})\.\s?(?P<y>\d{4})(?!\d)",
        r"(?P<one>\d{1,2})(?P<sign>[-/])(?P<two>\d{1,2})(?P=sign)(?P<y>\d{4})(?!\d)",
        rf"{_WEEKDAY}(?P<d>\d{{1,2}})(?:st|nd|rd|th|\.)?[-\s]+(?:of\s)?(?P<name>{MONTH})\.?,?[-\s]+(?P<y>\d{{4}})(?!\d)",
        rf"{_WEEKDAY}(?P<name>{MONTH})\.?\s+(?:(?P<d>\d{{1,2}})(?:st|nd|rd|th)?,?\s+)?(?P<y>\d{{4}})(?!\d)",
    )
)


def first_date(*texts: str) -> str | None:
    """The first of `texts` that begins with a date, as YYYY-MM-DD; a month without a day counts from its first.

    Dates are 2024-01-31, 20240131, 31.1.2024, 31 January 2024, January 31, 2024, a PDF's (D:20240131...) or an HTTP header's. With slashes
    or dashes a day before its year is one where it cannot be the month: 1/2/2024 is another day here than there, and says nothing.
    """
    for text in texts:
        said = text.strip().lower()
        year, month, day = next((_parts(match) for form in _FORMS if (match := form.match(said))), (parsedate(text) or (0, 0, 0))[:3])
        try:
            return date(year, month, day).isoformat()
        except ValueError:
            continue
    return None


def month_number(name: str) -> int:
    """1 to 12 for what `MONTH` matches."""
    return _MONTHS[name[:3]]


def _parts(match: re.Match[str]) -> tuple[int, int, int]:
    """Year, month and day; the month is 0 where nothing tells it from the day."""
    said = {key: int(part) for key, part in match.groupdict().items() if part and part.isdecimal()}
    year, month, day = said["y"], said.get("m", 0), said.get("d", 1)
    if name := match.groupdict().get("name"):
        month = month_number(name)
    elif "one" in said:
        one, two = said["one"], said["two"]
        day, month = (one, two) if one > 12 or one == two else (two, one) if two > 12 else (0, 0)
    return year, month, day
