"""Vectors that were made before, kept on disk by model and text: what did not change is never embedded twice.

LMDB holds them: several processes may read and write at once, and a kill -9 at any moment leaves what was committed. It is a cache: where
it cannot be opened or written, or is damaged, the vectors are made anew, and nothing else changes.
"""

from __future__ import annotations

import os
import shutil
import zlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar
from weakref import WeakValueDictionary

import numpy as np

from selfstudy.core.ports import Role, Vectors
from selfstudy.core.records import digest

Key = bytes
T = TypeVar("T")

_NAMES = (b"0", b"1")
_YOUNG = b"young"
_PART = 256  # vectors in a transaction
_ROOM = 64 * 2**20  # of the map beyond the bound: a transaction writes beside what it replaces


class KeptVectors:
    """Vectors under `folder`, at most about `most` bytes of them. Opened when it is first needed; see `at`.

    Two generations make the bound: what is written or found goes into the young one, and when that holds half of `most`, the old one is
    emptied and the two change places. So what was not asked for in a long time goes first.
    """

    def __init__(self, folder: Path, most: int) -> None:
        self.folder = folder
        self.most = most
        self._lock = Lock()
        self._opened: tuple[int, Any] | None = None

    @classmethod
    def at(cls, folder: Path, most: int) -> KeptVectors:
        """The one of this process for `folder`: LMDB does not let a process open a folder twice."""
        with _registry_lock:
            found = _registry.get(str(folder.absolute()))
            if found is None or found.most != most:
                found = _registry[str(folder.absolute())] = cls(folder, most)
            return found

    @staticmethod
    def key(fingerprint: str, role: Role, text: str) -> Key:
        """What a vector hangs on: the model, whether a question or a passage is meant (prefixes differ), and the text."""
        return bytes.fromhex(digest("vector", fingerprint, role, text))

    def get(self, keys: Iterable[Key]) -> dict[Key, Vectors]:
        """The vectors that are kept, float32 of one dimension each."""
        wanted = list(keys)
        nothing: tuple[dict[Key, bytes], dict[Key, bytes]] = ({}, {})
        found, late = self._guarded(lambda env: self._read(env, wanted), nothing)
        if late:
            self._guarded(lambda env: self._write(env, late), None)
        return {key: np.frombuffer(value, np.float32, offset=4) for key, value in (found | late).items()}

    def put(self, vectors: Mapping[Key, Vectors]) -> None:
        """Keep `vectors`."""
        rows = {key: _packed(vector) for key, vector in vectors.items()}
        keys = list(rows)
        for start in range(0, len(keys), _PART):
            part = {key: rows[key] for key in keys[start : start + _PART]}
            self._guarded(lambda env, part=part: self._write(env, part), None)  # type: ignore[misc]

    def _read(self, env: Any, keys: list[Key]) -> tuple[dict[Key, bytes], dict[Key, bytes]]:
        """What the young generation holds, and what only the old one does."""
        found: dict[Key, bytes] = {}
        late: dict[Key, bytes] = {}
        with env.begin() as view:
            young = self._young(view)
            for key in keys:
                for generation, into in ((young, found), (1 - young, late)):
                    value = view.get(key, db=self._generations[generation])
                    if value is not None and _whole(value):
                        into[key] = value
                        break
        return found, late

    def _write(self, env: Any, rows: Mapping[Key, bytes]) -> None:
        import lmdb

        try:
            with env.begin(write=True) as change:
                young = self._young(change)
                for key, value in rows.items():
                    change.put(key, value, db=self._generations[young])
                if _bytes(change.stat(self._generations[young])) >= self.most // 2:
                    change.drop(self._generations[1 - young], delete=False)
                    change.put(_YOUNG, _NAMES[1 - young])
        except lmdb.MapFullError:  # readers of old states hold on to too many pages
            with env.begin(write=True) as change:
                for generation in self._generations:
                    change.drop(generation, delete=False)

    @staticmethod
    def _young(view: Any) -> int:
        return _NAMES.index(view.get(_YOUNG, _NAMES[0]))

    def _guarded(self, work: Callable[[Any], T], otherwise: T) -> T:
        """What `work` gives, or `otherwise` where this cannot be used."""
        import lmdb

        env = self._env()
        if env is None:
            return otherwise
        try:
            return work(env)
        except (lmdb.CorruptedError, lmdb.PageNotFoundError, ValueError):
            self._begin_anew(env)
            return otherwise
        except (lmdb.Error, OSError):  # no room on the disk, no more readers: without it, then
            return otherwise

    def _env(self) -> Any:
        with self._lock:
            if self._opened is None or self._opened[0] != os.getpid():  # LMDB must not be carried over a fork
                self._opened = (os.getpid(), self._open())
            return self._opened[1]

    def _open(self) -> Any:
        import lmdb

        for _ in range(2):
            try:
                self.folder.mkdir(parents=True, exist_ok=True)  # LMDB makes the last folder alone
                # Without metasync a power cut may take the last commits along, never what is whole.
                env = lmdb.open(
                    str(self.folder), map_size=self.most + self.most // 2 + _ROOM, max_dbs=2, max_readers=512, metasync=False,
                    readahead=False,
                )  # fmt: skip
                env.reader_check()  # readers that were killed hold on to old pages
                if _cut_short(env):
                    env.close()
                    shutil.rmtree(self.folder, ignore_errors=True)
                    continue
                self._generations = tuple(env.open_db(name) for name in _NAMES)
                return env
            except (lmdb.InvalidError, lmdb.CorruptedError, lmdb.VersionMismatchError, lmdb.PageNotFoundError):
                shutil.rmtree(self.folder, ignore_errors=True)
            except (lmdb.Error, OSError):  # a home that cannot be written
                return None
        return None

    def _begin_anew(self, env: Any) -> None:
        with self._lock:
            env.close()
            shutil.rmtree(self.folder, ignore_errors=True)
            self._opened = None


_registry: WeakValueDictionary[str, KeptVectors] = WeakValueDictionary()
_registry_lock = Lock()


def _packed(vector: Vectors) -> bytes:
    body = np.ascontiguousarray(vector, np.float32).tobytes()
    return zlib.crc32(body).to_bytes(4, "little") + body


def _whole(value: bytes) -> bool:
    return zlib.crc32(value[4:]) == int.from_bytes(value[:4], "little")


def _bytes(stat: Mapping[str, int]) -> int:
    return stat["psize"] * (stat["branch_pages"] + stat["leaf_pages"] + stat["overflow_pages"])


def _cut_short(env: Any) -> bool:
    """Whether the file ends before its last page: to read there would end the process."""
    pages: int = env.info()["last_pgno"] + 1
    return bool(os.path.getsize(os.path.join(env.path(), "data.mdb")) < pages * env.stat()["psize"])
