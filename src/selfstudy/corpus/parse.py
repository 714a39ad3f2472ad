"""Any file to its documents: the format is picked, faults become reasons."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from selfstudy.core.errors import BadInput
from selfstudy.core.ports import Parser
from selfstudy.core.records import Document, Scalar
from selfstudy.corpus.beir import Beir
from selfstudy.corpus.folder import SourceFile
from selfstudy.corpus.html import Html
from selfstudy.corpus.markdown import Markdown
from selfstudy.corpus.pdf import Pdf
from selfstudy.corpus.plain import Plain
from selfstudy.corpus.rst import Rst
from selfstudy.corpus.set_aside import SetAside
from selfstudy.corpus.table import Table

SUFFIXES = {
    ".txt": "text",
    ".text": "text",
    ".log": "text",
    ".md": "markdown",
    ".markdown": "markdown",
    ".rst": "rst",
    ".html": "html",
    ".htm": "html",
    ".xhtml": "html",
    ".pdf": "pdf",
    ".jsonl": "jsonl",
    ".csv": "csv",
    ".tsv": "tsv",
}
"""The suffixes that are read, and their formats."""

_PAGE = re.compile(rb"\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)*(?:<!doctype\s+html|<html[\s>])", re.IGNORECASE | re.DOTALL)
_MAGIC = (
    (b"PK\x03\x04", "a zip archive or an office file (docx, xlsx, pptx)"),
    (b"\xd0\xcf\x11\xe0", "an old office file (doc, xls, ppt, msg)"),
    (b"{\\rtf", "rich text (rtf)"),
    (b"%!PS", "PostScript"),
    (b"\x89PNG", "a picture (png)"),
    (b"\xff\xd8\xff", "a picture (jpeg)"),
    (b"GIF8", "a picture (gif)"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"BZh", "a bzip2 archive"),
    (b"\xfd7zXZ", "an xz archive"),
    (b"7z\xbc\xaf", "a 7z archive"),
    (b"Rar!", "a rar archive"),
    (b"SQLite format 3", "a database (sqlite)"),
    (b"PAR1", "a table (parquet)"),
    (b"\x7fELF", "a program"),
)


class Parse(BaseModel):
    """How large an input may be. Streams (.jsonl) have a limit for each row, other files one for the whole."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_bytes: int = Field(default=50_000_000, ge=1)
    max_row_bytes: int = Field(default=5_000_000, ge=1)


def parse(file: SourceFile, cfg: Parse = Parse()) -> Iterator[Document | SetAside]:  # noqa: B008
    """The documents in `file`, or why there are none; nothing is raised for what a file holds.

    Every document's meta has `format`, and `folder` where the file lies in one; `updated` (YYYY-MM-DD) where the file states it.
    What a row of a stream or a front matter says of itself under these names is kept instead. A stream's documents keep their own ids.
    """
    try:
        kind = _pick(file, cfg)
        if kind == "jsonl":
            for row in Beir(cfg.max_row_bytes).rows(file.path):
                yield row if isinstance(row, SetAside) else replace(row, meta={"format": kind, **row.meta})
            return
        for document in _parser(kind).parse(file.path):
            if document.text.strip():
                yield replace(document, id=file.id, source=str(file.path), meta={**_place(file, kind), **document.meta})
            else:
                yield SetAside(str(file.path), "empty: no text in it")
    except BadInput as error:
        yield SetAside(str(file.path), error.problem)
    except OSError as error:
        yield SetAside(str(file.path), f"unreadable: {(error.strerror or type(error).__name__).lower()}")
    except Exception as error:  # a parser may fail on what it does not expect; one file must not stop the rest
        detail = (str(error).splitlines() or [""])[0][:200]
        yield SetAside(str(file.path), f"broken: {type(error).__name__}: {detail}".removesuffix(": "))


def _place(file: SourceFile, kind: str) -> dict[str, Scalar]:
    folder = file.id.rpartition("/")[0]
    return {"format": kind, "folder": folder} if folder else {"format": kind}


def _parser(kind: str) -> Parser:
    parsers: dict[str, Parser] = {
        "text": Plain(),
        "markdown": Markdown(),
        "rst": Rst(),
        "html": Html(),
        "pdf": Pdf(),
        "csv": Table(),
        "tsv": Table("\t"),
    }
    return parsers[kind]


def _pick(file: SourceFile, cfg: Parse) -> str:
    """The format of `file`: by its suffix, unless its first bytes say otherwise. Raises BadInput for what is not read."""
    suffix = file.path.suffix.lower()
    if file.size == 0:
        raise BadInput("empty: 0 bytes")
    kind = _sniff(file.path, suffix)
    if kind != "jsonl" and file.size > cfg.max_bytes:
        raise BadInput(f"huge: {file.size} bytes, the limit is {cfg.max_bytes} (max_bytes)", "Split it, or raise the limit.")
    return kind


def _sniff(path: Path, suffix: str) -> str:
    with path.open("rb") as file:
        head = file.read(4096)
    kind = SUFFIXES.get(suffix)
    if head.lstrip().startswith(b"%PDF-"):
        return "pdf"
    named = f"named {suffix}" if suffix else "without a suffix"
    for magic, what in _MAGIC:
        if head.startswith(magic):
            raise BadInput(f"unknown format {suffix}: {what}" if kind is None else f"unknown format: {what}, {named}")
    if kind in ("text", "markdown", "pdf") and b"%PDF-" not in head and _PAGE.match(head):
        return "html"
    if kind is None:
        what = f"unknown format {suffix}" if suffix else "unknown format: the file has no suffix"
        raise BadInput(what, f"Read are {', '.join(SUFFIXES)}.")
    return kind
