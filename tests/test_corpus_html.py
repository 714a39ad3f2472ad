"""HTML: main text in blocks, headings as sections, nothing that no reader sees."""

from __future__ import annotations

from pathlib import Path

import pytest

from selfstudy.core.errors import BadInput
from selfstudy.core.records import Document
from selfstudy.corpus.formats.html import Html

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


def body(folder: Path, inside: str) -> str:
    return read(folder, f"<html><body><main><h1>T</h1>{inside}</main></body></html>").text.removeprefix("T\n\n")


@pytest.mark.parametrize(
    ("inside", "expected"),
    [
        ("<h2><button>How?</button></h2><div hidden><p>So.</p></div>", "How?\n\nSo."),
        ("<h2><button>How?</button></h2><div aria-hidden='true'><p>So.</p></div>", "How?\n\nSo."),
        ("<div><button>Who may service it?</button><div style='display: none'>Trained staff only.</div></div>",
         "Who may service it?\n\nTrained staff only."),
        ("<button aria-expanded=false aria-controls=a>How?</button><p>Between.</p><div id=a hidden>So.</div>", "How?\n\nBetween.\n\nSo."),
        ("<dl><dt><button aria-expanded=false>How?</button></dt><dd hidden>So.</dd></dl>", "- How?\n- So."),
        ("<div><button role=tab aria-controls=a>One</button><button role=tab aria-controls=b>Two</button></div>"
         "<div id=a><p>Run apt.</p></div><div id=b hidden><p>Run setup.</p></div>", "One Two\n\nRun apt.\n\nRun setup."),
        ("<h3 class=q>How?</h3><div class=a style='display:none'><p>Wait until it stops.</p></div>", "How?\n\nWait until it stops."),
        (f"<p>Before.</p><div hidden><p>{LONG}</p></div>", f"Before.\n\n{LONG.strip()}"),
    ],
)  # fmt: skip
def test_what_opens_at_a_click_is_read(tmp_path: Path, inside: str, expected: str) -> None:
    assert body(tmp_path, inside) == expected


@pytest.mark.parametrize(
    "inside",
    [
        "<button aria-expanded=false aria-controls=a>Share</button><ul id=a hidden><li><a href=x>Mail</a></li></ul>",
        "<button aria-haspopup=menu aria-expanded=false>More</button><div hidden>Some words here.</div>",
        f"<div role=dialog hidden><p>{LONG}</p></div>",
        f"<div class='cookie-box' hidden><p>{LONG}</p></div>",
        "<form><button>Send</button><p hidden>Please fill in your name.</p></form>",
        "<button>Copy</button><div hidden>Copied!</div>",
        f"<span aria-hidden='true'>{LONG}</span>",
    ],
)
def test_menus_dialogs_and_notices_stay_hidden(tmp_path: Path, inside: str) -> None:
    assert body(tmp_path, f"<p>Words.</p>{inside}") == "Words."


def test_a_button_beside_a_heading_is_no_part_of_it(tmp_path: Path) -> None:
    assert body(tmp_path, "<h2>Install <button>Copy link</button></h2><p>So.</p>") == "Install\n\nSo."


def test_frames_with_prose_are_read_on_pages_that_mark_no_article(tmp_path: Path) -> None:
    aside = "<aside><p>Warning: never open it above 60 bar.</p></aside>"
    found = read(tmp_path, f"<header><h1>Leave</h1><p>Staff get 28 days of leave.</p></header><p>Ask.</p>{aside}<p>More.</p>")
    assert found.text == "Leave\n\nStaff get 28 days of leave.\n\nAsk.\n\nWarning: never open it above 60 bar.\n\nMore."
    found = read(tmp_path, "<header><h1>Leave</h1><p>Staff get 28 days of leave.</p></header><main><p>Ask.</p></main>")
    assert found.text == "Leave\n\nStaff get 28 days of leave.\n\nAsk."


@pytest.mark.parametrize(
    "frame",
    [
        "<header>Banner</header>",
        "<header><a href=/>Acme</a> <a href=/x>All about us.</a></header>",
        "<aside><ul><li><a href=/a>Read this next one.</a></li></ul></aside>",
        "<footer>© 2024 Acme Inc. All rights reserved.</footer>",
        "<footer>Imprint of the club</footer>",
    ],
)
def test_frames_without_prose_stay_out(tmp_path: Path, frame: str) -> None:
    assert read(tmp_path, f"<p>Words.</p>{frame}").text == "Words."


@pytest.mark.parametrize(
    ("inside", "expected"),
    [
        ("10<sup>6</sup> cells, 2<sup>10</sup> rows, 5 m<sup>2</sup>", "10^6 cells, 2^10 rows, 5 m^2"),
        ("10<sup>-3</sup>, x<sup>n+1</sup>, (a+b)<sup>2</sup>", "10^-3, x^(n+1), (a+b)^2"),
        ("Ask<sup><a href='#n1'>1</a></sup> 5<a href='#n2'><sup>2</sup></a> mg", "Ask[1] 5[2] mg"),
        ("Ask<sup>[1]</sup>, rules.<sup>3</sup> 5<sup>1)</sup> mg", "Ask[1], rules.[3] 5[1] mg"),
        ("the 2<sup>nd</sup> of M<sup>me</sup> X, 1<sup>o</sup>, H<sub>2</sub>O", "the 2nd of Mme X, 1o, H2O"),
        ("<sup>1</sup> Only once.", "1 Only once."),
        ("<del>100</del> <s>90</s> <span style='text-decoration: line-through'>85</span> 80 EUR", "80 EUR"),
        ("<ruby>東京<rp>(</rp><rt>とうきょう</rt><rp>)</rp></ruby>に行く", "東京に行く"),
        ("E = <math><mi>m</mi><msup><mi>c</mi><mn>2</mn></msup></math> holds", "E = mc^2 holds"),
        ("<math alttext='{\\displaystyle x_{1}}'><mi>x</mi></math> is", "x_{1} is"),
        ("<math><mfrac><mrow><mi>a</mi><mo>+</mo><mi>b</mi></mrow><mn>2</mn></mfrac><annotation>tex</annotation></math>", "(a+b)/2"),
    ],
)
def test_raised_struck_and_reckoned_text_keeps_its_meaning(tmp_path: Path, inside: str, expected: str) -> None:
    assert body(tmp_path, f"<p>{inside}</p>") == expected


@pytest.mark.parametrize(
    ("inside", "expected"),
    [
        ("<ol><li>Off.</li><li><p>Drain.</p></li></ol>", "1. Off.\n2. Drain."),
        ("<ol start=5><li>Refill.</li><li value=9>On.</li></ol>", "5. Refill.\n9. On."),
        ("<ol reversed><li>x</li><li>y</li></ol>", "2. x\n1. y"),
        ("<ol type=a><li>x</li><li>y<ol type=I><li>z</li></ol></li></ol>", "- a. x\n- b. y\n- I. z"),
        ("<ol><li>x<ul><li>y</li></ul></li><li>z</li></ol>", "1. x\n- y\n2. z"),
        ("<ul><li>x</li></ul>", "- x"),
    ],
)
def test_ordered_items_have_their_numbers(tmp_path: Path, inside: str, expected: str) -> None:
    assert body(tmp_path, inside) == expected


def test_a_numbered_section_keeps_exact_spans(tmp_path: Path) -> None:
    document = read(tmp_path, "<h1>A</h1><ol start=10><li>x</li></ol><h1>B</h1><p>y</p>")
    assert under(document) == {("A",): "10. x", ("B",): "y"}


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ("<tr><th>A<th>B<th>C<tr><td rowspan=2>n<td>p<td>1<tr><td>v<td>2<tr><td>s<td colspan=2>none",
         "A | B | C\nn | p | 1\nn | v | 2\ns | none | none"),
        ("<tr><th rowspan=2>Plan<th colspan=2>Fee<tr><th>2023<th>2024<tr><td>x<td>1<td>2", "Plan | Fee 2023 | Fee 2024\nx | 1 | 2"),
        ("<tr><td rowspan=2>Plan<td colspan=2>Fee<tr><td>A<td>B<tr><td>x<td>1<td>2", "Plan | Fee A | Fee B\nx | 1 | 2"),
        ("<tr><th colspan=2>Prices<tr><th>A<th>B<tr><td colspan=2>Group one<tr><td>x<td>1", "Prices\nA | B\nGroup one\nx | 1"),
        ("<tr><td>a<td rowspan=0>b<tr><td>c<tr><td>d", "a | b\nc | b\nd | b"),
        ("<tr><td colspan=999>a<td>b<tr><td>c<td>d", "a | b\nc | d"),
        ("<tr><th>a<td>1<tr><th>b<td>2", "a | 1\nb | 2"),
    ],
)  # fmt: skip
def test_cells_over_several_rows_and_columns_stand_in_each(tmp_path: Path, rows: str, expected: str) -> None:
    assert body(tmp_path, f"<table>{rows}</table>") == expected


def test_a_table_of_endless_spans_is_not_blown_up(tmp_path: Path) -> None:
    wide = "<td rowspan=65534>x</td>" * 2000
    assert len(body(tmp_path, f"<table><tr>{wide}</tr>{'<tr><td>y</td></tr>' * 2000}</table>")) < 20_000
    assert body(tmp_path, f"<table><tr><td rowspan=9>{'x' * 500}<td>a<tr><td>b</table>").count("x") == 500
