"""The XML of a Word file as its converter can read it: no field, formula or text box is lost, hidden text is gone, numbers are written."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING
from zipfile import ZIP_STORED, ZipFile, ZipInfo

from selfstudy.core.errors import BadInput
from selfstudy.corpus.formats.math_text import math_text
from selfstudy.corpus.formats.word_numbers import Numbers
from selfstudy.corpus.formats.xml_text import xml_tree

if TYPE_CHECKING:
    from lxml.etree import _Element

OPENING, CLOSING = "\ue000", "\ue001"
"""Around the number of a paragraph; private characters, which stand in no text."""

_STORIES = frozenset(("document", "footnotes", "endnotes"))
_SPARE = re.compile(r"(?:^|/)glossary/|WithEffects\.xml$")  # building blocks, and the styles once more
_WRAPPERS = frozenset(("fldSimple", "dir", "bdo", "rubyBase"))  # text inside is text of the paragraph
_KEPT_HIDDEN = frozenset(("rPr", "fldChar", "instrText"))  # of a hidden run: fields must still end where they began
_OFF = ("0", "false", "off")


def readable(copy: io.BytesIO) -> io.BytesIO:
    """The Word file `copy` with the parts that hold its text rewritten. A part that is no well-formed XML stays as it is."""
    written = io.BytesIO()
    with ZipFile(copy) as parts, ZipFile(written, "w", ZIP_STORED) as plain:
        names = [name for name in parts.namelist() if name.endswith(".xml") and not _SPARE.search(name)]
        trees = {name: tree for name in names if (tree := _tree(parts.read(name))) is not None}
        by_root = {name_of(tree): tree for tree in trees.values()}
        styles = by_root.get("styles")
        hidden = set(_hidden_styles(styles)) if styles is not None else set()
        numbers = Numbers(styles, by_root.get("numbering"))
        for name in parts.namelist():
            tree = trees.get(name)
            if tree is None or name_of(tree) not in _STORIES:
                plain.writestr(ZipInfo(name), parts.read(name))
                continue
            if name_of(tree) == "document":
                _number(tree, numbers)
            _rewrite(tree, hidden)
            plain.writestr(ZipInfo(name), _bytes(tree))
    written.seek(0)
    return written


def name_of(element: _Element) -> str:
    return str(element.tag).rpartition("}")[2]


def _tree(data: bytes) -> _Element | None:
    try:
        return xml_tree(data)
    except BadInput:
        return None


def _bytes(tree: _Element) -> bytes:
    from lxml import etree

    return bytes(etree.tostring(tree, encoding="utf-8", xml_declaration=True))


def _rewrite(tree: _Element, hidden: set[str]) -> None:
    space = str(tree.tag).rpartition("}")[0] + "}"
    for formula in list(tree.iter("{*}oMath")):
        _put(formula, _run(space, math_text(formula)))
    for element in list(tree.iter(f"{space}r", f"{space}dstrike", f"{space}cr", f"{space}rt")):
        name = name_of(element)
        if name == "r" and _is_hidden(element, hidden):
            for child in [child for child in element if name_of(child) not in _KEPT_HIDDEN]:
                element.remove(child)
        elif name == "dstrike":
            element.tag = f"{space}strike"
        elif name == "cr":
            element.tag = f"{space}br"
        elif name == "rt":
            _put(element)
    for box in reversed(list(_boxed(tree))):
        _lift(box, space)
    for element in reversed(list(tree.iter())):
        if name_of(element) in _WRAPPERS or name_of(element) in ("oMathPara", "ruby"):
            _put(element, *element)


def _run(space: str, text: str) -> _Element:
    from lxml import etree

    run = etree.Element(f"{space}r")
    inside = etree.SubElement(run, f"{space}t")
    inside.text = text
    inside.set("{http://www.w3.org/XML/1998/namespace}space", "preserve")
    return run


def _put(element: _Element, *instead: _Element) -> None:
    """`instead` in the place of `element`. White space after it is of no account in these files."""
    parent = element.getparent()
    if parent is not None:
        at = parent.index(element)
        parent[at : at + 1] = list(instead)


def _is_hidden(run: _Element, styles: set[str]) -> bool:
    properties = run.find("{*}rPr")
    stated = properties.find("{*}vanish") if properties is not None else None
    if stated is not None:
        return _value(stated) not in _OFF
    style = properties.find("{*}rStyle") if properties is not None else None
    paragraph = next((above for above in run.iterancestors() if name_of(above) == "p"), None)
    above = paragraph.find("{*}pPr/{*}pStyle") if paragraph is not None else None
    return any(one is not None and _value(one) in styles for one in (style, above))


def _hidden_styles(styles: _Element) -> Iterator[str]:
    for style in styles.iterfind("{*}style"):
        vanish = style.find("{*}rPr/{*}vanish")
        if vanish is not None and _value(vanish) not in _OFF:
            yield next((str(value) for key, value in style.attrib.items() if str(key).endswith("styleId")), "")


def _value(element: _Element) -> str:
    return next((str(value) for key, value in element.attrib.items() if str(key).endswith("}val")), "")


def _boxed(tree: _Element) -> Iterator[_Element]:
    """The drawings with text boxes, with their alternatives where they have some; not those whose older form has the text."""
    for drawing in tree.iter("{*}drawing"):
        if next(drawing.iter("{*}txbxContent"), None) is None:
            continue
        choice = next((above for above in drawing.iterancestors() if name_of(above) in ("Choice", "txbxContent")), None)
        if choice is None or name_of(choice) != "Choice":
            yield drawing
        elif (both := choice.getparent()) is not None and next(both.iterfind("{*}Fallback//{*}txbxContent"), None) is None:
            yield both


def _lift(drawing: _Element, space: str) -> None:
    """The text of a drawing as that of an old one, which the converter sets below the paragraph."""
    from lxml import etree

    picture = etree.Element(f"{space}pict")
    boxes = [box for box in drawing.iter("{*}txbxContent") if not _in_box(box, drawing)]
    for box in boxes:
        picture.append(box)
    _put(drawing, picture)


def _in_box(box: _Element, drawing: _Element) -> bool:
    for above in box.iterancestors():
        if above is drawing or name_of(above) == "txbxContent":
            return above is not drawing
    return False


def _number(tree: _Element, numbers: Numbers) -> None:
    """Write what Word would before each numbered paragraph: the converter counts anew after every interruption."""
    space = str(tree.tag).rpartition("}")[0] + "}"
    for paragraph in tree.iter(f"{space}p"):
        if next(paragraph.iterancestors("{*}Choice"), None) is not None:
            continue  # it comes again in the older form beside it
        label = numbers.next(paragraph)
        if label is not None:
            properties = paragraph.find(f"{space}pPr")
            paragraph.insert(0 if properties is None else paragraph.index(properties) + 1, _run(space, f"{OPENING}{label}{CLOSING}"))
