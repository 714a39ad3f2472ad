"""Headings to sections: which stretch of a text stands under which headings."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from selfstudy.core.records import Section

LONGEST = 200  # characters; a longer "heading" is a paragraph
_CODE = re.compile(r"(`+[^`\n]+`+)")
_ROLE = re.compile(r":[\w:.+-]+:(?=`)")
_MARKUP: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"!?\[([^\]]*)\](?:\([^)]*\)|\[[^\]]*\])"), r"\1"),
    (re.compile(r"</?(?:a|b|i|em|strong|span|code|sub|sup|br|img)\b[^>]*>"), ""),
    (re.compile(r"\{#[^}]*\}\s*$"), ""),
    (re.compile(r"\*\*(\S(?:.*?\S)?)\*\*"), r"\1"),
    (re.compile(r"(?<!\w)__(\S(?:.*?\S)?)__(?!\w)"), r"\1"),
    (re.compile(r"\*(\S(?:.*?\S)?)\*"), r"\1"),
    (re.compile(r"(?<!\w)_(\S(?:.*?\S)?)_(?!\w)"), r"\1"),
    (re.compile(r"\\([!-/:-@\[-`{-~])"), r"\1"),
)
_HASHES = re.compile(r"^ {0,3}#{1,6}(?=\s|$)|(?<=\s)#+\s*$")
_BARE = re.compile(r"[\s\-*_=~`#|>+]*")


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading of `level` 1 (highest) and more; its lines, adornment included, are `text[start:end]`."""

    level: int
    title: str
    start: int
    end: int


def plain_heading(line: str) -> str:
    """A heading as a reader sees it: without the marks of Markdown or reStructuredText, white space made one."""
    line = _ROLE.sub("", _HASHES.sub("", line))
    parts = _CODE.split(line)
    for index in range(0, len(parts), 2):
        for pattern, instead in _MARKUP:
            parts[index] = pattern.sub(instead, parts[index])
    for index in range(1, len(parts), 2):
        parts[index] = parts[index].strip("`")
    return " ".join("".join(parts).split())


def sections(text: str, headings: Sequence[Heading]) -> tuple[Section, ...]:
    """The sections under `headings`, in order and disjoint; each begins after the lines of its heading.

    What stands before the first heading has the empty path. A heading with nothing under it is itself text, of the section above it.
    """
    found: list[Section] = []
    path: list[Heading] = []
    if headings and not _is_bare(text, 0, headings[0].start):
        found.append(Section((), 0, headings[0].start))
    for index, heading in enumerate(headings):
        following = headings[index + 1] if index + 1 < len(headings) else None
        start, end = heading.end, following.start if following else len(text)
        path = [above for above in path if above.level < heading.level]
        leaf = following is None or following.level <= heading.level
        empty = _is_bare(text, start, end)
        if empty and leaf:
            start = heading.start
        else:
            path.append(heading)
        names = tuple(above.title for above in path)
        if empty and not leaf:
            continue
        if found and found[-1].path == names and found[-1].end == start:
            found[-1] = Section(names, found[-1].start, end)
        else:
            found.append(Section(names, start, end))
    return tuple(found)


def _is_bare(text: str, start: int, end: int) -> bool:
    """Whether nothing but rules and white space stands there."""
    match = _BARE.match(text, start, end)
    return match is not None and match.end() == end
