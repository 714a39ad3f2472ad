"""Word files (docx): headings, paragraphs, items and tables, by way of HTML."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from html import unescape
from pathlib import Path

from selfstudy.core.plugs import extra
from selfstudy.core.records import Document
from selfstudy.corpus.formats.decode import clean
from selfstudy.corpus.formats.html import read_page
from selfstudy.corpus.formats.office import opened
from selfstudy.corpus.formats.word_xml import CLOSING, OPENING, readable

# The table of contents is left out as a page's menus are: its lines are the headings once more.
_STYLES = "p[style-name='Title'] => h1.title:fresh\np[style-name^='toc '] => !"
_BACK = re.compile(r'<a href="#[^"]*-ref-[^"]*">↑</a>')
_TITLE = re.compile(r'<h1 class="title">(.*?)</h1>', re.DOTALL)
_ITEM = re.compile(rf"<li>((?:<(?!li|ol|ul)[^>]*>)*){OPENING}([^{OPENING}{CLOSING}<]*){CLOSING}")
_NUMBER = re.compile(f"{OPENING}([^{OPENING}{CLOSING}<]*){CLOSING}")
_TAG = re.compile(r"<[^>]*>")


class Docx:
    """Reads a Word file as one document. Its styles say what is a heading; footnotes stand at the end; comments, deleted, struck and
    hidden text, headers and footers are left out. Headings and items have the numbers that Word shows. `limit`: bytes that its text may
    unpack to.

    The title is the paragraph styled so, else the one among the file's properties, else its only heading of the first level.
    """

    def __init__(self, limit: int = 50_000_000) -> None:
        self.limit = limit

    def parse(self, path: Path) -> Iterator[Document]:
        mammoth = extra("mammoth", "office")
        copy, stated, meta = opened(path, self.limit)
        no_pictures = mammoth.images.img_element(lambda image: {})
        page = mammoth.convert_to_html(readable(copy), style_map=_STYLES, convert_image=no_pictures).value
        page = clean(_numbered(_BACK.sub("", page)))
        document = read_page(page, path, whole=True)
        styled = _TITLE.search(page)
        title = " ".join(unescape(_TAG.sub("", styled[1])).split()) if styled else ""
        title = title or stated or (document.title if page.count("<h1") == 1 else "")
        yield replace(document, title=title, meta=meta)


def _numbered(page: str) -> str:
    """The page with the numbers of paragraphs in their place: those of items are their labels, those of headings begin them."""
    page = _ITEM.sub(lambda item: f'<li data-label="{item[2].replace(chr(34), "&quot;")}">{item[1]}', page)
    return _NUMBER.sub(lambda number: f"{number[1]} " if number[1] else "", page)
