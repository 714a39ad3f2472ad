"""PDF: its text layer, or what OCR sees where there is none."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from selfstudy.core.errors import BadInput, MissingExtra
from selfstudy.core.facts.dates import first_date
from selfstudy.core.ports import Progress, silent
from selfstudy.core.records import Document, Mark, Scalar
from selfstudy.corpus.formats.decode import clean, one_line
from selfstudy.corpus.formats.meta import stated_title
from selfstudy.corpus.formats.ocr import Engine, Seen, see
from selfstudy.corpus.formats.pdf_lines import ROW, without_running_lines
from selfstudy.corpus.formats.pdf_page import picture, read
from selfstudy.corpus.formats.pictures import confidences

_LIGATURES = str.maketrans({"ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl", "ﬅ": "st", "ﬆ": "st", "\xa0": " "})
# PDFium gives U+FFFE, U+0002 or a soft hyphen for a hyphen at the end of a line, and runs the two lines together.
_LINE_HYPHEN = re.compile(r"(\w+)[\ufffe\x02\xad](?:\r?\n)?(\w+)")
_LEADERS = re.compile(r"(?:\s?\.){5,}\s*")
_OPENING = re.compile(r"\s*(?:[A-Z0-9•▪●◦*\-–—(\[“\"'$€£]|[^\x00-\u2e7f])")
_CLOSING = (".", "!", "?", ":", ";", "。", "！", "？", "：", "；", ".”", '."')
_EAST = "[\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef]"
_BROKEN_EAST = re.compile(f"(?<={_EAST})\n(?={_EAST})")


class Pdf:
    """Reads a PDF as one document: the text layer, paragraphs set off by an empty line, rows of tables as "header: value; header: value".

    What was filled in and written on a page comes after its text. Running heads and feet come once, page numbers not at all. Pages that
    are pictures, but for a stamp, are read by OCR, or, with `ocr` "off", counted. meta: `pages`; `author` and `updated` where the file
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
            pdf.init_forms()
            pages = [read(pdf, index) for index in range(len(pdf))]
            scans = [index for index, page in enumerate(pages) if page.scan]
            seen, missing = self._seen(pdf, scans)
        finally:
            pdf.close()
        for number, one in seen.items():
            pages[number - 1].text = _merged(one.text, pages[number - 1].text)
        said = any(page.text.strip() or page.notes for page in pages)
        if missing is not None and not said:
            raise missing
        if not said:
            raise BadInput(
                "no text layer: a scan needs OCR" if len(scans) > len(seen) else "empty: no text on any page", "Run OCR on it first."
            )
        text, marks = _joined([page.text for page in pages], [page.notes for page in pages])
        meta: dict[str, Scalar] = {"pages": len(pages)}
        author = one_line(facts.get("Author", ""))
        updated = first_date(facts.get("ModDate", ""), facts.get("CreationDate", ""))
        if author:
            meta["author"] = author
        if updated:
            meta["updated"] = updated
        if unread := sum(index + 1 not in seen or not seen[index + 1].text for index in scans):
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
                seen[index + 1] = see(picture(pdf, index), self.ocr)
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


def _merged(seen: str, layer: str) -> str:
    """What was seen on a page, and the lines of its text layer that were not."""
    letters = _letters(seen)
    return "\n".join([seen, *(line for line in layer.splitlines() if _letters(line) not in letters)]).strip()


def _letters(text: str) -> str:
    return "".join(char for char in text.lower() if char.isalnum())


def _joined(pages: Sequence[str], notes: Sequence[Sequence[str]] = ()) -> tuple[str, tuple[Mark, ...]]:
    """Pages with their notes as one text, and where each of them begins."""
    whole = "\f".join(pages).translate(_LIGATURES)
    words = Counter(re.findall(r"\w+", whole.lower()))

    def mend(match: re.Match[str]) -> str:
        # "infor-mation" is one word where the document writes it so elsewhere; "non-payment" keeps its hyphen.
        joined = match[1] + match[2]
        return joined if words[joined.lower()] else f"{match[1]}-{match[2]}"

    mended = [clean(page) for page in _LINE_HYPHEN.sub(mend, whole).split("\f")]
    sheets = [[_LEADERS.sub(" … ", line).strip() for line in page.split("\n")] for page in mended]
    bodies = without_running_lines([[line for line in sheet if line] for sheet in sheets])
    parts: list[str] = []
    marks: list[Mark] = []
    length, last = 0, ""
    for number, (once, body) in enumerate(bodies, 1):
        beside = notes[number - 1] if notes else ()
        written = ("\n".join(once), _BROKEN_EAST.sub("", _paragraphs(body)), "\n".join(beside))
        if page := "\n\n".join(filter(None, written)):
            goes_on = last and not last.endswith(_CLOSING) and page[0].islower()
            gap = "" if not last else "\n" if goes_on else "\n\n"
            parts += [gap, page]
            marks.append(Mark(length + len(gap), f"p. {number}"))
            length += len(gap) + len(page)
            last = page
    return "".join(parts), tuple(marks)


def _paragraphs(lines: list[str]) -> str:
    """The lines of a page, an empty one set after each that ends well before the margin when the next opens a sentence or an item, and
    around the rows of a table."""
    widths = sorted(len(line) for line in lines if not line.startswith(ROW))
    full = widths[int(0.9 * (len(widths) - 1))] if widths else 0
    text = []
    for line, following in pairwise([*lines, ""]):
        if line.startswith(ROW) or following.startswith(ROW):
            ends = line.startswith(ROW) != following.startswith(ROW)
        else:
            ends = len(line) < 0.7 * full and _OPENING.match(following) is not None
        text.append(line.removeprefix(ROW) + ("\n\n" if ends else "\n"))
    return "".join(text).strip()
