"""Letters as they went over the net: one in a file (eml), or many (mbox)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from email.message import Message
from email.parser import BytesParser
from email.utils import parsedate_to_datetime
from html import escape
from mimetypes import guess_extension
from pathlib import Path

from selfstudy.core.errors import BadInput, first_line
from selfstudy.core.records import Document
from selfstudy.core.text import tokens
from selfstudy.corpus.formats.decode import clean, decode, one_line, really
from selfstudy.corpus.formats.html import decode_page, page_blocks
from selfstudy.corpus.formats.invitation import events
from selfstudy.corpus.formats.letter import Attachment, Head, Letter, letter
from selfstudy.corpus.formats.quotes import Thread
from selfstudy.corpus.set_aside import SetAside, faultless
from selfstudy.corpus.structure.blocks import Block

# The line above each letter of an mbox: a name, and a date such as asctime gives. "From here on" is none.
_FROM_LINE = re.compile(rb"From .*\d\d:\d\d.*\d{4}")
_QUOTED_FROM = re.compile(rb"^>(>*From )", re.MULTILINE)
_ID = re.compile(r"<[^<>\s]+>")
_SHOWN = re.compile(r"""cid:([^"'<>\s)]+)""")
_CALENDARS = ("text/calendar", "application/ics")
_STUB = 40  # words; a plain part with no more, and of other words than the page, only asks for a program that shows the page
_LOCKED = ("multipart/encrypted", "application/pkcs7-mime", "application/x-pkcs7-mime")


@dataclass(frozen=True, slots=True)
class _Text:
    """A part of a body: a page of HTML where it is `formed`, else plain text."""

    formed: bool
    text: str


@dataclass(frozen=True, slots=True)
class _Parts:
    """What is found in a letter, in order; `shown` are the ids of the pictures that its pages show."""

    texts: list[_Text] = field(default_factory=list)
    attachments: list[Attachment] = field(default_factory=list)
    calendars: list[str] = field(default_factory=list)
    shown: set[str] = field(default_factory=set)


class Eml:
    """Reads a file that is one letter. Of a body that is there twice the plain text is preferred, unless the HTML says more.

    Invitations are read as a part of the body.
    """

    def parse(self, path: Path) -> Iterator[Document]:
        for one in self.letters(path):
            yield one.document

    def letters(self, path: Path) -> Iterator[Letter]:
        """The letter with its attachments. Raises BadInput where the file is none, or is encrypted."""
        yield _letter(path.read_bytes(), path.name, path, Thread())


class Mbox:
    """Reads a mailbox as one document for each letter, with the ids file.mbox#1, file.mbox#2, ...; one letter at a time in memory.

    What a letter quotes at its end is left out where the letter that it answers stands above it. `max_bytes`: the limit for a letter.
    """

    def __init__(self, max_bytes: int = 50_000_000) -> None:
        self.max_bytes = max_bytes

    def parse(self, path: Path) -> Iterator[Document]:
        """The documents of a mailbox without faults. Raises BadInput at the first bad letter; `letters` goes on."""
        letters = (one if isinstance(one, SetAside) else one.document for one in self.letters(path))
        yield from faultless(letters, "Mend or delete that letter.")

    def letters(self, path: Path) -> Iterator[Letter | SetAside]:
        """Each letter with its attachments, a SetAside named path#number for each that cannot be read."""
        thread = Thread()
        for number, data in enumerate(self._split(path), 1):
            if data is None:
                yield SetAside(f"{path}#{number}", f"huge: the letter is longer than {self.max_bytes} bytes (max_bytes)")
                continue
            try:
                yield _letter(data, f"{path.name}#{number}", path, thread)
            except BadInput as error:
                yield SetAside(f"{path}#{number}", error.problem)
            except Exception as error:  # one letter must not stop the rest
                yield SetAside(f"{path}#{number}", f"broken: {type(error).__name__}: {first_line(error)[:200]}")

    def _split(self, path: Path) -> Iterator[bytes | None]:
        """The bytes of each letter, None for those over the limit, which are never held in memory whole."""
        with path.open("rb") as file:
            lines: list[bytes] = []
            size, blank, begun = 0, True, False
            while line := file.readline(self.max_bytes + 2):
                if blank and _FROM_LINE.match(line):
                    if begun:
                        yield _unquoted(lines) if size <= self.max_bytes else None
                    lines, size, begun = [], 0, True
                elif begun:
                    size += len(line)
                    if size <= self.max_bytes:
                        lines.append(line)
                    else:
                        lines = []
                elif line.strip():
                    raise BadInput("broken: not a mailbox, which begins with a line 'From ... date'", "Export it as mbox anew.")
                blank = not line.strip()
            if not begun:
                raise BadInput("empty: no letter in it")
            yield _unquoted(lines) if size <= self.max_bytes else None


def _unquoted(lines: list[bytes]) -> bytes:
    return _QUOTED_FROM.sub(rb"\1", b"".join(lines))


def _letter(data: bytes, id: str, path: Path, thread: Thread) -> Letter:
    message = BytesParser().parsebytes(data)
    if not any(message[name] for name in ("from", "to", "subject", "date", "message-id", "mime-version", "received")):
        raise BadInput("broken: not a letter, it has no head", "Save the message anew.")
    if message.get_content_type() in _LOCKED and message.get_param("smime-type") != "signed-data":
        raise BadInput("encrypted: only who it was sent to can read it")
    found = _Parts()
    _gather(message, found)
    texts = found.texts + [_Text(False, one) for one in dict.fromkeys(found.calendars)]
    formed = any(one.formed for one in texts)
    # A letter of pages may have plain text around them, such as the lines that a mailing list adds.
    page = "\n".join(one.text if one.formed else f"<pre>{escape(one.text)}</pre>" for one in texts) if formed else ""
    plain = "" if formed else "\n\n".join(one.text for one in texts)
    references = _ID.findall(f"{_header(message, 'in-reply-to')} {_header(message, 'references')}")
    body = thread.take(plain, _header(message, "message-id").strip(), references)
    head = Head(_header(message, "subject"), _header(message, "from"), _header(message, "to"), _header(message, "cc"), _date(message))
    return letter(id, path, head, body, page, tuple(found.attachments))


def _gather(part: Message, found: _Parts) -> None:
    """Add what is in a part and the parts inside it."""
    kind = part.get_content_type()
    name = _decoded(part.get_filename() or "")
    if kind == "message/rfc822" and part.is_multipart():
        inner = part.get_payload(0)
        if isinstance(inner, Message):
            found.attachments.append(Attachment(name or f"{_decoded(_header(inner, 'subject')) or 'letter'}.eml", inner.as_bytes()))
    elif kind == "multipart/alternative" and part.is_multipart():
        one_of = replace(found, texts=[])
        for inner in _inside(part):
            _gather(inner, one_of)
        found.texts.extend(_preferred(one_of.texts))
    elif part.is_multipart():
        for inner in _inside(part):
            _gather(inner, found)
    else:
        data = part.get_payload(decode=True)
        if not isinstance(data, bytes) or not data:
            return
        attached = part.get_content_disposition() == "attachment"
        id = part["content-id"]
        if kind.startswith("image/") and id and (not attached or str(id).strip("<> ") in found.shown):
            return  # shown inside the text; passed over, as the pictures of a page are
        if kind in _CALENDARS and (said := events(_text(part, data))):
            found.calendars.append(said)
        elif attached or (name and not kind.startswith("text/")):
            found.attachments.append(Attachment(name or f"attachment{guess_extension(kind) or ''}", data))
        elif kind in ("text/plain", "text/html"):
            formed = kind == "text/html"
            text = decode_page(data) if formed and part.get_content_charset() is None else _text(part, data)
            if formed:
                found.shown.update(_SHOWN.findall(text))
            if text.strip():
                found.texts.append(_Text(formed, text))
        elif name:
            found.attachments.append(Attachment(name, data))


def _preferred(found: list[_Text]) -> list[_Text]:
    """Of texts that claim to say the same the plain ones; the pages where these say much more, or where the plain text is a stub."""
    plain, pages = [one for one in found if not one.formed], [one for one in found if one.formed]
    if not plain or not pages:
        return found
    words = tokens(" ".join(one.text for one in plain))
    said = tokens(" ".join(block.text for one in pages for block in _read(one.text)))
    same = len(set(words) & set(said))
    stub = len(words) <= _STUB and bool(said) and same < 0.5 * len(set(words))
    return pages if stub or len(said) > 2 * len(words) + _STUB else plain


def _read(page: str) -> list[Block]:
    try:
        return page_blocks(clean(page))
    except BadInput:  # nested too deeply: the plain text must do
        return []


def _inside(part: Message) -> list[Message]:
    payload = part.get_payload()
    return [one for one in payload if isinstance(one, Message)] if isinstance(payload, list) else []


def _text(part: Message, data: bytes) -> str:
    """The text of a part in the character set that it states, or that is meant by it, where that can be."""
    stated = part.get_content_charset("utf-8")
    for name in (really(stated), stated):
        with suppress(LookupError, ValueError):
            return data.decode(name)
    return decode(data)


def _header(message: Message, name: str) -> str:
    """The first head line of this name; bytes that no head may hold are read as UTF-8."""
    for key, value in message.raw_items():
        if key.lower() == name:
            return _decoded(str(value).encode("utf-8", "surrogateescape").decode("utf-8", "replace"))
    return ""


def _decoded(text: str) -> str:
    """Text without the =?utf-8?q?...?= in which heads are sent."""
    with suppress(LookupError, ValueError, HeaderParseError):
        text = str(make_header(decode_header(text)))
    return one_line(text)


def _date(message: Message) -> datetime | None:
    try:
        return parsedate_to_datetime(_header(message, "date"))
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
