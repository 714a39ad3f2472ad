"""Files in files: what is attached to letters and what is packed in archives, each a document of its own."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from selfstudy.core.errors import BadInput
from selfstudy.core.records import Document
from selfstudy.corpus.folder import SourceFile
from selfstudy.corpus.formats.archives import members
from selfstudy.corpus.formats.decode import one_line
from selfstudy.corpus.formats.letter import Letter
from selfstudy.corpus.formats.zips import MOST_PARTS
from selfstudy.corpus.set_aside import SetAside

DEEPEST = 3
"""How far files may lie in files; what lies deeper is set aside."""

_SUFFIX = re.compile(r"\.\w{1,10}$", re.ASCII)
Found = Iterator[Document | SetAside]
Read = Callable[[SourceFile, "Nest"], Found]


class Nest:
    """How deep a file lies in others, and how many bytes and files may still be unpacked: one allowance for all that lies in one file."""

    def __init__(self, limit: int, depth: int = 0, left: list[int] | None = None) -> None:
        self.limit = limit
        self.depth = depth
        self._left = [limit, MOST_PARTS] if left is None else left

    def deeper(self) -> Nest:
        """One level further in, with the same allowance."""
        return Nest(self.limit, self.depth + 1, self._left)

    def take(self, size: int) -> bool:
        """Use up the allowance for a file of `size` bytes; False where there is none left."""
        self._left[0] -= size
        self._left[1] -= 1
        return min(self._left) >= 0


def attached(letter: Letter, file: SourceFile, nest: Nest, read: Read) -> Found:
    """What is attached to a letter of `file`, with ids like "letter.eml#plan.docx" and what the letter states of itself in the meta."""
    part = letter.document.id.removeprefix(file.path.name)
    names: set[str] = set()
    for attachment in letter.attachments:
        name = _name(attachment.name.replace("/", "_").replace("\\", "_"), names)
        for found in _inside(attachment.name, attachment.save, f"{file.id}{part}#{name}", nest, read):
            if isinstance(found, Document):
                found = replace(found, meta={**letter.document.meta, "attached_to": f"{file.id}{part}", **found.meta})
            yield replace(found, source=f"{file.path}{part}#{name}{found.source}")


def packed(kind: str, file: SourceFile, nest: Nest, read: Read) -> Found:
    """What is in an archive, with ids like "docs.zip#plans/2024.docx" and the archive's id in the meta. Raises BadInput."""
    names: set[str] = set()
    with members(file.path, kind, nest.limit) as inside:
        if not inside:
            raise BadInput("empty: no file in it")
        for member in inside:
            name = _name(member.name.removeprefix("./"), names)
            if member.fault:
                yield SetAside(f"{file.path}#{name}", member.fault)
                continue
            if not nest.take(member.size):
                reason = (
                    f"huge: with what lies in it, it unpacks to more than {nest.limit} bytes (parse.max_unpacked) or {MOST_PARTS} files"
                )
                raise BadInput(f"{reason}; left out is all from {name!r} on", "Unpack it.")
            for found in _inside(member.name, member.save, f"{file.id}#{name}", nest, read):
                if isinstance(found, Document):
                    found = replace(found, meta={"archive": file.id, **found.meta})
                yield replace(found, source=f"{file.path}#{name}{found.source}")


def _inside(name: str, save: Callable[[Path], object], id: str, nest: Nest, read: Read) -> Found:
    """The documents in a file called `name`; their sources, and those of what is set aside, are what follows its name."""
    if nest.depth == DEEPEST:
        yield SetAside("", f"nested: files in files are read {DEEPEST} deep")
        return
    suffix = _SUFFIX.search(name)
    with TemporaryDirectory(prefix="selfstudy-") as folder:
        path = Path(folder) / f"inside{suffix[0] if suffix else ''}"
        try:
            save(path)
        except BadInput as error:
            yield SetAside("", error.problem)
            return
        for found in read(SourceFile(id, path, path.stat().st_size, 0), nest.deeper()):
            yield replace(found, source=found.source.removeprefix(str(path)))


def _name(name: str, names: set[str]) -> str:
    """A name as a part of an id: on one line, and not among `names`, which it joins."""
    plain = one_line(name).replace("#", "_")[-200:] or "attachment"
    number, new = 1, plain
    while new in names:
        number += 1
        new = f"{plain} ({number})"
    names.add(new)
    return new
