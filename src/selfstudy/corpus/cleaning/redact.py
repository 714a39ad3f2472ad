"""Documents without what must not be kept or sent on: it is replaced by its kind, "[email]"."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from selfstudy.core.records import Document, Scalar, Section, digest
from selfstudy.corpus.cleaning.sensitive import Found, Kind, found
from selfstudy.corpus.set_aside import SetAside

__all__ = ["Kind", "redact", "redact_aside"]
_FILES = ("attached_to", "archive")
"""Fields of meta that hold the id of another document."""


def redact(document: Document, kinds: Sequence[Kind]) -> tuple[Document, Counter[str]]:
    """`document` with what is of `kinds` replaced by "[email]", "[phone]", "[id]" or "[key]", and how many of each there were.

    Text, title, headings, marks and meta are searched, numbers in it too. Of the id all is that is no file's name: that of a row, or what
    follows the "#" after a file's name, such as the subject of an attached letter; a short hash keeps such an id unique, and the same the
    next time. Who knows an address can find its hash. Sections and marks stand where they stood.
    """
    counts: Counter[str] = Counter()

    def plain(text: str) -> str:
        places = found(text, kinds)
        counts.update(kind for _, _, kind in places)
        return _replaced(text, places)

    def field(name: str, value: Scalar) -> Scalar:
        if isinstance(value, bool):
            return value
        if isinstance(value, str):
            return _part(value, kinds) if name in _FILES and _is_file(document) else plain(value)
        written = f"{value:.0f}" if isinstance(value, float) and value.is_integer() else str(value)
        return value if (told := plain(written)) == written else told

    id, source = _named(document, kinds)
    counts.update(kind for _, _, kind in found(document.id, kinds) if id != document.id)
    places = found(document.text, kinds)
    counts.update(kind for _, _, kind in places)
    moved = _Moved(places)
    sections = tuple(Section(tuple(map(plain, one.path)), moved(one.start), moved(one.end)) for one in document.sections)
    marks = tuple(replace(mark, start=moved(mark.start), label=plain(mark.label)) for mark in document.marks)
    meta = {name: field(name, value) for name, value in document.meta.items()}
    text, title = _replaced(document.text, places), plain(document.title)
    if counts:
        meta["redacted"] = counts.total()
    return replace(document, id=id, text=text, title=title, source=source, meta=meta, sections=sections, marks=marks), counts


def redact_aside(aside: SetAside, kinds: Sequence[Kind]) -> SetAside:
    """`aside` without what is of `kinds`: in its reason, and in its source as in that of a document."""
    reason = _replaced(aside.reason, found(aside.reason, kinds))
    return replace(aside, source=_part(aside.source, kinds), reason=reason)


def _named(document: Document, kinds: Sequence[Kind]) -> tuple[str, str]:
    """The id and the source."""
    id, source = document.id, document.source
    if not _is_file(document):
        return _hashed(id, kinds), _part(source, kinds)
    told = _part(id, kinds)
    return told, source.removesuffix(id) + told


def _is_file(document: Document) -> bool:
    """Whether it is a file, or lies in one, and no row: then its source ends in its id."""
    return document.source.endswith(document.id)


def _part(name: str, kinds: Sequence[Kind]) -> str:
    """The name of a file as it is, and without what is of `kinds` the names of what lies in it: each begins as that of what it lies in."""
    file, *inside = name.split("#")
    return "#".join((file, *(_hashed(one, kinds) for one in inside)))


def _hashed(id: str, kinds: Sequence[Kind]) -> str:
    places = found(id, kinds)
    return f"{_replaced(id, places)} {digest(id)[:12]}" if places else id


def _replaced(text: str, places: Found) -> str:
    parts, at = [], 0
    for start, end, kind in places:
        parts += [text[at:start], f"[{kind}]"]
        at = end
    return "".join([*parts, text[at:]])


class _Moved:
    """Where a place of the old text is in the new one."""

    def __init__(self, places: Found) -> None:
        self._starts = [start for start, _, _ in places]
        self._places = places
        self._shift = [0]
        for start, end, kind in places:
            self._shift.append(self._shift[-1] + len(kind) + 2 - (end - start))

    def __call__(self, place: int) -> int:
        count = bisect_right(self._starts, place - 1)
        if count and place < self._places[count - 1][1]:  # inside of what is replaced: its end
            place = self._places[count - 1][1]
        return place + self._shift[count]
