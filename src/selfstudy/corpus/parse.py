"""Any file to its documents: the format is picked, faults become reasons."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from pydantic import BaseModel, ConfigDict, Field

from selfstudy.core.errors import BadInput, MissingExtra
from selfstudy.core.ports import Parser, Progress, silent
from selfstudy.core.records import Document, Scalar, digest
from selfstudy.corpus.beir import Beir
from selfstudy.corpus.decode import one_line
from selfstudy.corpus.epub import Epub
from selfstudy.corpus.folder import SourceFile
from selfstudy.corpus.formats import SUFFIXES, pick
from selfstudy.corpus.html import Html
from selfstudy.corpus.json_text import Json
from selfstudy.corpus.letter import Attachment
from selfstudy.corpus.mail import Eml, Mbox
from selfstudy.corpus.markdown import Markdown
from selfstudy.corpus.outlook import Msg
from selfstudy.corpus.pdf import Pdf
from selfstudy.corpus.plain import Plain
from selfstudy.corpus.rst import Rst
from selfstudy.corpus.set_aside import SetAside
from selfstudy.corpus.sheets import Xlsx
from selfstudy.corpus.slides import Pptx
from selfstudy.corpus.subtitles import Subtitles
from selfstudy.corpus.table import Table
from selfstudy.corpus.word import Docx
from selfstudy.corpus.xml_text import Xml

DEEPEST = 3
"""How far letters may lie in letters; what lies deeper is set aside."""

_SUFFIX = re.compile(r"\.\w{1,10}$", re.ASCII)


def _workers() -> int:
    return min(4, max(1, (os.cpu_count() or 1) // 2))


class Parse(BaseModel):
    """How large an input may be, in bytes: `max_row_bytes` for a row of .jsonl, `max_bytes` for a letter of .mbox, and for other files as
    a whole. What is inside office files and books may unpack to `max_bytes` too, and inside workbooks to four times that."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_bytes: int = Field(default=50_000_000, ge=1)
    max_row_bytes: int = Field(default=5_000_000, ge=1)
    seconds: float = Field(default=120.0, gt=0, description="the longest that a document, or a page of a scan, may take its parser")
    max_memory: int = Field(default=4_000_000_000, ge=1, description="bytes of address space that the process of a parser may have")
    workers: int = Field(default_factory=_workers, ge=1, exclude=True, description="processes that parse at once")

    @property
    def key(self) -> str:
        """Equal where what was set aside once would be set aside again: the same limits, the same formats."""
        return digest(self.model_dump_json(), *sorted(SUFFIXES))


def parse(file: SourceFile, cfg: Parse = Parse(), progress: Progress = silent) -> Iterator[Document | SetAside]:  # noqa: B008
    """The documents in `file`, or why there are none; nothing is raised for what a file holds.

    `progress` is called as pages of long files are read.

    Every document's meta has `format`, and `folder` where the file lies in one; `updated` (YYYY-MM-DD) where the file states it.
    What a row of a stream or a front matter says of itself under these names is kept instead. A row's document keeps its own id.
    Letters of a mailbox are documents of their own with ids like "file.mbox#3"; so are the files attached to a letter, with ids like
    "letter.eml#plan.docx", and what the letter states of itself is in their meta too.
    """
    yield from _parse(file, cfg, 0)


def _parse(file: SourceFile, cfg: Parse, depth: int) -> Iterator[Document | SetAside]:
    try:
        kind = pick(file.path, file.size, cfg.max_bytes)
        parser = _parser(kind, cfg)
        if isinstance(parser, (Eml, Mbox, Msg)):
            yield from _letters(parser, kind, file, cfg, depth)
        else:
            for found in parser.rows(file.path) if isinstance(parser, (Beir, Json)) else parser.parse(file.path):
                yield found if isinstance(found, SetAside) else _placed(found, kind, file)
    except BadInput as error:
        yield SetAside(str(file.path), error.problem)
    except MissingExtra as error:
        yield SetAside(str(file.path), f"a package is missing: {error.problem} {error.mend}", again=True)
    except MemoryError:
        yield SetAside(str(file.path), f"huge: to read it takes more than {cfg.max_memory} bytes of memory (parse.max_memory)")
    except OSError as error:
        yield SetAside(str(file.path), f"unreadable: {(error.strerror or type(error).__name__).lower()}")
    except Exception as error:  # a parser may fail on what it does not expect; one file must not stop the rest
        detail = (str(error).splitlines() or [""])[0][:200]
        yield SetAside(str(file.path), f"broken: {type(error).__name__}: {detail}".removesuffix(": "))


def _placed(document: Document, kind: str, file: SourceFile) -> Document | SetAside:
    """`document` with the id and the meta that come from the place of its file, unless it is a row, which has its own."""
    name = file.path.name
    if document.id != name and not document.id.startswith(f"{name}#"):
        return replace(document, meta={"format": kind, **document.meta})
    part = document.id.removeprefix(name)
    if not document.text.strip():
        return SetAside(f"{file.path}{part}", "empty: no text in it")
    folder = file.id.rpartition("/")[0]
    place: dict[str, Scalar] = {"format": kind, "folder": folder} if folder else {"format": kind}
    return replace(document, id=f"{file.id}{part}", source=f"{file.path}{part}", meta={**place, **document.meta})


def _letters(parser: Eml | Mbox | Msg, kind: str, file: SourceFile, cfg: Parse, depth: int) -> Iterator[Document | SetAside]:
    """Each letter of a file, followed by what is attached to it."""
    for letter in parser.letters(file.path):
        if isinstance(letter, SetAside):
            yield letter
            continue
        placed = _placed(letter.document, kind, file)
        yield placed
        part = letter.document.id.removeprefix(file.path.name)
        names: set[str] = set()
        for attachment in letter.attachments:
            name = _name(attachment.name, names)
            inner = f"{file.id}{part}#{name}"
            for found in _attached(attachment, inner, cfg, depth + 1):
                if isinstance(found, SetAside):
                    yield replace(found, source=f"{file.path}{part}#{name}{found.source}")
                else:
                    meta = {**letter.document.meta, "attached_to": f"{file.id}{part}", **found.meta}
                    yield replace(found, source=f"{file.path}{part}#{name}{found.source}", meta=meta)


def _name(name: str, names: set[str]) -> str:
    """The name of an attachment as a part of an id: on one line, without a path, and not among `names`, which it joins."""
    plain = one_line(name).replace("/", "_").replace("\\", "_").replace("#", "_")[-200:] or "attachment"
    number, new = 1, plain
    while new in names:
        number += 1
        new = f"{plain} ({number})"
    names.add(new)
    return new


def _attached(attachment: Attachment, id: str, cfg: Parse, depth: int) -> Iterator[Document | SetAside]:
    """The documents in an attachment; their sources, and those of what is set aside, are what follows the attachment's name."""
    if depth > DEEPEST:
        yield SetAside("", f"nested: letters in letters are read {DEEPEST} deep")
        return
    suffix = _SUFFIX.search(attachment.name)
    with TemporaryDirectory(prefix="selfstudy-") as folder:
        path = Path(folder) / f"attachment{suffix[0] if suffix else ''}"
        path.write_bytes(attachment.data)
        for found in _parse(SourceFile(id, path, len(attachment.data), 0), cfg, depth):
            yield replace(found, source=found.source.removeprefix(str(path)))


def _parser(kind: str, cfg: Parse) -> Parser:
    """The parser of a format. Workbooks may unpack to more, since their rows are read one by one."""
    parsers: dict[str, Parser] = {
        "text": Plain(),
        "markdown": Markdown(),
        "rst": Rst(),
        "html": Html(),
        "pdf": Pdf(),
        "jsonl": Beir(cfg.max_row_bytes),
        "csv": Table(),
        "tsv": Table("\t"),
        "docx": Docx(cfg.max_bytes),
        "pptx": Pptx(cfg.max_bytes),
        "xlsx": Xlsx(4 * cfg.max_bytes),
        "eml": Eml(),
        "mbox": Mbox(cfg.max_bytes),
        "msg": Msg(),
        "vtt": Subtitles(),
        "srt": Subtitles(),
        "json": Json(),
        "xml": Xml(),
        "epub": Epub(cfg.max_bytes),
    }
    return parsers[kind]
