"""Plain text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from selfstudy.core.facts.numerals import HANZI
from selfstudy.core.records import Document, Scalar, Section
from selfstudy.corpus.formats.decode import read_text
from selfstudy.corpus.formats.turns import turns
from selfstudy.corpus.structure.headings import Heading, sections

LONGEST_TITLE = 80
_ENDS = (".", "!", "?", ";", ",", ":", "。", "！", "？", "；", "，", "：")
_LEVELS = "编篇章节条"
_CHINESE = re.compile(rf"[^\S\n]*第[\d{HANZI}]+([{_LEVELS}])(?:[^\S\n]+[^\n]*|)$", re.MULTILINE)
_NUMBERED = re.compile(
    r"(?:(?<=\n\n)|\A)(?:(?:article|section|chapter|part|clause)[^\S\n]+)?(?P<number>\d{1,2}(?:\.\d{1,2}){0,3})\.?(?:[^\S\n]+[^\W\d_][^\n]*|)$",
    re.MULTILINE | re.IGNORECASE,
)
_LEAST = 2
"""Headings: a lone line that looks like one may be anything."""


class Plain:
    """Reads a text file as one document. A short first line that stands alone and is no sentence is its title.

    Headings are lines of their own that are no sentences: 第三条 and its like, and numbered ones after an empty line, in their order. Where
    it is a transcript ("[00:14:03] Anna: words"), meta has `speakers`, and the turns are marked.
    """

    def parse(self, path: Path) -> Iterator[Document]:
        text = read_text(path)
        title, body = _title(text)
        log = path.suffix.lower() == ".log"
        marks, speakers = ((), []) if log else turns(text)
        meta: dict[str, Scalar] = {"speakers": ", ".join(speakers)} if speakers else {}
        headings = [] if log or speakers else _headings(text)
        if headings and headings[0].start < body:
            title, body = "", 0
        found = sections(text, headings) or ((Section((), body, len(text)),) if title else ())
        below = tuple(replace(one, start=max(one.start, body)) for one in found if text[body : one.end].strip())
        yield Document(path.name, text, title, str(path), meta, below, marks)


def _title(text: str) -> tuple[str, int]:
    """The title and where the text after it begins."""
    start = len(text) - len(text.lstrip())
    line, _, rest = text[start:].partition("\n")
    following, _, _ = rest.partition("\n")
    title = " ".join(line.split())
    alone = not following.strip() and rest.strip() != ""
    if alone and _is_heading(title) and any(char.isalpha() for char in title):
        return title, start + len(line) + 1
    return "", 0


def _is_heading(line: str) -> bool:
    """Whether it is short and no sentence."""
    return len(line) <= LONGEST_TITLE and not line.endswith(_ENDS)


def _headings(text: str) -> list[Heading]:
    """The headings of one way of writing them."""
    lines = [match for match in _CHINESE.finditer(text) if _is_heading(match[0].strip())]
    chinese = [Heading(_LEVELS.index(match[1]) + 1, " ".join(match[0].split()), match.start(), match.end()) for match in lines]
    if len(chinese) >= _LEAST:
        return chinese
    numbered: list[Heading] = []
    last: tuple[int, ...] = (0,)
    for match in _NUMBERED.finditer(text):
        number = tuple(map(int, match["number"].split(".")))
        if _is_heading(match[0].strip()) and _follows(number, last):
            numbered.append(Heading(len(number), " ".join(match[0].split()), match.start(), match.end()))
            last = number
    return numbered if len(numbered) >= _LEAST else []


def _follows(number: tuple[int, ...], last: tuple[int, ...]) -> bool:
    """Whether this is the number of the next heading: 2.1 after 2, 3 after 2.1."""
    return number == (*last, 1) or any(number == (*last[:depth], last[depth] + 1) for depth in range(len(last)))
