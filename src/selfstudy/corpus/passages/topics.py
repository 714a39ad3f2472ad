"""Texts without headings, such as transcripts and notes, parted where their subject changes; each part is titled by its telling words.

TextTiling (Hearst 1997, Computational Linguistics 23): how alike are the words before and after a place? A valley is a change of subject.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from pydantic import BaseModel, ConfigDict, Field

from selfstudy.core.records import Document, Section
from selfstudy.core.text import content_words
from selfstudy.corpus.passages.chunk import word_count

_LINE = re.compile(r"[^\n]+(?:\n+|$)")
_BLOCK = 8
"""Stretches on each side of a place that are compared."""
_STRETCH = 12
"""Words that carry meaning in a stretch, about; it ends with its line."""


class Topics(BaseModel):
    """Where texts without headings are parted by subject. On qmsum neither people's questions nor written ones gained by it: LOG.md."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    on: bool = Field(False, description="whether texts without headings are parted where their subject changes, and the parts titled")
    least: int = Field(800, ge=100, description="words below which a text is one subject")
    words: int = Field(250, ge=50, description="words that a part has at least")
    title: int = Field(3, ge=0, le=8, description="telling words in the title of a part")


def topics(document: Document, cfg: Topics = Topics(on=True)) -> Document:  # noqa: B008
    """`document` with a section for each subject, titled by what is said there and not elsewhere; its text and marks stay.

    A document with headings, or with fewer than `least` words, is given back as it is.
    """
    text = document.text
    bare = all(len(section.path) == 0 or section.path == (document.title,) for section in document.sections)
    if not cfg.on or not bare or word_count(text) < cfg.least:
        return document
    start = min((section.start for section in document.sections), default=0)
    stretches = _stretches(text, start)
    cuts = _cuts(stretches, text, cfg.words)
    parts = [(stretches[first][0], stretches[last - 1][1]) for first, last in pairwise([0, *cuts, len(stretches)])]
    if len(parts) < 2:
        return document
    counts = [Counter(_words(text[left:right], document)) for left, right in parts]
    head = (document.title,) if document.title else ()
    sections = []
    for (left, right), count in zip(parts, counts, strict=True):
        title = ", ".join(_telling(count, counts)[: cfg.title])
        sections.append(Section((*head, title) if title else head, left, right))
    return replace(document, sections=tuple(sections))


def _stretches(text: str, start: int) -> list[tuple[int, int, Counter[str]]]:
    """Whole lines, put together until enough is said in them."""
    found: list[tuple[int, int, Counter[str]]] = []
    begin, words = start, Counter[str]()
    for line in _LINE.finditer(text, start):
        words.update(content_words(line[0]))
        if words.total() >= _STRETCH:
            found.append((begin, line.end(), words))
            begin, words = line.end(), Counter()
    if found and text[begin:].strip():
        left, _, before = found.pop()
        found.append((left, len(text), before + words))
    return found or [(start, len(text), words)]


def _cuts(stretches: Sequence[tuple[int, int, Counter[str]]], text: str, least: int) -> list[int]:
    """Before which stretches the subject changes: the deepest valleys first, none so near to another that a part has too few words."""
    if len(stretches) < 4:
        return []
    alike = [_cosine(_sum(stretches[max(0, at - _BLOCK) : at]), _sum(stretches[at : at + _BLOCK])) for at in range(1, len(stretches))]
    depths = [_rise(alike[: at + 1][::-1]) + _rise(alike[at:]) for at in range(len(alike))]
    mean = sum(depths) / len(depths)
    enough = mean + math.sqrt(sum((depth - mean) ** 2 for depth in depths) / len(depths)) / 2
    words = [0.0]
    for left, right, _ in stretches:
        words.append(words[-1] + word_count(text[left:right]))
    chosen = [0, len(stretches)]
    for at in sorted(range(len(depths)), key=lambda at: (-depths[at], at)):
        if depths[at] > enough and all(abs(words[at + 1] - words[cut]) >= least for cut in chosen):
            chosen.append(at + 1)
    return sorted(chosen)[1:-1]


def _rise(values: Sequence[float]) -> float:
    """How far it goes up from the first of `values` until it goes down."""
    top = values[0]
    for value in values[1:]:
        if value < top:
            break
        top = value
    return top - values[0]


def _sum(stretches: Sequence[tuple[int, int, Counter[str]]]) -> Counter[str]:
    total = Counter[str]()
    for _, _, words in stretches:
        total.update(words)
    return total


def _cosine(one: Counter[str], other: Counter[str]) -> float:
    shared = sum(count * other[word] for word, count in one.items())
    return shared / math.sqrt(sum(n * n for n in one.values()) * sum(n * n for n in other.values()) or 1.0)


def _words(text: str, document: Document) -> list[str]:
    names = set(content_words(str(document.meta.get("speakers", ""))))
    return [word for word in content_words(text) if word not in names and (len(word) > 3 or not word.isascii()) and not word.isdigit()]


def _telling(count: Counter[str], counts: Sequence[Counter[str]]) -> list[str]:
    """The words of a part, those first that come often in it and in few others."""
    score = {word: n * math.log((1 + len(counts)) / sum(word in other for other in counts)) for word, n in count.items() if n > 1}
    return sorted(score, key=lambda word: (-score[word], word))
