"""Boilerplate: lines that many documents, or the pages of one, repeat around what they have to say. Found by repetition alone.

The lines stay in `Document.text`; they are only left out of passages, so that every span still opens at its place.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass
from itertools import pairwise

from pydantic import BaseModel, ConfigDict, Field

from selfstudy.core.records import Document
from selfstudy.core.text import tokens

Spans = tuple[tuple[int, int], ...]

_ZONE = 10  # lines from the top or the bottom of a document
_WORDS = 4  # in a line that counts by itself; a shorter one does where nothing but such lines is between it and the edge
_PAGES = 4  # times that a running line comes in one document
_PAGE_LINES = 15  # lines between a running line and the next, at least
_UNLIKE = 0.5  # share of words in common above which two documents say the same
_TABLES = ("csv", "tsv", "xlsx")
_LINE = re.compile(r"[^\n]+")
_DIGITS = re.compile(r"\d+")
_FIELD = re.compile(r"([^:：]{1,40})(?::\s|：)\s*\S.{0,60}$")
_MONTH = r"(?:jan|feb|mar|mär|apr|ma[iy]|jun|jul|aug|sep|o[ck]t|nov|de[cz])[a-z]*\.?"
_WRITTEN = rf"\d{{1,2}}\.? {_MONTH},? \d{{4}}|{_MONTH} \d{{1,2}},? \d{{4}}"
_DATE = rf"(?:\d{{1,4}}[-./]\d{{1,2}}[-./]\d{{1,4}}|{_WRITTEN}|\d{{4}}年\d{{1,2}}月\d{{1,2}}日)"
_OF = r"(?: ?(?:of|/|von|de|sur) ?\d+)?"
# Numbers that a program counts up or stamps on pages: these are folded. By any other number two lines differ.
_COUNTED = re.compile(
    "|".join(
        (
            rf"\b(?:page|pg\.|p\.|seite|página|pagina) ?:? ?\d+{_OF}",
            rf"^\W*\d+{_OF}\W*$",
            r"[第共] ?\d+ ?[页頁]",
            r"(?:©|\(c\)|copyright|版权所有|版權所有)\D{0,40}\d{4}(?: ?[-–,] ?\d{4})*",
            r"\d{4}(?=[^\d:]{0,40}all rights reserved)",
            rf"\b(?:printed|exported|downloaded|retrieved|accessed|generated|gedruckt)\b\D{{0,20}}{_DATE}(?:[ ,t]+(?:at )?[\d:]+)?",
            rf"(?:打印|导出|下载|列印|匯出|下載)\D{{0,10}}{_DATE}(?: ?[\d:]+)?",
            rf"\b(?:updated|modified|changed|saved|edited) (?:on )?{_DATE}(?:[ ,t]+(?:at )?[\d:]+)?",
            r"\b\d+ (?:comments?|views|replies|likes|shares)\b",
        )
    )
)


class Boilerplate(BaseModel):
    """When a line counts as boilerplate."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    on: bool = Field(True, description="whether lines that many documents repeat at their edges are left out of passages")
    documents: int = Field(5, ge=2, description="documents of one folder and format, or of one author, that must repeat the line")
    share: float = Field(0.2, ge=0, le=1, description="share of those documents that must")


@dataclass(frozen=True, slots=True)
class _Line:
    start: int
    end: int
    mark: str  # what makes two lines the same: case, width and the numbers of pages and stamps folded; "" for one without letters


def repeated(documents: Iterable[Document], cfg: Boilerplate = Boilerplate()) -> frozenset[str]:  # noqa: B008
    """The marks of the lines that documents of one folder and format, or of one author, repeat.

    A document is a witness only by what it says of its own: versions of one text share most of their lines,
    and these are no boilerplate. Neither is a line that another document has with other numbers, nor a "name: value" that another has
    with another value: it tells the documents apart. The result depends on the set of documents alone, not on their order.
    """
    held: dict[str, tuple[frozenset[str], tuple[str, ...]]] = {}
    kin: dict[str, list[str]] = defaultdict(list)
    for document in documents:
        marks = frozenset(line.mark for line in _lines(document) if line.mark)
        if marks and document.meta.get("format") not in _TABLES:
            kinds = _kinds(document)
            held[document.id] = marks, kinds
            for kind in kinds:
                kin[kind].append(document.id)
    found: set[str] = set()
    for members in kin.values():
        counts = Counter(mark for id in members for mark in held[id][0])
        shapes = Counter(map(_shape, counts))
        fewest = max(cfg.documents, cfg.share * len(members))
        often = {mark for mark, count in counts.items() if count >= fewest and shapes[_shape(mark)] == 1}
        if often:
            own = {id: _own(held[id][0] - often) for id in members}
            holders: dict[str, list[str]] = defaultdict(list)
            for id in sorted(members):
                for mark in held[id][0] & often:
                    holders[mark].append(id)
            found |= {mark for mark in often if _witnesses((own[id] for id in holders[mark]), cfg.documents)}
    return frozenset(found)


def left_out(document: Document, marks: Set[str]) -> Spans:
    """The spans of `document` that are boilerplate, given the marks of `repeated`: at its top and bottom, and between its pages.

    None where nothing else would be left.
    """
    lines = list(_lines(document))
    known = [line.mark in marks for line in lines]
    bare = [not line.mark for line in lines]
    out = [False] * len(lines)
    for order in (range(len(lines)), range(len(lines) - 1, -1, -1)):
        edge = True  # nothing but boilerplate was between here and the edge
        for count, at in enumerate(order):
            edge = edge and (known[at] or bare[at])
            beside = count > 0 and out[at - order.step] and known[at]
            out[at] = out[at] or (known[at] and (edge or beside or (count < _ZONE and len(tokens(lines[at].mark)) >= _WORDS)))
    for at in _running(lines) if document.meta.get("format") in ("text", "pdf") else ():
        out[at] = True
    if all(gone or nothing for gone, nothing in zip(out, bare, strict=True)):
        return ()
    return tuple((line.start, line.end) for line, gone in zip(lines, out, strict=True) if gone)


def _lines(document: Document) -> Iterator[_Line]:
    for match in _LINE.finditer(document.text):
        folded = match[0].strip()
        if folded:
            folded = folded.lower() if folded.isascii() else unicodedata.normalize("NFKC", folded).lower()
            mark = " ".join(folded.split())
            mark = _COUNTED.sub(_fold, mark) if _DIGITS.search(mark) else mark
            yield _Line(match.start(), match.end(), mark if any(char.isalpha() for char in mark) else "")


def _fold(match: re.Match[str]) -> str:
    return _DIGITS.sub("0", match[0])


def _shape(mark: str) -> str:
    """What lines have in common that state different values of one thing."""
    field = _FIELD.match(mark)
    return field[1] + ":" if field else _DIGITS.sub("0", mark)


def _kinds(document: Document) -> tuple[str, ...]:
    kinds = [f"folder {document.meta.get('format', '')} {document.meta.get('folder', '')}"]
    author = document.meta.get("author") or document.meta.get("from")
    return (*kinds, f"author {author}") if author else tuple(kinds)


def _own(marks: Set[str]) -> frozenset[str]:
    return frozenset(word for mark in marks for word in tokens(mark))


def _witnesses(said: Iterable[frozenset[str]], wanted: int) -> bool:
    """Whether `wanted` of the documents say different things."""
    chosen: list[frozenset[str]] = []
    for words in said:
        if words and all(len(words & other) <= _UNLIKE * min(len(words), len(other)) for other in chosen):
            chosen.append(words)
            if len(chosen) == wanted:
                return True
    return False


def _running(lines: Sequence[_Line]) -> Iterator[int]:
    """Lines that come again after about as many others each time, as the heads and feet of pages do."""
    places: dict[str, list[int]] = defaultdict(list)
    for at, line in enumerate(lines):
        if line.mark:
            places[line.mark].append(at)
    for found in places.values():
        gaps = [after - before for before, after in pairwise(found)]
        if len(found) >= _PAGES and min(gaps) >= _PAGE_LINES and max(gaps) <= 1.5 * min(gaps):
            yield from found
