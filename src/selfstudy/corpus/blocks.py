"""Headings, items, paragraphs and tables, whatever format they come from, put together into one text."""

from __future__ import annotations

from dataclasses import dataclass

from selfstudy.corpus.headings import Heading


@dataclass(frozen=True, slots=True)
class Block:
    """A heading (level 1 to 6), or a list item, paragraph or table (level 0). A table has a line for each row: "cell | cell"."""

    text: str
    level: int = 0
    item: bool = False


def join(blocks: list[Block]) -> tuple[str, list[Heading]]:
    """Blocks as one text, with its headings: a line to an item, an empty line between all others."""
    text, headings, length = [], [], 0
    previous: Block | None = None
    for block in blocks:
        gap = "" if previous is None else "\n" if block.item and previous.item else "\n\n"
        line = f"- {block.text}" if block.item else block.text
        start = length + len(gap)
        length = start + len(line)
        text += [gap, line]
        if block.level:
            headings.append(Heading(block.level, block.text, start, length))
        previous = block
    return "".join(text), headings
