"""What finished steps leave behind: folders that never change again, each with a manifest that says what it was made from."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from selfstudy.core.errors import BadInput, HomeError
from selfstudy.core.files import home_errors, read_json, whole_file
from selfstudy.core.records import Artifact, Record

MANIFEST = "manifest.json"
WORK = ".work"
_WHOLE = 32
"""Characters of a whole key."""

R = TypeVar("R", bound=Record)


@dataclass(frozen=True, slots=True)
class Manifest(Record):
    """What an artifact is and what it was made from.

    `files` maps each file's path inside the folder to its size in bytes; `result` is what the stage returned; `seconds` is how long
    the attempt that finished took, and `resumed` says that an earlier attempt had done part of the work.
    """

    key: str
    kind: str
    stage: str
    version: int
    config: Any
    inputs: Any
    result: Any
    files: dict[str, int]
    seconds: float
    resumed: bool
    created: str


def manifest(artifact: Artifact | Path) -> Manifest:
    """The manifest of a finished artifact. Raises HomeError where it is missing or damaged."""
    folder = artifact.path if isinstance(artifact, Artifact) else artifact
    path = folder / MANIFEST
    try:
        return Manifest.load(read_json(path))
    except (FileNotFoundError, ValueError) as error:
        raise HomeError(
            f"{folder} is no finished artifact: its {MANIFEST} is {'missing' if isinstance(error, FileNotFoundError) else 'damaged'}.",
            "Run the command that made it again.",
        ) from error


def complete(folder: Path) -> Manifest | None:
    """The manifest of `folder` if it is finished and every file that it names is there in full, else None."""
    try:
        found = manifest(folder)
        sizes = {name: (folder / name).stat().st_size for name in found.files}
    except (HomeError, OSError):
        return None
    return found if sizes == found.files else None


def artifacts(home_artifacts: Path) -> list[Artifact]:
    """The finished artifacts under a folder, oldest first."""
    found = []
    if home_artifacts.is_dir():
        for folder in home_artifacts.iterdir():
            if folder.is_dir() and not folder.name.endswith(WORK) and (made := complete(folder)) is not None:
                found.append((made.created, Artifact(made.key, made.kind, folder)))
    return [artifact for _, artifact in sorted(found, key=lambda pair: (pair[0], pair[1].key))]


def find(home_artifacts: Path, key: str) -> Artifact:
    """The finished artifact whose key begins with `key`. Raises BadInput where there is none, or more than one."""
    known = artifacts(home_artifacts)
    found = [artifact for artifact in known if artifact.key.startswith(key)] if key else []
    if len(found) == 1:
        return found[0]
    if found:
        raise BadInput(f"{key!r} is the beginning of {len(found)} keys: {', '.join(a.key for a in found)}.", "Give more of the key.")
    if len(key) == _WHOLE:
        raise BadInput(f"What {key} names is not here any more: it was pruned, or left out of a copy.", "`selfstudy adapt` trains anew.")
    raise BadInput(f"No artifact here has a key that begins with {key!r}.", "`selfstudy history` lists the keys.")


def write_records(path: Path, records: Iterable[Record]) -> int:
    """Write `records` to `path` as they come, one JSON line each, atomically. Returns how many there were. Raises HomeError."""
    count = 0
    with whole_file(path) as file:
        for record in records:
            line = json.dumps(record.json(), ensure_ascii=False) + "\n"
            with home_errors(path):
                file.write(line.encode("utf-8"))
            count += 1
    return count


def read_records(path: Path, kind: type[R]) -> Iterator[R]:
    """The records of `path`, one after the other. Raises HomeError where the file is missing or a line is damaged."""
    try:
        with home_errors(path), open(path, encoding="utf-8") as file:
            for number, line in enumerate(file, start=1):
                try:
                    record = kind.load(json.loads(line))
                except ValueError as error:  # JSON's and pydantic's errors are ValueErrors
                    raise HomeError(
                        f"{path} is damaged: line {number} is no {kind.__name__}.", "Run the command that made it again."
                    ) from error
                yield record
    except FileNotFoundError as error:
        raise HomeError(f"{path} is missing.", "Run the command that made it again.") from error
