"""Zip archives from strangers: only the parts that hold text are unpacked, in small steps, within a limit."""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from errno import EINVAL
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

from selfstudy.core.errors import BadInput, first_line

MOST_PARTS = 50_000
HIGHEST_RATIO = 200
SMALL = 1_000_000  # bytes; what unpacks to less is no bomb, however well it was packed
_STEP = 65_536
_TEXT = (".xml", ".rels")
_STRANGE = "customXml/"  # what other programs leave in an office file; no text of the document
PACKINGS = (ZIP_STORED, ZIP_DEFLATED)  # others are not unpacked in small steps, and no office program uses them
_DECLARATIONS = (b"<!DOCTYPE", b"<!ENTITY")


class Archive:
    """The parts of the zip file at `path`, each unpacked when asked for; `limit` bytes at most in all.

    What the directory says is checked before anything is unpacked, and again while it is: a directory may lie. Every method raises
    BadInput where the archive is broken, encrypted or a bomb.
    """

    def __init__(self, path: Path, limit: int) -> None:
        self.limit = limit
        self._left = limit
        with faults():
            self._zip = ZipFile(path)
        self.parts: dict[str, ZipInfo] = {part.filename: part for part in self._zip.infolist()}
        if len(self.parts) > MOST_PARTS:
            self._zip.close()
            raise BadInput(f"huge: {len(self.parts)} parts in its zip archive, the limit is {MOST_PARTS}", "Save it anew.")

    def __enter__(self) -> Archive:
        return self

    def __exit__(self, *_: object) -> None:
        self._zip.close()

    def read(self, name: str) -> bytes:
        """The bytes of a part. Raises BadInput where there is none of this name."""
        part = self.parts.get(name)
        if part is None:
            raise BadInput(f"broken: it has no part {name!r}", "Open it in its program and save it anew.")
        self._check(part)
        chunks = []
        with faults(), self._zip.open(part) as stream:
            while chunk := stream.read(_STEP):
                self._left -= len(chunk)
                if self._left < 0:
                    raise self._too_much()
                chunks.append(chunk)
        return b"".join(chunks)

    def plain_copy(self) -> io.BytesIO:
        """The archive anew for a library to read: its XML parts, checked and not packed, and every other part empty.

        Raises BadInput where a part declares a document type: no office program writes one, and entities in it could grow without end.
        """
        texts = {name for name in self.parts if name.lower().endswith(_TEXT) and not name.startswith(_STRANGE)}
        for name in texts:
            self._check(self.parts[name])
        if sum(self.parts[name].file_size for name in texts) > self._left:
            raise self._too_much()
        copy = io.BytesIO()
        with ZipFile(copy, "w", ZIP_STORED) as plain:
            for name in self.parts:
                data = self.read(name) if name in texts else b""
                if any(mark in data.replace(b"\0", b"") for mark in _DECLARATIONS):  # without zeros, since UTF-16 is allowed too
                    raise BadInput(f"broken: its part {name!r} declares a document type, as no office program does", "Do not trust it.")
                plain.writestr(ZipInfo(name), data)
        copy.seek(0)
        return copy

    def _check(self, part: ZipInfo) -> None:
        if part.flag_bits & 1:
            raise BadInput("encrypted: a password is needed", "Save it without a password.")
        if part.compress_type not in PACKINGS:
            raise BadInput(f"broken: its part {part.filename!r} is packed in an unknown way", "Open it in its program and save it anew.")
        if part.file_size > self._left:
            raise self._too_much()
        if part.file_size > SMALL and part.file_size > HIGHEST_RATIO * part.compress_size:
            raise BadInput(f"huge: its part {part.filename!r} unpacks to over {HIGHEST_RATIO} times its size, as only bombs do")

    def _too_much(self) -> BadInput:
        return BadInput(f"huge: its text unpacks to more than {self.limit} bytes (by max_bytes)", "Split it, or raise the limit.")


@contextmanager
def faults() -> Iterator[None]:
    """Turn what the library says of a damaged archive into BadInput."""
    try:
        yield
    except OSError as error:
        if error.errno not in (None, EINVAL):
            raise
        raise _damaged(error) from None  # a place in the file that there is not
    except (BadZipFile, zlib.error, EOFError, NotImplementedError, UnicodeDecodeError, ValueError) as error:
        raise _damaged(error) from None


def _damaged(error: Exception) -> BadInput:
    return BadInput(f"broken: the zip archive that it is made of is damaged or cut off ({first_line(error)})", "Get it anew.")
