"""Text in pictures: read by a real engine, in the order in which a person reads, with limits, and named where it cannot be."""

from __future__ import annotations

import io
import os
import shutil
import socket
import sys
from pathlib import Path
from typing import Any

import pytest
from pdfs import PICTURE, lines, write_pdf

from selfstudy.core.records import Document
from selfstudy.corpus.folder import SourceFile, walk
from selfstudy.corpus.formats.ocr import Line, in_order
from selfstudy.corpus.parse import Parse, parse
from selfstudy.corpus.set_aside import SetAside

pytest.importorskip("rapidocr")
from PIL import Image, ImageDraw, ImageFont

CHINESE = [
    path
    for name in ("Noto*CJK*.tt?", "*wqy*.tt?", "SourceHan*.ot?", "Droid*Fallback*.ttf")
    for path in Path("/usr/share/fonts").rglob(name)
]
if given := os.environ.get("SELFSTUDY_CHINESE_FONT"):
    CHINESE = [Path(given)]


def picture(*rows: str, size: tuple[int, int] = (700, 220), font: Any = None) -> Image.Image:
    image = Image.new("RGB", size, "white")
    for number, row in enumerate(rows):
        ImageDraw.Draw(image).text((30, 30 + 60 * number), row, font=font or ImageFont.load_default(30), fill="black")
    return image


def read(path: Path, cfg: Parse | None = None) -> list[Document | SetAside]:
    (file,) = walk([path])
    assert isinstance(file, SourceFile)
    return list(parse(file, cfg or Parse()))


def text(path: Path) -> Document:
    (found,) = read(path)
    assert isinstance(found, Document), found
    return found


def reason(path: Path, cfg: Parse | None = None) -> str:
    (found,) = read(path, cfg)
    assert isinstance(found, SetAside), found
    return found.reason


def scanned(image: Image.Image) -> str:
    """A page of a PDF that shows an image and has no text layer."""
    gray = image.convert("L")
    place, size = f"500 0 0 {500 * gray.height // gray.width} 50 400", f"/W {gray.width} /H {gray.height}"
    return f"q {place} cm BI {size} /CS /G /BPC 8 /F /AHx ID {gray.tobytes().hex()}> EI Q"


def test_pictures_are_read_without_a_network_and_with_a_confidence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError("a network is used")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    picture("The pump is reset with the red key.", "It takes 60 seconds.").save(tmp_path / "a.png")
    document = text(tmp_path / "a.png")
    assert document.text == "The pump is reset with the red key.\nIt takes 60 seconds."
    assert document.meta["format"] == "picture"
    assert 0.8 < float(document.meta["ocr_confidence"]) <= 1
    assert not [name for name in sys.modules if name in ("onnxruntime", "openvino_telemetry") and sys.modules[name] is not None]


@pytest.mark.skipif(not CHINESE, reason="no Chinese font here (SELFSTUDY_CHINESE_FONT)")
def test_chinese_is_read(tmp_path: Path) -> None:
    picture("红色钥匙用于重置水泵。", "需要六十秒。", font=ImageFont.truetype(str(CHINESE[0]), 32)).save(tmp_path / "a.jpg", quality=95)
    assert text(tmp_path / "a.jpg").text.replace("\n", "") == "红色钥匙用于重置水泵。需要六十秒。"


def test_pages_of_a_fax_are_one_document_with_a_confidence_for_each(tmp_path: Path) -> None:
    picture("First page here.").save(tmp_path / "a.tiff", save_all=True, append_images=[picture("Second page here.")])
    document = text(tmp_path / "a.tiff")
    assert document.text == "First page here.\n\nSecond page here."
    assert [mark.label for mark in document.marks] == ["p. 1", "p. 2"]
    assert str(document.meta["ocr_pages"]).count(":") == document.meta["pages"] == 2


def test_a_picture_on_its_side_is_turned_as_its_file_says(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    picture("Turned words here.").rotate(90, expand=True).save(tmp_path / "a.jpg", exif=exif, quality=95)
    assert text(tmp_path / "a.jpg").text == "Turned words here."


def test_scanned_pages_of_a_pdf_are_read_among_others(tmp_path: Path) -> None:
    path = write_pdf(tmp_path / "a.pdf", lines("A page with a text layer."), scanned(picture("A page that was scanned.")))
    document = text(path)
    assert document.text == "A page with a text layer.\n\nA page that was scanned."
    assert document.where(document.text.index("scanned")) == "p. 2"
    assert (document.meta["pages"], "ocr_confidence" in document.meta, "pages_without_text" in document.meta) == (2, True, False)


def test_a_scanned_page_with_a_stamp_is_read_with_its_stamp(tmp_path: Path) -> None:
    page = scanned(picture("The deposit is two rents.", size=(700, 900))).replace(" 50 400 cm", " 50 100 cm")
    document = text(write_pdf(tmp_path / "a.pdf", f"{page} BT /F1 9 Tf 450 20 Td (BATES 000123) Tj ET"))
    assert "The deposit is two rents." in document.text
    assert document.text.count("BATES 000123") == 1
    assert ("ocr_confidence" in document.meta, "pages_without_text" in document.meta) == (True, False)


def test_a_picture_without_words_is_empty(tmp_path: Path) -> None:
    picture().save(tmp_path / "a.webp")
    picture(size=(4, 4)).save(tmp_path / "b.bmp")
    assert (reason(tmp_path / "a.webp"), reason(tmp_path / "b.bmp")) == ("empty: no text in it", "empty: no text in it")
    (found,) = read(write_pdf(tmp_path / "a.pdf", PICTURE))
    assert isinstance(found, SetAside)
    assert found.reason == "empty: no text on any page"


@pytest.mark.parametrize("engine", ["rapidocr", "tesseract"])
def test_without_the_engine_the_reason_says_what_to_install_and_it_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine: Any
) -> None:
    from selfstudy.corpus.formats import ocr

    ocr._rapid.cache_clear()
    monkeypatch.setitem(sys.modules, "rapidocr", None)
    monkeypatch.setattr(shutil, "which", lambda _: None)
    what = "pip install 'selfstudy[ocr]'" if engine == "rapidocr" else "The program 'tesseract' is not installed. Install it"
    picture("Words").save(tmp_path / "a.png")
    write_pdf(tmp_path / "scan.pdf", PICTURE)
    for name in ("a.png", "scan.pdf"):
        (found,) = read(tmp_path / name, Parse(ocr=engine))
        assert isinstance(found, SetAside)
        assert found.again
        assert found.reason.startswith("a package is missing: ")
        assert what in found.reason
    document, rest = read(write_pdf(tmp_path / "some.pdf", lines("Text layer"), PICTURE, PICTURE), Parse(ocr=engine))
    assert isinstance(document, Document)
    assert document.meta["pages_without_text"] == 2
    assert isinstance(rest, SetAside)
    assert "2 of its 3 pages are pictures" in rest.reason


def test_turned_off_it_says_so(tmp_path: Path) -> None:
    picture("Words").save(tmp_path / "a.png")
    assert reason(tmp_path / "a.png", Parse(ocr="off")) == "a picture, and reading them is turned off (parse.ocr)"
    assert reason(write_pdf(tmp_path / "a.pdf", PICTURE), Parse(ocr="off")) == "no text layer: a scan needs OCR"


def test_damaged_and_huge_pictures_are_named(tmp_path: Path) -> None:
    data = io.BytesIO()
    picture("Words").save(data, "PNG")
    (tmp_path / "cut.png").write_bytes(data.getvalue()[:200])
    (tmp_path / "text.png").write_bytes(b"words")
    Image.new("1", (30_000, 30_000)).save(tmp_path / "bomb.png")
    assert reason(tmp_path / "cut.png").startswith("broken: a picture that is damaged or cut off")
    assert reason(tmp_path / "text.png").startswith("broken: a picture that is damaged or cut off")
    assert (tmp_path / "bomb.png").stat().st_size < 1_000_000
    assert reason(tmp_path / "bomb.png") == "huge: 30000 x 30000 pixels, the limit is 100000000 (parse.max_pixels)"


def box(words: str, left: float, top: float, width: float | None = None) -> Line:
    return Line(words, 0.9, left, top, left + (width or 12 * len(words)), top + 20)


def test_columns_are_read_one_after_the_other_under_their_heading() -> None:
    page = [box("A heading over both of the columns of this page", 100, 0, 800)]
    page += [box(f"left column line {number}", 0, 60 + 30 * number, 400) for number in range(4)]
    page += [box(f"right column line {number}", 500, 60 + 30 * number, 400) for number in range(4)]
    expected = ["A heading over both of the columns of this page", "", *(f"left column line {n}" for n in range(4)), ""]
    assert in_order(page[::-1]).split("\n") == [*expected, *(f"right column line {n}" for n in range(4))]


def test_cells_of_a_table_are_read_row_by_row_and_gaps_part_paragraphs() -> None:
    table = [box(f"{name} {row}", left, 30.0 * row) for row in range(4) for left, name in ((0, "tea"), (300, "3 EUR"), (600, "hot"))]
    text = in_order([*table, box("Far below.", 0, 300)])
    assert text == "\n".join(f"tea {row} | 3 EUR {row} | hot {row}" for row in range(4)) + "\n\nFar below."


@pytest.mark.skipif(shutil.which("tesseract") is None, reason="tesseract is not installed")
def test_tesseract_reads_the_same(tmp_path: Path) -> None:
    picture("The pump is reset with the red key.").save(tmp_path / "a.png")
    (found,) = read(tmp_path / "a.png", Parse(ocr="tesseract"))
    assert isinstance(found, Document)
    assert "reset with the red key" in found.text


DATA = Path(os.environ.get("SELFSTUDY_DATA", Path(__file__).parents[2] / "shared" / "data"))
SCAN = DATA / "messy_docs" / "files" / "pdf__non_text_searchable.pdf"


@pytest.mark.skipif(not SCAN.is_file(), reason="no messy_docs here")
def test_a_real_scan_is_read() -> None:
    (found,) = read(SCAN)
    assert isinstance(found, Document)
    assert len(found.text.split()) > 20
    assert float(found.meta["ocr_confidence"]) > 0.8
