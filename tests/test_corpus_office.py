"""Word, PowerPoint and Excel files, and books: what a reader would read, and archives that mean harm."""

from __future__ import annotations

import io
import struct
import sys
import zipfile
from datetime import datetime
from pathlib import Path

import pytest

from selfstudy.core.errors import BadInput
from selfstudy.core.records import Document
from selfstudy.corpus.folder import SourceFile, walk
from selfstudy.corpus.formats import sheets
from selfstudy.corpus.formats.sheets import Xlsx
from selfstudy.corpus.formats.zips import Archive
from selfstudy.corpus.parse import Parse, parse
from selfstudy.corpus.passages.chunk import Chunk, chunk
from selfstudy.corpus.set_aside import SetAside
from selfstudy.recipes.ingest import Readings

openpyxl = pytest.importorskip("openpyxl")
pptx = pytest.importorskip("pptx")
pytest.importorskip("mammoth")

WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
TYPES = "http://schemas.openxmlformats.org/package/2006/content-types"
RELATIONS = "http://schemas.openxmlformats.org/package/2006/relationships"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
MAIN = "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"
STYLES = {"Title": "Title", "berschrift1": "heading 1", "berschrift2": "heading 2", "Verzeichnis1": "toc 1"}


def read(folder: Path, name: str, data: bytes, cfg: Parse | None = None) -> Document | SetAside:
    path = folder / name
    path.write_bytes(data)
    (file,) = walk([path])
    assert isinstance(file, SourceFile)
    (found,) = parse(file, cfg or Parse())
    if isinstance(found, Document):
        for passage in chunk(found):
            for place in passage.places:
                assert found.text[place.start : place.end] == passage.text
    return found


def text(folder: Path, name: str, data: bytes) -> Document:
    found = read(folder, name, data)
    assert isinstance(found, Document), found
    return found


def reason(folder: Path, name: str, data: bytes, cfg: Parse | None = None) -> str:
    found = read(folder, name, data, cfg)
    assert isinstance(found, SetAside), found
    return found.reason


def under(document: Document) -> dict[tuple[str, ...], str]:
    return {section.path: document.text[section.start : section.end].strip() for section in document.sections}


def zipped(parts: dict[str, str | bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    return file.getvalue()


def paragraph(words: str, style: str = "") -> str:
    styled = f'<w:pPr><w:pStyle w:val="{style}"/></w:pPr>' if style else ""
    return f"<w:p>{styled}<w:r><w:t>{words}</w:t></w:r></w:p>"


def docx_parts(*inside: str, main: str = MAIN, before: str = "") -> dict[str, str | bytes]:
    styles = "".join(f'<w:style w:type="paragraph" w:styleId="{id}"><w:name w:val="{name}"/></w:style>' for id, name in STYLES.items())
    return {
        "[Content_Types].xml": f'<Types xmlns="{TYPES}"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.'
        f'relationships+xml"/><Default Extension="xml" ContentType="application/xml"/>'
        f'<Override PartName="/word/document.xml" ContentType="{main}"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{RELATIONS}"><Relationship Id="r" Type="{OFFICE}/officeDocument" '
        'Target="word/document.xml"/></Relationships>',
        "word/_rels/document.xml.rels": f'<Relationships xmlns="{RELATIONS}"><Relationship Id="s" Type="{OFFICE}/styles" '
        'Target="styles.xml"/></Relationships>',
        "word/styles.xml": f'<w:styles xmlns:w="{WORD}">{styles}</w:styles>',
        "word/document.xml": f'{before}<w:document xmlns:w="{WORD}"><w:body>{"".join(inside)}</w:body></w:document>',
    }


def docx(*inside: str) -> bytes:
    return zipped(docx_parts(*inside))


def row(*cells: str) -> str:
    return "<w:tr>" + "".join(f"<w:tc>{paragraph(cell)}</w:tc>" for cell in cells) + "</w:tr>"


def xlsx(**sheets: list[list[object]]) -> bytes:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for cells in rows:
            sheet.append(cells)
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def swapped(data: bytes, name: str, old: bytes, new: bytes) -> bytes:
    """The archive `data` with other bytes in one of its parts."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        parts: dict[str, str | bytes] = {one: archive.read(one) for one in archive.namelist()}
    before = parts[name]
    assert isinstance(before, bytes)
    assert old in before
    parts[name] = before.replace(old, new, 1)
    return zipped(parts)


def test_a_word_file_is_read_with_headings_and_tables_and_without_its_contents(tmp_path: Path) -> None:
    found = text(
        tmp_path,
        "rules.docx",
        docx(
            paragraph("House rules", "Title"),
            paragraph("Leave 3", "Verzeichnis1"),
            paragraph("Leave", "berschrift1"),
            paragraph("Ask two weeks ahead &amp; in writing."),
            paragraph("Sick leave", "berschrift2"),
            f"<w:tbl>{row('Days', 'Note')}{row('3', 'none')}{row('4', 'doctor')}</w:tbl>",
            paragraph("Travel", "berschrift1"),
            paragraph("Keep the tickets."),
        ),
    )
    assert found.title == "House rules"
    assert found.meta["format"] == "docx"
    assert under(found) == {
        (): "House rules",
        ("Leave",): "Ask two weeks ahead & in writing.",
        ("Leave", "Sick leave"): "Days | Note\n3 | none\n4 | doctor",
        ("Travel",): "Keep the tickets.",
    }


def test_a_short_letter_is_read_whole_and_has_no_title(tmp_path: Path) -> None:
    found = text(tmp_path, "a.docx", docx(paragraph("One line.")))
    assert (found.text, found.title, found.sections) == ("One line.", "", ())


def test_the_first_of_several_chapters_is_not_the_title(tmp_path: Path) -> None:
    one = [paragraph("Leave", "berschrift1"), paragraph("Ask.")]
    assert text(tmp_path, "a.docx", docx(*one)).title == "Leave"
    assert text(tmp_path, "b.docx", docx(*one, paragraph("Travel", "berschrift1"), paragraph("Keep."))).title == ""


def test_footnotes_stand_at_the_end_without_the_way_back(tmp_path: Path) -> None:
    parts = docx_parts('<w:p><w:r><w:t>Ask</w:t></w:r><w:r><w:footnoteReference w:id="7"/></w:r></w:p>')
    notes = f'<w:footnotes xmlns:w="{WORD}"><w:footnote w:id="7">{paragraph("In writing.")}</w:footnote></w:footnotes>'
    link = f'<Relationship Id="n" Type="{OFFICE}/footnotes" Target="footnotes.xml"/></Relationships>'.encode()
    data = swapped(zipped({**parts, "word/footnotes.xml": notes}), "word/_rels/document.xml.rels", b"</Relationships>", link)
    assert text(tmp_path, "a.docx", data).text == "Ask[1]\n\n1. In writing."


FIELD = '<w:fldSimple w:instr=" REF x "><w:r><w:t>4.2 Liability</w:t></w:r></w:fldSimple>'
MATH = (
    '<m:oMath xmlns:m="http://schemas.openxmlformats.org/officeDocument/2006/math"><m:r><m:t>E=m</m:t></m:r><m:sSup><m:sSupPr/>'
    "<m:e><m:r><m:t>c</m:t></m:r></m:e><m:sup><m:r><m:t>2</m:t></m:r></m:sup></m:sSup><m:f><m:num><m:r><m:t>a+b</m:t></m:r></m:num>"
    "<m:den><m:r><m:t>2</m:t></m:r></m:den></m:f></m:oMath>"
)
HIDDEN = '<w:r><w:rPr><w:vanish/></w:rPr><w:t>secret</w:t></w:r><w:r><w:rPr><w:vanish w:val="0"/></w:rPr><w:t>seen</w:t></w:r>'
RAISED = '<w:r><w:t>10</w:t></w:r><w:r><w:rPr><w:vertAlign w:val="superscript"/></w:rPr><w:t>6</w:t></w:r>'
STRUCK = "<w:r><w:rPr><w:{}/></w:rPr><w:t>100</w:t></w:r><w:r><w:t>80 EUR</w:t></w:r>"
RUBY = "<w:r><w:ruby><w:rt><w:r><w:t>tokyo</w:t></w:r></w:rt><w:rubyBase><w:r><w:t>東京</w:t></w:r></w:rubyBase></w:ruby></w:r>"


@pytest.mark.parametrize(
    ("inside", "expected"),
    [
        (f"<w:r><w:t xml:space='preserve'>See </w:t></w:r>{FIELD}<w:r><w:t>.</w:t></w:r>", "See 4.2 Liability."),
        (f"{MATH}<w:r><w:t xml:space='preserve'> holds</w:t></w:r>", "E=mc^2(a+b)/2 holds"),
        (HIDDEN, "seen"),
        (RAISED, "10^6"),
        (STRUCK.format("strike"), "80 EUR"),
        (STRUCK.format("dstrike"), "80 EUR"),
        (RUBY, "東京"),
        ("<w:r><w:t>a</w:t><w:cr/><w:t>b</w:t></w:r>", "a\nb"),
        ("<w:dir w:val='rtl'><w:r><w:t>שלום</w:t></w:r></w:dir>", "שלום"),
    ],
)
def test_fields_formulas_and_marks_of_text_are_read_as_a_reader_sees_them(tmp_path: Path, inside: str, expected: str) -> None:
    assert text(tmp_path, "a.docx", docx(f"<w:p>{inside}</w:p>")).text == expected


def test_text_boxes_are_read_once(tmp_path: Path) -> None:
    box = (
        '<w:drawing xmlns:s="http://schemas.microsoft.com/office/word/2010/wordprocessingShape"><s:wsp><s:txbx><w:txbxContent>'
        f"{paragraph('Max 60 bar')}</w:txbxContent></s:txbx></s:wsp></w:drawing>"
    )
    old = f"<w:pict><w:txbxContent>{paragraph('Max 60 bar')}</w:txbxContent></w:pict>"
    both = '<mc:AlternateContent xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006"><mc:Choice>{}</mc:Choice>{}</mc:AlternateContent>'
    for drawing in (box, both.format(box, ""), both.format(box, f"<mc:Fallback>{old}</mc:Fallback>")):
        found = text(tmp_path, "a.docx", docx(f"<w:p><w:r><w:t>Above.</w:t></w:r><w:r>{drawing}</w:r></w:p>", paragraph("Below.")))
        assert found.text == "Above.\n\nMax 60 bar\n\nBelow."


def numbered(*inside: str) -> bytes:
    """A Word file with lists 1 ("1.", "1.1"), 2 (as 1, begun anew), 3 ("第一条"), 4 (bullets); headings are in list 5."""
    level = '<w:lvl w:ilvl="{}"><w:start w:val="1"/><w:numFmt w:val="{}"/><w:lvlText w:val="{}"/></w:lvl>'
    kinds = (
        level.format(0, "decimal", "%1.") + level.format(1, "decimal", "%1.%2"),
        level.format(0, "chineseCounting", "第%1条"),
        level.format(0, "bullet", "•"),
        level.format(0, "upperRoman", "%1") + level.format(1, "lowerLetter", "%1 %2)"),
    )
    nums = ("0", '0"/><w:lvlOverride w:ilvl="0"><w:startOverride w:val="1"/></w:lvlOverride><w:x w:val="', "1", "2", "3")
    numbering = "".join(f'<w:abstractNum w:abstractNumId="{id}">{levels}</w:abstractNum>' for id, levels in enumerate(kinds)) + "".join(
        f'<w:num w:numId="{id}"><w:abstractNumId w:val="{kind}"/></w:num>' for id, kind in enumerate(nums, 1)
    )
    parts = docx_parts(*inside)
    styles = str(parts["word/styles.xml"])
    for depth, name in enumerate(("heading 1", "heading 2")):
        mark = f'<w:name w:val="{name}"/>'
        styles = styles.replace(mark, f'{mark}<w:pPr><w:numPr><w:ilvl w:val="{depth}"/><w:numId w:val="5"/></w:numPr></w:pPr>')
    link = f'<Relationship Id="n" Type="{OFFICE}/numbering" Target="numbering.xml"/></Relationships>'
    parts["word/_rels/document.xml.rels"] = str(parts["word/_rels/document.xml.rels"]).replace("</Relationships>", link)
    return zipped({**parts, "word/styles.xml": styles, "word/numbering.xml": f'<w:numbering xmlns:w="{WORD}">{numbering}</w:numbering>'})


def item(words: str, number: int, level: int = 0) -> str:
    place = f'<w:numPr><w:ilvl w:val="{level}"/><w:numId w:val="{number}"/></w:numPr>'
    return f"<w:p><w:pPr>{place}</w:pPr><w:r><w:t>{words}</w:t></w:r></w:p>"


def test_items_have_the_numbers_that_word_shows(tmp_path: Path) -> None:
    found = text(
        tmp_path,
        "a.docx",
        numbered(
            item("Off.", 1), item("Drain.", 1), item("Wait.", 1, 1), paragraph("Between."), item("Refill.", 1), paragraph("Again."),
            item("Anew.", 2), paragraph("And."), item("甲方", 3), item("乙方", 3), item("Loose.", 4),
        ),
    )  # fmt: skip
    assert found.text.split("\n\n") == [
        "1. Off.\n2. Drain.\n- 2.1 Wait.", "Between.", "3. Refill.", "Again.", "1. Anew.", "And.", "- 第一条 甲方\n- 第二条 乙方\n- Loose."
    ]  # fmt: skip


def test_headings_have_the_numbers_of_their_styles(tmp_path: Path) -> None:
    first, second = "berschrift1", "berschrift2"
    found = text(
        tmp_path,
        "a.docx",
        numbered(
            paragraph("Leave", first), paragraph("Ask.", second), paragraph("x"), paragraph("Wait.", second), paragraph("y"),
            paragraph("Travel", first), paragraph("Go.", second), paragraph("z"),
        ),
    )  # fmt: skip
    assert under(found) == {
        ("I Leave", "I a) Ask."): "x",
        ("I Leave", "I b) Wait."): "y",
        ("II Travel", "II a) Go."): "z",
    }


def test_merged_cells_of_a_word_table_stand_in_each_row(tmp_path: Path) -> None:
    merged = "<w:tc><w:tcPr><w:vMerge{}/></w:tcPr>{}</w:tc>"
    rows = "".join(
        f"<w:tr>{merged.format(how, paragraph(words))}<w:tc>{paragraph(part)}</w:tc></w:tr>"
        for how, words, part in ((' w:val="restart"', "North", "Pump"), ("", "", "Valve"))
    )
    assert (
        text(tmp_path, "a.docx", docx(f"<w:tbl>{row('Region', 'Part')}{rows}</w:tbl>")).text == "Region | Part\nNorth | Pump\nNorth | Valve"
    )


def test_a_title_among_the_properties_is_used_unless_it_is_a_file_name(tmp_path: Path) -> None:
    for stated, expected in (("Annual report", "Annual report"), ("draft_7.docx", "")):
        core = (
            '<c:coreProperties xmlns:c="http://schemas.openxmlformats.org/package/2006/metadata/core-properties" '
            'xmlns:d="http://purl.org/dc/elements/1.1/" xmlns:t="http://purl.org/dc/terms/"><d:creator>Ann  Lee</d:creator>'
            f"<d:title>{stated}</d:title><t:modified>2024-05-06T07:08:09Z</t:modified></c:coreProperties>"
        )
        found = text(tmp_path, "a.docx", zipped({**docx_parts(paragraph("x")), "docProps/core.xml": core}))
        assert found.title == expected
        assert found.meta == {"format": "docx", "author": "Ann Lee", "updated": "2024-05-06"}


def test_slides_are_sections_with_tables_and_notes(tmp_path: Path) -> None:
    show = pptx.Presentation()
    first = show.slides.add_slide(show.slide_layouts[1])
    first.shapes.title.text = "Pumps"
    first.placeholders[1].text = "Close the valve\nWait"
    first.notes_slide.notes_text_frame.text = "Say why."
    second = show.slides.add_slide(show.slide_layouts[6])
    box = second.shapes.add_group_shape().shapes.add_textbox(0, 0, 9, 9)
    box.text_frame.text = "In a group"
    table = second.shapes.add_table(2, 2, 0, 0, 9, 9).table
    for place, words in (((0, 0), "Part"), ((0, 1), "Price"), ((1, 0), "Seal"), ((1, 1), "9")):
        table.cell(*place).text = words
    show.slides.add_slide(show.slide_layouts[6])
    file = io.BytesIO()
    show.save(file)
    found = text(tmp_path, "a.pptx", file.getvalue())
    assert under(found) == {
        ("Slide 1: Pumps",): "- Close the valve\n- Wait\n\nNotes: Say why.",
        ("Slide 2",): "In a group\n\nPart | Price\nSeal | 9",
    }
    assert (found.title, found.meta["slides"]) == ("Pumps", 3)


def test_merged_cells_of_a_slide_stand_in_each_row_and_column(tmp_path: Path) -> None:
    show = pptx.Presentation()
    table = show.slides.add_slide(show.slide_layouts[6]).shapes.add_table(4, 3, 0, 0, 9, 9).table
    for number, words in enumerate(("Plan", "Fee", "", "", "A", "B", "x", "1", "2", "", "3", "")):
        table.cell(number // 3, number % 3).text = words
    for one, two in (((0, 0), (1, 0)), ((0, 1), (0, 2)), ((2, 0), (3, 0)), ((3, 1), (3, 2))):
        table.cell(*one).merge(table.cell(*two))
    file = io.BytesIO()
    show.save(file)
    assert under(text(tmp_path, "a.pptx", file.getvalue())) == {("Slide 1",): "Plan | Fee A | Fee B\nx | 1 | 2\nx | 3 | 3"}


def test_sheets_are_sections_and_rows_have_their_headers(tmp_path: Path) -> None:
    found = text(
        tmp_path,
        "a.xlsx",
        xlsx(
            Prices=[["Prices of 2024"], [], ["Part", "Price"], ["Seal", 9.50], ["Pump", 0.1 + 0.2], [], [], ["Belt", 4]],
            Empty=[],
            Beside=[["a", "b", None, "c", "d"], [1, 2, None, 3, True], [None, None, None, 5, 6]],
        ),
    )
    assert under(found) == {
        ("Prices",): "Prices of 2024\n\nPart: Seal; Price: 9.5\nPart: Pump; Price: 0.3\n\nPart: Belt; Price: 4",
        ("Beside",): "a: 1; b: 2\n\nc: 3; d: TRUE\nc: 5; d: 6",
    }


def test_merged_cells_captions_and_gaps_are_tolerated(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    sheet["B2"] = "Prices"
    sheet.merge_cells("B2:D2")
    for place, value in (("B3", "Part"), ("D3", "Price"), ("B4", "Seal"), ("D4", 9), ("B6", "loose")):
        sheet[place] = value
    file = io.BytesIO()
    book.save(file)
    assert under(text(tmp_path, "a.xlsx", file.getvalue())) == {("Sheet",): "Prices\nPart: Seal; Price: 9\n\nloose"}


def saved(book: object) -> bytes:
    file = io.BytesIO()
    book.save(file)  # type: ignore[attr-defined]
    return file.getvalue()


def test_merged_cells_hold_for_all_that_they_cover(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    for cells in (
        ["Region", "Q1", None, "Q2", None], [None, "Plan", "Real", "Plan", "Real"], ["North", 1, 2, 3, 4], [None, 5, 6, "none", None],
        ["Prices without tax"], ["South", 7, 8, 9, 10],
    ):  # fmt: skip
        sheet.append(cells)
    for place in ("A1:A2", "B1:C1", "D1:E1", "A3:A4", "D4:E4", "A5:E5"):
        sheet.merge_cells(place)
    assert under(text(tmp_path, "a.xlsx", saved(book)))[("Sheet",)].split("\n") == [
        "Region: North; Q1 Plan: 1; Q1 Real: 2; Q2 Plan: 3; Q2 Real: 4",
        "Region: North; Q1 Plan: 5; Q1 Real: 6; Q2 Plan: none; Q2 Real: none",
        "Region: Prices without tax",
        "Region: South; Q1 Plan: 7; Q1 Real: 8; Q2 Plan: 9; Q2 Real: 10",
    ]


def test_years_dates_and_an_index_are_headers_of_a_sheet(tmp_path: Path) -> None:
    rows: dict[str, list[list[object]]] = {
        "Years": [["Item", 2021, 2022], ["Sales", 100, 120]],
        "Dates": [["Item", datetime(2024, 1, 1), datetime(2024, 2, 1)], ["Sales", 100, 120]],
        "Index": [[None, "name", "price"], [0, "Pump", 10]],
    }
    assert under(text(tmp_path, "a.xlsx", xlsx(**rows))) == {
        ("Years",): "Item: Sales; 2021: 100; 2022: 120",
        ("Dates",): "Item: Sales; 2024-01-01: 100; 2024-02-01: 120",
        ("Index",): "#: 0; name: Pump; price: 10",
    }


def test_formulas_without_a_value_are_written_and_counted(tmp_path: Path) -> None:
    data = xlsx(A=[["Part", "Net", "Total"], ["Seal", 9, "=B2*2"], ["Pump", 8, "=B3*2"]])
    data = swapped(data, "xl/worksheets/sheet1.xml", b"<f>B3*2</f><v></v>", b"<f>B3*2</f><v>16</v>")
    found = text(tmp_path, "a.xlsx", data)
    assert under(found) == {("A",): "Part: Seal; Net: 9; Total: =B2*2\nPart: Pump; Net: 8; Total: 16"}
    assert found.meta["formulas_without_value"] == 1


def test_percent_is_applied(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.append(["a", "b", "c"])
    sheet.append([0.15, 1, 0.15])
    for place, form in (("A2", "0%"), ("B2", "0.0%"), ("C2", "0.00")):
        sheet[place].number_format = form
    assert under(text(tmp_path, "a.xlsx", saved(book))) == {("Sheet",): "a: 15%; b: 100.0%; c: 0.15"}


def test_hidden_rows_and_columns_are_left_out_and_counted_but_not_filtered_ones(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    for cells in (["Name", "Secret", "Price"], ["A", "x", 1], ["B", "y", 2], ["C", "z", 3]):
        sheet.append(cells)
    sheet.row_dimensions[3].hidden = True
    sheet.column_dimensions["B"].hidden = True
    found = text(tmp_path, "a.xlsx", saved(book))
    assert under(found) == {("Sheet",): "Name: A; Price: 1\nName: C; Price: 3"}
    assert (found.meta["hidden_rows"], found.meta["hidden_columns"]) == (1, 1)
    assert found.where(found.text.index("C;")) == "Sheet, row 4"
    sheet.auto_filter.ref = "A1:C4"
    sheet.auto_filter.add_filter_column(0, ["A", "C"])
    assert "Name: B; Price: 2" in text(tmp_path, "a.xlsx", saved(book)).text


def test_a_merge_of_the_whole_sheet_makes_no_row(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.append(["All"])
    sheet.append(["a", "b"])
    data = swapped(
        saved(book), "xl/worksheets/sheet1.xml", b"</sheetData>", b'</sheetData><mergeCells><mergeCell ref="A1:XFD1048576"/></mergeCells>'
    )
    assert len(text(tmp_path, "a.xlsx", data).text) < 1000


def test_a_passage_of_a_sheet_begins_with_a_row(tmp_path: Path) -> None:
    found = text(
        tmp_path, "a.xlsx", xlsx(A=[["Part", "Note"], *[[f"P{n}", "Close it well. Wait for the bell. Open it."] for n in range(9)]])
    )
    assert all(passage.text.startswith("Part: P") for passage in chunk(found, Chunk(words=20, min_words=0)))


def test_hidden_sheets_are_left_out_and_counted(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.active["A1"] = "seen"
    hidden = book.create_sheet("Secret")
    hidden["A1"] = "unseen"
    hidden.sheet_state = "hidden"
    file = io.BytesIO()
    book.save(file)
    found = text(tmp_path, "a.xlsx", file.getvalue())
    assert "unseen" not in found.text
    assert found.meta["hidden_sheets"] == 1


def test_a_sheet_that_states_its_size_wrongly_loses_no_cell(tmp_path: Path) -> None:
    data = xlsx(S=[["a", "b"], ["x", "y"]])
    wrong = swapped(data, "xl/worksheets/sheet1.xml", b'<dimension ref="A1:B2"', b'<dimension ref="A1:A1"')
    assert "a: x; b: y" in text(tmp_path, "a.xlsx", wrong).text


def test_too_many_rows_are_refused_with_the_number(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    path.write_bytes(xlsx(A=[["x"], ["y"]], B=[["z"]]))
    assert len(list(Xlsx(rows=3).parse(path))) == 1
    with pytest.raises(BadInput, match="more rows than are read, 2 rows in all"):
        list(Xlsx(rows=2).parse(path))


def test_a_row_number_beyond_reason_is_refused(tmp_path: Path) -> None:
    data = swapped(xlsx(A=[["x"]]), "xl/worksheets/sheet1.xml", b'<row r="1"', b'<row r="999999999"')
    data = swapped(data, "xl/worksheets/sheet1.xml", b'r="A1"', b'r="A999999999"')
    assert reason(tmp_path, "a.xlsx", data) == "huge: a sheet claims more cells than are read"


def test_one_wide_row_does_not_make_the_others_wide(tmp_path: Path) -> None:
    found = text(tmp_path, "a.xlsx", xlsx(A=[["x"] * 5000, *[["y"]] * 3000]))
    assert found.meta["rows"] == 3001
    assert found.text.endswith("\ny\ny")
    (table,) = sheets._side_by_side([(1, ["x"] * 5000), *((2, ["y"]) for _ in range(3000))])
    assert sum(len(row) for _, row in table) == 8000


@pytest.mark.parametrize("name", ["a.docx", "a.xlsx", "a.zip", "a.txt", "a", "a.docm", "odd\nname 😀.docx"])
def test_a_word_file_is_known_by_its_content(tmp_path: Path, name: str) -> None:
    assert text(tmp_path, name, docx(paragraph("words"))).meta["format"] == "docx"


def test_a_file_with_macros_is_read_for_its_text(tmp_path: Path) -> None:
    parts = docx_parts(paragraph("words"), main="application/vnd.ms-word.document.macroEnabled.main+xml")
    assert text(tmp_path, "a.docm", zipped({**parts, "word/vbaProject.bin": b"\xd0\xcf" + bytes(99)})).text == "words"


def test_a_workbook_inside_a_word_file_does_not_make_it_one(tmp_path: Path) -> None:
    parts = docx_parts(paragraph("words"))
    inside = b'<Default Extension="xlsx" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"/></Types>'
    data = swapped(zipped({**parts, "word/embeddings/a.xlsx": xlsx(A=[["x"]])}), "[Content_Types].xml", b"</Types>", inside)
    assert text(tmp_path, "a.docx", data).text == "words"


def test_without_the_package_the_reason_has_the_pip_line_and_the_file_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, module, data in (("a.docx", "mammoth", docx(paragraph("x"))), ("a.xlsx", "openpyxl", xlsx(A=[["x"]]))):
        with monkeypatch.context() as patch:
            patch.setitem(sys.modules, module, None)
            found = read(tmp_path, name, data)
        assert isinstance(found, SetAside)
        assert found.reason == f"a package is missing: The module '{module}' is not installed. pip install 'selfstudy[office]'"
        (file,) = walk([tmp_path / name])
        assert isinstance(file, SourceFile)
        readings = Readings(tmp_path)
        readings.done(file, [found])
        assert not readings.unchanged(file)
        readings.done(file, [SetAside(found.source, "broken")])
        assert readings.unchanged(file)


BOMB = '<!DOCTYPE b [<!ENTITY a "haha"><!ENTITY b "&a;&a;&a;">]>'


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_declared_entities_are_refused_in_every_part(tmp_path: Path, encoding: str) -> None:
    parts = docx_parts(paragraph("&b;"), before=BOMB)
    main = parts["word/document.xml"]
    assert isinstance(main, str)
    expected = "broken: its part 'word/document.xml' declares a document type, as no office program does"
    assert reason(tmp_path, "a.docx", zipped({**parts, "word/document.xml": main.encode(encoding)})) == expected
    bad = swapped(xlsx(A=[["x"]]), "xl/worksheets/sheet1.xml", b"<worksheet", BOMB.encode() + b"<worksheet")
    assert reason(tmp_path, "a.xlsx", bad).startswith("broken: its part 'xl/worksheets/sheet1.xml' declares a document type")


def test_bombs_are_refused_by_what_the_directory_says(tmp_path: Path) -> None:
    bomb = zipped(docx_parts(paragraph(" " * 5_000_000)))
    assert reason(tmp_path, "a.docx", bomb) == "huge: its part 'word/document.xml' unpacks to over 200 times its size, as only bombs do"
    small = Parse(max_bytes=5_000)
    many = {f"word/part{number}.xml": f"<a>{'x' * 1000}</a>" for number in range(9)}
    expected = "huge: its text unpacks to more than 5000 bytes (by max_bytes)"
    assert reason(tmp_path, "b.docx", zipped({**docx_parts(paragraph("x")), **many}), small) == expected


def test_all_parts_together_are_limited_before_and_while_they_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(zipped({f"{number}.xml": f"<a>{'x' * 1000}</a>" for number in range(9)}))
    with Archive(path, 5000) as archive:
        assert [len(archive.read(f"{number}.xml")) for number in range(4)] == [1007] * 4
        with pytest.raises(BadInput, match="huge: its text unpacks to more than 5000 bytes"):
            archive.read("5.xml")
    monkeypatch.setattr(Archive, "read", lambda *_: pytest.fail("unpacked"))
    with Archive(path, 5000) as archive, pytest.raises(BadInput, match="huge: its text unpacks to more than 5000 bytes"):
        archive.plain_copy()


def test_pictures_are_never_unpacked(tmp_path: Path) -> None:
    assert text(tmp_path, "a.docx", zipped({**docx_parts(paragraph("words")), "word/media/a.bin": bytes(9_000_000)})).text == "words"


def test_a_directory_that_lies_is_found_out_while_reading(tmp_path: Path) -> None:
    data = bytearray(docx(paragraph("words" + "x" * 5000)))
    at = data.rindex(b"word/document.xml") - 46
    assert data[at : at + 4] == b"PK\x01\x02"
    struct.pack_into("<I", data, at + 24, 40)  # the size that it claims to have unpacked
    assert reason(tmp_path, "a.docx", bytes(data)).startswith("broken: the zip archive that it is made of is damaged or cut off (Bad CRC")


def test_a_directory_that_points_outside_the_file_is_broken(tmp_path: Path) -> None:
    data = bytearray(docx(paragraph("words")))
    at = data.rindex(b"PK\x05\x06")
    struct.pack_into("<I", data, at + 16, struct.unpack_from("<I", data, at + 16)[0] + 5000)
    assert reason(tmp_path, "a.docx", bytes(data)).startswith("broken: the zip archive that it is made of is damaged or cut off")


@pytest.mark.parametrize("size", [30, 400, -30])
def test_archives_that_are_cut_off_are_broken(tmp_path: Path, size: int) -> None:
    for name, data in (("a.docx", docx(paragraph("words"))), ("a.xlsx", xlsx(A=[["x"]]))):
        assert reason(tmp_path, name, data[:size]).startswith("broken: the zip archive that it is made of is damaged or cut off")


def ole(*names: str) -> bytes:
    """The head of an OLE file and a directory with these names, as much of it as is looked at."""
    entries = b"".join(name.encode("utf-16-le").ljust(64, b"\0") + bytes(64) for name in ("Root Entry", *names))
    return b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1".ljust(512, b"\0") + entries


@pytest.mark.parametrize(
    ("name", "data", "expected"),
    [
        ("a.docx", ole("EncryptionInfo", "EncryptedPackage"), "encrypted: a password is needed"),
        ("a.xlsx", ole("EncryptedPackage"), "encrypted: a password is needed"),
        ("a.doc", ole("WordDocument", "EncryptedPackage", "Workbook"), "unknown format .doc: an old Word file (doc)"),
        ("a.docx", ole("WordDocument"), "unknown format: an old Word file (doc), named .docx"),
        ("a.msg", ole("Something"), "unknown format: an old office file (doc, xls, ppt), named .msg"),
        (
            "a.msg",
            ole("Something") + bytes(2) + "EncryptedPackage\0".encode("utf-16-le"),
            "unknown format: an old office file (doc, xls, ppt), named .msg",
        ),
        ("a.docx", b"\0\1junk", "broken: not what .docx files begin with, a zip archive"),
        ("a.msg", b"junk", "broken: not an Outlook message"),
        ("a.jar", zipped({"a.txt": "x"}), "unknown format .jar: a zip archive"),
        ("a.docx", zipped({"a.txt": "x"}), "unknown format: a zip archive, named .docx"),
        (
            "a.odt",
            zipped({"mimetype": "application/vnd.oasis.opendocument.text"}),
            "unknown format .odt: an OpenDocument file (odt, ods, odp)",
        ),
        ("a.docx", docx(), "empty: no text in it"),
        ("a.xlsx", xlsx(A=[], B=[[None, ""]]), "empty: no text in it"),
    ],
)
def test_reasons_are_true_and_specific(tmp_path: Path, name: str, data: bytes, expected: str) -> None:
    assert reason(tmp_path, name, data) == expected


def test_parts_behind_a_password_are_said_to_be(tmp_path: Path) -> None:
    data = bytearray(docx(paragraph("words")))
    at = data.rindex(b"word/document.xml") - 46
    struct.pack_into("<H", data, at + 8, 1)
    assert reason(tmp_path, "a.docx", bytes(data)) == "encrypted: a password is needed"


PACKAGE = """<?xml version="1.0"?><package xmlns="http://www.idpf.org/2007/opf" xmlns:dc="http://purl.org/dc/elements/1.1/"><metadata>
<dc:title>The Sea</dc:title><dc:creator>Ann Lee</dc:creator><dc:language>en</dc:language><dc:date>2019-04-05</dc:date></metadata><manifest>
<item id="n" href="nav.xhtml" media-type="application/xhtml+xml" properties="nav"/>
<item id="b" href="two%20b.xhtml" media-type="application/xhtml+xml"/><item id="a" href="one.xhtml" media-type="application/xhtml+xml"/>
</manifest><spine><itemref idref="n"/><itemref idref="a"/><itemref idref="b"/></spine></package>"""
CONTAINER = (
    '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
    '<rootfile full-path="text/book.opf"/></rootfiles></container>'
)


def book(**more: str) -> bytes:
    page = '<?xml version="1.0" encoding="utf-8"?><!DOCTYPE html><html xmlns="http://www.w3.org/1999/xhtml"><body>{}</body></html>'
    parts: dict[str, str | bytes] = {
        "mimetype": "application/epub+zip",
        "META-INF/container.xml": CONTAINER,
        "text/book.opf": PACKAGE,
        "text/nav.xhtml": page.format("<p>Contents</p>"),
        "text/one.xhtml": page.format("<header><h1>Tides</h1></header><p>They come&#160;twice.</p>"),
        "text/two b.xhtml": page.format("<section><h1>Waves</h1><p>Wind makes them.</p><aside><p>Mostly.</p></aside></section>"),
    }
    return zipped({**parts, **more})


def test_a_book_is_read_in_the_order_of_its_spine(tmp_path: Path) -> None:
    found = text(tmp_path, "a.epub", book())
    assert found.title == "The Sea"
    assert found.meta == {"format": "epub", "author": "Ann Lee", "updated": "2019-04-05", "language": "en"}
    assert under(found) == {("Tides",): "They come twice.", ("Waves",): "Wind makes them.\n\nMostly."}


def test_a_book_with_a_lock_and_one_that_lacks_a_page_are_named(tmp_path: Path) -> None:
    lock = '<encryption xmlns:e="http://www.w3.org/2001/04/xmlenc#"><e:CipherReference URI="{}"/></encryption>'
    locked = book(**{"META-INF/encryption.xml": lock.format("text/one.xhtml")})
    assert reason(tmp_path, "a.epub", locked) == "encrypted: its pages can only be read by the shop's own program (DRM)"
    assert isinstance(read(tmp_path, "b.epub", book(**{"META-INF/encryption.xml": lock.format("fonts/a.otf")})), Document)
    missing = book(**{"text/book.opf": PACKAGE.replace("one.xhtml", "none.xhtml")})
    assert reason(tmp_path, "c.epub", missing) == "broken: it has no part 'text/none.xhtml'"
