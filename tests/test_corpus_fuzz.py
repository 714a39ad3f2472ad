"""Files made to do harm, and files changed at random: nothing crashes, hangs or leaks, and every file is read or named."""

from __future__ import annotations

import io
import os
import random
import resource
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from pdfs import lines, write_pdf

from selfstudy.core.records import Document
from selfstudy.corpus.folder import SourceFile, walk
from selfstudy.corpus.parse import Parse, parse
from selfstudy.corpus.set_aside import SetAside
from selfstudy.corpus.workers import Workers

GIB = 1 << 30


def files(folder: Path) -> list[SourceFile]:
    return [file for file in walk([folder]) if isinstance(file, SourceFile)]


def seeds(folder: Path) -> dict[str, bytes]:
    """A small good file of each kind, by its suffix."""
    write_pdf(folder / "seed.pdf", lines("The pump is reset with the red key."), lines("It takes 60 seconds."))
    found = {".pdf": (folder / "seed.pdf").read_bytes()}
    (folder / "seed.pdf").unlink()
    for name in ("docx", "pptx", "xlsx"):
        data = io.BytesIO()
        with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
            for part, inside in OFFICE[name].items():
                archive.writestr(part, inside)
        found[f".{name}"] = data.getvalue()
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("a/tea.md", "# Tea\n\nHot.")
        archive.writestr("b.pdf", found[".pdf"])
    found[".zip"] = data.getvalue()
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:gz") as tar:
        tar.addfile(tarfile.TarInfo("empty.txt"))
    found[".tgz"] = data.getvalue()
    letter = (
        "From: a@b\nSubject: =?utf-8?q?T=C3=B6pfe?=\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=X\n\n--X\n\nSee there.\n"
    )
    letter += "--X\nContent-Type: text/html\nContent-Disposition: attachment; filename=a.html\n\n<h1>T</h1><p>words</p>\n--X--\n"
    texts = {
        ".txt": "Anna: one.\nBob: two.\n" * 5 + "Töpfe 茶 🍵\n",
        ".md": "---\ntitle: x\ndate: 2024-01-31\n---\n# T\n\n- item\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n```\ncode\n```\n",
        ".rst": "Title\n=====\n\n:field: x\n\nSub\n---\n\n.. note:: y\n\n`link <http://x>`_\n",
        ".html": "<!doctype html><html><head><title>T</title><script>x()</script></head><body><main><h1>H</h1><p>words &amp; more</p>"
        "<table><tr><th>a</th></tr><tr><td>1</td></tr></table></main></body></html>",
        ".csv": 'name,age\nAnn,3\n"Bob\nLee",4\n',
        ".jsonl": '{"_id": "a", "title": "t", "text": "words", "metadata": {"x": 1}}\n{"_id": "b", "text": "more"}\n',
        ".json": '{"name": "Ann", "list": [{"a": 1.5, "b": null}, {"a": true}], "deep": {"er": ["x", "y"]}}',
        ".xml": '<?xml version="1.0"?><doc id="1"><title>T</title><p>words <b>bold</b></p><row a="1">x</row></doc>',
        ".eml": letter,
        ".mbox": f"From a@b Thu Jan  1 00:00:00 2026\n{letter}\nFrom a@b Thu Jan  1 00:00:00 2026\nSubject: two\n\n> quoted\nwords\n",
        ".vtt": "WEBVTT\n\n00:00:01.000 --> 00:00:02.000\n<v Anna>One.\n\n00:00:03.000 --> 00:00:04.000\nBob: two.\n",
        ".srt": "1\n00:00:01,000 --> 00:00:02,000\nOne.\n\n2\n00:00:03,000 --> 00:00:04,000\n- two.\n",
    }
    return found | {suffix: text.encode() for suffix, text in texts.items()}


_MAIN = "application/vnd.openxmlformats-officedocument."
_REL = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"


def _package(main: str, kind: str, body: str, **more: str) -> dict[str, str]:
    relation = f'<Relationship Id="r1" Type="{_REL}/officeDocument" Target="{main}"/>'
    types = (
        f'<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Override PartName="/{main}"'
    )
    return {
        "[Content_Types].xml": '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
        f'{types} ContentType="{_MAIN}{kind}.main+xml"/><Default Extension="xml" ContentType="application/xml"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">{relation}</Relationships>',
        main: body,
        **more,
    }


_WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_SHEET = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
OFFICE = {
    "docx": _package(
        "word/document.xml",
        "wordprocessingml.document",
        f'<w:document xmlns:w="{_WORD}"><w:body><w:p><w:r><w:t>words of a letter</w:t></w:r></w:p></w:body></w:document>',
    ),
    "pptx": _package("ppt/presentation.xml", "presentationml.presentation", "<presentation/>"),
    "xlsx": _package(
        "xl/workbook.xml",
        "spreadsheetml.sheet",
        f'<workbook xmlns="{_SHEET}" xmlns:r="{_REL}"><sheets><sheet name="S" sheetId="1" r:id="rId1"/></sheets></workbook>',
        **{
            "xl/_rels/workbook.xml.rels": '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
            f'<Relationship Id="rId1" Type="{_REL}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>',
            "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{_SHEET}"><sheetData>'
            '<row r="1"><c r="A1"><v>1</v></c></row></sheetData></worksheet>',
        },
    ),
}


def mutated(data: bytes, chance: random.Random) -> bytes:
    """`data` with a few bytes flipped, a stretch cut out, doubled, moved or filled with zeros, or its end cut off."""
    found = bytearray(data)
    for _ in range(chance.randint(1, 6)):
        start = chance.randrange(len(found) + 1)
        end = min(len(found), start + chance.choice((1, 2, 8, 64, 512)))
        how = chance.randrange(6)
        if how == 0:
            found[start:end] = chance.randbytes(end - start)
        elif how == 1:
            del found[start:end]
        elif how == 2:
            found[start:start] = found[start:end] * chance.choice((1, 2, 50))
        elif how == 3:
            found[start:end] = bytes(end - start)
        elif how == 4 and start > len(found) // 2:
            del found[start:]
        else:
            found[start:end] = chance.choice(
                (b"\xff" * 4, b"<", b"</", b'"', b"{" * 300, b"\0", b"99999999999", b"&#x0;", b"\n" * 9, "茶".encode())
            )
    return bytes(found)


def fuzz(folder: Path, count: int, seed: int) -> dict[str, int]:
    """`count` changed files, read in processes of their own; how many were read, and how many named, by the kind of reason."""
    (folder / "made").mkdir()
    good = sorted(seeds(folder).items())
    chance = random.Random(seed)
    for number in range(count):
        suffix, data = good[number % len(good)]
        (folder / "made" / f"f{number:05}{suffix}").write_bytes(mutated(data, chance) or b" ")
    kinds: dict[str, int] = {}
    with Workers(files(folder / "made"), Parse(seconds=20, workers=1)) as workers:
        for file, found in workers:
            several = list(found)
            assert several or file.path.suffix == ".jsonl", file.path
            for one in several:
                kind = "read" if isinstance(one, Document) else one.reason.partition(":")[0]
                if isinstance(one, SetAside):
                    assert "its parser" not in one.reason, (file.path, one.reason)
                kinds[kind] = kinds.get(kind, 0) + 1
    return kinds


def test_a_few_hundred_changed_files_are_read_or_named(tmp_path: Path) -> None:
    kinds = fuzz(tmp_path, 300, seed=1)
    assert kinds["read"] > 50
    assert kinds["broken"] > 20
    assert set(kinds) <= {"read", "broken", "empty", "encrypted", "huge", "unknown format", "wrongly encoded", "nested", "replaced"} | {
        kind for kind in kinds if kind.startswith(("a name", "a link", "not a"))
    }


@pytest.mark.slow
def test_ten_thousand_changed_files_leave_no_memory_behind(tmp_path: Path) -> None:
    for seed in range(5):
        (tmp_path / str(seed)).mkdir()
        fuzz(tmp_path / str(seed), 2_000, seed)


def test_seeds_are_good_files(tmp_path: Path) -> None:
    for suffix, data in seeds(tmp_path).items():
        if suffix in (".pptx", ".tgz"):  # too small to be whole; what is changed in them must do no harm all the same
            continue
        (tmp_path / f"seed{suffix}").write_bytes(data)
        (file,) = (file for file in files(tmp_path) if file.path.suffix == suffix)
        assert all(isinstance(one, Document) for one in parse(file)), (suffix, list(parse(file)))


@pytest.fixture
def little_memory() -> Iterator[None]:
    """For the time of a test this process may not take more than a GiB beyond what it has."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    held = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (held + GIB, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


@pytest.mark.usefixtures("little_memory")
@pytest.mark.parametrize("suffix", [".txt", ".csv", ".mbox", ".jsonl", ".zip", ".doc", ".pdf", ".png"])
def test_a_file_of_four_gigabytes_is_named_and_never_held_in_memory(tmp_path: Path, suffix: str) -> None:
    head = {
        ".mbox": b"From a@b Thu Jan  1 00:00:00 2026\nSubject: x\n\n",
        ".zip": b"PK\x03\x04",
        ".doc": b"\xd0\xcf\x11\xe0",
        ".png": b"\x89PNG\r\n\x1a\n",
    }
    with (tmp_path / f"a{suffix}").open("wb") as file:
        file.write(head.get(suffix, b"%PDF-1.4" if suffix == ".pdf" else b"{"))
        file.truncate(4 * GIB)
    if suffix in (".mbox", ".jsonl"):
        os.truncate(tmp_path / f"a{suffix}", GIB)  # these are read to their end, piece by piece
    (one,) = files(tmp_path)
    (found,) = parse(one)
    assert isinstance(found, SetAside)
    assert found.reason.startswith("broken" if suffix == ".zip" else "huge"), found
    assert "memory" not in found.reason


def test_files_that_change_while_they_are_read_are_read_or_named(tmp_path: Path) -> None:
    for number in range(60):
        (tmp_path / f"f{number:02}.txt").write_text("Old words. " * 200)
    before = files(tmp_path)
    stop = threading.Event()

    def change() -> None:
        turn = 0
        while not stop.is_set():
            path = before[turn * 7 % 60].path
            turn += 1
            if turn % 3 == 0:
                path.unlink(missing_ok=True)
            else:
                path.write_text("New words, many more of them. " * (turn % 300))

    thread = threading.Thread(target=change)
    thread.start()
    try:
        with Workers(before, Parse(workers=1)) as workers:
            found = [(file, list(inside)) for file, inside in workers]
    finally:
        stop.set()
        thread.join()
    assert len(found) == 60
    for _, (one,) in found:
        if isinstance(one, SetAside):
            assert one.reason.startswith(("empty", "unreadable: no such file")), one
        else:
            assert "words" in one.text.lower()
