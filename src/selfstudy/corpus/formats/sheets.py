"""Excel files (xlsx): a section for each sheet, a line for each row."""

from __future__ import annotations

import re
import warnings
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import date, datetime, time, timedelta
from itertools import groupby
from pathlib import Path
from typing import Any

from selfstudy.core.errors import BadInput
from selfstudy.core.plugs import extra
from selfstudy.core.records import Document
from selfstudy.corpus.formats.decode import one_line
from selfstudy.corpus.formats.delimited import Numbered, row_line
from selfstudy.corpus.formats.office import opened
from selfstudy.corpus.formats.sheet_layout import Layout, layout
from selfstudy.corpus.structure.blocks import Block, join, marks
from selfstudy.corpus.structure.columns import Row, columns, is_caption
from selfstudy.corpus.structure.headings import sections

MOST_ROWS = 100_000
_LAST_ROW = 1_048_576  # of a sheet, in Excel; a file may claim any number
_MOST_CELLS = 20_000_000  # walked through, empty ones included

_MOST_BESIDE = 20  # tables side by side
_PERCENT = re.compile(r"[0#?](?:\.([0#?]+))?%")


class Xlsx:
    """Reads a workbook as one document. Rows become lines "header: value; header: value", as those of a CSV file do.

    Empty rows part the tables of a sheet. Each has its own header; one without goes on with that of the table above if it is as wide.
    A lone cell on top of a table is its caption; a merged one holds for all rows and columns that it covers. What is hidden is left out
    and counted in meta as `hidden_sheets`, `hidden_rows`, `hidden_columns`. Formulas give the value that was saved last; those without
    one their own text, counted as `formulas_without_value`. `limit`: bytes that its text may unpack to. Raises BadInput beyond `rows`
    rows that are not empty.
    """

    def __init__(self, limit: int = 200_000_000, rows: int = MOST_ROWS) -> None:
        self.limit = limit
        self.rows = rows

    def parse(self, path: Path) -> Iterator[Document]:
        openpyxl = extra("openpyxl", "office")
        copy, title, meta = opened(path, self.limit)
        blocks: list[Block] = []
        counts: Counter[str] = Counter(sheets=0, rows=0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of styles and extensions that hold no text
            book = openpyxl.load_workbook(copy, read_only=True, data_only=True)
            for sheet in book.worksheets:
                if sheet.sheet_state != "visible":
                    counts["hidden_sheets"] += 1
                    continue
                counts["sheets"] += 1
                with sheet._get_source() as source:
                    plan = layout(source)
                sheet.reset_dimensions()  # some programs state them wrongly, and cells beyond would be lost
                found = list(_rows(sheet.iter_rows(), plan, counts, self.rows))
                blocks += _sheet(one_line(sheet.title), found, plan)
            book.close()
        text, headings = join(blocks)
        counted = {name: count for name, count in counts.items() if count or name in ("sheets", "rows")}
        yield Document(path.name, text, title, str(path), {**counted, **meta}, sections(text, headings), marks(blocks))


def _rows(rows: Iterable[Iterable[Any]], plan: Layout, counts: Counter[str], most: int) -> Iterator[Numbered]:
    """The number of each row and its cells as text, empty ones at its end cut off; one empty row in place of several.

    Adds to `counts` what it found and left out. Raises BadInput beyond `most` rows in all.
    """
    cells = 0
    empty = True
    unseen: set[int] = set()  # columns
    for number, row in enumerate(rows, 1):
        texts = [_shown(cell) for cell in row]
        cells += len(texts)
        if number > _LAST_ROW or cells > _MOST_CELLS:
            raise BadInput("huge: a sheet claims more cells than are read", "Save the part that matters as CSV.")
        formulas = plan.formulas.get(number, {})
        for column, formula in formulas.items():
            texts += [""] * (column - len(texts))
            texts[column - 1] = formula
        if number in plan.hidden_rows:
            counts["hidden_rows"] += any(texts)
            continue
        counts["formulas_without_value"] += len(formulas)
        plan.spread(number, texts)
        if plan.hidden_columns:
            unseen.update(column for column, text in enumerate(texts, 1) if text and column in plan.hidden_columns)
            texts = [text for column, text in enumerate(texts, 1) if column not in plan.hidden_columns]
        while texts and not texts[-1]:
            texts.pop()
        counts["rows"] += bool(texts)
        if counts["rows"] > most:
            raise BadInput(
                f"huge: more rows than are read, {most} rows in all", "Save its sheets as CSV, which may have any number of rows."
            )
        if texts or not empty:
            yield number, texts
        empty = not texts
    counts["hidden_columns"] += len(unseen)


def _shown(cell: Any) -> str:
    """A cell as a reader sees it, or nearly so: of the formats of numbers only percent is applied."""
    value = cell.value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, (int, float)):
        percent = _PERCENT.search(_format(cell))
        if percent:
            return f"{100 * value:.{len(percent[1] or '')}f}%"
        return f"{value:.15g}" if isinstance(value, float) else str(value)
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == time() else value.isoformat(" ", "seconds")
    if isinstance(value, (date, time, timedelta)):
        return str(value)
    return one_line(str(value))


def _format(cell: Any) -> str:
    try:
        return cell.number_format or ""
    except (IndexError, KeyError):  # the file names a style that it does not have
        return ""


def _sheet(name: str, rows: list[Numbered], plan: Layout) -> Iterator[Block]:
    """The heading of a sheet and its tables; nothing where it is empty."""
    if not any(any(row) for _, row in rows):
        return
    yield Block(name, 1, at=name)
    header: Row = []
    for filled, group in groupby(rows, key=lambda numbered: any(numbered[1])):
        if not filled:
            continue
        for table in _side_by_side(list(group)):
            lines, header = _lines(table, header, plan)
            yield Block("\n".join(line for _, line in lines), at=name, rows=tuple(number for number, _ in lines))


def _side_by_side(rows: list[Numbered]) -> list[list[Numbered]]:
    """Tables parted by an empty column, if each has a header of its own; otherwise the rows as they are, without empty columns."""
    used = sorted({index for _, row in rows for index, cell in enumerate(row) if cell})
    runs = [[index for _, index in run] for _, run in groupby(enumerate(used), key=lambda pair: pair[1] - pair[0])]
    if 1 < len(runs) <= _MOST_BESIDE:
        parts = [[(number, cells) for number, row in rows if any(cells := _cells(row, run))] for run in runs]
        if all(len(part[0][1]) > 1 and columns([row for _, row in part])[1] for part in parts):
            return parts
    return [[(number, _cells(row, used)) for number, row in rows]]


def _cells(row: Row, columns: list[int]) -> Row:
    """The cells of a row in these columns, as far as it goes: one wide row must not make all others as wide."""
    return [row[index] for index in columns[: bisect_left(columns, len(row))]]


def _lines(rows: list[Numbered], above: Row, plan: Layout) -> tuple[list[tuple[int, str]], Row]:
    """The lines of a table, each with the number of its row, and its header; `above` is that of the table above."""
    lines = []
    width = max(len(row) for _, row in rows)
    while is_caption([row for _, row in rows]):
        number, caption = rows.pop(0)
        lines.append((number, next(cell for cell in caption if cell)))
    names, count = columns([row for _, row in rows], plan.spans(rows[0][0]))
    header = names if len(names) == width else above if len(above) == width else []
    if len(names) == width:
        rows = rows[count:]
    return lines + [(number, row_line(header, row)) for number, row in rows], header
