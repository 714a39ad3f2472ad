"""The text of an answer taken apart again: each sentence with the numbers of its citations."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from pydantic import BaseModel, Field

from selfstudy.core.records import Answer


class Said(BaseModel):
    """A sentence of an answer without its marks."""

    text: str = Field(examples=["The warranty runs for two years."])
    citations: list[int] = Field(examples=[[1, 2]])


def sentences_of(answer: Answer) -> list[Said]:
    """The sentences of `answer.text`, each with the numbers of its marks."""
    if answer.abstained or not answer.citations:
        return [Said(text=answer.text, citations=[])]
    found: list[Said] = []
    at = 0
    for marks in marks_of(answer.text, {citation.number: citation.quote for citation in answer.citations}):
        found.append(Said(text=answer.text[at : min(marks.values())].strip(), citations=list(marks)))
        last = max(marks)
        at = marks[last] + len(f"[{last}]")
    if rest := re.sub(r"\s+", " ", answer.text[at:]).strip():
        found.append(Said(text=rest, citations=[]))
    return found


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
