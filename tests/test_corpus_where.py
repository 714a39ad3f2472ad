"""Where in its source a passage stands: page, slide, row, turn, or the headings above it; and that `ask` says so."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pdfs import lines, write_pdf

from selfstudy.core.records import Document, Mark, Section
from selfstudy.corpus.folder import SourceFile, walk
from selfstudy.corpus.parse import parse
from selfstudy.index.store import Store


def read(path: Path) -> Document:
    (file,) = walk([path])
    assert isinstance(file, SourceFile)
    (found,) = parse(file)
    assert isinstance(found, Document), found
    return found


def where(document: Document, *words: str) -> list[str]:
    """Where each of `words` stands, by the document's own account."""
    return [document.where(document.text.index(word)) for word in words]


def test_pages_of_a_pdf(tmp_path: Path) -> None:
    pages = [lines("Opening words stand here", "and go on without"), "", lines("an end on page three.", "Then more.")]
    document = read(write_pdf(tmp_path / "a.pdf", *pages))
    assert where(document, "Opening", "without", "an end", "more") == ["p. 1", "p. 1", "p. 3", "p. 3"]


def test_slides(tmp_path: Path) -> None:
    pptx = pytest.importorskip("pptx")
    made = pptx.Presentation()
    for title, body in (("Tea", "Hot water"), ("Coffee", "Ground beans")):
        slide = made.slides.add_slide(made.slide_layouts[1])
        slide.shapes.title.text, slide.placeholders[1].text = title, body
    made.save(str(tmp_path / "a.pptx"))
    assert where(read(tmp_path / "a.pptx"), "Hot", "Coffee", "Ground") == ["slide 1", "slide 2", "slide 2"]


def workbook(**sheets: dict[str, Any]) -> bytes:
    book = pytest.importorskip("openpyxl").Workbook()
    book.remove(book.active)
    for name, cells in sheets.items():
        sheet = book.create_sheet(name)
        for place, value in cells.items():
            sheet[place] = value
    data = io.BytesIO()
    book.save(data)
    return data.getvalue()


def test_rows_of_sheets_keep_the_numbers_that_their_program_shows(tmp_path: Path) -> None:
    prices = {"A2": "Our prices", "A3": "item", "B3": "price", "A4": "tea", "B4": 3, "A5": "coffee", "B5": 4, "A9": "cocoa", "B9": 5}
    beside = {"A1": "x", "B1": "y", "A2": 11, "B2": 12, "A3": 13, "B3": 14, "D1": "v", "E1": "w", "D3": 33, "E3": 34}
    (tmp_path / "a.xlsx").write_bytes(workbook(Prices=prices, Beside=beside))
    document = read(tmp_path / "a.xlsx")
    assert where(document, "Our prices", "tea", "coffee", "cocoa") == [f"Prices, row {number}" for number in (2, 4, 5, 9)]
    assert where(document, "11", "13", "33") == [f"Beside, row {number}" for number in (2, 3, 3)]


def test_rows_of_a_table_in_text(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('name,age\nAnn,3\n\nBob,4\n"Cy\nLee",5\nDi,6\n')
    assert where(read(tmp_path / "a.csv"), "Ann", "Bob", "Cy", "Di") == ["row 2", "row 4", "row 5", "row 6"]


def test_speakers_and_times_of_subtitles(tmp_path: Path) -> None:
    cues = "WEBVTT\n\n00:14:03.000 --> 00:14:05.000\n<v Anna>We wait.\n\n01:02:03.500 --> 01:02:05.000\n<v Bob Lee>Until when?\n"
    (tmp_path / "meeting.vtt").write_text(cues)
    assert where(read(tmp_path / "meeting.vtt"), "wait", "Until") == ["14:03, Anna", "1:02:03, Bob Lee"]


TALK = {
    "Anna: We begin.\n\nPhD D: Yes.\nAnd more of it.\n\nAnna: Good.\n\nPhD D: Then?\n\nBob: Late.\n\nAnna: Wait here.\n": ("PhD D", "Anna"),
    "[00:00:01] Anna: We begin.\n[00:00:05] Bob: Yes.\n[00:01:00] Anna: And more of it.\n[00:02:00] Bob: So.\n"
    "[00:02:09] Anna: Good.\n[01:14:03] Bob: Wait here.\n": ("01:00, Anna", "1:14:03, Bob"),
    "Anna Lee  0:03\nWe begin.\n\nBob  0:09\nYes.\n\nAnna Lee  0:20\nAnd more of it.\n\nBob  0:30\nSo.\n\nAnna Lee  0:40\nGood.\n\n"
    "Bob  14:03\nWait here.\n": ("00:20, Anna Lee", "14:03, Bob"),
    "主持人：开始。\n张三：And more of it.\n主持人：好。\n张三：对。\n李四：来了。\n主持人：Wait here.\n": ("张三", "主持人"),
}


@pytest.mark.parametrize(("text", "expected"), TALK.items())
def test_turns_of_transcripts_in_plain_text(tmp_path: Path, text: str, expected: tuple[str, str]) -> None:
    (tmp_path / "a.txt").write_text(text)
    document = read(tmp_path / "a.txt")
    assert document.text == text
    assert where(document, "And more of it", "Wait here") == list(expected)
    assert str(document.meta["speakers"]).split(", ")[1] in text


@pytest.mark.parametrize(
    "text",
    [
        "Note: one.\n\nPlain words follow here.\n\nNote: two.\n\nTip: three.\n",
        "Tea: a drink.\nCoffee: another.\nCocoa: a third.\nMilk: white.\nWater: clear.\nJuice: sweet.\nBeer: bitter.\n",
        "Q: one?\nA: yes.\nQ: two?\nA: no.\nQ: three?\nA: maybe.\nQ: four?\nA: so.\n",
    ],
)
def test_labels_are_no_speakers(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.txt").write_text(text)
    document = read(tmp_path / "a.txt")
    assert (document.marks, "speakers" in document.meta) == ((), False)


def test_where_nothing_is_marked_the_innermost_headings_say_it(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("# Rules\n\nAll.\n\n## Leave\n\nDays.\n\n### Carry over\n\nRest.\n")
    assert where(read(tmp_path / "a.md"), "All", "Days", "Rest") == ["", "Leave", "Leave > Carry over"]
    nested = Document("a", "abcdef", sections=(Section(("outer",), 0, 6), Section(("outer", "inner"), 2, 4)))
    assert [nested.where(at) for at in (1, 3, 5)] == ["outer", "outer > inner", "outer"]
    marked = Document("a", "ab\ncd\nef", marks=(Mark(3, "Prices", 7),))
    assert [marked.where(at) for at in (0, 3, 6)] == ["", "Prices, row 7", "Prices, row 8"]


def test_a_citation_says_where_and_the_home_keeps_it(run: Callable[..., tuple[int, str, str]], tmp_path: Path) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    write_pdf(docs / "manual.pdf", lines("This manual is about the pump."), lines("The pump is reset with the red key."))
    assert run("add", str(docs), "--json")[0] == 0
    code, out, _ = run("ask", "What is the pump reset with?", "--json")
    (citation,) = json.loads(out)["citations"]
    assert (code, citation["quote"], citation["where"]) == (0, "The pump is reset with the red key.", "p. 2")
    _, out, _ = run("ask", "What is the pump reset with?")
    assert "manual.pdf, p. 2, characters" in " ".join(out.split())
    assert [mark.label for mark in Store.open(tmp_path / "home").snapshot().document("manual.pdf").marks] == ["p. 1", "p. 2"]
