"""Books (epub): the pages of the spine, in order, as one document."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

from selfstudy.core.errors import BadInput
from selfstudy.core.facts.dates import first_date
from selfstudy.core.records import Document, Scalar
from selfstudy.corpus.formats.decode import clean, one_line
from selfstudy.corpus.formats.html import decode_page, page_blocks
from selfstudy.corpus.formats.xml_text import xml_tree
from selfstudy.corpus.formats.zips import Archive
from selfstudy.corpus.structure.blocks import Block, join
from selfstudy.corpus.structure.headings import sections

_CONTAINER = "META-INF/container.xml"
_ENCRYPTION = "META-INF/encryption.xml"
_PAGES = ("application/xhtml+xml", "text/html")


class Epub:
    """Reads a book as one document, its headings as sections. `limit`: bytes that its text may unpack to.

    meta: `author`, `updated` and `language` where the book states them. Raises BadInput where its pages are encrypted.
    """

    def __init__(self, limit: int = 50_000_000) -> None:
        self.limit = limit

    def parse(self, path: Path) -> Iterator[Document]:
        with Archive(path, self.limit) as archive:
            package = _package(archive)
            facts, pages = _read(archive, package)
            locked = _locked(archive)
            if any(page in locked for page in pages):
                raise BadInput("encrypted: its pages can only be read by the shop's own program (DRM)")
            blocks: list[Block] = []
            for page in pages:
                blocks += page_blocks(clean(decode_page(archive.read(page))))
        text, headings = join(blocks)
        meta: dict[str, Scalar] = {}
        if facts.get("creator"):
            meta["author"] = facts["creator"]
        if updated := first_date(facts.get("modified", ""), facts.get("date", "")):
            meta["updated"] = updated
        if facts.get("language"):
            meta["language"] = facts["language"].partition("-")[0].lower()  # "en-GB" is English to whoever filters by it
        yield Document(path.name, text, facts.get("title", ""), str(path), meta, sections(text, headings))


def _package(archive: Archive) -> str:
    """The part that lists all others."""
    for element in xml_tree(archive.read(_CONTAINER)).iter("{*}rootfile"):
        if element.get("full-path"):
            return unquote(element.get("full-path") or "")
    raise BadInput("broken: the book does not say where its list of parts is", "Get it anew.")


def _read(archive: Archive, package: str) -> tuple[dict[str, str], list[str]]:
    """What the book states of itself, the first of each kind, and its pages in the order in which they are read."""
    root = xml_tree(archive.read(package))
    folder = posixpath.dirname(package)
    facts: dict[str, str] = {}
    for element in root.iter("{http://purl.org/dc/elements/1.1/}*"):
        facts.setdefault(str(element.tag).rpartition("}")[2], one_line("".join(element.itertext())))
    for element in root.iter("{*}meta"):
        if element.get("property") == "dcterms:modified":
            facts["modified"] = element.text or ""
    items = {item.get("id"): item for item in root.iter("{*}item")}
    pages = []
    for reference in root.iter("{*}itemref"):
        item = items.get(reference.get("idref"))
        if item is not None and item.get("media-type") in _PAGES and "nav" not in (item.get("properties") or "").split():
            pages.append(posixpath.normpath(posixpath.join(folder, unquote(item.get("href") or ""))))
    return facts, list(dict.fromkeys(pages))


def _locked(archive: Archive) -> set[str]:
    """The parts that are encrypted; fonts often are, which does not matter."""
    if _ENCRYPTION not in archive.parts:
        return set()
    return {unquote(element.get("URI") or "") for element in xml_tree(archive.read(_ENCRYPTION)).iter("{*}CipherReference")}
