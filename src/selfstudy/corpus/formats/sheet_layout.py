"""What the XML of an Excel sheet says beside its values: hidden rows and columns, merged cells, formulas without a value."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING

from selfstudy.corpus.structure.headings import LONGEST

if TYPE_CHECKING:
    from lxml.etree import _Element

_CELL = re.compile(r"\$?([A-Z]{1,3})\$?(\d+)$")
_MOST_MERGED = 100  # columns that a merged cell is repeated in, and merged cells that are repeated in one row
_MOST_FORMULAS = 200_000  # kept as text
_LAST_COLUMN = 16_384


@dataclass(slots=True)
class Merge:
    """A cell over several rows or columns, and its text once its first row was read."""

    top: int
    left: int
    bottom: int
    right: int
    text: str = ""


@dataclass(slots=True)
class Layout:
    """Of one sheet; rows and columns are counted from 1. `formulas`: by row and column, those for which no value was saved.

    Rows that a filter hides, or an outline folds away, are not hidden: whoever saved the file looked for something.
    """

    hidden_rows: set[int] = field(default_factory=set)
    hidden_columns: set[int] = field(default_factory=set)
    merges: dict[int, list[Merge]] = field(default_factory=dict)
    formulas: dict[int, dict[int, str]] = field(default_factory=dict)
    _open: list[Merge] = field(default_factory=list)

    def spans(self, row: int) -> bool:
        """Whether a merged cell that begins in this row reaches over several columns."""
        return any(merge.right > merge.left for merge in self.merges.get(row, ()))

    def spread(self, row: int, texts: list[str]) -> None:
        """Write the texts of merged cells into all of this row's cells that they cover; the rows come in order.

        Long ones stay once, as do those in a row that holds nothing else: a caption is not a value of every column.
        """
        self._open = [merge for merge in self._open if merge.bottom >= row]
        filled = sum(map(bool, texts))
        for merge in self.merges.get(row, ()):
            merge.text = texts[merge.left - 1] if len(texts) >= merge.left else ""
            if merge.text and len(merge.text) <= LONGEST and len(self._open) < _MOST_MERGED:
                self._open.append(merge)
        for merge in self._open if filled else ():
            right = merge.left if filled == 1 and merge.top == row else min(merge.right, merge.left + _MOST_MERGED - 1)
            texts += [""] * (right - len(texts))
            for column in range(merge.left - 1, right):
                texts[column] = texts[column] or merge.text


def layout(source: IO[bytes]) -> Layout:
    """The layout of the sheet whose XML is `source`; as much of it as stands before a fault."""
    from lxml import etree

    found = Layout()
    formulas: list[_Element] = []  # of the open row
    filtered = False
    tags = [f"{{*}}{name}" for name in ("row", "f", "col", "mergeCell", "filterColumn", "tablePart")]
    try:
        for _, element in etree.iterparse(source, tag=tags, resolve_entities=False, no_network=True):
            name = str(element.tag).rpartition("}")[2]
            if name == "f":
                formulas.append(element)
                continue
            if name == "row":
                _row(found, element, formulas)
                formulas.clear()
            elif name == "col" and _is_on(element.get("hidden")) and not _is_on(element.get("outlineLevel")):
                first, last = int(element.get("min") or 1), min(int(element.get("max") or 1), _LAST_COLUMN)
                found.hidden_columns.update(range(first, last + 1))
            elif name == "mergeCell":
                _merge(found, element.get("ref") or "")
            filtered |= name in ("filterColumn", "tablePart")  # the filter of a table stands in another part
            element.clear()
            while element.getprevious() is not None:
                del element.getparent()[0]
    except (etree.XMLSyntaxError, ValueError):
        pass  # who reads the values will say so
    if filtered:
        found.hidden_rows.clear()
    return found


def _row(found: Layout, row: _Element, formulas: list[_Element]) -> None:
    """A program that saved "" for a formula did save a value."""
    number = int(row.get("r") or 0)
    if _is_on(row.get("hidden")) and not _is_on(row.get("outlineLevel")):
        found.hidden_rows.add(number)
    for formula in formulas:
        cell = formula.getparent()
        if cell is None or cell.findtext("{*}v") or cell.get("t") == "str" or len(found.formulas) >= _MOST_FORMULAS:
            continue
        if place := _CELL.match(cell.get("r") or ""):
            found.formulas.setdefault(number, {})[_column(place[1])] = _formula(formula.text)


def _formula(text: str | None) -> str:
    return f"={text.replace('_xlfn.', '')}" if text else ""


def _merge(found: Layout, ref: str) -> None:
    first, _, last = ref.partition(":")
    one, two = _CELL.match(first), _CELL.match(last)
    if one and two:
        merge = Merge(int(one[2]), _column(one[1]), int(two[2]), _column(two[1]))
        found.merges.setdefault(merge.top, []).append(merge)


def _column(letters: str) -> int:
    number = 0
    for letter in letters:
        number = 26 * number + ord(letter) - 64
    return number


def _is_on(value: str | None) -> bool:
    return value not in (None, "", "0", "false")
