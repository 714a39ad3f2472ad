"""How fast files are parsed, and in how much memory: in processes of their own, beside in this process, in one run.

    python bench/documents.py [--small 10000] [--pages 2000] [--each 60] [--ocr 2] [--json]

Files are made on the spot. Each part runs in a fresh process. `seconds` are by the clock, `cpu` of this process and the parsers' together;
`ratio` is of the clock, apart to here; `mib` the most that a parser held. Embedding is left out: it takes longer than all this.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from selfstudy.core.records import Document
from selfstudy.corpus.folder import SourceFile, walk
from selfstudy.corpus.parse import Parse, parse
from selfstudy.corpus.passages.chunk import chunk
from selfstudy.corpus.set_aside import SetAside
from selfstudy.corpus.workers import Workers

WORDS = "The valve of pump {n} is opened after {n} minutes, and closed by the keeper as soon as the red lamp goes out. "
PARTS = ("small", "txt", "md", "html", "csv", "eml", "docx", "xlsx", "pdf", "long pdf", "ocr")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", type=int, default=10_000, help="small text files")
    parser.add_argument("--pages", type=int, default=2_000, help="pages of the long pdf")
    parser.add_argument("--each", type=int, default=60, help="files of each format")
    parser.add_argument("--ocr", type=int, default=2, help="pictures")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--part", choices=PARTS, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.part:
        sys.stdout.write(json.dumps(measured(given.part, given)) + "\n")
        return
    found = []
    for part in PARTS:
        options = [f"--{name}={getattr(given, name)}" for name in ("small", "pages", "each", "ocr")]
        done = subprocess.run([sys.executable, __file__, "--part", part, *options], stdout=subprocess.PIPE, text=True, check=True)
        found.append(json.loads(done.stdout))
        if not given.json:
            sys.stdout.write("  ".join(f"{name} {value}" for name, value in found[-1].items()) + "\n")
            sys.stdout.flush()
    if given.json:
        sys.stdout.write(json.dumps(found, indent=1) + "\n")


def measured(part: str, given: Any) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="selfstudy-bench-") as folder:
        pages = make(Path(folder), part, given)
        files = [file for file in walk([Path(folder)]) if isinstance(file, SourceFile)]
        list(parse(files[0]))  # libraries are imported, as they are in an `add` of many files
        here = timed(inside(files))
        apart = timed(beside(files))
        held = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
    rate = {"pages/s": round(pages / apart[0], 1)} if pages else {"files/s": round(len(files) / apart[0], 1)}
    spent = {"seconds": round(apart[0], 2), "here": round(here[0], 2), "ratio": round(apart[0] / here[0], 2)}
    return {"part": part, "files": len(files), **rate, **spent, "cpu": round(apart[1], 2), "cpu here": round(here[1], 2), "mib": held}


def inside(files: list[SourceFile]) -> Iterator[Document | SetAside]:
    for file in files:
        yield from parse(file)


def beside(files: list[SourceFile]) -> Iterator[Document | SetAside]:
    with Workers(files, Parse()) as workers:
        for _, found in workers:
            yield from found


def timed(found: Iterator[Document | SetAside]) -> tuple[float, float]:
    """Seconds by the clock and of CPU, of parsing and cutting into passages, as `add` does."""
    began, spent = time.monotonic(), cpu()
    for one in found:
        assert isinstance(one, Document), one
        chunk(one)
    return time.monotonic() - began, cpu() - spent


def cpu() -> float:
    return sum(use.ru_utime + use.ru_stime for use in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)))


def make(folder: Path, part: str, given: Any) -> int:
    """The files of a part; returns how many pages they have, 0 where there are none to count."""
    text = "\n\n".join(WORDS.format(n=n) * 4 for n in range(20))
    rows: list[list[Any]] = [["pump", "minutes", "keeper"], *([f"pump {n}", n, "Ann"] for n in range(200))]
    if part in ("pdf", "long pdf"):
        count, pages = (given.each, 10) if part == "pdf" else (1, given.pages)
        for number in range(count):
            pdf(folder / f"f{number}.pdf", pages)
        return count * pages
    if part == "ocr":
        from PIL import Image, ImageDraw, ImageFont

        for number in range(given.ocr):
            image = Image.new("RGB", (1654, 2339), "white")  # A4 at 200 dots per inch
            for line in range(30):
                ImageDraw.Draw(image).text((100, 100 + 60 * line), WORDS.format(n=line)[:75], font=ImageFont.load_default(32), fill="black")
            image.save(folder / f"f{number}.png")
        return int(given.ocr)
    for number in range(given.small if part == "small" else given.each):
        path = folder / f"f{number:05}.{'txt' if part == 'small' else part}"
        if part == "docx":
            from html import escape
            from zipfile import ZipFile

            body = "".join(f"<w:p><w:r><w:t>{escape(line)}</w:t></w:r></w:p>" for line in text.split("\n\n"))
            with ZipFile(path, "w") as archive:
                archive.writestr("[Content_Types].xml", CONTENT)
                archive.writestr("_rels/.rels", RELATIONS)
                archive.writestr("word/document.xml", f'<w:document xmlns:w="{WORD}"><w:body>{body}</w:body></w:document>')
        elif part == "xlsx":
            from openpyxl import Workbook

            book = Workbook()
            for row in rows:
                book.active.append(row)
            book.save(path)
        else:
            body = "".join(f"<p>{line}</p>" for line in text.split("\n\n"))
            path.write_text(
                {
                    "small": WORDS.format(n=number) * 3,
                    "txt": text,
                    "md": f"# Pumps\n\n{text}",
                    "html": f"<html><body><nav><a href=x>x</a></nav><main><h1>Pumps</h1>{body}</main></body></html>",
                    "csv": "\n".join(",".join(map(str, row)) for row in rows),
                    "eml": f"From: a@example.org\nSubject: Pump {number}\n\n{text}",
                }[part]
            )
    return 0


WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_MAIN = "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"
_TYPE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument"
CONTENT = f'<Types xmlns="{_PACKAGE}/content-types"><Override PartName="/word/document.xml" ContentType="{_MAIN}"/></Types>'
RELATIONS = (
    f'<Relationships xmlns="{_PACKAGE}/relationships"><Relationship Id="r1" Type="{_TYPE}" Target="word/document.xml"/></Relationships>'
)


def pdf(path: Path, pages: int) -> None:
    """A PDF of `pages` pages with 40 lines of text on each."""
    at, data = [], b"%PDF-1.4\n"
    objects = ["<</Type/Catalog/Pages 2 0 R>>", "", "<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>"]
    objects[1] = f"<</Type/Pages/Count {pages}/Kids[{' '.join(f'{4 + 2 * n} 0 R' for n in range(pages))}]>>"
    for n in range(pages):
        shown = " T* ".join(f"({WORDS.format(n=40 * n + line)[:90]}) Tj" for line in range(40))
        content = f"BT /F1 10 Tf 14 TL 50 750 Td {shown} ET"
        font = "/Resources<</Font<</F1 3 0 R>>>>"
        objects.append(f"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]{font}/Contents {5 + 2 * n} 0 R>>")
        objects.append(f"<</Length {len(content)}>>stream\n{content}\nendstream")
    parts = [data]
    length = len(data)
    for number, one in enumerate(objects, 1):
        at.append(length)
        parts.append(f"{number} 0 obj\n{one}\nendobj\n".encode())
        length += len(parts[-1])
    table = "".join(f"{place:010d} 00000 n \n" for place in at)
    size = len(objects) + 1
    parts.append(f"xref\n0 {size}\n0000000000 65535 f \n{table}trailer\n<</Size {size}/Root 1 0 R>>\nstartxref\n{length}\n%%EOF\n".encode())
    path.write_bytes(b"".join(parts))


if __name__ == "__main__":
    main()
