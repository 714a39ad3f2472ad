"""Outlook messages (msg)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from selfstudy.core.errors import BadInput
from selfstudy.core.plugs import extra
from selfstudy.core.records import Document
from selfstudy.corpus.formats.html import decode_page
from selfstudy.corpus.formats.letter import Attachment, Head, Letter, letter

_HTML = 0x1013
_STREAM = 2


class Msg:
    """Reads a file that is one letter, as Outlook keeps it."""

    def parse(self, path: Path) -> Iterator[Document]:
        for one in self.letters(path):
            yield one.document

    def letters(self, path: Path) -> Iterator[Letter]:
        """The letter with its attachments. Raises BadInput where the file is broken."""
        oxmsg = extra("oxmsg", "office")
        data = path.read_bytes()
        try:
            _check(data)
            message = oxmsg.Message.load(data)
            heads = {name.lower(): value for name, value in message.message_headers.items()}
            names = ", ".join(filter(None, map(_name, message.recipients)))
            head = Head(message.subject, message.sender or "", heads.get("to") or names, heads.get("cc") or "", message.sent_date)
            plain = message.body or ""
            page = "" if plain.strip() else _page(message)
            attachments = tuple(Attachment(one.file_name or "attachment", one.file_bytes or b"") for one in message.attachments)
        except BadInput:
            raise
        except Exception as error:  # whatever the library meets in a damaged file
            raise BadInput(f"broken: an Outlook message that cannot be read ({type(error).__name__})", "Save the message anew.") from error
        yield letter(path.name, path, head, plain, page, attachments)


def _check(data: bytes) -> None:
    """The library reads all streams at once, and a directory may name the same bytes any number of times."""
    with extra("olefile", "office").OleFileIO(data) as ole:
        claimed = sum(entry.size for entry in ole.direntries if entry is not None and entry.entry_type == _STREAM)
    if claimed > 2 * len(data):
        raise BadInput(f"huge: its parts claim {claimed} bytes, and the whole file has {len(data)}", "Do not trust it.")


def _page(message: Any) -> str:
    data = message.properties.binary_prop_value(_HTML)
    return decode_page(data) if data else message.html_body or ""


def _name(recipient: Any) -> str:
    name, address = recipient.name or "", recipient.email_address or ""
    return f"{name} <{address}>" if name and address and name != address else name or address
