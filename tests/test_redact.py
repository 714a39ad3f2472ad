"""Redaction: what is of a kind goes before anything is stored, what only looks like it stays, and is counted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from selfstudy.core.records import Document, Mark, Section
from selfstudy.corpus.redact import redact
from selfstudy.recipes.engine import Engine

ALL = ("email", "phone", "id", "key")


def plain(text: str) -> str:
    return redact(Document("d", text), ALL)[0].text


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("Write to anna.b+x@mail.example.org.", "Write to [email]."),
        ("Call +49 30 1234567 or (030) 765-4321.", "Call [phone] or [phone]."),
        ("Call 415-555-0132.", "Call [phone]."),
        ("手机13812345678，邮箱a@b.cn。", "手机[phone]，邮箱[email]。"),
        ("Account GB82 WEST 1234 5698 7654 32.", "Account [id]."),
        ("Card 4111 1111 1111 1111!", "Card [id]!"),
        ("SSN 123-45-6789", "SSN [id]"),
        ("身份证11010519491231002X号", "身份证[id]号"),
        ("Use sk-abcdefghijklmnopqrstuvwxyz here", "Use [key] here"),
        ("password: hunter2hunter2, then", "password: [key], then"),
        ("-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----\nafter", "[key]\nafter"),
    ],
)
def test_what_is_of_a_kind_goes(text: str, told: str) -> None:
    assert plain(text) == told


def test_marks_stand_where_they_stood_and_name_nobody() -> None:
    text = "Write to anna@mail.example.org.\nThe second page."
    marks = (Mark(0, "14:03, anna@mail.example.org"), Mark(text.index("The second"), "p. 2"))
    told, _ = redact(Document("d", text, marks=marks), ALL)
    assert told.where(0) == "14:03, [email]"
    assert told.text[told.marks[1].start :] == "The second page."
    assert told.where(told.text.index("second")) == "p. 2"


@pytest.mark.parametrize(
    "text",
    [
        "In 2010-2011 the sum was 1,234,567.89 of 12.5%.",
        "Order 4111 1111 1111 1112 was shipped.",  # fails the checksum
        "Part GB82 WEST 1234 5698 7654 33",
        "Version 3.11.4, page 12-34, ISBN 978-3-16-148410-1",
        "2024-01-31 10:30:00 to 2024-02-01",
        "The password is changed monthly. Mail me @ noon.",
        "号码 110105194912310021",
    ],
)
def test_what_only_looks_like_it_stays(text: str) -> None:
    assert plain(text) == text


def test_only_the_kinds_that_were_asked_for() -> None:
    found, counts = redact(Document("d", "a@b.org, 415-555-0132, c@d.org"), ("email",))
    assert found.text == "[email], 415-555-0132, [email]"
    assert dict(counts) == {"email": 2}
    assert found.meta == {"redacted": 2}


def test_sections_title_and_meta_follow() -> None:
    text = "To a@b.org\nBody one\nFrom long.address@example.org\nBody two"
    one, two = text.index("Body one"), text.index("Body two")
    sections = (Section(("By c@d.org",), one, two), Section(("Two",), two, len(text)))
    found, _ = redact(Document("d", text, "Letter of e@f.org", "s", {"from": "g@h.org", "n": 3}, sections), ("email",))
    assert found.text[found.sections[0].start :].startswith("Body one\nFrom [email]\n")
    assert found.text[found.sections[1].start : found.sections[1].end] == "Body two"
    assert found.sections[0].path == ("By [email]",)
    assert found.title == "Letter of [email]"
    assert found.meta == {"from": "[email]", "n": 3, "redacted": 5}


def test_a_document_without_any_is_as_it_was() -> None:
    document = Document("d", "Nothing here.", "Title", "s", {"site": "x"})
    assert redact(document, ALL) == (document, {})


def test_nothing_that_is_redacted_reaches_the_home(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.md").write_text("# Contact\n\nWrite to secret.person@example.org about the pump.\n")
    home = tmp_path / "home"
    home.mkdir()
    (home / "config.toml").write_text('embedder = "fake:64"\n')
    engine = _fake(Engine.open(home, create=True))
    assert engine.add([tmp_path / "docs"]).redacted == {}
    engine = _fake(Engine.open(home, sets=['redact=["email"]']))
    added = engine.add([tmp_path / "docs"])
    assert (added.documents_changed, added.redacted) == (1, {"email": 1}), "the file did not change, what may be kept of it did"
    assert "secret.person" not in json.dumps([passage.json() for passage in engine.store.snapshot().passages])
    assert engine.add([tmp_path / "docs"]).documents_unchanged == 1
    fresh = _fake(Engine.open(tmp_path / "fresh", create=True, sets=['redact=["email"]', "embedder=fake:64"]))
    fresh.add([tmp_path / "docs"])
    held = [path.read_bytes() for path in (tmp_path / "fresh").rglob("*") if path.is_file()]
    assert held
    assert not any(b"secret.person" in data for data in held)


def _fake(engine: Engine) -> Engine:
    from selfstudy.recipes.system import Remembering
    from selfstudy.testing import FakeEmbedder

    engine.loaded._embedders["fake:64"] = Remembering(FakeEmbedder())
    return engine
