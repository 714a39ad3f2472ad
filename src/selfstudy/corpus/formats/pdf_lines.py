"""What stands on page after page of a document: its running heads and feet, and the numbers of the pages."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from selfstudy.core.facts.numerals import roman_number

ROW = "\ufdd0"
"""Begins a line that is a row of a table, until the text is put together: such a line is never a head or a foot."""

_HIGHEST = 100  # no preface has so many pages in Roman numerals
_ZONE = 2  # lines from the top or the bottom of a page
_PAGE = r"(?:pages?|pg\.?|p\.|seite|s\.|sheet|folio|página|pagina|стр\.?)"
_NAMED = re.compile(r"\b(?:page|seite|página|pagina)\b|[页頁]")
_LONE = re.compile(
    rf"(?P<page>{_PAGE}[\s|:]*)?[-–—|·•\s(\[]*(?:[a-z]\s?[-–]\s?)?(?:(?P<number>\d{{1,4}})|(?P<roman>[ivxlc]{{1,7}}))[-–—|·•\s)\]]*(?:(?:of|/|von|de)\s*\d{{1,4}})?"
    rf"(?:[\s|]*{_PAGE})?$"
)
_CHINESE = re.compile(r"第\s*\d{1,4}\s*[页頁][\s,，/]*(?:共\s*\d{1,4}\s*[页頁])?$")
_NUMBER = re.compile(r"^\d{1,4}(?=\s)|(?:(?<=[\s|·•–—-])|^)\d{1,4}$")
_ANY = re.compile(r"(?<!\d)\d{1,4}(?!\d)")
# What is counted beside pages: "Step 3" on the third page is no page number.
_COUNTED = re.compile(
    r"(?:step|chapter|section|part|case|task|question|exercise|lesson|unit|day|week|module|figure|table|item|example|appendix|annex|article"
    r"|schedule|form|invoice|order|room|lot|no\.?|nr\.?|number|schritt|kapitel|abschnitt|teil|aufgabe|tag|woche|[第:：#№])\s*$"
)


def without_running_lines(sheets: list[list[str]]) -> list[tuple[list[str], list[str]]]:
    """For each page, given as lines, the heads and feet that stand on most pages and come here first, and its other lines.

    A number in them may run with the pages, all others must be the same. Page numbers, which run too or say that they are ones, are gone.
    """
    edges = [(page, line) for page, sheet in enumerate(sheets) for line in _edges(sheet)]
    counts = Counter(face for face, _ in {(face, page) for page, line in edges for face in _faces(line, page)})
    numbers = {(page, *lone) for page, line in edges if (lone := _lone(line, page))}
    often = max(3, len(sheets) // 2 + 1)

    def face(line: str, page: int) -> str:
        return next((face for face in _faces(line, page) if counts[face] >= often), "")

    def is_number(line: str, page: int) -> bool:
        return len(sheets) > 1 and _is_page_number(line, page, numbers)

    said: set[str] = set()
    kept = []
    for page, sheet in enumerate(sheets):
        first, last = 0, len(sheet)
        while first < min(_ZONE, last) and (is_number(sheet[first], page) or face(sheet[first], page)):
            first += 1
        while last > max(first, len(sheet) - _ZONE) and (is_number(sheet[last - 1], page) or face(sheet[last - 1], page)):
            last -= 1
        running = {face(line, page): line for line in sheet[:first] + sheet[last:] if not is_number(line, page)}
        kept.append(([line for key, line in running.items() if key not in said], sheet[first:last]))
        said |= running.keys()
    return kept


def _edges(sheet: list[str]) -> list[str]:
    return sheet[:_ZONE] + sheet[_ZONE:][-_ZONE:]


def _faces(line: str, page: int) -> Iterator[str]:
    """What makes a line the same on other pages: its words and numbers, or these with one number as far from the page's as there."""
    folded = " ".join(line.lower().split())
    if line.startswith(ROW) or not folded:
        return
    yield folded
    named = _NAMED.search(folded)
    for match in (_ANY if named else _NUMBER).finditer(folded):
        before, after = folded[: match.start()], folded[match.end() :]
        words = re.findall(r"[^\W\d_]+", before + after)
        if named or ((len(words) > 1 or len("".join(words).encode()) > 2 * len("".join(words)) > 6) and not _COUNTED.search(before)):
            yield f"{before}#{int(match[0]) - page}{after}"


def _lone(line: str, page: int) -> tuple[str, int] | None:
    """Arabic or Roman, and how far the number that is all of a line is from that of the page; None for other lines."""
    match = _LONE.match(line.strip().lower())
    if not match:
        return None
    if match["number"]:
        return "arabic", int(match["number"]) - page
    value = roman_number(match["roman"])
    return ("roman", value - page) if value and value < _HIGHEST else None


def _is_page_number(line: str, page: int, numbers: set[tuple[int, str, int]]) -> bool:
    """Whether a line says that it is one, or is a number alone that goes on on a page near by."""
    folded = line.strip().lower()
    match = _LONE.match(folded)
    if _CHINESE.match(folded) or (match and match["page"] and _lone(line, page)):
        return True
    lone = _lone(line, page)
    return lone is not None and any((page + away, *lone) in numbers for away in (-2, -1, 1, 2))
