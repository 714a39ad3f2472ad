"""Cells that reach over several columns or rows, as a grid in which their text stands in each; and a table with bars between its cells."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from selfstudy.corpus.structure.columns import Row, columns, joined
from selfstudy.corpus.structure.headings import LONGEST

_MOST_CELLS = 1_000_000


class Cell(NamedTuple):
    """`across` columns wide and `down` rows high; with `head` it names what is below it."""

    text: str
    across: int = 1
    down: int = 1
    head: bool = False


def bars(rows: Sequence[Sequence[Cell]]) -> list[str]:
    """The lines of a table, "cell | cell". Several rows at its top that name columns become one: "Region | Plan 2024 | Plan 2025".

    A cell that fills a whole row stands there once; so does a long one, whatever it spans.
    """
    rows = [row for row in rows if row]
    grid = _grid(rows)
    shown = [(row, cells) for row, cells in zip(grid, rows, strict=True) if any(cell.text for cell in cells)]
    lines = []
    while len(shown) > 1 and len(shown[0][0]) == 1 < len(shown[1][0]):  # a caption
        lines.append(shown.pop(0)[0][0])
    heads = next((index for index, (row, cells) in enumerate(shown) if len(row) < 2 or not all(cell.head for cell in cells)), 0)
    texts = [row for row, _ in shown]
    if not heads and shown and any(cell.across > 1 for cell in shown[0][1]):
        heads = columns(texts, spanned=True)[1]
    if heads > 1:
        texts = [joined(texts[:heads]), *texts[heads:]]
    return lines + [" | ".join(row) for row in texts]


def _grid(rows: Sequence[Sequence[Cell]]) -> list[Row]:
    """The rows with the text of each cell wherever it reaches; as they are where that would be far more cells than there are."""
    width = max(map(len, _placed(rows, 1)), default=0)
    return _placed(rows, width) or [[cell.text for cell in row] for row in rows]


def _placed(rows: Sequence[Sequence[Cell]], width: int) -> list[Row]:
    """The rows in which no cell reaches further to the right than leaves room for its neighbours in `width`; [] where they are too many."""
    grid: list[dict[int, str]] = [{} for _ in rows]  # a text for each column
    count = 0
    for number, (cells, row) in enumerate(zip(rows, grid, strict=True)):
        carried = len(row)
        column = 0
        for index, cell in enumerate(cells):
            while column in row:
                column += 1
            across = max(1, min(cell.across, width - len(row) - (len(cells) - index - 1)))
            if len(cells) == 1 and not carried:
                across = 1  # it fills the row
            below = grid[number + 1 : number + cell.down]
            for at in range(column, column + across):
                row[at] = cell.text if at == column or len(cell.text) <= LONGEST else ""
                for later in below:
                    later[at] = cell.text if len(cell.text) <= LONGEST else ""
            count += across * (1 + len(below))
            if count > _MOST_CELLS:
                return []
    return [[row.get(column, "") for column in range(max(row, default=-1) + 1)] for row in grid]
