"""The text of an answer taken apart again: each sentence with the numbers of its citations."""

from __future__ import annotations

import re

from pydantic import BaseModel, Field

from selfstudy.core.records import Answer


class Said(BaseModel):
    """A sentence of an answer without its marks."""

    text: str = Field(examples=["The warranty runs for two years."])
    citations: list[int] = Field(examples=[[1, 2]])


def sentences_of(answer: Answer) -> list[Said]:
    """The sentences of `answer.text`, which are set off by runs of marks like " [1][2]", numbered from 1 on.

    A sentence that is a quotation may hold such marks of its own: it ends where its quotation does.
    """
    if answer.abstained or not answer.citations:
        return [Said(text=answer.text, citations=[])]
    quotes = {citation.number: citation.quote for citation in answer.citations}
    found: list[Said] = []
    at, number = 0, 1
    while number in quotes:
        quoted = quotes[number] if answer.text.startswith(f"{quotes[number]} [{number}]", at) else ""
        mark = answer.text.find(f" [{number}]", at + len(quoted))
        if mark < 0:
            break
        text, at = answer.text[at:mark], mark + 1
        numbers = []
        while number in quotes and answer.text.startswith(f"[{number}]", at):
            numbers.append(number)
            at += len(f"[{number}]")
            number += 1
        found.append(Said(text=text.strip(), citations=numbers))
    if rest := re.sub(r"\s+", " ", answer.text[at:]).strip():
        found.append(Said(text=rest, citations=[]))
    return found
