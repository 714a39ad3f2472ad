"""reStructuredText: the text as it is written, its adorned titles as sections."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from selfstudy.core.facts.dates import first_date
from selfstudy.core.records import Document
from selfstudy.corpus.formats.decode import read_text
from selfstudy.corpus.formats.meta import scalars
from selfstudy.corpus.structure.headings import LONGEST, Heading, plain_heading, sections

_ADORNMENT = re.compile(r"([!-/:-@\[-`{-~])\1{2,}$")
_FIELD = re.compile(r":([A-Za-z][\w -]*):[ \t]+(\S.*)$")


class Rst:
    """Reads a reStructuredText file as one document. The first section title is its title; a list of fields before any paragraph is meta.

    Titles are unindented lines, underlined or over- and underlined at least as far as they go; the order in which adornments
    appear gives the levels (docutils, "reStructuredText Markup Specification", sections).
    """

    def parse(self, path: Path) -> Iterator[Document]:
        text = read_text(path)
        headings = list(_headings(text))
        fields = dict(_fields(text, headings))
        meta = scalars(fields)
        updated = first_date(*(fields[key] for key in ("updated", "date") if key in fields))
        if updated:
            meta["updated"] = updated
        yield Document(path.name, text, headings[0].title if headings else "", str(path), meta, sections(text, headings))


def _headings(text: str) -> Iterator[Heading]:
    starts = [0]
    lines = text.splitlines(keepends=True)
    for line in lines:
        starts.append(starts[-1] + len(line))
    bare = [line.rstrip() for line in lines]
    levels: dict[tuple[str, bool], int] = {}
    index = 0
    while index + 1 < len(bare):
        over = _ADORNMENT.match(bare[index]) is not None
        name = index + 1 if over else index
        first = index == 0 or not bare[index - 1]
        if first and name + 1 < len(bare) and _is_title(bare[name], bare[name + 1], bare[index] if over else None):
            style = (bare[name + 1][0], over)
            level = levels.setdefault(style, len(levels) + 1)
            yield Heading(level, plain_heading(bare[name]), starts[index], starts[name + 2])
            index = name + 2
        else:
            index += 1


def _is_title(line: str, under: str, over: str | None) -> bool:
    if not _ADORNMENT.match(under) or not line.strip() or _ADORNMENT.match(line) or len(line) > LONGEST or not plain_heading(line):
        return False
    if over is not None:
        return over == under
    return not line[0].isspace() and len(under) >= len(line)


def _fields(text: str, headings: list[Heading]) -> Iterator[tuple[str, str]]:
    """The fields at the top, straight after the title if there is one."""
    top = headings[0].end if headings and not text[: headings[0].start].strip() else 0
    for line in text[top:].lstrip().splitlines():
        match = _FIELD.match(line.rstrip())
        if not match:
            return
        yield match[1].strip().lower(), match[2]
