"""The tree of a page to the blocks that a reader sees: headings, paragraphs, items, tables."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from selfstudy.corpus.formats.html_shown import Shown
from selfstudy.corpus.formats.math_text import math_text, raised
from selfstudy.corpus.structure.blocks import Block
from selfstudy.corpus.structure.grid import Cell, bars
from selfstudy.corpus.structure.headings import LONGEST
from selfstudy.corpus.structure.list_labels import label

if TYPE_CHECKING:
    from lxml.html import HtmlElement

_LINES = frozenset(
    """address article aside blockquote body caption center dd details div dl dt fieldset figcaption figure footer form h1 h2 h3 h4 h5 h6
    header hr html legend li main ol p pre section summary table tbody td tfoot th thead tr ul""".split()
)
_HEADING = re.compile(r"h[1-6]$")
_SPACE = re.compile(r"\s+")
_EMPTY_LINE = re.compile(r"\n[^\S\n]*\n\s*")
_ARTICLES = ("main", "article")
_MOST_SPANNED = 65_534  # rows of a cell, in browsers
_KINDS = {"a": "lowerLetter", "A": "upperLetter", "i": "lowerRoman", "I": "upperRoman"}
_NUMBERED = re.compile(r"\d+[.)]$")
LONGEST_CELL = 1000  # characters; a table with longer cells is the layout of the page
_POWER = re.compile(r"[-+−–]?(?:\d+(?:[.,/]\d+)?|[a-zA-Z]|[-+−–\w]*\d[-+−–\w]*|\w+[-+−–*/]\w+)$")
_ORDINAL = re.compile(r"[aoeèrª]$")  # after a digit: 1o, 2e
_NOTES = re.compile(r"(\d{1,3}(?:\s*,\s*\d{1,3})*)\)?$")
PERMALINK = re.compile(r"\s*[¶#§🔗]+$")


def blocks_of(tree: HtmlElement, whole: bool = False) -> Iterator[Block]:
    """The blocks of a page in order. What no reader sees, menus, and the frames around the article are left out.

    `whole`: the page is all article, so that its frames belong to it.
    """
    from lxml import etree

    shown = Shown(tree, whole)
    reader = _Reader()
    walk = etree.iterwalk(tree, events=("start", "end", "comment", "pi"))
    for event, element in walk:
        tag = element.tag if isinstance(element.tag, str) else ""
        if event == "start":
            if shown.leaves_out(element, tag):
                walk.skip_subtree()
            elif tag == "math":
                reader.add(math_text(element))
                walk.skip_subtree()
            else:
                yield from reader.open(element, tag)
                shown.articles += tag in _ARTICLES
            continue
        if event == "end" and tag != "math" and not shown.leaves_out(element, tag):
            yield from reader.close(element, tag)
            shown.articles -= tag in _ARTICLES
        reader.add(element.tail)
    yield from reader.flush()


class _Reader:
    """What is open while a page is walked through."""

    def __init__(self) -> None:
        self.parts: list[str] = []  # the text since the last block
        self.captions: list[str] = []  # of the open data table
        self.rows: list[list[Cell]] = []  # of the open data table
        self.cells: list[Cell] | None = None  # of the open row
        self.pres = self.tables = 0  # open <pre>, data tables
        self.lists: list[_List] = []
        self.label = ""  # of the open item, until its first block
        self.raised = 0  # how many parts stand before the open <sup>

    def add(self, text: str | None) -> None:
        if text:
            self.parts.append(text if self.pres else _SPACE.sub(" ", text))

    def open(self, element: HtmlElement, tag: str) -> Iterator[Block]:
        if tag in _LINES and not self.tables:
            yield from self.flush(item=_in_item(element.getparent()))
        if tag == "table" and (self.tables or _is_data(element)):
            self.tables += 1
        elif tag == "tr" and self.tables:
            self.cells = []
        elif tag in ("ol", "ul"):
            self.lists.append(_List(element))
        elif tag == "li":
            self._open_item(element)
        elif tag == "sup":
            self.raised = len(self.parts)
        elif tag == "br":
            self.parts.append("\n")
        elif tag == "button":
            self.parts.append(" ")
        elif tag == "img" and element.get("alt"):
            self.parts.append(f" {element.get('alt')} ")
        self.pres += tag == "pre"
        self.add(element.text)

    def close(self, element: HtmlElement, tag: str) -> Iterator[Block]:
        if tag == "sup":
            self._close_sup(element)
        if tag == "button":
            self.parts.append(" ")
        if self.tables:
            yield from self._close_in_table(element, tag)
        elif tag in _LINES:
            yield from self.flush(int(tag[1]) if _HEADING.match(tag) else 0, item=_in_item(element))
        if tag in ("ol", "ul") and self.lists:
            self.lists.pop()
        self.pres -= tag == "pre"

    def _open_item(self, item: HtmlElement) -> None:
        """The label of an item: that which a converter found, else its number, if its list is ordered."""
        self.label = item.get("data-label") or (self.lists[-1].next(item) if self.lists and item.get("data-label") is None else "")
        if self.tables and self.label:
            self.parts.append(f" {self.label} ")

    def _close_sup(self, element: HtmlElement) -> None:
        """A power as in 10^6, a footnote as in [1]: raised text must not grow into what it stands at."""
        power = " ".join("".join(self.parts[self.raised :]).split())
        before = "".join(self.parts[max(0, self.raised - 5) : self.raised])[-1:]
        del self.parts[self.raised :]
        linked = next((link for link in element.iter("a") if link.get("href")), None) is not None or element.getparent().tag == "a"
        self.parts.append(_written(before, power, linked))

    def _close_in_table(self, element: HtmlElement, tag: str) -> Iterator[Block]:
        if tag in ("td", "th") and self.cells is not None:
            head = tag == "th" or next(element.iterancestors("thead", "table"), element).tag == "thead"
            self.cells.append(Cell(self._line(), _number(element, "colspan"), _number(element, "rowspan"), head))
        elif tag == "tr":
            self.rows.append(self.cells or [])
            self.cells = None
        elif tag == "table":
            self.tables -= 1
            lines = [line for line in (*self.captions, *bars(self.rows), self._line()) if line]
            self.captions, self.rows = [], []
            if lines:
                yield Block("\n".join(lines))
        elif tag == "caption":
            self.captions.append(self._line())
        elif tag in _LINES:
            self.parts.append(" ")

    def _line(self) -> str:
        line = " ".join("".join(self.parts).split())
        self.parts.clear()
        return line

    def flush(self, level: int = 0, item: bool = False) -> Iterator[Block]:
        """The text since the last block, cut at empty lines unless it is preformatted."""
        if level:
            heading = PERMALINK.sub("", self._line())
            if heading:
                yield Block(heading, level if len(heading) <= LONGEST else 0)
            return
        text = "".join(self.parts)
        self.parts.clear()
        for paragraph in [text] if self.pres else _EMPTY_LINE.split(text):
            lines = (line.rstrip() if self.pres else " ".join(line.split()) for line in paragraph.split("\n"))
            joined = "\n".join(line for line in lines if line)
            if joined and item and self.label:
                yield _item(joined, self.label)
                self.label = ""
            elif joined:
                yield Block(joined, item=item)


class _List:
    """An open list, and the number of its next item."""

    def __init__(self, element: HtmlElement) -> None:
        self.kind = (element.get("type") or "1") if element.tag == "ol" else ""
        self.step = -1 if element.get("reversed") is not None else 1
        items = sum(child.tag == "li" for child in element) if self.step < 0 else 1
        self.number = _whole(element.get("start"), items)

    def next(self, item: HtmlElement) -> str:
        number = _whole(item.get("value"), self.number)
        self.number = number + self.step
        return f"{label(number, _KINDS.get(self.kind, 'decimal'))}." if self.kind else ""


def _item(text: str, label: str) -> Block:
    """An item with its label; one that is no number follows a dash, as sentences are told apart by that."""
    return Block(text, item=True, label=label) if _NUMBERED.match(label) else Block(f"{label} {text}", item=True)


def _written(before: str, power: str, linked: bool) -> str:
    """A superscript in plain text, after the character `before`."""
    if not power or power[0] in "[(" or not before or before.isspace():
        return power
    at_word = before.isalnum() or before in ")]"
    if (note := _NOTES.match(power)) and (linked or power[-1] == ")" or not at_word):
        return f"[{note[1]}]"
    if not at_word or not _POWER.match(power) or (before.isdigit() and _ORDINAL.match(power)):
        return power
    return raised("", power)


def _number(element: HtmlElement, name: str) -> int:
    """How many rows or columns a cell reaches over; 0 rows stand for all that are left."""
    stated = min(max(_whole(element.get(name), 1), 0), _MOST_SPANNED)
    return stated or (_MOST_SPANNED if name == "rowspan" else 1)


def _whole(stated: str | None, otherwise: int) -> int:
    return int(stated) if stated and re.fullmatch(r"\s*[-+]?\d{1,9}\s*", stated) else otherwise


def _is_data(table: HtmlElement) -> bool:
    """Whether a table holds data, and not the layout of the page: no table or heading inside it, no long cell."""
    if any(inner is not table for inner in table.iter("table", "h1", "h2", "h3")):
        return False
    return all(len(cell.text_content()) <= LONGEST_CELL for cell in table.iter("td", "th"))


def _in_item(element: HtmlElement | None) -> bool:
    while element is not None and element.tag in ("p", "div", "span"):
        element = element.getparent()
    return element is not None and element.tag in ("li", "dd", "dt")
