"""Redaction: what is of a kind goes before anything is stored, what only looks like it stays, and is counted."""

from __future__ import annotations

import json
import re
from email.message import EmailMessage
from pathlib import Path

import pytest

from selfstudy.core.records import Document, Mark, Section
from selfstudy.corpus.cleaning.redact import redact, redact_aside
from selfstudy.corpus.set_aside import SetAside
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


@pytest.mark.parametrize(
    "said",
    [
        "Call 138 1234 5678 now", "Call 138-1234-5678 now", "手机：１３９８７６５４３２１。", "电话：0755－87654321", "tel 4008123456",
        "Ring 555 123 4567 today", "Ring 1-888-555-1234", "Ring 07911123456 today", "Appelle 01.23.45.67.89", "Tel. 030 / 1234567",
        "转接 021-6888 8888转801", "13812345678/13987654321", "Phone (home): 765-4321", "Facsimile No.: (617) 234-6507", "tel_13812345678",
    ],
)  # fmt: skip
def test_telephone_numbers_as_they_are_written(said: str) -> None:
    assert not any(map(str.isdigit, plain(said)))
    assert "[phone]" in plain(said)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("身份证 110105 19491231 002X", "身份证 [id]"),
        ("身份证１１０１０５１９４９１２３１００２Ｘ号", "身份证[id]号"),
        ("old: 110105491231002", "old: [id]"),
        ("身份证号：440301199003070000", "身份证号：[id]"),  # the word says it, whatever the check digit
        ("护照 E12345678", "护照 [id]"),
        ("Passport No: C01X00T47 of Anna", "Passport No: [id] of Anna"),
        ("iban de89 3704 0044 0532 0130 00 and more", "iban [id] and more"),
        ("BE68 5390 0754 7034 is ours", "[id] is ours"),
        ("Card 4111.1111.1111.1111", "Card [id]"),
        ("卡号：6222 0212 3456 7890 123", "卡号：[id]"),
    ],
)
def test_numbers_of_persons_and_accounts_as_they_are_written(text: str, told: str) -> None:
    assert plain(text) == told


@pytest.mark.parametrize(
    "said", ["müller@exämple.de", "anna＠example.com", "邮箱anna@公司.cn", "o'neil@example.ie", "anna [at] example.com", "a%40b.org"]
)
def test_mail_addresses_as_they_are_written(said: str) -> None:
    assert plain(f"Write：{said}，或").removeprefix("Write：").removeprefix("邮箱") == "[email]，或"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("DB_PASSWORD=hunter2secret", "DB_PASSWORD=[key]"),
        ("Uid=sa;Pwd=topsecret;", "Uid=sa;Pwd=[key];"),
        ("client_secret: 9f8a7b6c5d4e", "client_secret: [key]"),
        ("aws_secret_access_key = wJalrXUtnFEMI/K7MDENG", "aws_secret_access_key = [key]"),
        ('{"db_password": "correct horse"}', '{"db_password": "[key]"}'),
        ("Authorization: Bearer abcdef1234567890abcdef", "Authorization: Bearer [key]"),
        ("github_pat_11ABCDEFG0abcdefghijkl", "[key]"),
        ("hf_abcdefghijklmnopqrstuvwxyzABCDEFGH", "[key]"),
        ("glpat-abcdefghij1234567890", "[key]"),
        ("postgres://admin:topsecret@localhost:5432/db", "postgres://admin:[key]@localhost:5432/db"),
        ("密码是 Abc12345。", "密码是 [key]。"),
        ("口令：８８８８６６", "口令：[key]"),
        ("The password is hunter2hunter2.", "The password is [key]."),
    ],
)
def test_keys_as_they_are_written(text: str, told: str) -> None:
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
        "On 05-12-2024, 01-01-2025, 01 02 2024 and 31.12.2024.",
        "Order 0815-1234567 of part no. 123-456-7890 to room 03-101 202 303",
        "（2015）2015015号, ISBN 0306406152, 第0111002070号, https://example.org/2024/0301234567/a",
        "timestamp 1712345678901, +1808/21.75, 192.168.100.200, react@18.2.0",
        "Password: minimum 12 characters. Password: 8-16 characters. The password is changed every 90 days.",
        "密码：必须包含大小写字母和数字。密码：8-16位",
        "Our secret: patience. API key: see the vault. max_tokens=4096, password=None",
        "password: ${DB_PASS1}, token: <your-token-1>",
        "Account 4000 is revenue. The account is due 2024-05-12. Card 12 of 52. Passport valid until 2030-01-01.",
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


def test_what_stands_in_ids_goes_and_they_stay_apart() -> None:
    def of(id: str, source: str) -> Document:
        return redact(Document(id, "x", source=source), ALL)[0]

    rows = [of(id, "/docs/people.jsonl") for id in ("anna@example.com", "bob@example.com")]
    assert all(re.fullmatch(r"\[email\] [0-9a-f]{12}", row.id) for row in rows)
    assert (rows[0].id != rows[1].id, rows[0].source) == (True, "/docs/people.jsonl")
    assert rows[0] == of("anna@example.com", "/docs/people.jsonl"), "the same the next time"
    inside = of("13812345678/m.eml#Call 13812345678.eml", "/docs/13812345678/m.eml#Call 13812345678.eml")
    assert re.fullmatch(r"13812345678/m\.eml#Call \[phone\]\.eml [0-9a-f]{12}", inside.id), "the name of the file is left"
    assert inside.source == f"/docs/{inside.id}"
    letter, attached = "m.eml#a@b.org.eml", "m.eml#a@b.org.eml#plan.md"
    plan, counts = redact(Document(attached, "x", source=f"/docs/{attached}", meta={"attached_to": letter}), ALL)
    assert plan.meta["attached_to"] == of(letter, f"/docs/{letter}").id
    assert (plan.id, counts) == (f"{plan.meta['attached_to']}#plan.md", {"email": 1})


def test_numbers_in_meta_go() -> None:
    found, counts = redact(Document("d", "x", meta={"mobile": 13812345678, "other": 13812345678.0, "n": 3, "done": True}), ALL)
    assert found.meta == {"mobile": "[phone]", "other": "[phone]", "n": 3, "done": True, "redacted": 2}
    assert counts == {"phone": 2}


def test_what_is_set_aside_names_nobody() -> None:
    aside = SetAside("/docs/m.eml#Call 13812345678.eml", "broken: no such address: anna@example.com", again=True)
    told = redact_aside(aside, ALL)
    assert told.source == redact(Document("m.eml#Call 13812345678.eml", "x", source=aside.source), ALL)[0].source
    assert (told.reason, told.again) == ("broken: no such address: [email]", True)
    assert redact_aside(SetAside("/docs/a.pdf", "huge: 13812345"), ALL) == SetAside("/docs/a.pdf", "huge: 13812345")


def test_a_document_without_any_is_as_it_was() -> None:
    document = Document("d", "Nothing here.", "Title", "s", {"site": "x"})
    assert redact(document, ALL) == (document, {})


@pytest.mark.usefixtures("fake")
def test_nothing_that_is_redacted_reaches_the_home(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.md").write_text("# Contact\n\nWrite to secret.person@example.org about the pump.\n")
    home = tmp_path / "home"
    home.mkdir()
    (home / "config.toml").write_text('embedder = "fake:64"\n')
    engine = Engine.open(home, create=True)
    assert engine.add([tmp_path / "docs"]).redacted == {}
    engine = Engine.open(home, sets=['redact=["email"]'])
    added = engine.add([tmp_path / "docs"])
    assert (added.documents_changed, added.redacted) == (1, {"email": 1}), "the file did not change, what may be kept of it did"
    assert "secret.person" not in json.dumps([passage.json() for passage in engine.store.snapshot().passages])
    assert engine.add([tmp_path / "docs"]).documents_unchanged == 1
    fresh = Engine.open(tmp_path / "fresh", create=True, sets=['redact=["email"]', "embedder=fake:64"])
    fresh.add([tmp_path / "docs"])
    held = [path.read_bytes() for path in (tmp_path / "fresh").rglob("*") if path.is_file()]
    assert held
    assert not any(b"secret.person" in data for data in held)


@pytest.mark.usefixtures("fake")
def test_ids_that_documents_give_do_not_reach_the_home(tmp_path: Path) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    rows = [{"_id": f"{name}.person@example.org", "text": f"The {name} pump.", "meta": {"mobile": 13812345678}} for name in ("red", "blue")]
    (docs / "a.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    inner, outer = EmailMessage(), EmailMessage()
    inner["Subject"], outer["Subject"] = "Call 13812345678 or mail red.person@example.org", "Fwd"
    inner.set_content("The green pump.")
    outer.set_content("See below.")
    outer.add_attachment(inner)
    (docs / "m.eml").write_bytes(outer.as_bytes())
    sets = ['redact=["email", "phone"]', "embedder=fake:64"]
    engine = Engine.open(tmp_path / "home", create=True, sets=sets)
    assert engine.add([docs]).documents == 4
    assert engine.add([docs]).documents_unchanged == 4
    held = [path.read_bytes() for path in (tmp_path / "home").rglob("*") if path.is_file()]
    assert not any(secret in data for data in held for secret in (b"person@example", b"13812345678"))
