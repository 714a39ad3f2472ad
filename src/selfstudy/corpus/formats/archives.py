"""Archives (zip, tar, tar.gz, tar.bz2, tar.xz) and packed files (gz, bz2, xz): the files in them, listed before any is unpacked."""

from __future__ import annotations

import bz2
import gzip
import lzma
import re
import stat
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from lzma import LZMAError
from pathlib import Path
from shutil import copyfileobj
from typing import IO, cast
from zipfile import ZipFile, ZipInfo

from selfstudy.core.errors import BadInput, first_line
from selfstudy.core.text import is_cjk
from selfstudy.corpus.folder import is_hidden
from selfstudy.corpus.formats.decode import decode
from selfstudy.corpus.formats.zips import HIGHEST_RATIO, MOST_PARTS, PACKINGS, SMALL, faults

_UTF8_NAME = 0x800
_LOCKED = 0x1
_STEP = 65_536
_OUTSIDE = re.compile(r"[/\\]|[A-Za-z]:|(?:.*[/\\])?\.\.(?:[/\\]|$)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Member:
    """A file in an archive: its name with folders, its size unpacked in bytes; `fault` says why it is not to be unpacked."""

    name: str
    size: int
    unpack: Callable[[], IO[bytes] | None]
    fault: str = ""

    def save(self, path: Path) -> None:
        """Unpack it to `path`. Raises BadInput where it is damaged."""
        with _faults():
            stream = self.unpack()
            if stream is None:
                raise BadInput("broken: its place in the archive holds no file")
            with stream, path.open("wb") as file:
                copyfileobj(stream, file)


@contextmanager
def members(path: Path, kind: str, limit: int) -> Iterator[list[Member]]:
    """The files in the archive at `path`, of a kind in formats.ARCHIVES, in its order and without hidden ones; of those with one name the
    last is good.

    A tar and a packed file may have to be unpacked to be listed: that stops where there are more than `limit` bytes. Names are only
    names: nothing is ever written to them. Raises BadInput where the archive is damaged or holds more than 50,000 files.
    """
    with _faults():
        if kind == "zip":
            with ZipFile(path) as archive:
                yield _checked(_zipped(archive))
        elif kind != "tar":
            yield [_alone(path, kind, limit)]
        else:
            with tarfile.open(path) as tar:
                yield _checked(_tarred(tar, limit))


def _checked(found: list[Member]) -> list[Member]:
    """The files, with a fault on each whose name comes again. Raises BadInput where there are too many."""
    if len(found) > MOST_PARTS:
        raise BadInput(f"huge: {len(found)} files in it, the limit is {MOST_PARTS}", "Unpack it.")
    last = {member.name: number for number, member in enumerate(found)}
    again = "replaced: another file in the archive has the same name and comes later"
    return [member if last[member.name] == number else replace(member, fault=again) for number, member in enumerate(found)]


def _zipped(archive: ZipFile) -> list[Member]:
    found = []
    for part in archive.infolist():
        name = _name(part)
        if part.is_dir() or _left_out(name):
            continue
        if stat.S_ISLNK(part.external_attr >> 16):
            fault = "a link, which is not followed"
        elif part.flag_bits & _LOCKED:
            fault = "encrypted: a password is needed"
        elif part.compress_type not in PACKINGS:
            fault = "broken: packed in an unknown way"
        elif part.file_size > SMALL and part.file_size > HIGHEST_RATIO * part.compress_size:
            fault = f"huge: it unpacks to over {HIGHEST_RATIO} times its size, as only bombs do"
        else:
            fault = _outside(name)
        found.append(Member(name, part.file_size, partial(archive.open, part), fault))
    return found


def _name(part: ZipInfo) -> str:
    """The name of a part; one that does not say that it is UTF-8 is it all the same, or Chinese, where that gives likely text."""
    if not part.flag_bits & _UTF8_NAME and not part.filename.isascii():
        with suppress(BadInput, UnicodeError):
            data = part.filename.encode("cp437")
            with suppress(UnicodeDecodeError):
                return data.decode()
            if any(map(is_cjk, text := decode(data))):
                return text
    return part.filename


def _tarred(archive: tarfile.TarFile, limit: int) -> list[Member]:
    found = []
    for part in archive:
        if part.isdir() or _left_out(part.name):
            continue
        link = "a link, which is not followed" if part.issym() or part.islnk() else ""
        other = "" if part.isfile() or link else "not a regular file: a device or pipe"
        fault = link or other or _outside(part.name)
        found.append(Member(part.name, part.size, partial(archive.extractfile, part), fault))
        limit -= part.size
        if limit < 0 or len(found) > MOST_PARTS:
            break
    return found


def _alone(path: Path, kind: str, limit: int) -> Member:
    """The one file in a packed file, under its name without the suffix."""
    most = max(SMALL, HIGHEST_RATIO * path.stat().st_size)
    size = 0
    with _opened(path, kind) as stream:
        while size <= min(most, limit) and (part := stream.read(_STEP)):
            size += len(part)
    fault = f"huge: it unpacks to over {HIGHEST_RATIO} times its size, as only bombs do" if size > most else ""
    return Member(path.stem if path.suffix else path.name, size, partial(_opened, path, kind), fault)


def _opened(path: Path, kind: str) -> IO[bytes]:
    opened: dict[str, Callable[[Path], object]] = {"gz": gzip.open, "bz2": bz2.open, "xz": lzma.open}
    return cast(IO[bytes], opened[kind](path))


def _left_out(name: str) -> bool:
    """Whether a file is hidden, or in a hidden folder, and left out as it would be from a folder."""
    return any(is_hidden(part) for part in re.split(r"[/\\]", name) if part not in (".", ".."))


def _outside(name: str) -> str:
    return "a name that leads out of the archive" if _OUTSIDE.match(name) else ""


@contextmanager
def _faults() -> Iterator[None]:
    with faults():
        try:
            yield
        except (tarfile.TarError, EOFError, LZMAError, OSError) as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise
            raise BadInput(f"broken: a damaged archive, or one that is cut off ({first_line(error)})", "Get it anew.") from None
