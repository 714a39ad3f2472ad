"""Any file to its documents: the format is picked, faults become reasons."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from pydantic import BaseModel, ConfigDict, Field

from selfstudy.core.errors import BadInput, MissingExtra
from selfstudy.core.ports import Parser, Progress, silent
from selfstudy.core.records import Document, Scalar, digest
from selfstudy.corpus.folder import SourceFile
from selfstudy.corpus.formats.beir import Beir
from selfstudy.corpus.formats.delimited import Table
from selfstudy.corpus.formats.detect import ARCHIVES, SUFFIXES, pick
from selfstudy.corpus.formats.epub import Epub
from selfstudy.corpus.formats.html import Html
from selfstudy.corpus.formats.json_text import Json
from selfstudy.corpus.formats.mail import Eml, Mbox
from selfstudy.corpus.formats.markdown import Markdown
from selfstudy.corpus.formats.ocr import Engine
from selfstudy.corpus.formats.outlook import Msg
from selfstudy.corpus.formats.pdf import Pdf
from selfstudy.corpus.formats.pictures import Picture
from selfstudy.corpus.formats.plain import Plain
from selfstudy.corpus.formats.rst import Rst
from selfstudy.corpus.formats.sheets import Xlsx
from selfstudy.corpus.formats.slides import Pptx
from selfstudy.corpus.formats.subtitles import Subtitles
from selfstudy.corpus.formats.word import Docx
from selfstudy.corpus.formats.xml_text import Xml
from selfstudy.corpus.nested import Nest, Read, attached, packed
from selfstudy.corpus.set_aside import SetAside


def _workers() -> int:
    return min(4, max(1, (os.cpu_count() or 1) // 2))


class Parse(BaseModel):
    """How large an input may be, in bytes: `max_row_bytes` for a row of .jsonl, `max_bytes` for a letter of .mbox and a file in an
    archive, and for other files as a whole. What is inside office files and books may unpack to `max_bytes` too, and inside workbooks to
    four times that."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_bytes: int = Field(default=50_000_000, ge=1)
    max_row_bytes: int = Field(default=5_000_000, ge=1)
    max_unpacked: int = Field(default=1_000_000_000, ge=1, description="bytes that an archive, with all archives in it, may unpack to")
    ocr: Engine = Field(default="rapidocr", description="what reads pictures and scanned pages: rapidocr, tesseract or off")
    max_pixels: int = Field(default=100_000_000, ge=1, description="pixels that a picture may have")
    seconds: float = Field(default=120.0, gt=0, description="seconds of work that a document, or a page of a scan, may take its parser")
    max_memory: int = Field(default=4_000_000_000, ge=1, description="bytes of address space that the process of a parser may have")
    workers: int = Field(default_factory=_workers, ge=1, exclude=True, description="processes that parse at once")

    @property
    def key(self) -> str:
        """Equal where what was set aside once would be set aside again: the same limits, the same formats."""
        return digest(self.model_dump_json(), *sorted(SUFFIXES))


def parse(file: SourceFile, cfg: Parse = Parse(), progress: Progress = silent) -> Iterator[Document | SetAside]:  # noqa: B008
    """The documents in `file`, or why there are none; nothing is raised for what a file holds.

    Every document's meta has `format`, and `folder` where the file lies in one; `updated` (YYYY-MM-DD) where the file states it.
    What a row of a stream or a front matter says of itself under these names is kept instead. A row's document keeps its own id.
    Letters of a mailbox are documents of their own with ids like "file.mbox#3"; so are the files attached to a letter, with ids like
    "letter.eml#plan.docx", and what the letter states of itself is in their meta too; so are the files in an archive, with ids like
    "docs.zip#plans/2024.docx". `progress` is called as the pages of a scan are read.
    """

    def read(file: SourceFile, nest: Nest) -> Iterator[Document | SetAside]:
        with _reasons(file, cfg) as reasons:
            kind = pick(file.path, file.size, cfg.max_bytes)
            yield from (
                packed(kind, file, nest, read) if kind in ARCHIVES else _documents(_parser(kind, cfg, progress), kind, file, nest, read)
            )
        yield from reasons

    yield from read(file, Nest(cfg.max_unpacked))


def _documents(parser: Parser, kind: str, file: SourceFile, nest: Nest, read: Read) -> Iterator[Document | SetAside]:
    if isinstance(parser, (Eml, Mbox, Msg)):
        for letter in parser.letters(file.path):
            if isinstance(letter, SetAside):
                yield letter
            else:
                yield _placed(letter.document, kind, file)
                yield from attached(letter, file, nest, read)
    else:
        for found in parser.rows(file.path) if isinstance(parser, (Beir, Json)) else parser.parse(file.path):
            yield found if isinstance(found, SetAside) else _placed(found, kind, file)


@contextmanager
def _reasons(file: SourceFile, cfg: Parse) -> Iterator[list[SetAside]]:
    """Faults inside the block become the reason why the rest of `file` is set aside: the one in the list, after the block."""
    found: list[SetAside] = []

    def aside(reason: str, again: bool = False) -> None:
        found.append(SetAside(str(file.path), reason, again))

    try:
        yield found
    except BadInput as error:
        aside(error.problem)
    except MissingExtra as error:
        aside(f"a package is missing: {error.problem} {error.mend}", again=True)
    except MemoryError:
        aside(f"huge: to read it takes more than {cfg.max_memory} bytes of memory (parse.max_memory)")
    except OSError as error:
        aside(f"unreadable: {(error.strerror or type(error).__name__).lower()}")
    except Exception as error:  # a parser may fail on what it does not expect; one file must not stop the rest
        detail = (str(error).splitlines() or [""])[0][:200]
        aside(f"broken: {type(error).__name__}: {detail}".removesuffix(": "))


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


def _parser(kind: str, cfg: Parse, progress: Progress) -> Parser:
    """The parser of a format. Workbooks may unpack to more, since their rows are read one by one."""
    parsers: dict[str, Parser] = {
        "text": Plain(),
        "markdown": Markdown(),
        "rst": Rst(),
        "html": Html(),
        "pdf": Pdf(cfg.ocr, progress),
        "picture": Picture(cfg.ocr, cfg.max_pixels, progress),
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
