"""PDF: the text layer, made readable; scans, locked and broken files refused for what they are."""

from __future__ import annotations

from pathlib import Path

import pytest
from pdfs import PICTURE, lines, write_pdf

from selfstudy.core.errors import BadInput
from selfstudy.core.records import Document
from selfstudy.corpus.formats.pdf import Pdf, _joined

LOCK = f"<</Filter/Standard/V 1/R 2/O<{'28' * 32}>/U<{'4e' * 32}>/P -44>>"


def cells(*rows: str, width: int = 130) -> str:
    """Rows of cells with "|" between them, each in its column."""
    placed = [(50 + width * at, 700 - 20 * line, cell.strip()) for line, row in enumerate(rows) for at, cell in enumerate(row.split("|"))]
    return " ".join(f"BT /F1 11 Tf {left} {top} Td ({cell}) Tj ET" for left, top, cell in placed if cell)


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


def paged(folder: Path, *pages: list[str]) -> list[list[str]]:
    """The lines that are left of each page."""
    document = read(write_pdf(folder / "a.pdf", *(lines(*page) for page in pages)))
    ends = [*(mark.start for mark in document.marks[1:]), len(document.text)]
    assert [mark.label for mark in document.marks] == [f"p. {number}" for number in range(1, len(pages) + 1)]
    return [document.text[mark.start : end].split() for mark, end in zip(document.marks, ends, strict=True)]


@pytest.mark.parametrize(
    ("head", "foot", "kept"),
    [
        ("The club's rules 20{n}", "Page {n} of 4", "The club’s rules 201"),
        ("Policy HR-7, in force from 1 May 2024, page {n}/4", "- 1{n} -", "Policy HR-7, in force from 1 May 2024, page 1/4"),
        ("Confidential", "{roman}", "Confidential"),
        ("{n} The annual report", "C-{n}", "1 The annual report"),
    ],
)
def test_running_heads_come_once_and_page_numbers_not_at_all(tmp_path: Path, head: str, foot: str, kept: str) -> None:
    pages = [
        [one.format(n=n, roman=("iv", "v", "vi", "vii")[n - 1]) for one in (head, f"Rule {word} is of great weight", foot)]
        for n, word in enumerate("ABCD", 1)
    ]
    rules = [f"Rule {word} is of great weight".split() for word in "ABCD"]
    assert paged(tmp_path, *pages) == [kept.split() + rules[0], *rules[1:]]


def test_numbers_that_do_not_run_with_the_pages_stay(tmp_path: Path) -> None:
    pages = [
        [f"Step {n}", f"The {word} is greased and closed", f"Total due: {137 * n} EUR"] for n, word in enumerate(["pump", "cap", "hose"], 1)
    ]
    assert paged(tmp_path, *pages) == [" ".join(page).split() for page in pages]
    pages = [
        ["Staff by plant in 2023:", "42"],
        ["17", "plants there are.", "Civil"],
        ["Third page of text", "Xi"],
        ["mix", "Mix them."],
        ["5.7"],
    ]
    assert paged(tmp_path, *pages) == [" ".join(page).split() for page in pages]


def test_rows_of_a_table_name_their_columns_and_keep_empty_cells(tmp_path: Path) -> None:
    prices = cells("Region | Product | Price", "North | Pump type A | 10", "| Valve | 20", "South | | 30", "| Hose | 40")
    assert read(write_pdf(tmp_path / "a.pdf", prices)).text == (
        "Region: North; Product: Pump type A; Price: 10\nProduct: Valve; Price: 20\nRegion: South; Price: 30\nProduct: Hose; Price: 40"
    )
    years = cells("| May 1, | May 2, |", "| 2023 | 2022", "Net sales | $ 90.5 | $ 80.1", "Cost | | 7.2", "Staff | 5 % | 4 %")
    assert read(write_pdf(tmp_path / "b.pdf", years)).text == (
        "Net sales; May 1, 2023: $ 90.5; May 2, 2022: $ 80.1\nCost; May 2, 2022: 7.2\nStaff; May 1, 2023: 5 %; May 2, 2022: 4 %"
    )
    bare = cells("1 | 2 | 3", "4 | | 6", "7 | 8 | 9")
    assert read(write_pdf(tmp_path / "c.pdf", bare)).text == "1 | 2 | 3\n4 |  | 6\n7 | 8 | 9"


def test_a_cell_of_two_lines_is_one_cell_and_text_around_a_table_stays_text(tmp_path: Path) -> None:
    rows = ["The prices of the year stand below, and they hold for all plants.", "Product | Price", "Pump | 10 EUR", "Cap | 30 EUR"]
    rows += ["Parts of a pump are sold alone as well, as it is said below.", "Part | Use | Price", "P1 | Closes the | 10", "| main valve |"]
    text = read(
        write_pdf(tmp_path / "a.pdf", cells(*rows, "P2 | Opens it | 20", "All prices are in EUR, without the tax of the country."))
    ).text
    assert text.split("\n\n") == [
        "The prices of the year stand below, and they hold for all plants.",
        "Product: Pump; Price: 10 EUR\nProduct: Cap; Price: 30 EUR",
        "Parts of a pump are sold alone as well, as it is said below.",
        "Part: P1; Use: Closes the main valve; Price: 10\nPart: P2; Use: Opens it; Price: 20",
        "All prices are in EUR, without the tax of the country.",
    ]


@pytest.mark.parametrize(
    "rows",
    [
        ["The first column begins here | The second column speaks", "with words about pumps that | about valves to check", "end. | then."],
        ["(a) | Not applicable", "(b) | See the exhibits", "(c) | None"],
        ["By: | Ann Lee", "Name: | Ann Lee", "Title: | Director"],
    ],
)  # fmt: skip
def test_columns_of_text_and_lists_are_no_tables(tmp_path: Path, rows: list[str]) -> None:
    words = [" ".join(row.split()).replace(" | ", " ") for row in rows]
    assert read(write_pdf(tmp_path / "a.pdf", cells(*rows, width=230))).text.split() == " ".join(words).split()


def test_what_was_filled_in_and_written_on_a_page_is_read(tmp_path: Path) -> None:
    notes = (
        "<</Type/Annot/Subtype/Widget/FT/Tx/T(name)/V(Anna Lee)/Rect[120 775 300 795]>>"
        "<</Type/Annot/Subtype/Widget/FT/Tx/T(age)/Rect[0 0 9 9]>>"
        "<</Type/Annot/Subtype/Widget/FT/Btn/T(member)/V/Off/Rect[0 0 9 9]>><</Type/Annot/Subtype/Link/Contents(no)/Rect[0 0 9 9]>>"
        "<</Type/Annot/Subtype/FreeText/Contents(The limit is 75 bar)/Rect[120 675 300 695]>>"
    )
    assert read(write_pdf(tmp_path / "a.pdf", lines("Name:"), notes=notes)).text == "Name:\n\nname: Anna Lee\nThe limit is 75 bar"


SHEET = "q 612 0 0 792 0 0 cm BI /W 1 /H 1 /CS /G /BPC 8 /F /AHx ID FF> EI Q"


def test_a_stamp_on_a_scan_does_not_make_it_text(tmp_path: Path) -> None:
    stamp, words = lines("BATES 000123"), lines(*["These are the words of a page over a picture."] * 9)
    hidden = lines("Words under the scan").replace("Tf", "Tf 3 Tr")
    assert read(write_pdf(tmp_path / "a.pdf", f"{SHEET} {stamp}", lines("Text"))).meta == {"pages": 2, "pages_without_text": 1}
    for content in (f"{PICTURE} {stamp}", f"{SHEET} {words}", f"{SHEET} {hidden}"):
        assert read(write_pdf(tmp_path / "b.pdf", content)).meta == {"pages": 1}


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
