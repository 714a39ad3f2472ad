"""What PDFium says of a page: its text with its tables, what was filled in and written on it, and whether it is a scan."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from selfstudy.corpus.formats.decode import one_line
from selfstudy.corpus.formats.pdf_tables import Box, with_tables

_STAMP = 200  # characters; a page of text has more
_COVERED = 0.6  # share of the page under pictures, of a scan
_DOTS, _LONGEST = 200, 3000  # dots per inch, pixels of the longer side


@dataclass(slots=True)
class Page:
    """`notes` are lines beside the text: the fields of a form with what is in them, and what was written on the page."""

    text: str
    notes: tuple[str, ...] = ()
    scan: bool = False


def read(pdf: Any, index: int) -> Page:
    """Page `index`, from 0. It counts as a scan where there is only a picture on it, or a picture all over it and little text."""
    page = pdf[index]
    layer = page.get_textpage()
    try:
        text: str = layer.get_text_range()
        told = with_tables(text, _boxes(layer)) if len(text) == layer.count_chars() else text
        scan = _is_scan(page, text) if len(text.strip()) < _STAMP else False
        return Page(told, tuple(dict.fromkeys(_notes(pdf, page, text))), scan)
    finally:
        layer.close()
        page.close()


def picture(pdf: Any, index: int) -> Any:
    """A page as a PIL image, as a scanner with 200 dots per inch would see it; larger sheets with fewer."""
    page = pdf[index]
    bitmap = page.render(scale=min(_DOTS / 72, _LONGEST / max(page.get_size())))
    page.close()
    return bitmap.to_pil()


def _boxes(layer: Any) -> Any:
    import pypdfium2.raw as raw

    left, right, bottom, top = (ctypes.c_double() for _ in range(4))

    def box(at: int) -> Box:
        raw.FPDFText_GetCharBox(layer.raw, at, left, right, bottom, top)
        return left.value, bottom.value, right.value, top.value

    return box


def _is_scan(page: Any, text: str) -> bool:
    import pypdfium2.raw as raw

    pictures = list(page.get_objects(filter=[raw.FPDF_PAGEOBJ_IMAGE]))
    if not text.strip() or not pictures:
        return bool(pictures)
    if any(
        raw.FPDFTextObj_GetTextRenderMode(one.raw) == raw.FPDF_TEXTRENDERMODE_INVISIBLE for one in page.get_objects([raw.FPDF_PAGEOBJ_TEXT])
    ):
        return False  # a scan that was read already: its words lie under the picture
    west, south, east, north = page.get_cropbox()
    covered = 0.0
    for one in pictures:
        left, bottom, right, top = one.get_bounds()
        covered += max(0.0, min(east, right) - max(west, left)) * max(0.0, min(north, top) - max(south, bottom))
    return bool(covered >= _COVERED * (east - west) * (north - south))


def _notes(pdf: Any, page: Any, text: str) -> Iterator[str]:
    """The values of a form as "name: value", and notes that stand on the page itself, where the text has not got them."""
    import pypdfium2.raw as raw

    for index in range(raw.FPDFPage_GetAnnotCount(page.raw)):
        note = raw.FPDFPage_GetAnnot(page.raw, index)
        if not note:
            continue
        kind = raw.FPDFAnnot_GetSubtype(note)
        if kind == raw.FPDF_ANNOT_FREETEXT:
            said = one_line(_said(raw.FPDFAnnot_GetStringValue, note, b"Contents"))
        elif kind == raw.FPDF_ANNOT_WIDGET:
            said = _field(pdf, note)
        else:
            said = ""
        raw.FPDFPage_CloseAnnot(note)
        if said and said not in text:
            yield said


def _field(pdf: Any, note: Any) -> str:
    """A field of a form with what is in it, "" where that is nothing. Without a form around it the field itself must say both."""
    import pypdfium2.raw as raw

    form = pdf.formenv.raw if pdf.formenv else None
    value = _said(raw.FPDFAnnot_GetFormFieldValue, form, note) if form else _said(raw.FPDFAnnot_GetStringValue, note, b"V")
    asks = (raw.FPDFAnnot_GetFormFieldAlternateName, raw.FPDFAnnot_GetFormFieldName)
    names = [_said(ask, form, note) for ask in asks] if form else [_said(raw.FPDFAnnot_GetStringValue, note, key) for key in (b"TU", b"T")]
    name = one_line(names[0] or names[1])
    return f"{name}: {one_line(value)}" if name and value.strip() and value != "Off" else ""


def _said(ask: Any, *what: Any) -> str:
    """A string that the library writes into a buffer, in UTF-16."""
    import pypdfium2.raw as raw

    length = ask(*what, None, 0)
    buffer = ctypes.create_string_buffer(length)
    ask(*what, ctypes.cast(buffer, ctypes.POINTER(raw.FPDF_WCHAR)), length)
    return buffer.raw.decode("utf-16-le", "replace").rstrip("\0")
