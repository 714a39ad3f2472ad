"""The numbers that Word shows before paragraphs and headings and does not write into the text."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from selfstudy.corpus.structure.list_labels import label

if TYPE_CHECKING:
    from lxml.etree import _Element

_PLACE = re.compile(r"%([1-9])")
_DEEPEST = 20  # styles that are based on one another


class Numbers:
    """Counts through a document as Word does, from its parts `styles` and `numbering`."""

    def __init__(self, styles: _Element | None, numbering: _Element | None) -> None:
        self._styles = {_attribute(style, "styleId"): style for style in ([] if styles is None else styles.iterfind("{*}style"))}
        self._levels: dict[str, dict[int, _Element]] = {}  # of each list, its levels with what the list overrides
        self._counter: dict[str, str] = {}  # lists that count together
        self._counts: dict[str, dict[int, int]] = {}
        self._starts: dict[str, dict[int, int]] = {}  # at which a list begins anew, unlike those that it counts together with
        if numbering is not None:
            self._read(numbering)

    def next(self, paragraph: _Element) -> str | None:
        """What stands before `paragraph`, and the count moves on: "" for a bullet or an unnumbered item, None where it is no item."""
        list_id, level = self._place(paragraph)
        levels = self._levels.get(list_id)
        if levels is None or level not in levels:
            return None
        counts = self._counts.setdefault(self._counter[list_id], {})
        for below in [one for one in counts if one > level]:
            del counts[below]
        begun = self._starts.get(list_id, {}).pop(level, None)
        start = _integer(_value(levels[level].find("{*}start")), 1)
        counts[level] = begun if begun is not None else counts[level] + 1 if level in counts else start
        kinds = {one: _value(levels[one].find("{*}numFmt")) or "decimal" for one in levels}
        text = _value(levels[level].find("{*}lvlText"))
        if kinds[level] in ("bullet", "none"):
            return ""
        legal = levels[level].find("{*}isLgl") is not None

        def written(place: re.Match[str]) -> str:
            one = int(place[1]) - 1
            number = counts.get(one, _integer(_value(levels[one].find("{*}start")), 1) if one in levels else 1)
            return label(number, "decimal" if legal and one != level else kinds.get(one, "decimal"))

        return " ".join(_PLACE.sub(written, text).split())

    def _read(self, numbering: _Element) -> None:
        kinds = {_attribute(kind, "abstractNumId"): kind for kind in numbering.iterfind("{*}abstractNum")}
        for one in numbering.iterfind("{*}num"):
            id, kind_id = _attribute(one, "numId"), _value(one.find("{*}abstractNumId"))
            kind = kinds.get(kind_id)
            linked = _value(kind.find("{*}numStyleLink")) if kind is not None else ""
            if linked:
                kind_id, kind = next(
                    ((name, other) for name, other in kinds.items() if _value(other.find("{*}styleLink")) == linked), (kind_id, kind)
                )
            if kind is None:
                continue
            self._counter[id] = kind_id
            self._levels[id] = {_integer(_attribute(level, "ilvl"), 0): level for level in kind.iterfind("{*}lvl")}
            for override in one.iterfind("{*}lvlOverride"):
                at = _integer(_attribute(override, "ilvl"), 0)
                if (level := override.find("{*}lvl")) is not None:
                    self._levels[id][at] = level
                if (start := override.find("{*}startOverride")) is not None:
                    self._starts.setdefault(id, {})[at] = _integer(_value(start), 1)

    def _place(self, paragraph: _Element) -> tuple[str, int]:
        """The list of a paragraph and its level there, from itself or else from its style; "" and 0 where it is in none."""
        properties = paragraph.find("{*}pPr")
        if properties is None:
            return "", 0
        list_id, level = _stated(properties)
        style_id = _value(properties.find("{*}pStyle"))
        for _ in range(_DEEPEST):
            style = self._styles.get(style_id)
            if list_id is not None or style is None:
                break
            found = style.find("{*}pPr")
            if found is not None:
                list_id, styled = _stated(found)
                level = styled if level is None else level
            if list_id is not None and level is None:
                level = self._level_of(list_id, style_id)
            style_id = _value(style.find("{*}basedOn"))
        return list_id or "", level or 0

    def _level_of(self, list_id: str, style: str) -> int | None:
        """The level of a list that names this style as its own."""
        levels = self._levels.get(list_id, {})
        return next((number for number, level in levels.items() if _value(level.find("{*}pStyle")) == style), None)


def _stated(properties: _Element) -> tuple[str | None, int | None]:
    numbered = properties.find("{*}numPr")
    if numbered is None:
        return None, None
    list_id, level = numbered.find("{*}numId"), numbered.find("{*}ilvl")
    return (None if list_id is None else _value(list_id)), (None if level is None else _integer(_value(level), 0))


def _attribute(element: _Element, name: str) -> str:
    return next((str(value) for key, value in element.attrib.items() if str(key).rpartition("}")[2] == name), "")


def _value(element: _Element | None) -> str:
    return "" if element is None else _attribute(element, "val")


def _integer(stated: str, otherwise: int) -> int:
    return int(stated) if stated.isdecimal() and len(stated) < 10 else otherwise
