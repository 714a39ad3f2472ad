"""JSON and XML: light structure, and entities that must neither grow nor fetch."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from selfstudy.core.records import Document
from selfstudy.corpus.folder import SourceFile, walk
from selfstudy.corpus.parse import parse
from selfstudy.corpus.set_aside import SetAside


def read(folder: Path, name: str, data: str | bytes) -> list[Document | SetAside]:
    path = folder / name
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    (file,) = walk([path])
    assert isinstance(file, SourceFile)
    return list(parse(file))


def text(folder: Path, name: str, data: str | bytes) -> Document:
    (found,) = read(folder, name, data)
    assert isinstance(found, Document), found
    return found


def reason(folder: Path, name: str, data: str | bytes) -> str:
    (found,) = read(folder, name, data)
    assert isinstance(found, SetAside), found
    return found.reason


def under(document: Document) -> dict[tuple[str, ...], str]:
    return {section.path: document.text[section.start : section.end].strip() for section in document.sections}


def test_objects_become_paragraphs_of_lines(tmp_path: Path) -> None:
    rows = [
        {"question": "When?", "answer": "At nine.\nSharp.", "tags": ["a", "b"], "none": None},
        {"question": "Who?", "by": {"name": "Ann", "age": 44}, "open": True, "steps": [{"do": "lift"}, {"do": "turn"}]},
    ]
    first = "question: When?\nanswer: At nine.\nSharp.\ntags: a, b"
    second = "question: Who?\nby.name: Ann\nby.age: 44\nopen: true\nsteps.do: lift\nsteps.do: turn"
    assert text(tmp_path, "a.json", json.dumps(rows)).text == f"{first}\n\n{second}"
    assert text(tmp_path, "b.json", '[["Part", "Price"], ["Seal", 9], "alone"]').text == "Part, Price\n\nSeal, 9\n\nalone"


def test_keys_that_hold_objects_are_headings(tmp_path: Path) -> None:
    found = text(tmp_path, "a.json", json.dumps({"site": "north", "pumps": [{"id": 1}, {"id": 2}], "boss": {"name": "Ann"}, "empty": {}}))
    assert under(found) == {(): "site: north", ("pumps",): "id: 1\n\nid: 2", ("boss",): "name: Ann"}


def test_rows_as_in_beir_are_documents_of_their_own(tmp_path: Path) -> None:
    good, bad, unnamed = read(
        tmp_path, "a.json", '[{"_id": "x", "title": "T", "text": "words", "metadata": {"n": 1}}, {"id": [3], "text": "y"}, {"text": "z"}]'
    )
    assert good == Document("x", "words", "T", str(tmp_path / "a.json"), {"format": "json", "n": 1})
    assert bad == SetAside(f"{tmp_path / 'a.json'}:2", 'broken: "id" is neither text nor a whole number')
    assert isinstance(unnamed, Document)
    assert (unnamed.id, unnamed.text) == ("a.json#3", "z")


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ("{bad}", "broken: no JSON (Expecting property name enclosed in double quotes at line 1, column 2)"),
        ("[" * 200_000, "broken: JSON that cannot be read"),
        ("9" * 5000, "broken: JSON that cannot be read"),
        ("[null, {}, []]", "empty: no text in it"),
        (bytes(range(256)), "unknown format: binary data, no text"),
    ],
)
def test_bad_json_is_named(tmp_path: Path, data: str | bytes, expected: str) -> None:
    assert reason(tmp_path, "a.json", data).startswith(expected)


RECORDS = """<?xml version="1.0"?><catalogue xmlns="urn:x"><name>Pumps</name>
<pump><title>Model A</title><price>90 &amp;<!-- no text --> up</price><weight/>
  <note>Close the <b>main</b> valve
  first.</note></pump>
<pump><title>Model B</title><price>70</price></pump></catalogue>"""


def test_records_keep_the_names_of_their_fields(tmp_path: Path) -> None:
    found = text(tmp_path, "a.xml", RECORDS)
    assert under(found) == {
        (): "name: Pumps",
        ("Model A",): "price: 90 & up\n\nClose the main valve first.",
        ("Model B",): "price: 70",
    }
    assert found.title == ""


ITEMS = """<products xmlns:xlink="http://www.w3.org/1999/xlink"><product sku="X1" xml:lang="en"><name lang="de">Pumpe</name>
<server name="alpha" port="8443"/><weight/><price currency="EUR">90</price><link xlink:href="http://x"/></product>
<product sku="X2"><p id="p1">Words <b class="c">here</b>.</p></product></products>"""


def test_attributes_are_said_where_they_say_something(tmp_path: Path) -> None:
    first = "sku: X1\nname: Pumpe; lang: de\nserver: name: alpha; port: 8443\nprice: 90; currency: EUR\nlink: href: http://x"
    assert text(tmp_path, "a.xml", ITEMS).text == f"{first}\n\nsku: X2\n\nWords here."
    assert text(tmp_path, "b.xml", '<pump model="A" flow="3 l/s"/>').text == "model: A\nflow: 3 l/s"


def test_html_inside_xml_is_read_and_code_stays(tmp_path: Path) -> None:
    feed = (
        "<rss><channel><item><title>Recall</title><description>&lt;p&gt;Pump &lt;b&gt;P1&lt;/b&gt; &amp;amp; more.&lt;/p&gt;"
        "&lt;ul&gt;&lt;li&gt;one&lt;/li&gt;&lt;/ul&gt;</description><note>a &lt; b and c &gt; d</note>"
        "<code>&lt;b&gt;bold&lt;/b&gt;</code></item></channel></rss>"
    )
    assert under(text(tmp_path, "a.xml", feed)) == {
        ("Recall",): "description: Pump P1 & more.\none\nnote: a < b and c > d\ncode: <b>bold</b>"
    }


def test_an_article_is_read_in_order_without_names_of_paragraphs(tmp_path: Path) -> None:
    found = text(
        tmp_path,
        "a.xml",
        "<article><title>Tides</title><sec><title>Moon</title><p>It <i>pulls</i><sup>2</sup> water.</p><p>Twice.</p></sec>"
        "<sec>Loose words<p>Inside.</p>and after</sec></article>",
    )
    assert found.title == "Tides"
    assert found.text == "Tides\n\nMoon\n\nIt pulls2 water.\n\nTwice.\n\nLoose words\n\nInside.\n\nand after"


def test_entities_neither_grow_nor_fetch(tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("SECRET")
    bomb = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 12))
    dtd = f'<!DOCTYPE a [<!ENTITY a0 "ha">{bomb}<!ENTITY file SYSTEM "{(tmp_path / "secret.txt").as_uri()}">'
    assert text(tmp_path, "a.xml", f"{dtd}]><a><b>one &a1; two</b><c>&file;</c></a>").text == "b: one &a1; two\nc: &file;"
    grown = "huge: the entities that it declares grow far beyond it, as only bombs do"
    assert reason(tmp_path, "a.xml", f"{dtd}]><a><b>one &a11; two</b></a>") == grown
    outside = '<!DOCTYPE a SYSTEM "http://localhost:1/a.dtd"><a><b>&nbsp;words</b></a>'
    assert "words" in text(tmp_path, "b.xml", outside).text
    parameter = f'<!DOCTYPE a [<!ENTITY % x SYSTEM "{(tmp_path / "secret.txt").as_uri()}"> %x;]><a><b>words</b></a>'
    (found_or_not,) = read(tmp_path, "c.xml", parameter)
    assert "SECRET" not in str(found_or_not)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ("<a><b></a>", "broken: no well-formed XML (Opening and ending tag mismatch"),
        ("words", "broken: no well-formed XML (Start tag expected"),
        ("<a>" * 5000, "huge: more than is read of XML (Excessive depth"),
        (f"<a>{'x' * 11_000_000}</a>", "huge: more than is read of XML ("),
        ("<a b=' '/>", "empty: no text in it"),
        (b"\x00\x01\x02junk", "broken: no well-formed XML"),
    ],
)
def test_bad_xml_is_named(tmp_path: Path, data: str | bytes, expected: str) -> None:
    assert reason(tmp_path, "a.xml", data).startswith(expected)


def test_a_page_named_xml_is_a_page(tmp_path: Path) -> None:
    found = text(tmp_path, "a.xml", '<?xml version="1.0" encoding="utf-8"?><!DOCTYPE html><html><body><h1>T</h1><p>x</p></body></html>')
    assert (found.meta["format"], found.title) == ("html", "T")


def test_the_encoding_that_xml_declares_is_believed(tmp_path: Path) -> None:
    head = '<?xml version="1.0" encoding="iso-8859-1"?>'
    assert text(tmp_path, "a.xml", f"{head}<a><b>Prüfung</b></a>".encode("latin-1")).text == "b: Prüfung"
    assert text(tmp_path, "b.xml", f"{head}<a><b>10–20 €, don’t …</b></a>".encode("cp1252")).text == "b: 10–20 €, don’t …"
    assert text(tmp_path, "c.xml", head.encode() + b"<a><b>\x80 \x81 x</b></a>").text == "b: € x"
    chinese = '<?xml version="1.0" encoding="gb2312"?><a><b>朱镕基</b></a>'  # the middle one is not in GB 2312
    assert text(tmp_path, "d.xml", chinese.encode("gb18030")).text == "b: 朱镕基"
