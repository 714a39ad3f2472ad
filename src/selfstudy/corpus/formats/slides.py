"""PowerPoint files (pptx): a section for each slide, with its text, tables and notes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from selfstudy.core.plugs import extra
from selfstudy.core.records import Document
from selfstudy.corpus.formats.decode import clean, one_line
from selfstudy.corpus.formats.office import opened
from selfstudy.corpus.structure.blocks import Block, join, marks
from selfstudy.corpus.structure.grid import Cell, bars
from selfstudy.corpus.structure.headings import LONGEST, sections

_FRAME = ("DATE", "FOOTER", "HEADER", "SLIDE_NUMBER")
_BODY = ("BODY", "OBJECT", "VERTICAL_BODY", "VERTICAL_OBJECT")


class Pptx:
    """Reads a presentation as one document: "Slide 3: Title" above the text of each slide, in the order in which it was drawn.

    Dates, footers and slide numbers are left out. meta has `slides`. `limit`: bytes that its text may unpack to.
    """

    def __init__(self, limit: int = 50_000_000) -> None:
        self.limit = limit

    def parse(self, path: Path) -> Iterator[Document]:
        pptx = extra("pptx", "office")
        copy, stated, meta = opened(path, self.limit)
        slides = list(pptx.Presentation(copy).slides)
        titles = [_title(slide) for slide in slides]
        found = [list(_slide(slide)) for slide in slides]
        blocks: list[Block] = []
        for number, (title, inside) in enumerate(zip(titles, found, strict=True), 1):
            if title or inside:
                blocks += [Block(f"Slide {number}: {title}" if title else f"Slide {number}", 1, at=f"slide {number}"), *inside]
        text, headings = join(blocks)
        title = stated if stated not in ("", "PowerPoint Presentation") else next(iter(titles), "")
        yield Document(path.name, text, title, str(path), {"slides": len(slides), **meta}, sections(text, headings), marks(blocks))


def _title(slide: Any) -> str:
    shape = slide.shapes.title
    title = one_line(shape.text_frame.text) if shape is not None else ""
    return title if len(title) <= LONGEST else ""


def _slide(slide: Any) -> Iterator[Block]:
    title = slide.shapes.title if _title(slide) else None
    yield from _shapes(slide.shapes, None if title is None else title.element)
    notes = slide.notes_slide.notes_text_frame if slide.has_notes_slide else None
    said = clean(notes.text).strip() if notes is not None else ""
    if said:
        yield Block(f"Notes: {said}")


def _shapes(shapes: Iterable[Any], title: Any) -> Iterator[Block]:
    for shape in shapes:
        role = shape.placeholder_format.type if shape.is_placeholder else None
        name = role.name if role is not None else ""
        if shape.element is title or name in _FRAME:
            continue
        if hasattr(shape, "shapes"):  # a group
            yield from _shapes(shape.shapes, title)
        elif shape.has_text_frame:
            lines = [one_line(paragraph.text) for paragraph in shape.text_frame.paragraphs]
            lines = [line for line in lines if line]
            if name in _BODY and len(lines) > 1:
                yield from (Block(line, item=True) for line in lines)
            elif lines:
                yield Block("\n".join(lines))
        elif getattr(shape, "has_table", False):
            yield from _table(shape.table)


def _table(table: Any) -> Iterator[Block]:
    lines = bars([[_cell(cell) for cell in row.cells if not cell.is_spanned] for row in table.rows])
    if lines:
        yield Block("\n".join(lines))


def _cell(cell: Any) -> Cell:
    merged = cell.is_merge_origin
    return Cell(one_line(cell.text), cell.span_width if merged else 1, cell.span_height if merged else 1)
