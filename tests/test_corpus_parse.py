"""Any file: the format is picked, faults become true reasons, real files are read."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from pydantic import ValidationError

from selfstudy.core.ports import Parser
from selfstudy.core.records import Document
from selfstudy.corpus.folder import SourceFile, walk
from selfstudy.corpus.formats.beir import Beir
from selfstudy.corpus.formats.delimited import Table
from selfstudy.corpus.formats.epub import Epub
from selfstudy.corpus.formats.html import Html
from selfstudy.corpus.formats.json_text import Json
from selfstudy.corpus.formats.mail import Eml, Mbox
from selfstudy.corpus.formats.markdown import Markdown
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
from selfstudy.corpus.parse import Parse, parse
from selfstudy.corpus.passages.chunk import chunk
from selfstudy.corpus.set_aside import SetAside

DATA = Path(os.environ.get("SELFSTUDY_DATA", Path(__file__).parents[2] / "shared" / "data"))


def only(folder: Path, name: str, data: bytes, cfg: Parse | None = None) -> Document | SetAside:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    (file,) = (found for found in walk([folder]) if isinstance(found, SourceFile) and found.path == path)
    (found,) = parse(file, cfg or Parse())
    return found


def reason(folder: Path, name: str, data: bytes, cfg: Parse | None = None) -> str:
    found = only(folder, name, data, cfg)
    assert isinstance(found, SetAside)
    assert found.source == str(folder / name)
    return found.reason


@pytest.mark.parametrize(
    ("name", "data", "kind"),
    [
        ("a.txt", b"Plain words.", "text"),
        ("a.LOG", b"2024 started", "text"),
        ("a.md", b"# T\n\nx", "markdown"),
        ("a.rst", b"T\n===\n\nx", "rst"),
        ("a.htm", b"<p>x</p>", "html"),
        ("a.csv", b"a,b\nc,d", "csv"),
        ("a.tsv", b"a\tb\nc\td", "tsv"),
        ("page.txt", b"<!DOCTYPE html><html><body><p>x</p></body></html>", "html"),
        ("page.pdf", b"<html><body><p>x</p></body></html>", "html"),
    ],
)
def test_the_format_is_picked(tmp_path: Path, name: str, data: bytes, kind: str) -> None:
    found = only(tmp_path, name, data)
    assert isinstance(found, Document)
    assert found.meta["format"] == kind
    assert (found.id, found.source) == (name, str(tmp_path / name))


def test_ids_and_folders_come_from_the_place(tmp_path: Path) -> None:
    found = only(tmp_path, "hr/leave/rules.md", b"---\nformat: draft\n---\n# Rules\n\nText.")
    assert isinstance(found, Document)
    assert found.id == "hr/leave/rules.md"
    assert found.meta == {"format": "draft", "folder": "hr/leave"}


def test_rows_keep_their_ids_and_bad_ones_are_set_aside(tmp_path: Path) -> None:
    path = tmp_path / "corpus.jsonl"
    path.write_text('{"_id": "a", "text": "x", "metadata": {"site": "s"}}\n{bad\n{"_id": "b", "text": "y"}\n')
    (file,) = walk([path])
    assert isinstance(file, SourceFile)
    first, bad, last = parse(file)
    assert isinstance(first, Document)
    assert isinstance(last, Document)
    assert (first.id, first.meta, last.id) == ("a", {"format": "jsonl", "site": "s"}, "b")
    assert isinstance(bad, SetAside)
    assert bad.source == f"{path}:2"


@pytest.mark.parametrize(
    ("name", "data", "expected"),
    [
        ("a.xyz", b"words", "unknown format .xyz"),
        ("a", b"words", "unknown format: the file has no suffix"),
        ("a.docx", b"PK\x03\x04rest", "broken: the zip archive that it is made of is damaged or cut off (File is not a zip file)"),
        ("a.zip", b"PK\x03\x04rest", "broken: the zip archive that it is made of is damaged or cut off (File is not a zip file)"),
        ("a.tar", b"words", "broken: not a tar archive"),
        ("a.txt.7z", b"7z\xbc\xafrest", "unknown format .7z: a 7z archive"),
        ("a.txt", b"PK\x03\x04rest", "unknown format: a zip archive or an office file (docx, xlsx, pptx), named .txt"),
        ("a.csv", b"\x89PNG\r\n\x1a\n", "unknown format: a picture (png), named .csv"),
        ("a.txt", bytes(range(256)) * 8, "unknown format: binary data, no text"),
        ("a.txt", b"", "empty: 0 bytes"),
        ("a.jsonl", b"", "empty: 0 bytes"),
        ("a.txt", b" \n\t\n", "empty: no text in it"),
        ("a.csv", b",,\n,,\n", "empty: no text in it"),
        ("a.html", b"<html><script>x</script></html>", "empty: no text in it"),
        ("a.md", b"---\ntitle: x\n---\n", "empty: no text in it"),
        (
            "a.txt",
            "สัญญานี้มีผลบังคับใช้".encode("cp874"),
            "wrongly encoded: not UTF-8, nor clearly in any other encoding",
        ),
    ],
)
def test_reasons_are_true_and_specific(tmp_path: Path, name: str, data: bytes, expected: str) -> None:
    assert reason(tmp_path, name, data) == expected


def test_broken_pdfs_and_pdfs_under_other_names(tmp_path: Path) -> None:
    assert reason(tmp_path, "a.pdf", b"words").startswith("broken: not a PDF")
    assert reason(tmp_path, "b.txt", b"%PDF-1.4 cut").startswith("broken: not a PDF")


def test_huge_files_are_refused_and_streams_are_not(tmp_path: Path) -> None:
    small = Parse(max_bytes=100)
    assert reason(tmp_path, "a.txt", b"x" * 101, small) == "huge: 101 bytes, the limit is 100 (max_bytes)"
    assert isinstance(only(tmp_path, "b.txt", b"x" * 100, small), Document)
    assert isinstance(only(tmp_path, "c.jsonl", b'{"_id": "a", "text": "' + b"x" * 500 + b'"}', small), Document)
    (file,) = walk([tmp_path / "c.jsonl"])
    assert isinstance(file, SourceFile)
    (row,) = parse(file, Parse(max_row_bytes=9))
    assert isinstance(row, SetAside)
    assert row.reason == "huge: the row is longer than 9 bytes (max_row_bytes)"


def test_what_a_library_did_not_expect_is_set_aside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise KeyError("inside")

    monkeypatch.setattr(Plain, "parse", fail)
    assert reason(tmp_path, "a.txt", b"words") == "broken: KeyError: 'inside'"


def test_a_file_that_went_away_is_set_aside(tmp_path: Path) -> None:
    (found,) = parse(SourceFile("a.txt", tmp_path / "a.txt", 5, 0))
    assert found == SetAside(str(tmp_path / "a.txt"), "unreadable: no such file or directory")


def test_unknown_settings_are_refused() -> None:
    with pytest.raises(ValidationError):
        Parse(max_byte=5)  # type: ignore[call-arg]


@pytest.mark.parametrize(
    "parser",
    [
        *(Plain(), Markdown(), Rst(), Html(), Pdf(), Picture(), Beir(), Table()),
        *(Docx(), Pptx(), Xlsx(), Eml(), Mbox(), Msg(), Subtitles(), Json(), Xml(), Epub()),
    ],
)
def test_every_parser_fits_the_port(parser: object) -> None:
    assert isinstance(parser, Parser)


def test_importing_the_room_loads_nothing_heavy() -> None:
    code = (
        "import sys, selfstudy.corpus.parse, selfstudy.corpus.passages.chunk, selfstudy.corpus.cleaning.dedup;"
        "heavy = 'torch trafilatura lxml pypdfium2 pandas lancedb mammoth pptx openpyxl oxmsg openvino rapidocr cv2 PIL'.split();"
        "print([name for name in heavy if name in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"


needs_files = pytest.mark.skipif(not (DATA / "messy_docs").is_dir(), reason=f"no messy_docs under {DATA}")
QUICK = ("csv__*", "docx__*", "email*", "html__what*", "html__paul*", "markdown*", "pdf*", "pptx*", "xlsx*", "xml*")


@needs_files
def test_real_files_are_read_or_set_aside_for_true_reasons() -> None:
    pytest.importorskip("rapidocr")
    files = [path for pattern in QUICK for path in sorted((DATA / "messy_docs" / "files").glob(pattern))]
    read: Counter[str] = Counter()
    aside: Counter[str] = Counter()
    for file in walk(files):
        assert isinstance(file, SourceFile)
        for found in parse(file):
            if isinstance(found, SetAside):
                aside[found.reason.split(":")[0]] += 1
                continue
            read[str(found.meta["format"])] += 1
            passages = chunk(found)
            assert passages
            for passage in passages:
                for place in passage.places:
                    assert found.text[place.start : place.end] == passage.text
    # 26 PDF files, of which one is a scan, and one more attached to the Outlook message.
    assert read == {"csv": 3, "html": 2, "markdown": 1, "pdf": 27, "docx": 6, "msg": 1, "pptx": 2, "xlsx": 10, "xml": 5}
    assert aside == {}


@needs_files
@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("docx__sample_docx_3*", "Industry | AI Use Case | Impact\nHealthcare | Predictive diagnostics | Improved patient outcomes\n"),
        ("pptx__sample_pptx.*", "Slide 2: Title of First Slide\n\n- This is a bullet point\n- This is another bullet point"),
        ("xlsx__multiple_tables*", "col_a: 1.5; col_b: test\n\ncol_c: 3; col_d: TRUE"),
        ("xml__0000001*", "\nQuestion: What is (are) Age-related Macular Degeneration ?\nAnswer: Age-related macular degeneration, also"),
        ("email_msg*", "Date: 2025-02-17 10:19\nSubject: This is a Subject\n\nDear tester,\n\nThis is an example email"),
    ],
)
def test_real_files_of_other_programs_read_as_a_person_would(pattern: str, expected: str) -> None:
    (path,) = (DATA / "messy_docs" / "files").glob(pattern)
    (file,) = walk([path])
    assert isinstance(file, SourceFile)
    first = next(iter(parse(file)))
    assert isinstance(first, Document)
    assert expected in first.text


@needs_files
def test_a_real_page_keeps_its_headings() -> None:
    (file,) = walk([DATA / "messy_docs" / "files" / "html__what_is_haystack.html"])
    assert isinstance(file, SourceFile)
    (page,) = parse(file)
    assert isinstance(page, Document)
    assert len({section.path for section in page.sections}) > 6
    assert "function(" not in page.text
