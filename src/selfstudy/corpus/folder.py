"""Folders in, files out: sorted, each file once, hidden ones left out."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from selfstudy.core.errors import BadInput
from selfstudy.core.records import Record
from selfstudy.corpus.set_aside import SetAside


@dataclass(frozen=True, slots=True)
class SourceFile(Record):
    """A file to read. `id` is the id of its document: the path relative to the folder that was added, or the name of a file added alone.

    `size` is in bytes, `mtime_ns` in nanoseconds since 1970.
    """

    id: str
    path: Path
    size: int
    mtime_ns: int


def walk(paths: Sequence[Path]) -> Iterator[SourceFile | SetAside]:
    """The files in `paths`, folder by folder in the order given, sorted by id within each.

    A file or folder that is reached twice, by a link or by overlapping paths, comes once. Links are followed after what is really there.
    Raises BadInput at once where a path does not exist.
    """
    check_there(paths)
    return _walk([Path(os.path.abspath(path)) for path in paths])


def check_there(paths: Sequence[Path]) -> None:
    """Raise BadInput for a path that leads to nothing."""
    for path in paths:
        if not os.path.lexists(path):
            raise BadInput(f"There is no file or folder {str(path)!r}.", "Check the path; quote it if its name holds spaces.")


def _walk(roots: list[Path]) -> Iterator[SourceFile | SetAside]:
    seen: set[str] = set()
    ids: dict[str, Path] = {}
    for root in roots:
        for found in sorted(_files(root, seen), key=lambda item: item.id if isinstance(item, SourceFile) else item.source):
            if isinstance(found, SourceFile) and found.id in ids:
                reason = f"the id {found.id!r} is already that of {ids[found.id]}: add the folder that holds both"
                yield SetAside(str(found.path), reason)
                continue
            if isinstance(found, SourceFile):
                ids[found.id] = found.path
            yield found


def _files(root: Path, seen: set[str]) -> Iterator[SourceFile | SetAside]:
    base = root if root.is_dir() else root.parent
    real: list[Path] = [root]
    links: list[Path] = []
    while real or links:
        path = real.pop() if real else links.pop()
        name = path.relative_to(base).as_posix()
        if not _is_unicode(name):
            yield SetAside(str(path).encode("utf-8", "replace").decode(), "the file's name is not valid Unicode: rename it")
            continue
        try:
            status = path.stat()
            target = os.path.realpath(path)
            if target in seen:
                continue
            seen.add(target)
            if stat.S_ISDIR(status.st_mode):
                inside = sorted(path / name for name in os.listdir(path) if not is_hidden(name))[::-1]
                real += [entry for entry in inside if not entry.is_symlink()]
                links += [entry for entry in inside if entry.is_symlink()]
            elif not stat.S_ISREG(status.st_mode):
                yield SetAside(str(path), "not a regular file: a device, pipe or socket")
            elif not os.access(path, os.R_OK):
                yield SetAside(str(path), "unreadable: permission denied")
            else:
                yield SourceFile(name, path, status.st_size, status.st_mtime_ns)
        except FileNotFoundError:
            yield SetAside(str(path), f"unreadable: {'a link to nothing' if path.is_symlink() else 'gone while the folder was read'}")
        except OSError as error:
            yield SetAside(str(path), f"unreadable: {(error.strerror or type(error).__name__).lower()}")


def glance(paths: Sequence[Path]) -> dict[str, tuple[int, int]]:
    """Size and time of change of every file in `paths` by its path: quick to take, and other whenever `walk` might find other files.

    What cannot be looked at is passed over.
    """
    found: dict[str, tuple[int, int]] = {}
    seen: set[tuple[int, int]] = set()
    waiting = [os.path.abspath(path) for path in paths]
    while waiting:
        path = waiting.pop()
        try:
            status = os.stat(path)
            if not stat.S_ISDIR(status.st_mode):
                found[path] = (status.st_size, status.st_mtime_ns)
            elif (status.st_dev, status.st_ino) not in seen:
                seen.add((status.st_dev, status.st_ino))
                waiting += [entry.path for entry in os.scandir(path) if not is_hidden(entry.name)]
        except OSError:
            continue
    return found


def is_hidden(name: str) -> bool:
    """Whether a file or folder of this name is left out."""
    return name.startswith((".", "~$"))


def _is_unicode(name: str) -> bool:
    return not any("\ud800" <= char <= "\udfff" for char in name)
