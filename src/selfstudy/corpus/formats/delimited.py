"""Tables in text: comma, semicolon, tab or bar between the cells."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path

from selfstudy.core.records import Document, Scalar
from selfstudy.corpus.formats.decode import read_text
from selfstudy.corpus.structure.blocks import row_marks
from selfstudy.corpus.structure.columns import Row, columns, is_caption

Numbered = tuple[int, Row]
"""The number of a row in its file, and its cells."""

_STATED = re.compile(r'\A"?sep=([^\n"])"?[^\S\n\t]*\n', re.IGNORECASE)  # the line by which Excel is told the delimiter
_END = ["\ue000"]
_MOST_UNCLOSED = 100
_HIGHEST = 20  # rows that may stand above a table


class Table:
    """Reads a table as one document, a line for each row: "header: value; header: value". Empty cells are left out.

    `delimiter`: None takes the one that a first line "sep=;" states, else the one that cuts the first rows into the same number of cells.
    `columns` says which rows are the header; without one the lines hold the values alone. Captions and comments above it are lines of their
    own. A quote that is never closed opens nothing: meta counts them as `unclosed_quotes`.
    """

    def __init__(self, delimiter: str | None = None) -> None:
        self.delimiter = delimiter

    def parse(self, path: Path) -> Iterator[Document]:
        text = read_text(path)
        stated = _STATED.match(text)
        text = text[stated.end() :] if stated else text
        numbered, unclosed = _rows(text, stated[1] if stated else self.delimiter or _delimiter(text))
        above = _above(numbered)
        top, numbered = [(n, row) for n, row in numbered[:above] if row], [(n, row) for n, row in numbered[above:] if row]
        header, count = columns([row for _, row in numbered])
        numbered = numbered[count:]
        lines = [row_line([], row) for _, row in top] + [row_line(header, row) for _, row in numbered]
        meta: dict[str, Scalar] = {"rows": len(numbered), "columns": max((len(row) for _, row in numbered), default=0)}
        if unclosed:
            meta["unclosed_quotes"] = unclosed
        marks = tuple(row_marks(0, "", lines, [number for number, _ in (*top, *numbered)]))
        yield Document(path.name, "\n".join(lines), source=str(path), meta=meta, marks=marks)


def _rows(text: str, delimiter: str) -> tuple[list[Numbered], int]:
    """The rows, empty cells at their ends cut off, and how many quotes are opened and never closed: the line of such a one is a row."""
    csv.field_size_limit(max(csv.field_size_limit(), len(text)))  # it is for the whole process, and so never lowered
    lines = list(io.StringIO(text, newline=""))
    found: list[Row] = []
    at = unclosed = 0
    while at < len(lines):
        held = chain(islice(lines, at, None), _END)
        quoted = unclosed < _MOST_UNCLOSED
        reader = csv.reader(held, delimiter=delimiter, quoting=csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE)
        begun = at
        for row in reader:
            ended = at + reader.line_num
            if ended > len(lines) or (ended > begun + 1 and quoted and not _is_closed(lines[begun:ended], delimiter)):
                break
            found.append(row)
            begun = ended
        if row == _END:
            break
        unclosed += 1  # the lines from here on, up to some other quote or the mark of the end, would be one cell
        found += csv.reader([lines[begun]], delimiter=delimiter, quoting=csv.QUOTE_NONE)
        at = begun + 1
    return [(number, _trimmed(row)) for number, row in enumerate(found, 1)], unclosed


def _is_closed(lines: list[str], delimiter: str) -> bool:
    """Whether the quotes in a row of several lines end where cells end."""
    try:
        return bool(list(csv.reader(lines, delimiter=delimiter, strict=True)))
    except csv.Error:
        return False


def _trimmed(row: Row) -> Row:
    cells = [" ".join(cell.split()) for cell in row]
    while cells and not cells[-1]:
        cells.pop()
    return cells


def _delimiter(text: str) -> str:
    """The delimiter under which most of the first rows have the same number of cells; the more cells the better among equals."""
    sample = "\n".join(islice(text.split("\n"), 50))[:65536]
    best, choice = (0.0, 0), ","
    for delimiter in ",;\t|":
        try:
            counts = Counter(len(row) for row in csv.reader(io.StringIO(sample, newline=""), delimiter=delimiter) if row)
        except csv.Error:
            continue
        wide = [(rows, cells) for cells, rows in counts.items() if cells > 1]
        if wide:
            rows, cells = max(wide)
            best, choice = max((best, choice), ((rows / counts.total(), cells), delimiter), key=lambda pair: pair[0])
    return choice


def _above(rows: list[Numbered]) -> int:
    """How many of the rows stand above the table: captions of one cell, comments, and short rows that an empty row parts from a header."""
    held = [row for _, row in rows]
    count = 0
    while count < min(len(held) - 1, _HIGHEST) and (not held[count] or _is_above(held[count:])):
        count += 1
    gap = next((index for index, row in enumerate(held[:_HIGHEST]) if index > count and not row), None)
    below = [row for row in held[gap:] if row] if gap is not None else []
    if below and max(sum(map(bool, row)) for row in held[count:gap]) < sum(map(bool, below[0])) and columns(below)[1]:
        return gap or count
    return count


def _is_above(rows: list[Row]) -> bool:
    """Whether the first row is a caption, or a comment that is not as wide as the table."""
    filled = [row for row in rows[:100] if row]
    if filled[0][0].startswith("#"):
        following = next((row for row in filled if not row[0].startswith("#")), filled[0])
        return len(filled[0]) != len(following)
    return is_caption(filled)


def row_line(header: Row, row: Row) -> str:
    """A row as "header: value; header: value", without its empty cells."""
    names = header + [""] * (len(row) - len(header))
    return "; ".join(f"{name}: {cell}" if name else cell for name, cell in zip(names, row, strict=False) if cell)
