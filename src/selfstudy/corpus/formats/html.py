"""HTML: the main text of a page, its headings as sections."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from selfstudy.core.errors import BadInput
from selfstudy.core.facts.dates import first_date
from selfstudy.core.records import Document, Scalar
from selfstudy.core.text import letters
from selfstudy.corpus.formats.decode import clean, decode, really
from selfstudy.corpus.formats.html_blocks import PERMALINK, blocks_of
from selfstudy.corpus.structure.blocks import Block, join
from selfstudy.corpus.structure.headings import sections

if TYPE_CHECKING:
    from lxml.html import HtmlElement

_DECLARED = re.compile(rb"<meta[^>]+charset\s*=\s*[\"']?\s*([\w.:-]+)", re.IGNORECASE)
_XML_DECLARATION = re.compile(r"^\s*<\?xml[^>]*\?>", re.IGNORECASE)

_UPDATED = (
    "article:modified_time",
    "og:updated_time",
    "last-modified",
    "dcterms.modified",
    "dc.date.modified",
    "datemodified",
    "article:published_time",
    "datepublished",
    "dcterms.date",
    "dc.date",
    "date",
)
SHORT_PAGE = 1000  # characters
PROSE = 120  # characters; menus and imprints are made of shorter blocks
_QUIET = logging.NullHandler()


class Html:
    """Reads a page as one document: the blocks of its main text, a line to an item or table row, an empty line between paragraphs.

    Trafilatura (Barbaresi 2021, ACL demo 15) says where the main text begins and ends; the blocks come from the page's own tree, since
    trafilatura drops headings of short pages. Where it finds nothing, the whole page without menus and scripts is taken.
    """

    def parse(self, path: Path) -> Iterator[Document]:
        yield read_page(clean(decode_page(path.read_bytes())), path)


def read_page(page: str, path: Path, whole: bool = False) -> Document:
    """`page` as a document named after `path`. `whole`: it is all main text, as in a book or a letter, and trafilatura is not asked.

    Raises BadInput where it is nested too deeply.
    """
    tree = _tree(page)
    if tree is None:
        return Document(path.name, "", source=str(path))
    blocks = list(blocks_of(tree, whole))
    start, end = (0, len(blocks)) if whole else _main(blocks, page)
    text, headings = join(blocks[start:end])
    updated = _updated(tree)
    meta: dict[str, Scalar] = {"updated": updated} if updated else {}
    return Document(path.name, text, _title(tree), str(path), meta, sections(text, headings))


def page_blocks(page: str) -> list[Block]:
    """All blocks of a page that is a part of something larger. Raises BadInput where it is nested too deeply."""
    tree = _tree(page)
    return [] if tree is None else list(blocks_of(tree, whole=True))


def _tree(page: str) -> HtmlElement | None:
    """The tree of a page, None where it holds nothing but comments or white space."""
    from lxml import etree
    from lxml import html as lxml_html

    parser = lxml_html.HTMLParser(huge_tree=True)
    try:
        tree = lxml_html.document_fromstring(_XML_DECLARATION.sub("", page), parser=parser)
    except (etree.ParserError, etree.XMLSyntaxError):
        return None
    if any(entry.type_name == "ERR_RESOURCE_LIMIT" for entry in parser.error_log):  # the rest of the page would be lost silently
        raise BadInput("broken: its elements are nested more than 2,000 deep", "Open it in a browser and save it anew.")
    return tree


def decode_page(data: bytes) -> str:
    """A page as text, by the encoding that it states where that can be. Raises BadInput where it is binary."""
    declared = _DECLARED.search(data, 0, 4096)
    if declared:
        name = declared[1].decode("ascii").lower()
        for encoding in ("utf-8", really(name)):  # what decodes as UTF-8 is UTF-8, whatever the page says
            try:
                return data.decode(encoding)
            except (LookupError, ValueError):
                continue
    return decode(data)


def _main(blocks: list[Block], page: str) -> tuple[int, int]:
    """The range of `blocks` from the first to the last that trafilatura keeps or that is prose, with the headings straight above.

    All blocks of a short page, where trafilatura often errs, and of one where it keeps none.
    """
    kept = {letters(line) for line in _trafilatura(page)} - {""}
    if not kept or sum(len(block.text) for block in blocks) < SHORT_PAGE:
        return 0, len(blocks)
    hits = [
        index
        for index, block in enumerate(blocks)
        if (len(block.text) >= PROSE and not block.level) or any(letters(line) in kept for line in block.text.split("\n"))
    ]
    if not hits:
        return 0, len(blocks)
    start = hits[0]
    while start > 0 and blocks[start - 1].level:
        start -= 1
    tops = [index for index in range(start) if blocks[index].level == 1]
    return (tops[-1] if tops else start), hits[-1] + 1


def _trafilatura(page: str) -> list[str]:
    """The lines of what trafilatura takes for the main text; none where it fails, which is no reason to lose the page."""
    from trafilatura import bare_extraction

    logging.getLogger("trafilatura").addHandler(_QUIET)  # its warnings go where the application sends them, and nowhere else
    try:
        found = bare_extraction(page, fast=True, favor_recall=True, include_comments=False, with_metadata=False)
    except Exception:
        return []
    body = getattr(found, "body", None)
    elements = [] if body is None else list(body.iter())
    return [line for element in elements for line in "".join(element.itertext()).split("\n")]


def _title(tree: HtmlElement) -> str:
    """The page's <title>, less the name of the site where it begins with the only <h1>; else the first <h1>."""
    named = next((" ".join(element.text_content().split()) for element in tree.iter("title")), "")
    tops = [PERMALINK.sub("", " ".join(element.text_content().split())) for element in tree.iter("h1")]
    tops = [top for top in tops if top]
    if tops and (not named or (len(tops) == 1 and named.startswith(tops[0]))):
        return tops[0]
    return named


def _updated(tree: HtmlElement) -> str | None:
    """The date that the page states of itself, in its meta elements or its first <time>; no date is guessed from the text."""
    stated: dict[str, str] = {}
    for element in tree.iter("meta"):
        name = element.get("property") or element.get("name") or element.get("itemprop") or element.get("http-equiv") or ""
        stated.setdefault(name.strip().lower(), element.get("content") or "")
    times = [element.get("datetime") or "" for element in tree.iter("time")]
    return first_date(*(stated[name] for name in _UPDATED if name in stated), *times[:1])
