"""Facts about a document: dates as people, programs and protocols write them."""

from __future__ import annotations

from pathlib import Path

import pytest

from selfstudy.core.facts.dates import first_date
from selfstudy.core.records import Document
from selfstudy.corpus.folder import SourceFile, walk
from selfstudy.corpus.parse import parse


@pytest.mark.parametrize(
    ("text", "date"),
    [
        ("2024-11-05", "2024-11-05"),
        ("2024/1/5", "2024-01-05"),
        (" 2024.01.05 ", "2024-01-05"),
        ("2024-11-05T10:30:00+01:00", "2024-11-05"),
        ("20241105", "2024-11-05"),
        ("20241105T103000Z", "2024-11-05"),
        ("20241105103000", "2024-11-05"),
        ("D:20241105103000+01'00'", "2024-11-05"),
        ("D:2024110510Z", "2024-11-05"),
        ("D:202411", "2024-11-01"),
        ("2024-11", "2024-11-01"),
        ("2024-12", "2024-12-01"),
        ("2024/12", "2024-12-01"),
        ("202412", "2024-12-01"),
        ("2024年5月6日", "2024-05-06"),
        ("2024年11月", "2024-11-01"),
        ("31.12.2024", "2024-12-31"),
        ("1. 2. 2024", "2024-02-01"),
        ("01.02.2024 10:00", "2024-02-01"),
        ("31/12/2024", "2024-12-31"),
        ("12/31/2024", "2024-12-31"),
        ("12-31-2024", "2024-12-31"),
        ("05/05/2024", "2024-05-05"),
        ("5 March 2024", "2024-03-05"),
        ("March 5, 2024", "2024-03-05"),
        ("Mar. 5th, 2024", "2024-03-05"),
        ("Tuesday, March 5, 2024", "2024-03-05"),
        ("5-Mar-2024", "2024-03-05"),
        ("5. März 2024", "2024-03-05"),
        ("Dezember 2024", "2024-12-01"),
        ("May 2024", "2024-05-01"),
        ("Tue, 05 Mar 2024 10:00:00 GMT", "2024-03-05"),
        ("Sunday, 06-Nov-94 08:49:37 GMT", "1994-11-06"),
        ("Sun Nov  6 08:49:37 1994", "1994-11-06"),
    ],
)
def test_dates_are_read_as_they_are_written(text: str, date: str) -> None:
    assert first_date(text) == date


@pytest.mark.parametrize(
    "text",
    (
        "|2024|1/2/2024|01-02-2024|201112|2024-13|2024-13-01|2024-02-30|31.02.2024|12.31.2024|2024-11-123|2024.1|2024-1|1706659200"
        "|1306112345678|version 2|Marketing 5, 2024|2023-2024|today|5|March"
    ).split("|"),
)
def test_what_is_no_date_or_may_be_two_says_nothing(text: str) -> None:
    assert first_date(text) is None
    assert first_date(text, "2020-01-02") == "2020-01-02"


@pytest.mark.parametrize(
    ("front", "updated"),
    [
        ("date: 31.12.2024", "2024-12-31"),
        ("lastmod: March 5, 2024", "2024-03-05"),
        ("date: 2024-12", "2024-12-01"),
        ("date: 202412", "2024-12-01"),
        ("date: 2024-12-24", "2024-12-24"),
        ("date: 5/6/2024", None),
    ],
)
def test_a_front_matter_states_when_it_was_updated(tmp_path: Path, front: str, updated: str | None) -> None:
    (tmp_path / "a.md").write_text(f"---\n{front}\n---\nThe text.\n", "utf-8")
    (file,) = walk([tmp_path])
    assert isinstance(file, SourceFile)
    (document,) = parse(file)
    assert isinstance(document, Document)
    assert document.meta.get("updated") == updated
