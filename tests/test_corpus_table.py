"""Tables in text files."""

from __future__ import annotations

from pathlib import Path

import pytest

from selfstudy.core.records import Document
from selfstudy.corpus.formats.delimited import Table


def read(folder: Path, text: str, delimiter: str | None = None) -> Document:
    path = folder / "table.csv"
    path.write_text(text, encoding="utf-8", newline="")
    (document,) = Table(delimiter).parse(path)
    return document


def test_rows_carry_the_names_of_the_columns(tmp_path: Path) -> None:
    document = read(tmp_path, 'Name,Fee,Note\r\nAnn,30,"pays, late"\r\nBob,,"two\r\nlines"\r\n')
    assert document.text == "Name: Ann; Fee: 30; Note: pays, late\nName: Bob; Note: two lines"
    assert document.meta == {"rows": 2, "columns": 3}


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found(tmp_path: Path, delimiter: str) -> None:
    rows = [["Name", "Text"], ["Ann", "first"], ["Bob", "second"]]
    assert read(tmp_path, "\n".join(delimiter.join(row) for row in rows)).text == "Name: Ann; Text: first\nName: Bob; Text: second"


def test_commas_in_the_cells_do_not_mislead(tmp_path: Path) -> None:
    text = "Name;Text\nAnn;one, two, three\nBob;four\nEve;five, six\n"
    assert read(tmp_path, text).text.startswith("Name: Ann; Text: one, two, three\n")


def test_a_first_row_of_numbers_is_no_header(tmp_path: Path) -> None:
    assert read(tmp_path, "1,2\n3,4\n").text == "1; 2\n3; 4"


def test_rows_longer_than_the_header_keep_their_cells(tmp_path: Path) -> None:
    assert read(tmp_path, "a,b\nx,y,z\n\n,,\n").text == "a: x; b: y; z"


def test_one_column_and_one_row(tmp_path: Path) -> None:
    assert read(tmp_path, "Word\napple\npear\n").text == "Word: apple\nWord: pear"
    assert read(tmp_path, "only,row\n").text == "only; row"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (",name,price\n0,Pump,10\n1,Valve,20\n", "#: 0; name: Pump; price: 10\n#: 1; name: Valve; price: 20"),
        (",price\n0,10\n1,20\n", "#: 0; price: 10\n#: 1; price: 20"),
        ("Region,2021,2022\nNorth,10,12\nSouth,20,21\n", "Region: North; 2021: 10; 2022: 12\nRegion: South; 2021: 20; 2022: 21"),
        ("Item,2021,2022,2023\nSales,1900,1950,2000\n", "Item: Sales; 2021: 1900; 2022: 1950; 2023: 2000"),
        ("Item,2024-01-01,2024-02-01\nSales,1,2\n", "Item: Sales; 2024-01-01: 1; 2024-02-01: 2"),
        ("Name,Value,Value\nA,1,2\n", "Name: A; Value: 1; Value (2): 2"),
        ("Name,City,\nAnn,Paris,\n", "Name: Ann; City: Paris"),
        ("Name,E-mail,E-mail\nAnn,a@b.org,c@d.org\n", "Name: Ann; E-mail: a@b.org; E-mail (2): c@d.org"),
        ("Region,Q1,,Q2,\n,Plan,Real,Plan,Real\nNorth,1,2,3,4\n", "Region: North; Q1 Plan: 1; Q1 Real: 2; Q2 Plan: 3; Q2 Real: 4"),
    ],
)
def test_gaps_years_dates_and_repeated_names_make_a_header_above_numbers(tmp_path: Path, text: str, expected: str) -> None:
    assert read(tmp_path, text).text == expected


@pytest.mark.parametrize(
    "rows",
    [
        "North; 2021; 35\nSouth; 2022; 40",
        "Founded; 1998\nEmployees; 250\nSeat; Bonn",
        "Ann; yes; yes\nBob; no; yes",
        "Ann; n/a; n/a\nBob; 1; 2",
        "Ann; Paris; Paris; 3\nBob; Rome; Bonn; 4",
        "2021; 2022; 2023\n2022; 2023; 2024",
    ],
)
def test_rows_of_data_are_no_header(tmp_path: Path, rows: str) -> None:
    assert read(tmp_path, rows.replace("; ", ",")).text == rows


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Sales report 2023,,\n,,\nRegion,Product,Price\nNorth,Pump,10\n", "Sales report 2023\nRegion: North; Product: Pump; Price: 10"),
        ("sep=;\nRegion;Price\nNorth;1,5\n", "Region: North; Price: 1,5"),
        ('"sep=\t"\nRegion\tPrice\nNorth\t1,5\n', "Region: North; Price: 1,5"),
        ("# exported 2024\nRegion;Price\nNorth;1,5\nSouth;2,5\n", "# exported 2024\nRegion: North; Price: 1,5\nRegion: South; Price: 2,5"),
        ("# by Ann, Bob\na,b,c\nx,y,z\nu,v,w\n", "# by Ann; Bob\na: x; b: y; c: z\na: u; b: v; c: w"),
        (
            "Report,Sales\nDate,2024-05-01\n\nRegion,Product,Price\nNorth,Pump,10\n",
            "Report; Sales\nDate; 2024-05-01\nRegion: North; Product: Pump; Price: 10",
        ),
        ("#chrom,start\nchr1,5\nchr2,6\n", "#chrom: chr1; start: 5\n#chrom: chr2; start: 6"),
    ],
)
def test_what_stands_above_a_table_is_not_its_header(tmp_path: Path, text: str, expected: str) -> None:
    assert read(tmp_path, text).text == expected


def test_rows_below_captions_keep_their_numbers(tmp_path: Path) -> None:
    document = read(tmp_path, "Sales report,,\n,,\nRegion,Product,Price\nNorth,Pump,10\nSouth,Valve,20\n")
    assert [document.where(document.text.index(word)) for word in ("Sales", "North", "South")] == ["row 1", "row 4", "row 5"]
    assert document.meta == {"rows": 2, "columns": 3}


def test_a_cell_may_be_as_long_as_the_file(tmp_path: Path) -> None:
    document = read(tmp_path, 'id,text\n1,"' + "x" * 200_000 + '"\n2,short\n')
    assert document.text == "id: 1; text: " + "x" * 200_000 + "\nid: 2; text: short"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('id,text\n1,"open\n2,second\n3,third\n', 'id: 1; text: "open\nid: 2; text: second\nid: 3; text: third'),
        ('id,text\n1,"open\n2,second\n3,"c, d"\n', 'id: 1; text: "open\nid: 2; text: second\nid: 3; text: c, d'),
    ],
)
def test_a_quote_that_is_never_closed_swallows_no_row(tmp_path: Path, text: str, expected: str) -> None:
    document = read(tmp_path, text)
    assert document.text == expected
    assert document.meta["unclosed_quotes"] == 1


def test_quotes_inside_a_cell_and_lines_in_quotes_are_no_fault(tmp_path: Path) -> None:
    document = read(tmp_path, 'id,text\n1,"two\nlines, ""one"""\n2,5" pipe\n')
    assert document.text == 'id: 1; text: two lines, "one"\nid: 2; text: 5" pipe'
    assert "unclosed_quotes" not in document.meta
