"""Which rows at the top of a table name its columns."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

Row = list[str]

NAMELESS = "#"
"""The name of a first column that has none: the number or label of a row."""
_SAMPLE = 50  # rows that are looked at
_LONGEST = 100  # characters of an amount

_NUMBER = re.compile(r"[-+$€£(]?\d[\d.,:/\s-]*[%)]?$")
_YEAR = r"(?:1[89]|20)\d\d"
_PERIOD = re.compile(
    rf"(?:{_YEAR}(?:[-–/](?:{_YEAR}|\d\d?)){{0,2}}|{_YEAR}\.\d\d?\.\d\d?|\d\d?[./-](?:\d\d?[./-])?{_YEAR})(?:[ T]\d\d:\d\d(?::\d\d)?)?$"
)
_MEASURED = re.compile(r"[-+<>~≤≥±]?\s?[$€£]?\d[\d.,\s]*\S{0,5}$|\S+@\S+\.\w+$|https?://\S+$|(?:true|false)$", re.IGNORECASE)
_MISSING = frozenset(("n/a", "na", "nan", "null", "none", "-", "–", "—", "?"))


def is_header(row: Row) -> bool:
    """Whether `row` alone tells that it names columns: no cell is empty, a number, or there twice."""
    return all(row) and len(set(row)) == len(row) and not any(_NUMBER.match(cell) for cell in row)


def is_amount(cell: str) -> bool:
    """Whether a cell holds a number, with its unit if it has one, an address or a truth value, and no year or date."""
    return len(cell) <= _LONGEST and _MEASURED.match(cell) is not None and _PERIOD.match(cell) is None


def columns(rows: Sequence[Row], spanned: bool = False) -> tuple[Row, int]:
    """The names of the columns, "" for one without, and how many rows at the top hold them; nothing and 0 where the first row is data.

    A row of different words names columns. One with gaps, years, dates, or a name twice does where the rows below hold numbers and the
    like under its words. Two rows do together where the first has gaps, or is `spanned` by cells over several columns, that the second
    one fills.
    """
    if len(rows) < 2:
        return [], 0
    first, below = rows[0], rows[1:_SAMPLE]
    if is_header(first):
        return first, 1
    width = max(map(len, rows[:_SAMPLE]))
    names = _wide(first, width)
    if len(rows) > 2 and (two := _together(names, _wide(rows[1], width))) and (spanned or _differs(two, rows[2:_SAMPLE])):
        return _distinct(two), 2
    if _may_name(names, below) and _differs(names, below):
        return _distinct(names), 1
    return [], 0


def is_caption(rows: Sequence[Row]) -> bool:
    """Whether the first row is a lone cell above a wider table, and not a lone name over its second column."""
    first = rows[0]
    if len(rows) < 2 or sum(map(bool, first)) != 1 or max(map(len, rows[:_SAMPLE])) < 2:
        return False
    return bool(first[0]) or not columns(rows)[1]


def joined(rows: Sequence[Row]) -> Row:
    """One name for each column from several rows of names, such as "Fee 2024" from "Fee" above "2024"."""
    width = max(map(len, rows), default=0)
    stacked = zip(*(_wide(row, width) for row in rows), strict=True)
    return [" ".join(name for name, above in zip(names, ("", *names), strict=False) if name and name != above) for names in stacked]


def _wide(row: Row, width: int) -> Row:
    return row + [""] * (width - len(row))


def _distinct(names: Row) -> Row:
    """The names, those that come again with a number, and the first one there even if it is empty."""
    seen: Counter[str] = Counter()
    found = []
    for name in names:
        seen[name] += bool(name)
        found.append(f"{name} ({seen[name]})" if seen[name] > 1 else name)
    return [found[0] or NAMELESS, *found[1:]]


def _together(above: Row, below: Row) -> Row:
    """The names that two rows of names make, a gap in the upper one belonging to the name before it; [] where they make none."""
    if not (_is_words(above) and _is_words(below)) or sum(map(bool, below)) < 2:
        return []
    if not any(low and (not high or high == before) for low, high, before in zip(below[1:], above[1:], above, strict=False)):
        return []
    reach, last = [], ""
    for high, low in zip(above, below, strict=True):
        last = high or (last if low else "")
        reach.append(last)
    names = joined([reach, below])
    return names if all(names[1:]) and len(set(names)) == len(names) else []


def _may_name(names: Row, below: Sequence[Row]) -> bool:
    """Whether a row could name columns: words and times, and hardly a gap over a column that holds something, the first aside."""
    gaps = [index for index, name in enumerate(names) if index and not name and any(row[index : index + 1] > [""] for row in below)]
    return _is_words(names) and 2 * len(gaps) < sum(map(bool, names))


def _is_words(names: Row) -> bool:
    return not any((_NUMBER.match(name) and not _PERIOD.match(name)) or name.casefold() in _MISSING for name in names if name)


def _differs(names: Row, below: Sequence[Row]) -> bool:
    """Whether the cells below are of another kind than the names: numbers and the like under words, or no times under times.

    A single time is none: "Founded; 1998" may stand above "Employees; 250".
    """
    cells = [[row[index] for row in below if len(row) > index and row[index]] for index in range(len(names))]
    if any(2 * sum(map(_is_value, under)) > len(under) for name, under in zip(names, cells, strict=True) if name and not _is_value(name)):
        return True
    times = [index for index, name in enumerate(names) if _PERIOD.match(name)]
    if len(times) < (2 if names[0] else 1):
        return False
    if len(times) > 2 and _is_run([names[index] for index in times]):
        return not _is_run(["".join(below[0][index : index + 1]) for index in times])
    under_times = [cell for index in times for cell in cells[index]]
    return 2 * sum(bool(_PERIOD.match(cell)) for cell in under_times) <= len(under_times)


def _is_value(cell: str) -> bool:
    return bool(_NUMBER.match(cell) or _PERIOD.match(cell)) or is_amount(cell) or cell.casefold() in _MISSING


def _is_run(cells: Row) -> bool:
    """Whether these are years, each one more or each one less than the last."""
    years = [int(cell) if re.fullmatch(_YEAR, cell) else 0 for cell in cells]
    return all(years) and {later - earlier for earlier, later in pairwise(years)} in ({1}, {-1})
