"""PDF: the text layer, made readable; scans, locked and broken files refused for what they are."""

from __future__ import annotations

from pathlib import Path

import pytest

from selfstudy.core.errors import BadInput
from selfstudy.core.records import Document
from selfstudy.corpus.pdf import Pdf, _joined

LOCK = f"<</Filter/Standard/V 1/R 2/O<{'28' * 32}>/U<{'4e' * 32}>/P -44>>"
PICTURE = "q 100 0 0 100 50 50 cm BI /W 1 /H 1 /CS /G /BPC 8 /F /AHx ID 80> EI Q"


def lines(*texts: str) -> str:
    shown = " T* ".join(f"({text}) Tj" for text in texts)
    return f"BT /F1 12 Tf 14 TL 50 700 Td {shown} ET"


def write_pdf(path: Path, *contents: str, info: str = "", lock: str = "") -> Path:
    """A PDF with a page for each content stream."""
    pages = [4 + 2 * index for index in range(len(contents))]
    objects = {
        1: "<</Type/Catalog/Pages 2 0 R>>",
        2: f"<</Type/Pages/Count {len(pages)}/Kids[{' '.join(f'{page} 0 R' for page in pages)}]>>",
        3: "<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    }
    for page, content in zip(pages, contents, strict=True):
        objects[page] = f"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Resources<</Font<</F1 3 0 R>>>>/Contents {page + 1} 0 R>>"
        objects[page + 1] = f"<</Length {len(content)}>>stream\n{content}\nendstream"
    trailer = f"/Size {len(objects) + 3}/Root 1 0 R"
    for key, value in (("Info", info), ("Encrypt", lock)):
        if value:
            objects[len(objects) + 1] = value
            trailer += f"/{key} {len(objects)} 0 R"
    trailer += "/ID[<00112233445566778899aabbccddeeff><00112233445566778899aabbccddeeff>]"
    data, at = "%PDF-1.4\n", {}
    for number, body in objects.items():
        at[number] = len(data)
        data += f"{number} 0 obj\n{body}\nendobj\n"
    table = "".join(f"{at[number]:010d} 00000 n \n" for number in sorted(at))
    data += f"xref\n0 {len(at) + 1}\n0000000000 65535 f \n{table}trailer\n<<{trailer}>>\nstartxref\n{len(data)}\n%%EOF\n"
    path.write_bytes(data.encode("latin-1"))
    return path


def read(path: Path) -> Document:
    (document,) = Pdf().parse(path)
    return document


def test_text_and_facts(tmp_path: Path) -> None:
    info = "<</Title(Leave policy)/Author(A. Writer)/ModDate(D:20240131120000Z)/CreationDate(D:20200101000000Z)>>"
    document = read(write_pdf(tmp_path / "a.pdf", lines("Everybody has 30 days", "of leave."), info=info))
    assert document.title == "Leave policy"
    assert document.text == "Everybody has 30 days\nof leave."
    assert document.meta == {"pages": 1, "author": "A. Writer", "updated": "2024-01-31"}


@pytest.mark.parametrize("title", ["Microsoft Word - draft.doc", "untitled", "scan_0001", "report.docx", "0000909832-23-000004"])
def test_a_title_that_names_a_file_is_none(tmp_path: Path, title: str) -> None:
    assert read(write_pdf(tmp_path / "a.pdf", lines("Text"), info=f"<</Title({title})>>")).title == ""


def test_a_scan_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no text layer: a scan needs OCR"):
        read(write_pdf(tmp_path / "a.pdf", PICTURE))


def test_empty_pages_are_no_scan(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="empty"):
        read(write_pdf(tmp_path / "a.pdf", "", ""))


def test_scanned_pages_among_others_are_counted(tmp_path: Path) -> None:
    document = read(write_pdf(tmp_path / "a.pdf", lines("Text here"), PICTURE, "", lines("more text")))
    assert document.meta == {"pages": 4, "pages_without_text": 1}


def test_a_locked_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="encrypted: a password is needed"):
        read(write_pdf(tmp_path / "a.pdf", lines("Text"), lock=LOCK))


@pytest.mark.parametrize("data", [b"%PDF-1.4 and no more", b"hello", b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\ntrailer<</Root 9 0 R>>"])
def test_a_broken_file_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.pdf").write_bytes(data)
    with pytest.raises(BadInput, match="broken"):
        read(tmp_path / "a.pdf")


def test_running_heads_and_page_numbers_are_left_out(tmp_path: Path) -> None:
    pages = [lines(f"The club's rules 20{n}", f"Rule {word} is of great weight", f"Page {n} of 4") for n, word in enumerate("ABCD", 1)]
    text = read(write_pdf(tmp_path / "a.pdf", *pages)).text
    assert text == "\n\n".join(f"Rule {word} is of great weight" for word in "ABCD")


def test_a_sentence_goes_on_over_the_page() -> None:
    assert (
        _joined(["The first page ends in the\r\nmiddle of", "a sentence. Then more."])[0]
        == "The first page ends in the\nmiddle of\na sentence. Then more."
    )
    assert _joined(["It ends.", "Another begins."])[0] == "It ends.\n\nAnother begins."


def test_short_lines_end_paragraphs() -> None:
    page = "A heading\r\nThis line runs to the margin of the page and goes\r\non here.\r\nThe next paragraph begins here and runs on too."
    assert _joined([page])[0] == (
        "A heading\n\nThis line runs to the margin of the page and goes\non here.\n\nThe next paragraph begins here and runs on too."
    )


def test_hyphens_at_line_ends_are_mended_by_the_documents_own_words() -> None:
    text = _joined(["The infor\ufffemation is given. All information counts. A non\ufffepayment is bad."])[0]
    assert text == "The information is given. All information counts. A non-payment is bad."


def test_ligatures_leaders_and_chinese_line_ends() -> None:
    assert _joined(["The \ufb01rst of\ufb01ce\xa0fee"])[0] == "The first office fee"
    assert _joined(["Introduction ............. 3"])[0] == "Introduction … 3"
    assert _joined(["合同自双方签字之\r\n日起生效，有效期\r\n三年。"])[0] == "合同自双方签字之日起生效，有效期三年。"
