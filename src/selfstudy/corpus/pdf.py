"""PDF with a text layer."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

from selfstudy.core.errors import BadInput, MissingExtra
from selfstudy.core.ports import Progress, silent
from selfstudy.core.records import Document, Mark, Scalar
from selfstudy.corpus.decode import clean, one_line
from selfstudy.corpus.meta import first_date, stated_title
from selfstudy.corpus.ocr import Engine, Seen, see
from selfstudy.corpus.pictures import confidences

_LIGATURES = str.maketrans({"ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl", "ﬅ": "st", "ﬆ": "st", "\xa0": " "})
# PDFium gives U+FFFE, U+0002 or a soft hyphen for a hyphen at the end of a line, and runs the two lines together.
_LINE_HYPHEN = re.compile(r"(\w+)[\ufffe\x02\xad](?:\r?\n)?(\w+)")
_LEADERS = re.compile(r"(?:\s?\.){5,}\s*")
_PAGE_NUMBER = re.compile(r"(?:page\s*)?[-–—\s]*(?:\d{1,4}|[ivxlc]{1,7})[-–—\s]*(?:(?:of|/)\s*\d{1,4})?\s*$", re.IGNORECASE)
_OPENING = re.compile(r"\s*(?:[A-Z0-9•▪●◦*\-–—(\[“\"'$€£]|[^\x00-\u2e7f])")
_CLOSING = (".", "!", "?", ":", ";", "。", "！", "？", "：", "；", ".”", '."')
_DOTS, _LONGEST = 200, 3000  # dots per inch, pixels of the longer side
_EAST = "[\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef]"
_BROKEN_EAST = re.compile(f"(?<={_EAST})\n(?={_EAST})")


class Pdf:
    """Reads a PDF as one document: the text layer, paragraphs set off by an empty line, running heads and page numbers left out.

    Pages that are only pictures are read by OCR, or, with `ocr` "off", counted. meta: `pages`; `author` and `updated` where the file
    states them; `pages_without_text` where pictures stayed unread; `ocr_confidence` and `ocr_pages` as pictures have them. Raises BadInput
    where the file is encrypted or broken, or holds no text; MissingExtra where OCR is not installed, after the document if other pages
    have text. Not for several threads at once, as PDFium is not.
    """

    def __init__(self, ocr: Engine = "off", progress: Progress = silent) -> None:
        self.ocr = ocr
        self.progress = progress

    def parse(self, path: Path) -> Iterator[Document]:
        import pypdfium2

        try:
            pdf = pypdfium2.PdfDocument(path)
        except pypdfium2.PdfiumError as error:
            raise _refusal(error) from None
        try:
            facts = pdf.get_metadata_dict(skip_empty=True)
            pages = [_page_text(pdf, index) for index in range(len(pdf))]
            scans = [index for index, page in enumerate(pages) if not page.strip() and _has_picture(pdf, index)]
            seen, missing = self._seen(pdf, scans)
        finally:
            pdf.close()
        for number, one in seen.items():
            pages[number - 1] = one.text
        if missing is not None and not any(page.strip() for page in pages):
            raise missing
        if not any(page.strip() for page in pages):
            raise BadInput(
                "no text layer: a scan needs OCR" if len(scans) > len(seen) else "empty: no text on any page", "Run OCR on it first."
            )
        text, marks = _joined(pages)
        meta: dict[str, Scalar] = {"pages": len(pages)}
        author = one_line(facts.get("Author", ""))
        updated = first_date(facts.get("ModDate", ""), facts.get("CreationDate", ""))
        if author:
            meta["author"] = author
        if updated:
            meta["updated"] = updated
        if unread := sum(not pages[index].strip() for index in scans):
            meta["pages_without_text"] = unread
        yield Document(path.name, text, stated_title(facts.get("Title", "")), str(path), {**meta, **confidences(seen)}, marks=marks)
        if missing is not None:
            raise missing

    def _seen(self, pdf: Any, scans: list[int]) -> tuple[dict[int, Seen], MissingExtra | None]:
        """What is on the pages `scans` (from 0), by page number (from 1), or what is missing to see it."""
        seen: dict[int, Seen] = {}
        for done, index in enumerate(scans if self.ocr != "off" else ()):
            self.progress(done, len(scans))
            try:
                seen[index + 1] = see(_picture(pdf, index), self.ocr)
            except MissingExtra as error:
                some = f"{len(scans)} of its {len(pdf)} pages are pictures. {error.problem}"
                return {}, MissingExtra(some if len(scans) < len(pdf) else f"a scan needs OCR. {error.problem}", error.mend)
        return seen, None


def _refusal(error: Exception) -> BadInput:
    import pypdfium2.raw as raw

    code = getattr(error, "err_code", None)
    if code == raw.FPDF_ERR_PASSWORD:
        return BadInput("encrypted: a password is needed", "Save it without a password.")
    if code == raw.FPDF_ERR_SECURITY:
        return BadInput("encrypted by a method that cannot be read", "Save it without encryption.")
    return BadInput(f"broken: not a PDF that can be read ({error})", "Open it in a PDF reader and save it anew.")


def _page_text(pdf: Any, index: int) -> str:
    page = pdf[index]
    layer = page.get_textpage()
    text: str = layer.get_text_range()
    layer.close()
    page.close()
    return text


def _has_picture(pdf: Any, index: int) -> bool:
    import pypdfium2.raw as raw

    page = pdf[index]
    found = any(True for _ in page.get_objects(filter=[raw.FPDF_PAGEOBJ_IMAGE]))
    page.close()
    return found


def _picture(pdf: Any, index: int) -> Any:
    """A page as a PIL image, as a scanner with 200 dots per inch would see it; larger sheets with fewer."""
    page = pdf[index]
    bitmap = page.render(scale=min(_DOTS / 72, _LONGEST / max(page.get_size())))
    page.close()
    return bitmap.to_pil()


def _joined(pages: list[str]) -> tuple[str, tuple[Mark, ...]]:
    """Pages as one text, and where each of them begins."""
    whole = "\f".join(pages).translate(_LIGATURES)
    words = Counter(re.findall(r"\w+", whole.lower()))

    def mend(match: re.Match[str]) -> str:
        # "infor-mation" is one word where the document writes it so elsewhere; "non-payment" keeps its hyphen.
        joined = match[1] + match[2]
        return joined if words[joined.lower()] else f"{match[1]}-{match[2]}"

    mended = [clean(page) for page in _LINE_HYPHEN.sub(mend, whole).split("\f")]
    sheets = [[_LEADERS.sub(" … ", line).strip() for line in page.split("\n")] for page in mended]
    sheets = _without_running_lines([[line for line in sheet if line] for sheet in sheets])
    parts: list[str] = []
    marks: list[Mark] = []
    length, last = 0, ""
    for number, sheet in enumerate(sheets, 1):
        if page := _BROKEN_EAST.sub("", _paragraphs(sheet)):
            goes_on = last and not last.endswith(_CLOSING) and page[0].islower()
            gap = "" if not last else "\n" if goes_on else "\n\n"
            parts += [gap, page]
            marks.append(Mark(length + len(gap), f"p. {number}"))
            length += len(gap) + len(page)
            last = page
    return "".join(parts), tuple(marks)


def _without_running_lines(sheets: list[list[str]]) -> list[list[str]]:
    """Pages without the heads and feet that stand on most of them, their numbers aside, and without lone page numbers."""
    edges = Counter(mark for sheet in sheets for mark in {_mark(line) for line in sheet[:2] + sheet[-2:]})
    often = max(3, len(sheets) // 2 + 1)
    kept = []
    for sheet in sheets:
        first, last = 0, len(sheet)
        while first < min(2, last) and (edges[_mark(sheet[first])] >= often or (len(sheets) > 1 and _PAGE_NUMBER.match(sheet[first]))):
            first += 1
        while last > max(first, len(sheet) - 2) and (
            edges[_mark(sheet[last - 1])] >= often or (len(sheets) > 1 and _PAGE_NUMBER.match(sheet[last - 1]))
        ):
            last -= 1
        kept.append(sheet[first:last])
    return kept if any(kept) else sheets


def _mark(line: str) -> str:
    return re.sub(r"\d+", "0", line.lower())


def _paragraphs(lines: list[str]) -> str:
    """The lines of a page, an empty one set after each that ends well before the margin when the next opens a sentence or an item."""
    widths = sorted(map(len, lines))
    full = widths[int(0.9 * (len(widths) - 1))] if widths else 0
    text = []
    for line, following in pairwise([*lines, ""]):
        ends = len(line) < 0.7 * full and _OPENING.match(following) is not None
        text.append(line + ("\n\n" if ends else "\n"))
    return "".join(text).strip()
