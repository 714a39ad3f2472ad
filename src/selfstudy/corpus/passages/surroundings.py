"""What stands around a span of a document: the section that it is in, as far as that can be read at a glance."""

from __future__ import annotations

import re

from selfstudy.core.records import Document
from selfstudy.corpus.passages.chunk import word_count

MOST = 400
"""Words that are shown around a span; a section that is longer is cut at its paragraphs."""
_PARAGRAPH = re.compile(r"\n\s*\n\s*|\n(?=\S)")


def surroundings(document: Document, start: int, end: int, most: int = MOST) -> tuple[int, int]:
    """The span of the innermost section around `document.text[start:end]`, without white space at its ends.

    Where that has more than `most` words, or the document has no sections: as many whole paragraphs of it before and after the span, in
    turn, as `most` words allow; the paragraphs of the span itself always.
    """
    text = document.text
    holding = [section for section in document.sections if section.start <= start and end <= section.end]
    inner = max(holding, key=lambda section: (section.start, -section.end), default=None)
    low, high = (inner.start, inner.end) if inner is not None else (0, len(text))
    if word_count(text[low:high]) > most:
        low, high = _paragraphs(text, low, high, start, end, most)
    return low + len(text[low:high]) - len(text[low:high].lstrip()), high - len(text[low:high]) + len(text[low:high].rstrip())


def _paragraphs(text: str, low: int, high: int, start: int, end: int, most: int) -> tuple[int, int]:
    cuts = sorted({low, high, *(match.end() for match in _PARAGRAPH.finditer(text, low, high))})
    left = max(at for at, cut in enumerate(cuts) if cut <= start)
    right = min(at for at, cut in enumerate(cuts) if cut >= end and at > left)
    room = most - word_count(text[cuts[left] : cuts[right]])
    before = after = True
    while before or after:
        if before := before and left > 0 and (words := word_count(text[cuts[left - 1] : cuts[left]])) <= room:
            left, room = left - 1, room - words
        if after := after and right + 1 < len(cuts) and (words := word_count(text[cuts[right] : cuts[right + 1]])) <= room:
            right, room = right + 1, room - words
    return cuts[left], cuts[right]
