"""Excel files (xlsx): a section for each sheet, a line for each row."""

from __future__ import annotations

import warnings
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from datetime import date, datetime, time, timedelta
from itertools import groupby
from pathlib import Path
from typing import Any

from selfstudy.core.errors import BadInput
from selfstudy.core.plugs import extra
from selfstudy.core.records import Document, Scalar
from selfstudy.corpus.blocks import Block, join, marks
from selfstudy.corpus.decode import one_line
from selfstudy.corpus.headings import sections
from selfstudy.corpus.office import opened
from selfstudy.corpus.table import is_header, row_line

MOST_ROWS = 100_000
_LAST_ROW = 1_048_576  # of a sheet, in Excel; a file may claim any number
_MOST_CELLS = 20_000_000  # walked through, empty ones included

_MOST_BESIDE = 20  # tables side by side

Row = list[str]
Numbered = tuple[int, Row]


class Xlsx:
    """Reads a workbook as one document. Rows become lines "header: value; header: value", as those of a CSV file do.

    Empty rows part the tables of a sheet. Each has its own header; one without goes on with that of the table above if it is as wide.
    A lone cell on top of a table is its caption. Hidden sheets are left out and counted in meta as `hidden_sheets`. Formulas give the
    value that was saved last. `limit`: bytes that its text may unpack to. Raises BadInput beyond `rows` rows that are not empty.
    """

    def __init__(self, limit: int = 200_000_000, rows: int = MOST_ROWS) -> None:
        self.limit = limit
        self.rows = rows

    def parse(self, path: Path) -> Iterator[Document]:
        openpyxl = extra("openpyxl", "office")
        copy, title, meta = opened(path, self.limit)
        blocks: list[Block] = []
        shown = hidden = rows = 0
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of styles and extensions that hold no text
            book = openpyxl.load_workbook(copy, read_only=True, data_only=True)
            for sheet in book.worksheets:
                if sheet.sheet_state != "visible":
                    hidden += 1
                    continue
                shown += 1
                sheet.reset_dimensions()  # some programs state them wrongly, and cells beyond would be lost
                found = list(_rows(sheet.iter_rows(values_only=True), self.rows - rows, f"{self.rows} rows in all"))
                rows += sum(any(row) for _, row in found)
                blocks += _sheet(one_line(sheet.title), found)
            book.close()
        text, headings = join(blocks)
        counts: dict[str, Scalar] = {"sheets": shown, "rows": rows}
        if hidden:
            counts["hidden_sheets"] = hidden
        yield Document(path.name, text, title, str(path), {**counts, **meta}, sections(text, headings), marks(blocks))


def _rows(values: Iterable[Iterable[Any]], most: int, limit: str) -> Iterator[Numbered]:
    """The number of each row and its cells as text, empty ones at its end cut off; one empty row in place of several."""
    cells = filled = 0
    empty = True
    for number, row in enumerate(values, 1):
        texts = [_shown(value) for value in row]
        cells += len(texts)
        if number > _LAST_ROW or cells > _MOST_CELLS:
            raise BadInput("huge: a sheet claims more cells than are read", "Save the part that matters as CSV.")
        while texts and not texts[-1]:
            texts.pop()
        filled += bool(texts)
        if filled > most:
            raise BadInput(f"huge: more rows than are read, {limit}", "Save its sheets as CSV, which may have any number of rows.")
        if texts or not empty:
            yield number, texts
        empty = not texts


def _shown(value: object) -> str:
    """A cell as a reader sees it, or nearly so: formats of numbers are not applied."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, float):
        return f"{value:.15g}"
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == time() else value.isoformat(" ", "seconds")
    if isinstance(value, (date, time, timedelta)):
        return str(value)
    return one_line(str(value))


def _sheet(name: str, rows: list[Numbered]) -> Iterator[Block]:
    """The heading of a sheet and its tables; nothing where it is empty."""
    if not any(any(row) for _, row in rows):
        return
    yield Block(name, 1, at=name)
    header: Row = []
    for filled, group in groupby(rows, key=lambda numbered: any(numbered[1])):
        if not filled:
            continue
        for table in _side_by_side(list(group)):
            lines, header = _lines(table, header)
            yield Block("\n".join(line for _, line in lines), at=name, rows=tuple(number for number, _ in lines))


def _side_by_side(rows: list[Numbered]) -> list[list[Numbered]]:
    """Tables parted by an empty column, if each has a header of its own; otherwise the rows as they are, without empty columns."""
    columns = sorted({index for _, row in rows for index, cell in enumerate(row) if cell})
    runs = [[index for _, index in run] for _, run in groupby(enumerate(columns), key=lambda pair: pair[1] - pair[0])]
    if 1 < len(runs) <= _MOST_BESIDE:
        parts = [[(number, cells) for number, row in rows if any(cells := _cells(row, run))] for run in runs]
        if all(len(part[0][1]) > 1 and is_header(part[0][1]) for part in parts):
            return parts
    return [[(number, _cells(row, columns)) for number, row in rows]]


def _cells(row: Row, columns: list[int]) -> Row:
    """The cells of a row in these columns, as far as it goes: one wide row must not make all others as wide."""
    return [row[index] for index in columns[: bisect_left(columns, len(row))]]


def _lines(rows: list[Numbered], above: Row) -> tuple[list[tuple[int, str]], Row]:
    """The lines of a table, each with the number of its row, and its header; `above` is that of the table above."""
    lines = []
    width = max(len(row) for _, row in rows)
    while len(rows) > 1 and width > 1 and sum(map(bool, rows[0][1])) == 1:
        number, caption = rows.pop(0)
        lines.append((number, next(cell for cell in caption if cell)))
    header = above if len(above) == width else []
    if len(rows) > 1 and len(rows[0][1]) == width and is_header(rows[0][1]):
        header = rows.pop(0)[1]
    return lines + [(number, row_line(header, row)) for number, row in rows], header
