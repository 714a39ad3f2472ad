"""XML: the text of its elements in order, their names kept where they say what the text is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from selfstudy.core.errors import BadInput
from selfstudy.core.records import Document
from selfstudy.corpus.blocks import Block, join
from selfstudy.corpus.decode import one_line
from selfstudy.corpus.headings import LONGEST, sections

if TYPE_CHECKING:
    from lxml.etree import _Element

_HEADINGS = frozenset("title head heading h1 h2 h3 h4 h5 h6".split())
_PROSE = frozenset("p para paragraph text line l li item td th cell entry body span div".split())
_OWN = frozenset("title p para paragraph sec section table tr li item".split())  # never a word or two inside a sentence
_LEVELS = 6


class Xml:
    """Reads XML as one document. An element that holds text alone is a line "name: text", or the text where the name only says
    "paragraph"; one that mixes text and elements is a paragraph; titles are headings. Children of one element stand together.

    Attributes are left out. Entities that the file declares are neither replaced nor fetched: a reference stays as it is written.
    """

    def parse(self, path: Path) -> Iterator[Document]:
        blocks = list(_blocks(xml_tree(path.read_bytes()), 1))
        text, headings = join(blocks)
        top = min((heading.level for heading in headings), default=0)
        titles = [heading.title for heading in headings if heading.level == top]
        yield Document(path.name, text, titles[0] if len(titles) == 1 else "", str(path), sections=sections(text, headings))


def xml_tree(data: bytes) -> _Element:
    """The root of the XML in `data`. Nothing is fetched, no entity is replaced, and what grows without end is refused.

    Raises BadInput where it is no well-formed XML.
    """
    from lxml import etree

    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=True, remove_pis=True
    )
    try:
        return etree.fromstring(data, parser)
    except etree.XMLSyntaxError as error:
        if "amplification" in str(error.msg):
            raise BadInput("huge: the entities that it declares grow far beyond it, as only bombs do", "Do not trust it.") from None
        said = str(error.msg).splitlines()[0][:200]
        if "huge" in said.lower() or "Excessive depth" in said:  # the library's own limits
            raise BadInput(f"huge: more than is read of XML ({said})", "Split it.") from None
        raise BadInput(f"broken: no well-formed XML ({said})", "Mend it at that place.") from None


def _blocks(element: _Element, depth: int) -> Iterator[Block]:
    """The blocks of an element that holds elements."""
    if not len(element) or _has_text(element.text) or any(_has_text(child.tail) for child in element):
        yield from _mixed(element, depth)
        return
    lines: list[str] = []
    for child in element:
        text, name = _text(child) if _is_leaf(child) else "", _name(child)
        if text and name not in _HEADINGS | _PROSE:
            lines.append(f"{_spoken(child)}: {text}")
        elif text or not _is_leaf(child):
            yield from _flush(lines)
            yield from [_paragraph(child, text, depth)] if text else _blocks(child, depth + 1)
    yield from _flush(lines)


def _mixed(element: _Element, depth: int) -> Iterator[Block]:
    """An element that mixes text and elements: one paragraph, unless whole paragraphs stand inside it."""
    parts = [element.text or ""]
    for child in element:
        if any(isinstance(inner.tag, str) and _name(inner) in _OWN for inner in child.iter()):
            yield from _written(element, parts, depth)
            yield from _blocks(child, depth + 1)
        else:
            parts.append("".join(child.itertext()))
        parts.append(child.tail or "")
    yield from _written(element, parts, depth)


def _written(element: _Element, parts: list[str], depth: int) -> Iterator[Block]:
    text = one_line("".join(parts))
    parts.clear()
    if text:
        yield _paragraph(element, text, depth - 1)


def _paragraph(element: _Element, text: str, depth: int) -> Block:
    return Block(text, min(max(depth, 1), _LEVELS) if _name(element) in _HEADINGS and len(text) <= LONGEST else 0)


def _flush(lines: list[str]) -> Iterator[Block]:
    if lines:
        yield Block("\n".join(lines))
    lines.clear()


def _is_leaf(element: _Element) -> bool:
    from lxml import etree

    return all(child.tag is etree.Entity for child in element)


def _has_text(text: str | None) -> bool:
    return bool(text and text.strip())


def _text(element: _Element) -> str:
    """All text inside, white space made one; a reference to an entity as it is written."""
    return one_line("".join(element.itertext()))


def _spoken(element: _Element) -> str:
    return str(element.tag).rpartition("}")[2]


def _name(element: _Element) -> str:
    return _spoken(element).lower()
