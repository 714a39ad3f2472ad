"""Tables in text: comma, semicolon, tab or bar between the cells."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from selfstudy.core.errors import BadInput
from selfstudy.core.records import Document
from selfstudy.corpus.blocks import row_marks
from selfstudy.corpus.decode import read_text

_NUMBER = re.compile(r"[-+$€£(]?\d[\d.,:/\s-]*[%)]?$")


class Table:
    """Reads a table as one document, a line for each row: "header: value; header: value". Empty cells are left out.

    `delimiter`: None looks for the one that cuts the first rows into the same number of cells. The first row is the header unless one of
    its cells is empty, a number, or there twice; without a header the lines hold the values alone.
    """

    def __init__(self, delimiter: str | None = None) -> None:
        self.delimiter = delimiter

    def parse(self, path: Path) -> Iterator[Document]:
        text = read_text(path)
        delimiter = self.delimiter or _delimiter(text)
        try:
            cells = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
            numbered = [(number, [" ".join(cell.split()) for cell in row]) for number, row in enumerate(cells, 1)]
        except csv.Error as error:
            raise BadInput(f"broken: {error}", "Open it in a spreadsheet and save it as CSV anew.") from None
        numbered = [(number, row) for number, row in numbered if any(row)]
        header = numbered.pop(0)[1] if len(numbered) > 1 and is_header(numbered[0][1]) else []
        rows = [row for _, row in numbered]
        lines = [row_line(header, row) for row in rows]
        meta = {"rows": len(rows), "columns": max(map(len, rows), default=0)}
        marks = tuple(row_marks(0, "", lines, [number for number, _ in numbered]))
        yield Document(path.name, "\n".join(lines), source=str(path), meta=dict(meta), marks=marks)


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


def is_header(row: list[str]) -> bool:
    """Whether `row` names columns: no cell empty, a number, or there twice."""
    return all(row) and len(set(row)) == len(row) and not any(_NUMBER.match(cell) for cell in row)


def row_line(header: list[str], row: list[str]) -> str:
    """A row as "header: value; header: value", without its empty cells."""
    names = header + [""] * (len(row) - len(header))
    return "; ".join(f"{name}: {cell}" if name else cell for name, cell in zip(names, row, strict=False) if cell)
