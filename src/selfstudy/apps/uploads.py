"""What others hand in is kept in the home as files of safe names, so that a study, a copy of the home and a later `add` find it."""

from __future__ import annotations

import os
import re
import shutil
import unicodedata
from pathlib import Path
from typing import IO

from selfstudy.core.errors import BadInput
from selfstudy.core.files import home_errors, make_folder, sync_folder

UPLOADS = "uploads"
_LONGEST = 180
_UNSAFE = re.compile(r'[\x00-\x1f\x7f/\\:*?"<>|]')


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


def keep(folder: Path, name: str, content: IO[bytes]) -> Path:
    """Write `content` as `folder / name`: beside, synced, renamed. Raises HomeError."""
    make_folder(folder)
    path, beside = folder / name, folder / f".{os.urandom(8).hex()}.part"
    with home_errors(path):
        try:
            with open(beside, "wb") as file:
                content.seek(0)
                shutil.copyfileobj(content, file, 1 << 20)
                file.flush()
                os.fsync(file.fileno())
            os.replace(beside, path)
            sync_folder(folder)
        finally:
            beside.unlink(missing_ok=True)
    return path
