"""What must not be kept or sent on: mail addresses, telephone numbers, numbers of persons and accounts, keys."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Literal

from selfstudy.core.records import Document, Section

Kind = Literal["email", "phone", "id", "key"]

# ASCII throughout: Chinese sets no space before a number or an address.
_EMAIL = re.compile(r"(?<![\w.+-])[\w.+-]+@[\w-]+(?:\.[\w-]+)+", re.ASCII)
_KEY = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)"
    r"|\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]{8,}"
    r"|\b(?:sk|pk|rk)[-_][\w-]{20,}|\bAKIA[0-9A-Z]{16}\b|\bgh[oprsu]_\w{36,}|\bxox[abprs]-[\w-]{10,}|\bAIza[\w-]{35}"
    r"|(?i:\b(?:password|passwd|pwd|secret|api[_ -]?key|access[_ -]?token|auth[_ -]?token)|密码|口令)['\"]?\s*[:=：]\s*"
    r"(?P<value>[^\s,;'\"]{4,}|\"[^\"\n]{4,}\"|'[^'\n]{4,}')",
    re.DOTALL | re.ASCII,
)
_CARD = re.compile(r"(?<![\w.-])\d(?:[ -]?\d){12,18}(?![\w-])", re.ASCII)
_IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b", re.ASCII)
_SSN = re.compile(r"(?<![\w-])(?!000|666|9\d\d)\d{3}-(?!00)\d{2}-(?!0000)\d{4}(?![\w-])", re.ASCII)
_RESIDENT = re.compile(r"(?<!\w)[1-9]\d{16}[\dXx](?!\w)", re.ASCII)
_PHONE = re.compile(
    r"(?<![\w.+/-])(?:\+\d{1,3}[ .-]?(?:\(\d{1,4}\)[ .-]?)?\d(?:[ .-]?\d){6,12}|\(\d{2,5}\) ?\d(?:[ .-]?\d){5,9}"
    r"|\d{3}[.-]\d{3}[.-]\d{4}|0\d{1,4}[ /-]\d(?:[ -]?\d){5,9}|1[3-9]\d{9})(?![\w/-])",
    re.ASCII,
)


def _luhn(text: str) -> bool:
    digits = [int(char) for char in text if char.isdigit()][::-1]
    return sum(digits[::2]) % 10 == -sum(sum(divmod(2 * digit, 10)) for digit in digits[1::2]) % 10


def _mod97(text: str) -> bool:
    packed = text.replace(" ", "")
    return 15 <= len(packed) <= 34 and int("".join(str(int(char, 36)) for char in packed[4:] + packed[:4])) % 97 == 1


def _resident(text: str) -> bool:
    """ISO 7064, MOD 11-2, as GB 11643 has it."""
    return "10X98765432"[sum(int(char) * 2 ** (17 - place) for place, char in enumerate(text[:17])) % 11] == text[17].upper()


_SHAPES: dict[Kind, tuple[tuple[re.Pattern[str], Callable[[str], bool]], ...]] = {
    "key": ((_KEY, bool),),
    "email": ((_EMAIL, bool),),
    "id": ((_IBAN, _mod97), (_RESIDENT, _resident), (_CARD, _luhn), (_SSN, bool)),
    "phone": ((_PHONE, bool),),
}
"""What each kind looks like, and the checksum that tells it from other numbers. What an earlier kind has found no later one finds."""


def redact(document: Document, kinds: Sequence[Kind]) -> tuple[Document, Counter[str]]:
    """`document` with what is of `kinds` replaced by "[email]", "[phone]", "[id]" or "[key]", and how many of each there were.

    Text, title, headings, marks and meta are searched, the id and the source are not: they are the file's name. Sections and marks stand
    where they stood.
    """
    counts: Counter[str] = Counter()

    def plain(text: str) -> str:
        return _replaced(text, _found(text, kinds, counts))

    found = _found(document.text, kinds, counts)
    moved = _Moved(found)
    sections = tuple(Section(tuple(map(plain, one.path)), moved(one.start), moved(one.end)) for one in document.sections)
    marks = tuple(replace(mark, start=moved(mark.start), label=plain(mark.label)) for mark in document.marks)
    meta = {name: plain(value) if isinstance(value, str) else value for name, value in document.meta.items()}
    text, title = _replaced(document.text, found), plain(document.title)
    if counts:
        meta["redacted"] = counts.total()
    return replace(document, text=text, title=title, meta=meta, sections=sections, marks=marks), counts


_Found = list[tuple[int, int, Kind]]


def _found(text: str, kinds: Sequence[Kind], counts: Counter[str]) -> _Found:
    taken: _Found = []
    for kind in _SHAPES:
        if kind in kinds:
            free = [(left, right) for left, right, _ in taken]
            mine = [(start, end, kind) for start, end in _spans(text, kind) if all(end <= a or b <= start for a, b in free)]
            taken += mine
            counts[kind] += len(mine)
    counts += Counter()  # without the kinds that were not found
    return sorted(taken)


def _spans(text: str, kind: Kind) -> Iterator[tuple[int, int]]:
    at: list[tuple[int, int]] = []
    for shape, holds in _SHAPES[kind]:
        for match in shape.finditer(text):
            span = match.span("value") if "value" in shape.groupindex and match["value"] else match.span()
            if holds(text[slice(*span)]) and all(span[1] <= left or right <= span[0] for left, right in at):
                at.append(span)
    return iter(at)


def _replaced(text: str, found: _Found) -> str:
    parts, at = [], 0
    for start, end, kind in found:
        parts += [text[at:start], f"[{kind}]"]
        at = end
    return "".join([*parts, text[at:]])


class _Moved:
    """Where a place of the old text is in the new one."""

    def __init__(self, found: _Found) -> None:
        self._starts = [start for start, _, _ in found]
        self._found = found
        self._shift = [0]
        for start, end, kind in found:
            self._shift.append(self._shift[-1] + len(kind) + 2 - (end - start))

    def __call__(self, place: int) -> int:
        count = bisect_right(self._starts, place - 1)
        if count and place < self._found[count - 1][1]:  # inside of what is replaced: its end
            place = self._found[count - 1][1]
        return place + self._shift[count]
