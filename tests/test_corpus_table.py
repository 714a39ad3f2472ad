"""Tables in text files."""

from __future__ import annotations

from pathlib import Path

import pytest

from selfstudy.core.errors import BadInput
from selfstudy.core.records import Document
from selfstudy.corpus.table import Table


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


def test_a_cell_beyond_the_readers_limit_is_broken(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="broken: field larger"):
        read(tmp_path, 'a,b\n"' + "x" * 200_000 + '",y\n')
