"""Formulas of web pages (MathML) and of Word (OMML) on one line: "E = mc^2", "(a+b)/2"."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lxml.etree import _Element

_DEEPEST = 40  # elements inside one another; what is deeper is written as it comes
_STYLE = re.compile(r"^\{\\(?:display|text)style\s*(.*)\}$", re.DOTALL)
_SINGLE = re.compile(r"[\w.,\u2032\u221e]*$")
# By the names of their elements, the places of base, lower and upper part in MathML.
_SCRIPTS = {"msup": (0, None, 1), "mover": (0, None, 1), "msub": (0, 1, None), "munder": (0, 1, None)}
_SCRIPTS |= {"msubsup": (0, 1, 2), "munderover": (0, 1, 2)}
_FRACTION = ("num", "den")
_PARTS = {"sSup": ("e", "", "sup"), "sSub": ("e", "sub", ""), "sSubSup": ("e", "sub", "sup"), "limLow": ("e", "lim", "")}


def math_text(element: _Element) -> str:
    """What a formula says: its alternative text where it has one, else its symbols in order with ^, _, / and √."""
    stated = _STYLE.sub(r"\1", (element.get("alttext") or "").strip())
    return " ".join((stated or _line(element, 0)).split())


def raised(base: str, power: str) -> str:
    """`power` as a superscript of `base`, in plain text."""
    return f"{base}^{_grouped(power)}" if power else base


def _line(element: _Element, depth: int) -> str:
    if not isinstance(element.tag, str):
        return ""
    name = element.tag.rpartition("}")[2]
    if name.startswith("annotation") or name.endswith("Pr"):
        return ""
    children = [child for child in element if isinstance(child.tag, str)]
    if depth > _DEEPEST or not children:
        return "".join(str(text) for text in element.itertext())
    parts = {str(child.tag).rpartition("}")[2]: child for child in children}

    def said(which: int | str | None) -> str:
        if isinstance(which, int):
            return _line(children[which], depth + 1) if which < len(children) else ""
        return _line(parts[which], depth + 1) if which in parts else ""

    if name in _SCRIPTS or name in _PARTS:
        base, low, high = _SCRIPTS[name] if name in _SCRIPTS else _PARTS[name]
        return raised(said(base) + (f"_{_grouped(said(low))}" if said(low) else ""), said(high))
    if name in ("mfrac", "f"):
        return "/".join(_grouped(said(part)) for part in (_FRACTION if name == "f" else (0, 1)))
    if name in ("mroot", "rad"):
        return f"{said('deg')}√{_grouped(said('e'))}" if name == "rad" else f"{said(1)}√{_grouped(said(0))}"
    if name == "nary":
        return raised(_property(element, "chr", "∫") + (f"_{_grouped(said('sub'))}" if said("sub") else ""), said("sup")) + said("e")
    joint = " " if name in ("mtable", "mtr", "m", "mr", "eqArr") else ""
    inside = joint.join(_line(child, depth + 1) for child in children)
    if name == "msqrt":
        return f"√{_grouped(inside)}"
    if name in ("d", "mfenced"):
        return _property(element, "begChr", "(") + inside + _property(element, "endChr", ")")
    return inside


def _property(element: _Element, name: str, otherwise: str) -> str:
    """What Word says in `name` of the properties of a part of a formula."""
    for found in element.iterfind(f"{{*}}{str(element.tag).rpartition('}')[2]}Pr/{{*}}{name}"):
        return next((str(value) for key, value in found.attrib.items() if str(key).endswith("val")), otherwise)
    return otherwise


def _grouped(text: str) -> str:
    text = text.strip()
    return text if _SINGLE.match(text.lstrip("-+−")) or (text[:1] + text[-1:] == "()" and ")" not in text[1:-1]) else f"({text})"
