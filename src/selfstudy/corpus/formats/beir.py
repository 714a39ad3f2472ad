"""A stream of JSON rows, one document each, as in BEIR (Thakur et al. 2021, arXiv 2104.08663)."""

from __future__ import annotations

import json
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from selfstudy.core.errors import BadInput
from selfstudy.core.records import Document
from selfstudy.corpus.formats.json_rows import row_document
from selfstudy.corpus.set_aside import SetAside, faultless


class Beir:
    """Reads rows as `rows.row_document` does, one at a time, in constant memory."""

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
                        yield _document(line, path, number)
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


def _document(line: bytes, path: Path, number: int) -> Document:
    try:
        row = json.loads(line.decode("utf-8"))
    except UnicodeDecodeError:
        raise BadInput("wrongly encoded: not UTF-8") from None
    except json.JSONDecodeError as error:
        raise BadInput(f"broken: no JSON ({error.msg} at column {error.colno})") from None
    except (RecursionError, ValueError) as error:  # nested too deeply; a number of thousands of digits
        raise BadInput(f"broken: JSON that cannot be read ({str(error).splitlines()[0]})") from None
    return row_document(row, path, number)
