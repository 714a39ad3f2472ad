"""The text of an answer taken apart again: each sentence with the numbers of its citations."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import pairwise

from pydantic import BaseModel, Field

from selfstudy.answer.assembled import UNPROVEN
from selfstudy.core.records import Answer

_UNPROVEN = re.compile("|".join(map(re.escape, UNPROVEN)))


class Said(BaseModel):
    """A sentence of an answer without its marks."""

    text: str = Field(examples=["The warranty runs for two years."])
    citations: list[int] = Field(examples=[[1, 2]])


def sentences_of(answer: Answer) -> list[Said]:
    """The sentences of `answer.text`, each with the numbers of its marks; one that is marked as unproven has none, and stands alone."""
    quotes = {citation.number: citation.quote for citation in answer.citations}
    found: list[Said] = []
    at = 0
    for marks in marks_of(answer.text, quotes):
        *unproven, said = _apart(answer.text[at : min(marks.values())], quotes[min(marks)]) or [Said(text="", citations=[])]
        found += [*unproven, Said(text=said.text, citations=list(marks))]
        last = max(marks)
        at = marks[last] + len(f"[{last}]")
    return found + _apart(answer.text[at:])


def _apart(text: str, quote: str = "") -> list[Said]:
    """What stands in `text` behind each mark of an unproven sentence; `quote` at its end may hold such words of its own."""
    head = text.rstrip().removesuffix(quote)
    ends = [0, *(match.end() for match in _UNPROVEN.finditer(head)), len(text)]
    return [Said(text=said, citations=[]) for start, end in pairwise(ends) if (said := text[start:end].strip())]


def marks_of(text: str, quotes: Mapping[int, str]) -> Iterator[dict[int, int]]:
    """Where the marks stand in `text`, for each sentence: they come in runs like " [1][2]", numbered from 1 on.

    A sentence that is a quotation may hold such marks of its own: it ends where its quotation does.
    """
    at, number = 0, 1
    while number in quotes:
        while text[at : at + 1].isspace():
            at += 1
        quoted = quotes[number] if text.startswith(f"{quotes[number]} [{number}]", at) else ""
        space = text.find(f" [{number}]", at + len(quoted))
        if space < 0:
            return
        at, marks = space + 1, {}
        while number in quotes and text.startswith(mark := f"[{number}]", at):
            marks[number] = at
            at += len(mark)
            number += 1
        yield marks
