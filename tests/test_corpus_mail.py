"""Letters: heads, bodies, quotations kept once, and what is attached to them."""

from __future__ import annotations

import json
import struct
import sys
from email.message import EmailMessage
from pathlib import Path

import pytest
from conftest import Run

from selfstudy.core.records import Document
from selfstudy.corpus.folder import SourceFile, walk
from selfstudy.corpus.formats.letter import Attachment, Head, letter
from selfstudy.corpus.formats.outlook import Msg
from selfstudy.corpus.parse import Parse, parse
from selfstudy.corpus.set_aside import SetAside


def read(folder: Path, name: str, data: bytes | str, cfg: Parse | None = None) -> list[Document | SetAside]:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    (file,) = (found for found in walk([folder]) if isinstance(found, SourceFile) and found.path == path)
    return list(parse(file, cfg or Parse()))


def documents(folder: Path, name: str, data: bytes | str) -> list[Document]:
    found = read(folder, name, data)
    assert all(isinstance(one, Document) for one in found), found
    return [one for one in found if isinstance(one, Document)]


def reason(folder: Path, name: str, data: bytes | str) -> str:
    (found,) = read(folder, name, data)
    assert isinstance(found, SetAside), found
    return found.reason


def message(body: str = "", subject: str = "Pumps", **heads: str) -> EmailMessage:
    made = EmailMessage()
    made["From"] = "Ann Lee <ann@example.org>"
    made["To"] = "bob@example.org"
    made["Subject"] = subject
    made["Date"] = "Wed, 31 Jan 2024 10:05:00 +0100"
    for name, value in heads.items():
        made[name.replace("_", "-")] = value
    if body:
        made.set_content(body)
    return made


HEAD = "From: Ann Lee <ann@example.org>\nTo: bob@example.org\nDate: 2024-01-31 10:05\nSubject: Pumps\n\n"


def test_a_letter_has_a_head_a_title_and_meta(tmp_path: Path) -> None:
    (found,) = documents(tmp_path, "hr/a.eml", bytes(message("Close the valve.\n\nAnn")))
    assert (found.id, found.title) == ("hr/a.eml", "Pumps")
    assert found.text == HEAD + "Close the valve.\n\nAnn"
    assert found.meta == {
        "format": "eml",
        "folder": "hr",
        "from": "Ann Lee <ann@example.org>",
        "to": "bob@example.org",
        "date": "2024-01-31T10:05:00+01:00",
        "updated": "2024-01-31",
    }


def test_plain_text_is_preferred_and_html_read_where_there_is_none(tmp_path: Path) -> None:
    both = message("Plain words.")
    both.add_alternative("<p>Formed words.</p>", subtype="html")
    (found,) = documents(tmp_path, "a.eml", bytes(both))
    assert found.text == HEAD + "Plain words."
    only = message()
    only.set_content("<html><body><h1>Valves</h1><p>Close them.</p><h1>Pumps</h1><p>Stop them.</p></body></html>", subtype="html")
    (found,) = documents(tmp_path, "b.eml", bytes(only))
    assert found.text == HEAD + "Valves\n\nClose them.\n\nPumps\n\nStop them."
    assert {one.path: found.text[one.start : one.end].strip() for one in found.sections} == {
        (): HEAD.strip(),
        ("Valves",): "Close them.",
        ("Pumps",): "Stop them.",
    }


def test_a_line_that_a_list_adds_does_not_hide_the_page(tmp_path: Path) -> None:
    made = message()
    made.set_content("<p>Formed words.</p>", subtype="html")
    made.make_mixed()
    footer = EmailMessage()
    footer.set_content("-- \nPumps & more <list>\n")
    made.attach(footer)
    (found,) = documents(tmp_path, "a.eml", bytes(made))
    assert found.text == HEAD + "Formed words.\n\n--\nPumps & more <list>"


def test_heads_and_bodies_in_other_encodings_are_read(tmp_path: Path) -> None:
    raw = (
        b"From: =?iso-8859-1?q?J=FCrgen?= <j@example.org>\r\nSubject: =?utf-8?b?UHLDvGZ1bmc=?=\r\n =?utf-8?q?_heute?=\r\n"
        b"Content-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nGr=FC=DFe\r\n"
    )
    (found,) = documents(tmp_path, "a.eml", raw)
    assert (found.title, found.meta["from"]) == ("Prüfung heute", "Jürgen <j@example.org>")
    assert found.text.endswith("Grüße")
    for charset, said in (("iso-8859-1", "Preis €500, 10–20 Tage, don’t".encode("cp1252")), ("gb2312", "朱镕基".encode("gb18030"))):
        head = f"Subject: x\r\nContent-Type: text/plain; charset={charset}\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
        (found,) = documents(tmp_path, "c.eml", head.encode() + said)
        assert found.text == f"Subject: x\n\n{said.decode('cp1252' if charset == 'iso-8859-1' else 'gb18030')}"
    (raw_head,) = documents(tmp_path, "b.eml", "Subject: Prüfung 😀\r\nContent-Type: text/plain; charset=nonsense\r\n\r\nGrüße")
    assert (raw_head.title, raw_head.text) == ("Prüfung 😀", "Subject: Prüfung 😀\n\nGrüße")


def test_attached_files_are_documents_of_their_own(tmp_path: Path) -> None:
    made = message("See below.")
    made.add_attachment(b"a,b\n1,2\n3,4\n", maintype="text", subtype="csv", filename="prices.csv")
    made.add_attachment(b"a,b\n5,6\n7,8\n", maintype="application", subtype="octet-stream", filename="prices.csv")
    made.add_attachment(b"\x89PNG\r\n\x1a\n0000", maintype="image", subtype="png", filename="../odd\n#😀.png")
    first, prices, again, picture = read(tmp_path, "hr/a.eml", bytes(made))
    assert isinstance(first, Document)
    assert isinstance(prices, Document)
    assert isinstance(again, Document)
    assert (prices.id, prices.source) == ("hr/a.eml#prices.csv", f"{tmp_path / 'hr/a.eml'}#prices.csv")
    assert prices.text == "a: 1; b: 2\na: 3; b: 4"
    assert (prices.meta["attached_to"], prices.meta["format"], prices.meta["folder"]) == ("hr/a.eml", "csv", "hr")
    assert (prices.meta["from"], prices.meta["updated"]) == ("Ann Lee <ann@example.org>", "2024-01-31")
    assert again.id == "hr/a.eml#prices.csv (2)"
    assert isinstance(picture, SetAside)
    assert picture.reason == "broken: a picture that is damaged or cut off (UnidentifiedImageError)"
    assert picture.source.startswith(f"{tmp_path / 'hr/a.eml'}#.._odd")
    assert "\n" not in picture.source


def test_pictures_inside_the_text_are_passed_over(tmp_path: Path) -> None:
    made = message()
    made.set_content("<p>Look: <img src='cid:x'></p>", subtype="html")
    made.add_related(b"\x89PNG0000", maintype="image", subtype="png", cid="<x>", filename="logo.png")
    (found,) = documents(tmp_path, "a.eml", bytes(made))
    assert found.text == HEAD + "Look:"


def test_a_picture_that_is_attached_is_read_whatever_id_it_has(tmp_path: Path) -> None:
    made = message("See the scan.")
    made.add_attachment(b"\x89PNG0000", maintype="image", subtype="png", filename="scan.png", cid="<f_1>")
    first, scan = read(tmp_path, "a.eml", bytes(made))
    assert isinstance(first, Document)
    assert scan.source.endswith("a.eml#scan.png")


STUB = "This message is in HTML. Please use a mail program that shows it."


@pytest.mark.parametrize(
    ("plain", "page", "expected"),
    [
        (STUB, "<p>The meeting is moved to room 7 at 14:00.</p>", "The meeting is moved to room 7 at 14:00."),
        ("Dear Bob, the meeting is moved.", "<p>Dear Bob, the meeting is moved.</p>" + "<p>Bring the plans.</p>" * 25, "Bring the plans."),
        (
            "The meeting is moved to room 7.",
            "<p>The meeting is <b>moved</b> to room 7. Example Ltd, Main Street</p>",
            "The meeting is moved to room 7.",
        ),
        (STUB, "<p><img src='http://x/y.png'></p>", STUB),
        (STUB, "<div>" * 3000 + "deep", STUB),
    ],
)
def test_the_page_is_read_where_the_plain_text_is_less(tmp_path: Path, plain: str, page: str, expected: str) -> None:
    made = message(plain)
    made.add_alternative(page, subtype="html")
    (found,) = documents(tmp_path, "a.eml", bytes(made))
    assert found.text.endswith(expected)
    assert found.text.count(expected.split()[0]) == (25 if expected.startswith("Bring") else 1)
    assert (STUB in found.text) == (expected == STUB)


CALENDAR = """BEGIN:VCALENDAR
BEGIN:VEVENT
SUMMARY:Pump review\\, north
ORGANIZER;CN="Ann Lee":mailto:ann@example.org
DTSTART;TZID=Europe/Berlin:20240501T100000
DTEND:20240501T120000Z
DESCRIPTION:Bring the plans\\nand the
  key.
BEGIN:VALARM
DESCRIPTION:Reminder
END:VALARM
END:VEVENT
BEGIN:VTODO
SUMMARY:Write it up
DUE;VALUE=DATE:20240503
END:VTODO
END:VCALENDAR
"""
EVENTS = (
    "Event: Pump review, north\nOrganizer: Ann Lee <ann@example.org>\nBegins: 2024-05-01 10:00 Europe/Berlin\nEnds: 2024-05-01 12:00 UTC\n"
    "About: Bring the plans\nand the key.\n\nEvent: Write it up\nDue: 2024-05-03"
)


@pytest.mark.parametrize("name", ["", "invite.ics"])
def test_invitations_are_read_once_as_a_part_of_the_body(tmp_path: Path, name: str) -> None:
    made = message("See below.")
    made.add_alternative("<p>See below.</p>", subtype="html")
    made.add_alternative(CALENDAR, subtype="calendar")
    made.add_attachment(CALENDAR.encode(), maintype="application", subtype="ics", **({"filename": name} if name else {}))
    (found,) = documents(tmp_path, "a.eml", bytes(made))
    assert found.text == f"{HEAD}See below.\n\n\n{EVENTS}"


def test_letters_in_letters_are_read_and_not_without_end(tmp_path: Path) -> None:
    made = message("core", subject="0")
    for depth in range(1, 7):
        outer = message(f"around {depth}", subject=str(depth))
        outer.add_attachment(made)
        made = outer
    found = read(tmp_path, "a.eml", bytes(made))
    assert [one.title for one in found if isinstance(one, Document)] == ["6", "5", "4", "3"]
    last = found[-1]
    assert last == SetAside(f"{tmp_path / 'a.eml'}#5.eml#4.eml#3.eml#2.eml", "nested: files in files are read 3 deep")


def mailbox(*letters: str) -> str:
    return "".join(f"From x@example.org Wed Jan 31 10:05:00 2024\n{one}\n\n" for one in letters)


FIRST = "Message-ID: <1@x>\nSubject: Valve\n\nThe valve on the north pump leaks since Monday, who can look at it?\n"
ANSWER = (
    "Message-ID: <2@x>\nIn-Reply-To: <1@x>\nSubject: Re: Valve\n\nI can.\n\nFrom noon on I am there.\n"
    ">From me too.\nOn Mon 29 Jan 2024 at 9:00,\nAnn wrote:\n"
    "> The valve on the north pump leaks since\n> Monday, who can look at it?\n"
)
BETWEEN = "Message-ID: <3@x>\nReferences: <1@x> <2@x>\nSubject: Re: Valve\n\n> who can look at it?\nBob.\n"


def test_a_mailbox_gives_a_document_for_each_letter(tmp_path: Path) -> None:
    found = documents(tmp_path, "team/a.mbox", mailbox(FIRST, ANSWER, BETWEEN))
    assert [one.id for one in found] == ["team/a.mbox#1", "team/a.mbox#2", "team/a.mbox#3"]
    assert [one.source for one in found] == [f"{tmp_path / 'team/a.mbox'}#{number}" for number in (1, 2, 3)]
    assert found[0].text == "Subject: Valve\n\nThe valve on the north pump leaks since Monday, who can look at it?"
    assert found[0].meta == {"format": "mbox", "folder": "team"}


def test_what_a_letter_quotes_at_its_end_is_kept_once(tmp_path: Path) -> None:
    _, answer, between = documents(tmp_path, "a.mbox", mailbox(FIRST, ANSWER, BETWEEN))
    assert answer.text == "Subject: Re: Valve\n\nI can.\n\nFrom noon on I am there.\nFrom me too."
    assert between.text == "Subject: Re: Valve\n\n> who can look at it?\nBob."
    (alone,) = documents(tmp_path, "b.mbox", mailbox(ANSWER))
    assert alone.text.endswith("Monday, who can look at it?")
    (single,) = documents(tmp_path, "b.eml", ANSWER)
    assert single.text.count("north pump leaks") == 1


def test_bad_letters_of_a_mailbox_are_named_and_the_rest_is_read(tmp_path: Path) -> None:
    data = mailbox("Subject: A\n\nwords", "no head", "Subject: B\n\n" + "x" * 500, "From: a@x\n\n", "Subject: C\n\nwords")
    found = read(tmp_path, "a.mbox", data, Parse(max_bytes=100))
    assert [one.title if isinstance(one, Document) else (one.source.rpartition("/")[2], one.reason) for one in found] == [
        "A",
        ("a.mbox#2", "broken: not a letter, it has no head"),
        ("a.mbox#3", "huge: the letter is longer than 100 bytes (max_bytes)"),
        ("a.mbox#4", "empty: no text in it"),
        "C",
    ]


@pytest.mark.parametrize(
    ("name", "data", "expected"),
    [
        ("a.eml", b"\x00\x01junk" * 9, "broken: not a letter, it has no head"),
        ("a.eml", b"just words\n", "broken: not a letter, it has no head"),
        ("a.eml", b"From: a@x\n\n", "empty: no text in it"),
        ("a.eml", b"From: a@x\nContent-Type: multipart/encrypted; boundary=x\n\n--x\n", "encrypted: only who it was sent to can read it"),
        ("a.mbox", b"just words\n", "broken: not a mailbox, which begins with a line 'From ... date'"),
        ("a.mbox", b"\n \n", "empty: no letter in it"),
    ],
)
def test_reasons_are_true_and_specific(tmp_path: Path, name: str, data: bytes, expected: str) -> None:
    assert reason(tmp_path, name, data) == expected


def test_a_head_that_cannot_be_decoded_is_kept_as_it_is(tmp_path: Path) -> None:
    (found,) = documents(tmp_path, "a.eml", b"Subject: =?utf-8?b?a?=\n\nwords")
    assert found.title == "=?utf-8?b?a?="


def test_a_letter_that_cannot_be_parsed_does_not_stop_the_rest(tmp_path: Path) -> None:
    deep = "Subject: x\n" + "".join(f"Content-Type: multipart/mixed; boundary=b{n}\n\n--b{n}\n" for n in range(3000))
    first, last = read(tmp_path, "a.mbox", mailbox(deep, "Subject: A\n\nwords"))
    assert isinstance(first, SetAside)
    assert first.reason.startswith("broken: RecursionError")
    assert isinstance(last, Document)


def test_parts_inside_parts_without_end_do_no_harm(tmp_path: Path) -> None:
    deep = "Subject: x\n" + "".join(f"Content-Type: multipart/mixed; boundary=b{n}\n\n--b{n}\n" for n in range(3000))
    (found,) = read(tmp_path, "a.eml", deep)
    assert isinstance(found, (Document, SetAside))


def test_long_lists_of_names_are_cut_in_the_text_alone() -> None:
    names = ", ".join(f"N{number} <n{number}@example.org>" for number in range(30))
    made = letter("a", Path("a"), Head("S", to=names), "x", "").document
    assert made.text.startswith("To: N0 <n0@example.org>")
    assert "N9 <n9@example.org> and 20 more\n" in made.text
    assert made.meta["to"] == names


def ole(parts: dict[str, bytes], claimed: int | None = None) -> bytes:
    """A compound file with these streams in its root; `claimed`: the size that the directory states for the last of them."""

    def entry(name: str, kind: int, first: int, size: int, following: int = -1, child: int = -1) -> bytes:
        named = name.encode("utf-16-le")
        head = struct.pack("<64sHBBiii", named, len(named) + 2, kind, 1, -1, following, child)
        return head + bytes(36) + struct.pack("<iQ", first, size)

    sectors = -(-(len(parts) + 1) // 4)  # of the directory, four entries in each; sector 0 holds the table of sectors
    small, data, entries = [], b"", []
    for number, (name, part) in enumerate(parts.items(), 1):
        last = number == len(parts)
        entries.append(entry(name, 2, len(small), claimed if claimed and last else len(part), -1 if last else number + 1))
        blocks = -(-len(part) // 64)
        small += [*range(len(small) + 1, len(small) + blocks), -2]
        data += part.ljust(64 * blocks, b"\0")
    first = sectors + 2
    full = -(-len(data) // 512)
    table = [-3, *range(2, sectors + 1), -2, -2, *range(first + 1, first + full), -2]
    directory = (entry("Root Entry", 5, first, len(data), child=1) + b"".join(entries)).ljust(512 * sectors, b"\0")
    head = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(16) + struct.pack("<HHHHH6x", 0x3E, 3, 0xFFFE, 9, 6)
    head += struct.pack("<IIiIIiIiI", 0, 1, 1, 0, 4096, sectors + 1, 1, -2, 0) + struct.pack("<109i", 0, *[-1] * 108)
    tables = [struct.pack("<128i", *one, *[-1] * (128 - len(one))) for one in (table, small)]
    return head + tables[0] + directory + tables[1] + data.ljust(512 * full, b"\0")


def outlook(texts: dict[int, str], claimed: int | None = None) -> bytes:
    """A message with these texts by the number of their property."""
    properties = bytes(32) + b"".join(struct.pack("<HHIII", 0x1F, id, 6, 2 * len(text) + 2, 0) for id, text in texts.items())
    streams = {f"__substg1.0_{id:04X}001F": text.encode("utf-16-le") for id, text in texts.items()}
    return ole({"__properties_version1.0": properties, **streams}, claimed)


def test_an_outlook_message_is_read_like_a_letter(tmp_path: Path) -> None:
    pytest.importorskip("oxmsg")
    heads = "From: Ann Lee <ann@example.org>\r\nTo: bob@example.org\r\n\r\n"
    (found,) = documents(tmp_path, "hr/a.msg", outlook({0x37: "Pumps", 0x1000: "Close the valve.\r\n\r\nAnn", 0x7D: heads}))
    assert (found.id, found.title) == ("hr/a.msg", "Pumps")
    assert found.text == "From: Ann Lee <ann@example.org>\nTo: bob@example.org\nSubject: Pumps\n\nClose the valve.\n\nAnn"
    assert found.meta == {"format": "msg", "folder": "hr", "from": "Ann Lee <ann@example.org>", "to": "bob@example.org"}


def test_an_outlook_message_that_claims_more_than_it_holds_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("oxmsg")
    data = outlook({0x37: "Pumps", 0x1000: "words"}, claimed=2_000_000_000)
    assert reason(tmp_path, "a.msg", data) == f"huge: its parts claim 2000000074 bytes, and the whole file has {len(data)}"


def test_what_is_attached_to_an_outlook_message_is_a_document(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = letter("a.msg", tmp_path / "a.msg", Head("Subject", "Ann"), "words", "", (Attachment("a.txt", b"inside"),))
    monkeypatch.setattr(Msg, "letters", lambda *_: iter([made]))
    first, attached = documents(tmp_path, "a.msg", ole({"__properties_version1.0": bytes(32)}))
    assert (first.text, first.meta["format"]) == ("From: Ann\nSubject: Subject\n\nwords", "msg")
    assert (attached.id, attached.text) == ("a.msg#a.txt", "inside")


def test_a_broken_outlook_message_and_a_missing_package_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("oxmsg")
    data = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1".ljust(512, b"\0") + "__properties_version1.0".encode("utf-16-le").ljust(128, b"\0")
    assert reason(tmp_path, "a.msg", data).startswith("broken: an Outlook message that cannot be read")
    monkeypatch.setitem(sys.modules, "oxmsg", None)
    assert reason(tmp_path, "a.msg", data).endswith("pip install 'selfstudy[office]'")


def test_letters_and_attachments_live_in_a_home_like_any_document(run: Run, tmp_path: Path) -> None:
    first, second = EmailMessage(), EmailMessage()
    for one, (subject, body) in zip(
        (first, second), (("Kettles", "They are made of copper."), ("Mills", "They turn at night.")), strict=True
    ):
        one["From"], one["Subject"] = "ann@example.org", subject
        one.set_content(body)
    first.add_attachment(b"# Prices\n\nA kettle costs 40 crowns.\n", maintype="text", subtype="markdown", filename="prices.md")
    start = b"From ann@example.org Mon Jan  1 00:00:00 2024\n"
    (tmp_path / "docs").mkdir()
    box = tmp_path / "docs" / "mail.mbox"
    box.write_bytes(b"".join(start + bytes(one) + b"\n\n" for one in (first, second)))

    def found(question: str) -> list[str]:
        hits = json.loads(run("search", question, "--by", "lexical", "--json")[1])
        return [hit["passage"]["places"][0]["document"] for hit in hits]

    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "config.toml").write_text('embedder = "fake:64"\n')
    assert run("add", "docs")[0] == 0
    assert found("crowns") == ["mail.mbox#1#prices.md"]
    assert found("turn at night") == ["mail.mbox#2"]
    where = "attached_to = 'mail.mbox#1'"
    assert json.loads(run("search", "kettle", "--where", where, "--by", "lexical", "--json")[1])[0]["passage"]["title"] == "Prices"
    box.write_bytes(start + bytes(first))
    assert run("add", "docs", "--sync")[0] == 0
    assert found("turn at night") == []
    assert run("remove", "mail.mbox#1#prices.md")[0] == 0
    assert found("crowns") == []
    assert found("copper") == ["mail.mbox#1"]
