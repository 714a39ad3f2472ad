"""Files that survive a kill: whole or not at all, and one writer at a time."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

from selfstudy.core.errors import Busy, HomeError

_REASONS = {
    errno.EROFS: ("the file system is read-only", "Make it writable, or name another home with --home."),
    errno.EACCES: ("permission is denied", "Give yourself the right to write there, or name another home with --home."),
    errno.EPERM: ("the operation is not permitted", "Give yourself the right to write there, or name another home with --home."),
    errno.ENOSPC: ("the disk is full", "Free some space and run the same command again; what was finished before is kept."),
    errno.EDQUOT: ("the disk quota is used up", "Free some space and run the same command again; what was finished before is kept."),
    errno.EFBIG: ("the file would be larger than allowed", "Raise the limit on file sizes and run the same command again."),
    errno.ENOTDIR: ("a part of the path is a file, not a folder", "Name another home with --home."),
    errno.EISDIR: ("it is a folder, not a file", "Move that folder away, or name another home with --home."),
    errno.EIO: ("the disk reports a fault", "Copy what can still be read to another disk and go on there."),
}


def home_error(path: Path | str, error: OSError) -> HomeError | None:
    """The two lines for `error` at `path`, or None where the error says nothing about the place itself."""
    if error.errno not in _REASONS:
        return None
    reason, mend = _REASONS[error.errno]
    return HomeError(f"Cannot use {path}: {reason}.", mend)


@contextmanager
def home_errors(path: Path | str) -> Iterator[None]:
    """Turn the faults of a place (read-only, full, forbidden) into HomeError; let all others pass."""
    try:
        yield
    except OSError as error:
        told = home_error(path, error)
        if told is None:
            raise
        raise told from error


def make_folder(path: Path) -> Path:
    """Make the folder `path` with its parents, where it is not there yet. Raises HomeError."""
    with home_errors(path):
        try:
            path.mkdir(parents=True, exist_ok=True)
        except FileExistsError as error:
            raise HomeError(f"Cannot use {path}: it is a file, not a folder.", "Name another place.") from error
        except FileNotFoundError as error:  # a place like /proc, where nobody makes folders
            raise HomeError(f"Cannot make the folder {path} there.", "Name another place.") from error
    return path


def sync(path: Path | str) -> None:
    """Make the content of the file `path` durable, or the names in the folder `path`."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_tree(folder: Path, since: float = 0.0) -> None:
    """Make everything inside `folder` durable that changed at or after `since` (seconds since 1970, a little early is fine).

    Of a link the name alone: what it leads to is not inside.
    """
    for parent, _, names in os.walk(folder):
        files = [path for name in names if not os.path.islink(path := os.path.join(parent, name))]
        changed = [path for path in files if os.stat(path).st_mtime >= since]
        for path in changed:
            sync(path)
        if changed or os.stat(parent).st_mtime >= since:
            sync(parent)


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """A file to write that stands at `path` once the block has ended without an error: whenever this is killed, the old content or the new
    is there, whole.

    Written beside, synced, renamed, the folder synced. Raises HomeError where the place cannot be written; an error of the block passes as
    it is.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}.{time.monotonic_ns()}.part")
    with home_errors(path):
        file = open(beside, "wb")  # noqa: SIM115 (on closing, what is left of a full disk's file could not be written either)
    try:
        yield file
        with home_errors(path):
            file.flush()
            os.fsync(file.fileno())
            os.replace(beside, path)
            sync(path.parent)
    finally:
        with suppress(OSError):
            file.close()
        with suppress(OSError):
            beside.unlink(missing_ok=True)


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """A folder to fill that stands at `path` once the block has ended without an error, whole or not at all.

    Filled beside, synced, renamed, the folder around it synced. Where there is a folder with something in it by then, another process was
    first, and its stays. Raises OSError.
    """
    beside = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    try:
        yield beside
        beside.chmod(0o755)
        sync_tree(beside)
        try:
            os.rename(beside, path)
        except OSError:
            if not path.is_dir():
                raise
        sync(path.parent)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def write_atomic(path: Path, data: str | bytes) -> None:
    """Write `data` to `path` as `whole_file` does. Raises HomeError where the place cannot be written."""
    with home_errors(path), whole_file(path) as file:
        file.write(data.encode("utf-8") if isinstance(data, str) else data)


def write_json(path: Path, value: Any) -> None:
    """`value` as indented JSON at `path`, atomically."""
    write_atomic(path, json.dumps(value, ensure_ascii=False, indent=1) + "\n")


def read_json(path: Path) -> Any:
    """The value of the JSON file at `path`. FileNotFoundError where there is none, HomeError where it is no JSON."""
    with home_errors(path):
        content = path.read_bytes()
    try:
        return json.loads(content)
    except ValueError as error:
        raise HomeError(f"{path} is damaged: {error}.", "Put back a copy of the file, or start a new home with --home.") from error


class Log:
    """Finished items by id, one JSON line each, durable once `append` returns.

    What a kill left half-written is cut off on opening, so that the item is simply not finished. One writer at a time.

        with Log(folder / "asked.jsonl") as log:
            for passage in passages:
                if passage.id not in log:
                    log.append(passage.id, ask(passage))
            everything = log.values()
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._items: dict[str, Any] = {}
        with home_errors(path):
            self._file = open(path, "a+b", buffering=0)  # noqa: SIM115 (open for as long as the log is)
            self._size = self._read() if path.is_file() else 0

    def _read(self) -> int:
        self._file.seek(0)
        content = self._file.read()
        size = content.rfind(b"\n") + 1
        for line in content[:size].split(b"\n"):
            with suppress(ValueError, KeyError, TypeError):
                item = json.loads(line)
                self._items[item["id"]] = item["value"]
        if size < len(content):
            self._file.truncate(size)
        return size

    def append(self, id: str, value: Any = None) -> None:
        """Record that `id` is finished, with `value` (plain JSON data)."""
        self.extend({id: value})

    def extend(self, items: dict[str, Any]) -> None:
        """Record many finished items with one sync of the disk."""
        lines = "".join(json.dumps({"id": id, "value": value}, ensure_ascii=False) + "\n" for id, value in items.items())
        left = memoryview(lines.encode("utf-8", "surrogatepass"))
        size = self._size + len(left)
        with home_errors(self.path):
            try:
                while left:
                    left = left[self._file.write(left) :]
                os.fsync(self._file.fileno())
            except BaseException:
                with suppress(OSError):
                    self._file.truncate(self._size)
                raise
        self._size = size
        self._items.update(items)

    def __contains__(self, id: object) -> bool:
        return id in self._items

    def __getitem__(self, id: str) -> Any:
        return self._items[id]

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def values(self) -> list[Any]:
        """What was recorded, in the order in which the ids were first finished."""
        return list(self._items.values())

    def close(self) -> None:
        with suppress(OSError):
            self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


class Lock:
    """One holder at a time, over processes and threads; the system lets go of it when the holder dies.

    `what` is told to whoever comes second: Busy says who holds the lock, for what and since when. `wait`: seconds to wait for it.
    """

    def __init__(self, path: Path, what: str = "writing", wait: float = 0.0) -> None:
        self.path = path
        self.what = what
        self.wait = wait
        self._handle: int | None = None

    def __enter__(self) -> Self:
        with home_errors(self.path):
            handle = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
            try:
                self._take(handle)
                holder = {"pid": os.getpid(), "what": self.what, "since": datetime.now().astimezone().isoformat(timespec="seconds")}
                os.ftruncate(handle, 0)
                os.pwrite(handle, json.dumps(holder).encode(), 0)
            except BaseException:
                os.close(handle)
                raise
        self._handle = handle
        return self

    def _take(self, handle: int) -> None:
        until = time.monotonic() + self.wait
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError as error:
                if time.monotonic() >= until:
                    raise Busy(
                        f"{self.path.parent} is in use: {self._holder(handle)}.",
                        "Wait until it has finished, or stop it, and run the same command again.",
                    ) from error
            time.sleep(0.05)

    @staticmethod
    def _holder(handle: int) -> str:
        try:
            holder = json.loads(os.pread(handle, 4096, 0))
            return f"process {holder['pid']} has been {holder['what']} since {holder['since']}"
        except (ValueError, KeyError, TypeError):
            return "another process holds it"

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._handle is not None:
            with suppress(OSError):
                os.ftruncate(self._handle, 0)
            os.close(self._handle)
            self._handle = None
