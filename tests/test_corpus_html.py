"""HTML: main text in blocks, headings as sections, nothing that no reader sees."""

from __future__ import annotations

from pathlib import Path

import pytest

from selfstudy.core.errors import BadInput
from selfstudy.core.records import Document
from selfstudy.corpus.html import Html

LONG = "The committee meets on the first Monday of each month and publishes its minutes within ten working days. " * 4


def read(folder: Path, page: str | bytes) -> Document:
    path = folder / "page.html"
    path.write_bytes(page if isinstance(page, bytes) else page.encode())
    (document,) = Html().parse(path)
    return document


def under(document: Document) -> dict[tuple[str, ...], str]:
    return {section.path: document.text[section.start : section.end].strip() for section in document.sections}


PAGE = f"""<!doctype html><html><head><title>Rules | The Club</title><style>.x {{ color: red }}</style>
<meta property="article:modified_time" content="2024-03-02T10:00:00Z"><script>var secret = 1;</script></head><body>
<header>Banner</header><nav><a href="/">Home</a><a href="/x">Shop</a></nav>
<main><h1>Rules<a href="#r">¶</a></h1><p>{LONG}</p>
<h2>Fees</h2><p>Members pay <b>30</b> euros.<br>Guests pay 50.</p>
<ul><li>cash</li><li><p>card</p></li></ul>
<table><tr><th>Year</th><th>Fee</th></tr><tr><td>2023</td><td>28 euros</td></tr><tr><td>2024</td><td>30 euros</td></tr></table>
<h3>Late</h3><pre>fee = 2
  * weeks</pre><p style="display: none">Trap</p></main>
<footer>Imprint of the club</footer></body></html>"""


def test_a_page_becomes_blocks_under_its_headings(tmp_path: Path) -> None:
    document = read(tmp_path, PAGE)
    assert document.title == "Rules"
    assert document.meta == {"updated": "2024-03-02"}
    assert under(document) == {
        ("Rules",): LONG.strip(),
        ("Rules", "Fees"): "Members pay 30 euros.\nGuests pay 50.\n\n- cash\n- card\n\nYear | Fee\n2023 | 28 euros\n2024 | 30 euros",
        ("Rules", "Fees", "Late"): "fee = 2\n  * weeks",
    }


@pytest.mark.parametrize("hidden", ["secret", "color: red", "Trap", "Home", "Banner", "Imprint", "¶"])
def test_what_no_reader_sees_is_not_in_the_text(tmp_path: Path, hidden: str) -> None:
    assert hidden not in read(tmp_path, PAGE).text


def test_a_page_of_one_line_is_read_whole(tmp_path: Path) -> None:
    document = read(tmp_path, "<p>Hello there.</p>")
    assert (document.text, document.title, document.meta) == ("Hello there.", "", {})


def test_the_whole_page_is_taken_where_trafilatura_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import trafilatura

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("no")

    monkeypatch.setattr(trafilatura, "bare_extraction", fail)
    assert "Members pay 30 euros." in read(tmp_path, PAGE).text


def test_trafilatura_cuts_off_menus_that_have_no_mark(tmp_path: Path) -> None:
    menu = "<div class='menu'>" + "".join(f"<div><a href='/{n}'>Link {n}</a></div>" for n in range(30)) + "</div>"
    body = "".join(f"<p>{LONG}</p>" for _ in range(4))
    document = read(tmp_path, f"<html><head><title>T</title></head><body>{menu}<div class='content'>{body}</div>{menu}</body></html>")
    assert "Link" not in document.text
    assert "first Monday" in document.text


def test_a_table_that_lays_out_the_page_is_read_as_text(tmp_path: Path) -> None:
    page = f"<table><tr><td><table><tr><td>a</td></tr></table></td><td><p>{LONG}</p><p>Second paragraph.</p></td></tr></table>"
    assert f"{LONG.strip()}\n\nSecond paragraph." in read(tmp_path, page).text


@pytest.mark.parametrize("declared", ["gb2312", "windows-1252", "utf-8", "nonsense-99"])
def test_the_declared_encoding_is_believed_where_it_can_be(tmp_path: Path, declared: str) -> None:
    text = "合同自双方签字之日起生效，有效期三年。" if declared in ("gb2312", "nonsense-99") else "Prüfung für Gäste"
    encoding = {"windows-1252": "cp1252", "utf-8": "utf-8"}.get(declared, "gb18030")
    page = f"<html><head><meta charset='{declared}'></head><body><p>{text}</p></body></html>".encode(encoding)
    assert read(tmp_path, page).text == text


def test_title_is_the_pages_title_unless_its_only_heading_begins_it(tmp_path: Path) -> None:
    assert read(tmp_path, "<title>Site - Page</title><h1>Other</h1><p>x</p>").title == "Site - Page"
    assert read(tmp_path, "<h1>First</h1><p>x</p><h1>Second</h1><p>y</p>").title == "First"


def test_no_date_is_guessed_from_the_text(tmp_path: Path) -> None:
    assert "updated" not in read(tmp_path, f"<p>Since 1998-07-12. {LONG}</p>").meta
    assert read(tmp_path, f"<time datetime='2021-02-03T04:05'>x</time><p>{LONG}</p>").meta == {"updated": "2021-02-03"}
    assert read(tmp_path, f"<meta http-equiv='Last-Modified' content='Mon, 05 Feb 2024 10:00:00 GMT'><p>{LONG}</p>").meta == {
        "updated": "2024-02-05"
    }


@pytest.mark.parametrize("page", ["<!-- nothing -->", "   ", "<html><body><script>x</script></body></html>"])
def test_a_page_without_text_is_empty(tmp_path: Path, page: str) -> None:
    assert read(tmp_path, page).text == ""


def test_deep_pages_are_read_whole_and_bottomless_ones_refused(tmp_path: Path) -> None:
    assert read(tmp_path, "<p>before</p>" + "<div>" * 1500 + "<p>inside</p>").text == "before\n\ninside"
    with pytest.raises(BadInput, match="nested"):
        read(tmp_path, "<p>before</p>" + "<div>" * 3000 + "<p>inside</p>")
