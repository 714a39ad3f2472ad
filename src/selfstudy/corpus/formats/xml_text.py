"""XML: the text of its elements in order, their names kept where they say what the text is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from selfstudy.core.errors import BadInput
from selfstudy.core.records import Document
from selfstudy.corpus.formats.decode import clean, one_line, really
from selfstudy.corpus.formats.html import page_blocks
from selfstudy.corpus.structure.blocks import Block, join
from selfstudy.corpus.structure.headings import LONGEST, sections

if TYPE_CHECKING:
    from lxml.etree import _Element

_HEADINGS = frozenset("title head heading h1 h2 h3 h4 h5 h6".split())
_PROSE = frozenset("p para paragraph text line l li item td th cell entry body span div".split())
_OWN = frozenset("title p para paragraph sec section table tr li item".split())  # never a word or two inside a sentence
_WHOLE = frozenset("article book chapter part document doc html body head rss channel feed".split())
_CODE = frozenset("code pre programlisting screen literal literallayout verbatim example script style".split())
_LEVELS = 6
_VALUE = 4  # words; attributes say more of a value, such as its unit, and are bookkeeping beside a sentence
_DECLARED = re.compile(rb"<\?xml[^>]*?encoding\s*=\s*[\"']([\w.:-]+)")
_MARKUP = re.compile(r"<(p|div|ul|ol|li|table|blockquote|h[1-6]|b|i|em|strong|a|span)\b[^<>]*>.*</\1\s*>|<(?:br|img)\b[^<>]*>", re.DOTALL)
_NAMED = ("{http://www.w3.org/XML/1998/namespace}", "{http://www.w3.org/2001/XMLSchema-instance}")


class Xml:
    """Reads XML as one document. An element that holds text alone is a line "name: text", or the text where the name only says
    "paragraph"; one that mixes text and elements is a paragraph; titles are headings. Children of one element stand together.

    Attributes of elements that are no prose are "name: value" too, on the line of the element where that is a value or nothing. Text that
    is itself HTML, as in feeds, is read as that. Entities that the file declares are neither replaced nor fetched: a reference stays as it
    is written.
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

    declared = _DECLARED.match(data.lstrip()[:200])
    name = declared[1].decode("ascii").lower() if declared else ""
    try:
        return _parsed(data, really(name)) if really(name) != name else _parsed(data)
    except etree.XMLSyntaxError as error:
        if "amplification" in str(error.msg):
            raise BadInput("huge: the entities that it declares grow far beyond it, as only bombs do", "Do not trust it.") from None
        said = str(error.msg).splitlines()[0][:200]
        if "huge" in said.lower() or "Excessive depth" in said:  # the library's own limits
            raise BadInput(f"huge: more than is read of XML ({said})", "Split it.") from None
        raise BadInput(f"broken: no well-formed XML ({said})", "Mend it at that place.") from None


def _parsed(data: bytes, encoding: str | None = None) -> _Element:
    """The root, by `encoding` in place of the one that is declared, or by the declared one where that cannot be."""
    from lxml import etree

    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=True, remove_pis=True, encoding=encoding
    )
    try:
        return etree.fromstring(data, parser)
    except etree.XMLSyntaxError:
        if encoding is None:
            raise
        return _parsed(data)


def _blocks(element: _Element, depth: int) -> Iterator[Block]:
    """The blocks of an element that holds elements, or of the root."""
    stated = _stated(element)
    if not len(element) or _has_text(element.text) or any(_has_text(child.tail) for child in element):
        yield from _flush(stated)
        yield from _mixed(element, depth)
        return
    lines = stated
    for child in element:
        leaf, name = _is_leaf(child), _name(child)
        text = _text(child) if leaf else ""
        if leaf and name not in _HEADINGS | _PROSE:
            lines += _line(child, text)
        elif text or not leaf:
            yield from _flush(lines)
            yield from [_paragraph(child, text, depth)] if text else _blocks(child, depth + 1)
    yield from _flush(lines)


def _line(element: _Element, text: str) -> list[str]:
    """An element without elements in it as a line "name: text; attribute: value", none where it says nothing."""
    if _MARKUP.search(text) and _name(element) not in _CODE:
        read = "\n".join(block.text for block in page_blocks(clean("".join(element.itertext()))))
        return [f"{_spoken(element)}: {read}"] if read else []
    said = "; ".join(filter(None, (text, *(_stated(element) if len(text.split()) <= _VALUE else ()))))
    return [f"{_spoken(element)}: {said}"] if said else []


def _stated(element: _Element) -> list[str]:
    """The attributes of an element that is no prose, as "name: value"; not what is said of the XML itself."""
    if _name(element) in _HEADINGS | _PROSE | _OWN | _WHOLE:
        return []
    named = ((str(name), one_line(str(value))) for name, value in element.attrib.items())
    return [f"{name.rpartition('}')[2]}: {value}" for name, value in named if value and not name.startswith(_NAMED)]


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
