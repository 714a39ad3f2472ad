"""What others hand in is kept in the home as files of safe names, so that a study, a copy of the home and a later `add` find it."""

from __future__ import annotations

import os
import re
import shutil
import unicodedata
from contextlib import suppress
from pathlib import Path
from typing import IO

from selfstudy.core.errors import BadInput, SelfstudyError
from selfstudy.core.files import Lock, home_errors, make_folder, whole_file
from selfstudy.corpus.set_aside import SetAside
from selfstudy.recipes.engine import Engine
from selfstudy.recipes.ingest import Added

UPLOADS = "uploads"
_LONGEST = 180
_UNSAFE = re.compile(r'[\x00-\x1f\x7f/\\:*?"<>|]')
_FOLDERS = re.compile(r"(?<!\S)/(?:\S*/)?")


def safe_name(given: str) -> str:
    """The name under which a file is kept: its last part, without what a file system or a terminal could take for something else.

    Raises BadInput where nothing is left, and for hidden files, which no folder of documents shows.
    """
    name = _UNSAFE.sub("_", unicodedata.normalize("NFC", re.split(r"[/\\]", given)[-1])).strip(" .")
    name = "".join(char for char in name if unicodedata.category(char) not in ("Cs", "Cf", "Cc"))
    stem, dot, suffix = name.rpartition(".")
    while len(name.encode("utf-8")) > _LONGEST and stem:
        stem = stem[:-1]
        name = f"{stem}{dot}{suffix}"
    if not name or name.startswith(("~$", ".")) or len(name.encode("utf-8")) > _LONGEST or not (dot or suffix):
        raise BadInput("The upload has no usable file name.", "Give one like manual.pdf.")
    return name


def changing(home: Path) -> Lock:
    """Held by whoever changes the uploads of `home`, so that nobody puts back what another has just replaced."""
    return Lock(home / "uploads.lock", "changing uploads")


def take_in(engine: Engine, name: str, content: IO[bytes]) -> Added:
    """Read `content` into the index as the upload `name`, in the place of a former one.

    Where nothing of it can be read, or it fails before any of it is in the index, what stood there before stands there again.
    Raises Busy, HomeError.
    """
    with changing(engine.home):
        path = engine.home / UPLOADS / name
        former = _aside(path)
        try:
            keep(path.parent, name, content)
            done = engine.add([path])
        except BaseException:
            if _in_index(engine, path):
                former.unlink(missing_ok=True)
            else:
                _put_back(former, path)
            raise
        if any_read(done):
            former.unlink(missing_ok=True)
            return done
        if _put_back(former, path):
            with suppress(SelfstudyError):
                engine.add([path])  # what is noted of the file is about the former one again
        return done


def _aside(path: Path) -> Path:
    """A copy of the file `path` beside it, under a name that no folder of documents shows; none where there is no such file."""
    former = path.with_name(f".{path.name}.former")
    with home_errors(former):
        former.unlink(missing_ok=True)
        try:
            if path.exists():
                shutil.copy2(path, former)
        except BaseException:
            former.unlink(missing_ok=True)
            raise
    return former


def _put_back(former: Path, path: Path) -> bool:
    """The former file in its place again, or none where there was none. Returns whether there was one."""
    if former.exists():
        os.replace(former, path)
        return True
    path.unlink(missing_ok=True)
    return False


def _in_index(engine: Engine, path: Path) -> bool:
    """Whether a document of the file as it is now has been committed."""
    try:
        now = path.stat()
    except FileNotFoundError:
        return False
    facts = (str(path.absolute()), now.st_size, now.st_mtime_ns)
    files = (card.file for card in engine.store.snapshot().documents.values() if card.file is not None)
    return any((file.path, file.size, file.mtime_ns) == facts for file in files)


def any_read(done: Added) -> bool:
    """Whether any document came out of what was handed in."""
    return bool(done.documents_added or done.documents_changed or done.documents_unchanged)


def reason_of(one: SetAside) -> str:
    """Why it could not be read, without the folders of this machine."""
    return _FOLDERS.sub("", one.reason)


def keep(folder: Path, name: str, content: IO[bytes]) -> Path:
    """Write `content` as `folder / name`, whole or not at all. Raises HomeError."""
    path = make_folder(folder) / name
    with home_errors(path), whole_file(path) as file:
        content.seek(0)
        shutil.copyfileobj(content, file, 1 << 20)
    return path
