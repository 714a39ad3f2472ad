"""Tables in the text layer of a PDF: columns found by where the words stand, so that empty cells stay empty."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import dropwhile, pairwise
from statistics import median

from selfstudy.corpus.formats.delimited import row_line
from selfstudy.corpus.formats.pdf_lines import ROW

Box = tuple[float, float, float, float]
"""Left, bottom, right and top."""

_GAP = 1.5  # times the height of the letters: between cells at least
_ROWS = 3  # with two cells and more, in a table
_PROSE = 4  # words in most cells of columns of text, which are no table
_LINES, _HIGHEST, _COLUMNS = 1000, 200, 50  # of a page, of a table, and across: no page that is meant to be read has more
_FILLED = 0.6  # share of the cells, of a table without a header
_LONGEST = 8  # words of the name of a column
_WORD = re.compile(r"[^\W\d_]{2,}|[\u3400-\u9fff]")
_NUMBER = re.compile(r"[^\w\s]{0,3}\s?\d[\d\s.,:/-]*[^\w\s]{0,2}(?:\s?[^\W\d_]{1,4})?$")  # with a sign or a unit
_LABEL = re.compile(r"(?:\W*|\(?\w{1,4}[.)])$")  # of a list: a bullet, "(a)", "2."
_CURRENCIES = ("$", "€", "£", "¥")
_ENDS = ("%", ")", "%)")
_INK = re.compile(r"\S+")
_LINE = re.compile(r"[^\r\n]+")
_YEAR = re.compile(r"(?:FY\s?)?(?:19|20)\d\d$")


@dataclass(frozen=True, slots=True)
class _Cell:
    left: float
    right: float
    text: str


class _Table:
    """Lines one below the other whose cells stand in the same columns."""

    def __init__(self) -> None:
        self.lines: list[list[_Cell]] = []
        self.columns: list[tuple[float, float]] = []

    def add(self, cells: list[_Cell]) -> bool:
        """Take a line in, if each of its cells stands in one column of its own."""
        columns = list(self.columns)
        if len(cells) > _COLUMNS or len(self.lines) > _HIGHEST:
            return False
        for cell in cells:
            under = [one for one in columns if cell.left < one[1] and one[0] < cell.right]
            stub = not self.columns or cell.right <= self.columns[0][0]
            if len(under) > 1 or (not under and len(cells) == 1 and not stub):
                return False
            columns = [one for one in columns if one not in under]
            columns.append((min([cell.left, *(one[0] for one in under)]), max([cell.right, *(one[1] for one in under)])))
        columns.sort()
        if any(left < before for (_, before), (left, _) in pairwise(columns)):
            return False
        if any(len([cell for cell in cells if left <= cell.left < right]) > 1 for left, right in columns):
            return False
        self.columns = columns
        self.lines.append(cells)
        return True

    def rows(self) -> list[list[str]]:
        """Its rows, with all their cells. A line of one cell in a later column goes on with the row above."""
        rows: list[list[str]] = []
        for cells in self.lines:
            row = [""] * len(self.columns)
            for cell in cells:
                row[next(at for at, (left, right) in enumerate(self.columns) if left <= cell.left < right)] = cell.text
            filled = [at for at, text in enumerate(row) if text]
            if len(filled) == 1 and filled[0] and rows and rows[-1][filled[0]]:
                rows[-1][filled[0]] += f" {row[filled[0]]}"
            else:
                rows.append(row)
        return rows


def with_tables(text: str, box: Callable[[int], Box]) -> str:
    """`text` with the lines that are rows of a table as "header: value; header: value", or "cell | cell" where no line is the header.

    `box` gives the place of each character. The rows begin with ROW.
    """
    rows = _rows(text, box)
    if len(rows) > _LINES:
        return text
    found: list[str] = []
    at = 0
    while at < len(rows):
        table = _Table()
        while (
            at + len(table.lines) < len(rows) and (table.lines or len(rows[at].cells) > 1) and table.add(rows[at + len(table.lines)].cells)
        ):
            pass
        while table.lines and len(table.lines[-1]) < 2:
            table.lines.pop()
        written = _written(table.rows()) if _is_table(table) else []
        found += [ROW + line for line in written] or rows[at].lines
        at += len(table.lines) if written else 1
    return "\n".join(found)


@dataclass(frozen=True, slots=True)
class _Row:
    """What stands side by side: one line of the text or several, and its cells, which are words near each other."""

    lines: list[str]
    cells: list[_Cell]


def _rows(text: str, box: Callable[[int], Box]) -> list[_Row]:
    lines: list[tuple[str, list[tuple[Box, str]]]] = []
    for found in _LINE.finditer(text):
        lines.append((found[0], []))
        for ink in _INK.finditer(text, found.start(), found.end()):
            first, last = box(ink.start()), box(ink.end() - 1)
            lines[-1][1].append(((first[0], first[1], last[2], max(first[3], last[3])), ink[0]))
    heights = [place[3] - place[1] for _, words in lines for place, _ in words if place[3] > place[1]]
    gap = _GAP * median(heights) if heights else 0.0
    rows: list[tuple[list[str], list[tuple[Box, str]]]] = []
    for line, words in lines:
        if rows and words and rows[-1][1] and _beside(rows[-1][1][-1][0], words[0][0]):
            rows[-1][0].append(line)
            rows[-1][1].extend(words)
        else:
            rows.append(([line], list(words)))
    return [_Row(parts, list(_joined(words, gap))) for parts, words in rows]


def _beside(left: Box, right: Box) -> bool:
    """Whether the second of two words stands to the right of the first, on its line."""
    shared = min(left[3], right[3]) - max(left[1], right[1])
    return right[0] >= left[2] and shared > 0.5 * min(left[3] - left[1], right[3] - right[1])


def _joined(words: list[tuple[Box, str]], gap: float) -> Iterator[_Cell]:
    """Words put together; a sign of currency stands with the number after it, "%" and ")" with the one before."""
    cell: _Cell | None = None
    for (left, _, right, _), word in words:
        near = cell is not None and left - cell.right <= gap and not (word in _CURRENCIES and cell.text[-1] in "0123456789%)")
        if cell is not None and (near or cell.text in _CURRENCIES or word in _ENDS):
            cell = _Cell(cell.left, max(cell.right, right), f"{cell.text} {word}")
        else:
            if cell is not None:
                yield cell
            cell = _Cell(left, right, word)
    if cell is not None:
        yield cell


def _is_table(table: _Table) -> bool:
    """Whether there are rows enough, and neither columns of running text nor only the labels of a list beside their items."""
    if sum(len(line) > 1 for line in table.lines) < _ROWS:
        return False
    columns = [[text for text in column if text] for column in zip(*table.rows(), strict=True)]
    cells = list(dropwhile(lambda column: sum(_LABEL.match(text) is not None for text in column) >= len(column) / 2, columns))
    return len(cells) > 1 and sum(median([len(text.split()) for text in column] or [0]) >= _PROSE for column in cells) < 2


def _written(rows: list[list[str]]) -> list[str]:
    """The rows as lines, none where they are only a list: two columns without a header, or cells here and there."""
    header, others = _header(rows)
    if header:
        return [row_line(header, row) for row in others]
    filled = sum(bool(text) for row in rows for text in row)
    return [" | ".join(row) for row in rows] if len(rows[0]) > 2 and filled >= _FILLED * len(rows) * len(rows[0]) else []


def _header(rows: list[list[str]]) -> tuple[list[str], list[list[str]]]:
    """The names of the columns, which may stand on lines with an empty first cell, and the rows below; no names where nothing tells so."""
    lines = 0
    while lines < len(rows) - 1 and not rows[lines][0] and all(map(_is_name, filter(None, rows[lines]))):
        lines += 1
    lines += lines == 0 or all(map(_YEAR.match, filter(None, rows[lines][1:])))
    header = [" ".join(filter(None, names)) for names in zip(*rows[:lines], strict=True)]
    others = rows[lines:]
    numbers = any(sum(_NUMBER.match(text) is not None for text in column) > len(others) / 2 for column in zip(*others, strict=True))
    named = header[1:] if numbers and len(header) > 2 else header  # the first column of numbers often has no name
    plain = all(map(_is_name if numbers else _WORD.search, named)) and all(len(name.split()) <= _LONGEST for name in header)
    unique = len(set(header)) == len(header)
    return (header, others) if others and plain and unique and (numbers or len(header) > 2) else ([], rows)


def _is_name(text: str) -> bool:
    return _WORD.search(text) is not None or _YEAR.match(text) is not None
