"""The tree of a page to the blocks that a reader sees: headings, paragraphs, items, tables."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from selfstudy.corpus.blocks import Block
from selfstudy.corpus.headings import LONGEST

if TYPE_CHECKING:
    from lxml.html import HtmlElement

_SKIPPED = frozenset(
    """head script style noscript template svg math canvas iframe object audio video nav button select option textarea input datalist
    dialog""".split()
)
_FRAMES = frozenset(("header", "footer", "aside"))  # left out unless they stand inside the article
_LINES = frozenset(
    """address article aside blockquote body caption center dd details div dl dt fieldset figcaption figure footer form h1 h2 h3 h4 h5 h6
    header hr html legend li main ol p pre section summary table tbody td tfoot th thead tr ul""".split()
)
_HEADING = re.compile(r"h[1-6]$")
_SPACE = re.compile(r"\s+")
_EMPTY_LINE = re.compile(r"\n[^\S\n]*\n\s*")
LONGEST_CELL = 1000  # characters; a table with longer cells is the layout of the page
PERMALINK = re.compile(r"\s*[¶#§🔗]+$")


def blocks_of(tree: HtmlElement, whole: bool = False) -> Iterator[Block]:
    """The blocks of a page in order. What no reader sees, menus, and the frames around the article are left out.

    `whole`: the page is all article, so that its frames belong to it.
    """
    from lxml import etree

    reader = _Reader()
    reader.articles += whole
    walk = etree.iterwalk(tree, events=("start", "end", "comment", "pi"))
    for event, element in walk:
        tag = element.tag if isinstance(element.tag, str) else ""
        if event == "start":
            if reader.leaves_out(element, tag):
                walk.skip_subtree()
            else:
                yield from reader.open(element, tag)
            continue
        if event == "end" and not reader.leaves_out(element, tag):
            yield from reader.close(element, tag)
        reader.add(element.tail)
    yield from reader.flush()


class _Reader:
    """What is open while a page is walked through."""

    def __init__(self) -> None:
        self.parts: list[str] = []  # the text since the last block
        self.rows: list[str] = []  # the lines of the open data table
        self.cells: list[str] | None = None  # of the open row
        self.articles = self.pres = self.tables = 0  # open <main> and <article>, <pre>, data tables

    def leaves_out(self, element: HtmlElement, tag: str) -> bool:
        if tag in _SKIPPED or (tag in _FRAMES and not self.articles):
            return True
        if element.get("role") in ("navigation", "search", "banner", "contentinfo") or element.get("aria-hidden") == "true":
            return True
        return element.get("hidden") is not None or "display:none" in (element.get("style") or "").replace(" ", "").lower()

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
        elif tag == "br":
            self.parts.append("\n")
        elif tag == "img" and element.get("alt"):
            self.parts.append(f" {element.get('alt')} ")
        self.articles += tag in ("main", "article")
        self.pres += tag == "pre"
        self.add(element.text)

    def close(self, element: HtmlElement, tag: str) -> Iterator[Block]:
        if self.tables:
            yield from self._close_in_table(tag)
        elif tag in _LINES:
            yield from self.flush(int(tag[1]) if _HEADING.match(tag) else 0, item=_in_item(element))
        self.articles -= tag in ("main", "article")
        self.pres -= tag == "pre"

    def _close_in_table(self, tag: str) -> Iterator[Block]:
        if tag in ("td", "th") and self.cells is not None:
            self.cells.append(self._line())
        elif tag == "tr":
            if self.cells and any(self.cells):
                self.rows.append(" | ".join(self.cells))
            self.cells = None
        elif tag == "table":
            self.tables -= 1
            lines = [line for line in (*self.rows, self._line()) if line]
            self.rows = []
            if lines:
                yield Block("\n".join(lines))
        elif tag == "caption":
            self.rows.append(self._line())
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
            if joined:
                yield Block(joined, item=item)


def _is_data(table: HtmlElement) -> bool:
    """Whether a table holds data, and not the layout of the page: no table or heading inside it, no long cell."""
    if any(inner is not table for inner in table.iter("table", "h1", "h2", "h3")):
        return False
    return all(len(cell.text_content()) <= LONGEST_CELL for cell in table.iter("td", "th"))


def _in_item(element: HtmlElement | None) -> bool:
    while element is not None and element.tag in ("p", "div", "span"):
        element = element.getparent()
    return element is not None and element.tag in ("li", "dd", "dt")
