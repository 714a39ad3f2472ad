"""A letter, whatever program kept it: its head and body as a document, and what is attached to it."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from selfstudy.core.records import Document, Scalar, Section
from selfstudy.corpus.formats.decode import clean, one_line
from selfstudy.corpus.formats.html import read_page

_MOST_NAMES = 10


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file in a letter, under its own name."""

    name: str
    data: bytes

    def save(self, path: Path) -> None:
        path.write_bytes(self.data)


@dataclass(frozen=True, slots=True)
class Letter:
    document: Document
    attachments: tuple[Attachment, ...] = ()


@dataclass(frozen=True, slots=True)
class Head:
    """Who wrote what about to whom. Names are as the letter writes them, "Ann Lee <ann@example.org>", several with a comma between."""

    subject: str = ""
    sender: str = ""
    to: str = ""
    cc: str = ""
    date: datetime | None = None


def letter(id: str, path: Path, head: Head, plain: str, page: str, attachments: tuple[Attachment, ...] = ()) -> Letter:
    """The letter with a short head above its body: `plain`, or `page` as HTML where there is no plain text.

    Its title is the subject; meta has `from`, `to`, `date` (ISO, with the time) and `updated` (the day). A letter without a subject, a
    body and attachments is empty.
    """
    subject = one_line(head.subject)
    body = Document(id, clean(plain).strip("\n")) if plain.strip() or not page.strip() else read_page(clean(page), path, whole=True)
    meta: dict[str, Scalar] = {}
    lines = []
    for name, names in (("from", head.sender), ("to", head.to), ("cc", head.cc)):
        if one_line(names):
            meta[name] = one_line(names)
            lines.append(f"{name.capitalize()}: {_few(one_line(names))}")
    if head.date is not None:
        meta["date"] = head.date.isoformat()
        meta["updated"] = head.date.date().isoformat()
        lines.append(f"Date: {head.date:%Y-%m-%d %H:%M}")
    if subject:
        lines.append(f"Subject: {subject}")
    if not (subject or body.text.strip() or attachments):
        return Letter(Document(id, "", source=str(path), meta=meta))
    top = "\n".join(lines) + "\n\n" if lines else ""
    sections = tuple(replace(one, start=one.start + len(top), end=one.end + len(top)) for one in body.sections)
    if top and sections:
        sections = (Section((), 0, len(top)), *sections)
    return Letter(Document(id, (top + body.text).rstrip(), subject, str(path), meta, sections), attachments)


def _few(names: str) -> str:
    """The first ten of a long list of names."""
    parts = re.split(r",\s+(?=[^,]*@)", names)
    return names if len(parts) <= _MOST_NAMES else f"{', '.join(parts[:_MOST_NAMES])} and {len(parts) - _MOST_NAMES} more"
