"""Streams of JSON rows: good rows pass, bad ones are named by line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from selfstudy.core.errors import BadInput
from selfstudy.core.records import Document
from selfstudy.corpus.formats.beir import Beir
from selfstudy.corpus.set_aside import SetAside


def rows(folder: Path, data: str | bytes, limit: int = 5_000_000) -> list[Document | SetAside]:
    path = folder / "corpus.jsonl"
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return list(Beir(limit).rows(path))


def good(key: object = "d1", text: str = "some text", **more: object) -> str:
    return json.dumps({"_id": key, "text": text, **more}) + "\n"


def test_a_row_is_a_document_with_its_own_id(tmp_path: Path) -> None:
    meta = {"url": "http://x", "year": 2020, "score": 0.5, "ok": True, "tags": ["a"], "deep": {"a": 1}, "none": None, "big": 10**30}
    (document,) = rows(tmp_path, good("PMC1/2", "First line\r\nsecond", title=" A  title ", metadata=meta))
    assert isinstance(document, Document)
    assert (document.id, document.title, document.text) == ("PMC1/2", "A title", "First line\nsecond")
    assert document.meta == {"url": "http://x", "year": 2020, "score": 0.5, "ok": True, "big": "1" + "0" * 30}
    assert document.source == str(tmp_path / "corpus.jsonl")


def test_the_other_names_of_fields(tmp_path: Path) -> None:
    (document,) = rows(tmp_path, '\ufeff{"id": 7, "text": "t", "meta": {"a": "b"}}')
    assert isinstance(document, Document)
    assert (document.id, document.meta) == ("7", {"a": "b"})


def test_a_title_without_text_is_the_text(tmp_path: Path) -> None:
    (document,) = rows(tmp_path, good(text="", title="Only a title"))
    assert isinstance(document, Document)
    assert (document.title, document.text) == ("", "Only a title")


def test_rows_of_other_keys_are_read_and_those_without_an_id_named_after_their_place(tmp_path: Path) -> None:
    faq = '{"question": "When?", "answer": "At nine.", "by": {"name": "Ann"}}\n{"title": "Doors", "text": "Shut."}\n'
    first, second, third = rows(tmp_path, faq + '{"id": "a", "title": "Hours", "open": ["nine", "ten"], "meta": {"n": 1}}')
    assert isinstance(first, Document)
    assert isinstance(second, Document)
    assert isinstance(third, Document)
    assert (first.id, first.title, first.text) == ("corpus.jsonl#1", "", "question: When?\nanswer: At nine.\nby.name: Ann")
    assert (second.id, second.title, second.text) == ("corpus.jsonl#2", "Doors", "Shut.")
    assert (third.id, third.title, third.text, third.meta) == ("a", "Hours", "open: nine, ten", {"n": 1})


BAD = [
    ("{broken", "no JSON"),
    ("[1, 2]", "a list"),
    ('{"_id": true, "text": "x"}', '"_id" is neither text'),
    ('{"id": "  ", "text": "x"}', '"id" is neither text'),
    ('{"_id": "a", "text": 5}', '"text" is a number'),
    ('{"_id": "a", "title": ["x"], "text": "y"}', '"title" is a list'),
    ('{"_id": "a", "text": " "}', "empty"),
    ('{"_id": "a", "body": " ", "more": []}', "empty"),
    ('{"_id": ' + "9" * 5000 + ', "text": "x"}', "cannot be read"),
    ("[" * 100_000, "cannot be read"),
]


@pytest.mark.parametrize(("line", "reason"), BAD)
def test_a_bad_row_is_named_and_the_rest_goes_on(tmp_path: Path, line: str, reason: str) -> None:
    before, bad, after = rows(tmp_path, good("a") + line + "\n" + good("b"))
    assert isinstance(before, Document)
    assert isinstance(after, Document)
    assert isinstance(bad, SetAside)
    assert (before.id, after.id) == ("a", "b")
    assert bad.source == f"{tmp_path / 'corpus.jsonl'}:2"
    assert reason in bad.reason


def test_a_row_in_another_encoding_and_empty_lines(tmp_path: Path) -> None:
    found = rows(tmp_path, b"\n  \n" + '{"_id": "a", "text": "Prüfung"}'.encode("cp1252") + b"\n" + good("b").encode())
    assert isinstance(found[0], SetAside)
    assert found[0].source.endswith(":3")
    assert "not UTF-8" in found[0].reason
    assert len(found) == 2


def test_a_huge_row_is_passed_over(tmp_path: Path) -> None:
    found = rows(tmp_path, good("a") + good("b", "x" * 5_000_000) + good("c"), limit=1000)
    assert [row.id for row in found if isinstance(row, Document)] == ["a", "c"]
    (bad,) = (row for row in found if isinstance(row, SetAside))
    assert bad.source.endswith(":2")
    assert "longer than 1000 bytes" in bad.reason


def test_a_row_of_just_the_limit_passes(tmp_path: Path) -> None:
    row = good("a")
    assert isinstance(rows(tmp_path, row, limit=len(row) - 1)[0], Document)
    assert isinstance(rows(tmp_path, row, limit=len(row) - 2)[0], SetAside)


def test_lone_surrogates_can_be_written_later(tmp_path: Path) -> None:
    (document,) = rows(tmp_path, '{"_id": "a", "text": "x \\ud800 y"}')
    assert isinstance(document, Document)
    assert document.text.encode("utf-8") == "x \ufffd y".encode()


def test_utf16_is_refused_as_a_whole(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="UTF-16"):
        rows(tmp_path, good("a").encode("utf-16"))


def test_the_strict_door_raises_at_the_first_bad_row(tmp_path: Path) -> None:
    path = tmp_path / "corpus.jsonl"
    path.write_text(good("a") + "{broken\n")
    with pytest.raises(BadInput, match=r"corpus\.jsonl:2: broken"):
        list(Beir().parse(path))
