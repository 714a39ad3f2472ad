"""BEIR: a stream of JSON rows, one document each (Thakur et al. 2021, arXiv 2104.08663)."""

from __future__ import annotations

import json
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from selfstudy.core.errors import BadInput
from selfstudy.core.records import Document
from selfstudy.corpus.decode import clean, one_line
from selfstudy.corpus.meta import scalars
from selfstudy.corpus.set_aside import SetAside, faultless


class Beir:
    """Reads rows {"_id" or "id", "title", "text", "metadata" or "meta"}, one at a time, in constant memory.

    Scalars of the metadata become meta; lists and tables in it are left out. A row with a title and no text has its title for text.
    """

    def __init__(self, max_row_bytes: int = 5_000_000) -> None:
        self.max_row_bytes = max_row_bytes

    def parse(self, path: Path) -> Iterator[Document]:
        """The documents of a file without faults. Raises BadInput at the first bad row; `rows` goes on."""
        yield from faultless(self.rows(path), "Mend or delete that row.")

    def rows(self, path: Path) -> Iterator[Document | SetAside]:
        """A document for each good row, a SetAside named path:line for each bad one; empty lines are passed over.

        Raises BadInput where the file is no UTF-8 from its first bytes on.
        """
        with path.open("rb") as file:
            if file.read(2) in (BOM_UTF16_LE, BOM_UTF16_BE):
                raise BadInput("wrongly encoded: UTF-16, rows of JSON are UTF-8", "Save it as UTF-8.")
            file.seek(0)
            for number, line in self._lines(file):
                if line is None:
                    yield SetAside(f"{path}:{number}", f"huge: the row is longer than {self.max_row_bytes} bytes (max_row_bytes)")
                elif line.strip():
                    try:
                        yield _document(line, path)
                    except BadInput as error:
                        yield SetAside(f"{path}:{number}", error.problem)

    def _lines(self, file: IO[bytes]) -> Iterator[tuple[int, bytes | None]]:
        """Numbered lines, None for those over the limit, which are never held in memory whole."""
        number = 0
        while line := file.readline(self.max_row_bytes + 2):
            number += 1
            if number == 1:
                line = line.removeprefix(BOM_UTF8)
            if len(line.rstrip(b"\r\n")) <= self.max_row_bytes:
                yield number, line
                continue
            while line and not line.endswith(b"\n"):
                line = file.readline(1 << 20)
            yield number, None


def _document(line: bytes, path: Path) -> Document:
    try:
        row = json.loads(line.decode("utf-8"))
    except UnicodeDecodeError:
        raise BadInput("wrongly encoded: not UTF-8") from None
    except json.JSONDecodeError as error:
        raise BadInput(f"broken: no JSON ({error.msg} at column {error.colno})") from None
    except (RecursionError, ValueError) as error:  # nested too deeply; a number of thousands of digits
        raise BadInput(f"broken: JSON that cannot be read ({str(error).splitlines()[0]})") from None
    return row_document(row, path)


def row_document(row: object, path: Path) -> Document:
    """A row of the file at `path` as a document. Raises BadInput where it lacks an id or text."""
    if not isinstance(row, dict):
        raise BadInput(f'broken: expected an object {{"_id", "title", "text"}}, found {_kind(row)}')
    key = row.get("_id", row.get("id"))
    if isinstance(key, bool) or not isinstance(key, (str, int)) or not clean(str(key)).strip():
        raise BadInput('broken: no "_id" or "id" that is text or a whole number')
    for name in ("title", "text"):
        if not isinstance(row.get(name), (str, type(None))):
            raise BadInput(f'broken: "{name}" is {_kind(row[name])}, expected text')
    title = one_line(row.get("title") or "")
    text = clean(row.get("text") or "")
    if not text.strip():
        title, text = "", title
    if not text:
        raise BadInput("empty: no text and no title" if "text" in row or "title" in row else 'broken: no "text" and no "title"')
    data = row.get("metadata") or row.get("meta") or {}
    return Document(clean(str(key)), text, title, str(path), scalars(data) if isinstance(data, dict) else {})


def _kind(value: object) -> str:
    names = {dict: "an object", list: "a list", str: "text", bool: "true or false", int: "a number", float: "a number", type(None): "null"}
    return names[type(value)]
