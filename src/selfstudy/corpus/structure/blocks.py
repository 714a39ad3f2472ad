"""Headings, items, paragraphs and tables, whatever format they come from, put together into one text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from selfstudy.core.records import Mark
from selfstudy.corpus.structure.headings import Heading


@dataclass(frozen=True, slots=True)
class Block:
    """A heading (level 1 to 6), or a list item, paragraph or table (level 0). A table has a line for each row: "cell | cell".

    `label`: what stands before an item, such as "3."
    """

    text: str
    level: int = 0
    item: bool = False
    label: str = "-"
    at: str = ""
    rows: tuple[int, ...] = ()


def marks(blocks: list[Block]) -> tuple[Mark, ...]:
    """Where each block that says so stands in its source: `at` its first character, or its lines, which are the `rows` of these numbers."""
    found: list[Mark] = []
    for block, start in zip(blocks, _starts(blocks), strict=True):
        if block.rows:
            found += row_marks(start, block.at, block.text.split("\n"), block.rows)
        elif block.at:
            found.append(Mark(start, block.at))
    return tuple(found)


def row_marks(start: int, label: str, lines: Sequence[str], numbers: Sequence[int]) -> Iterator[Mark]:
    """A mark for each line whose number is not that of the line before it and one more."""
    for line, number, before in zip(lines, numbers, (None, *numbers), strict=False):
        if before is None or number != before + 1:
            yield Mark(start, label, number)
        start += len(line) + 1


def _starts(blocks: list[Block]) -> Iterator[int]:
    """Where each block begins in the text that `join` makes of them."""
    length = 0
    for block, following in zip(blocks, (*blocks, None)[1:], strict=True):
        yield length
        length += len(block.text) + (len(block.label) + 1 if block.item else 0)
        if following is not None:
            length += 1 if block.item and following.item else 2


def join(blocks: list[Block]) -> tuple[str, list[Heading]]:
    """Blocks as one text, with its headings: a line to an item, an empty line between all others."""
    text, headings = [], []
    previous: Block | None = None
    for block, start in zip(blocks, _starts(blocks), strict=True):
        gap = "" if previous is None else "\n" if block.item and previous.item else "\n\n"
        text += [gap, f"{block.label} {block.text}" if block.item else block.text]
        if block.level:
            headings.append(Heading(block.level, block.text, start, start + len(text[-1])))
        previous = block
    return "".join(text), headings
