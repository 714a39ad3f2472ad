"""Exact places: the clause of a passage that says what was asked, and the section around it, from the command line too"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from pdfs import lines, write_pdf

from selfstudy.answer.locating import located
from selfstudy.core.records import Document, Hit, Passage, Place, Section
from selfstudy.corpus.passages.surroundings import surroundings
from selfstudy.testing import FakeEmbedder

Run = Callable[..., tuple[int, str, str]]
LEASE = "The rent is paid monthly. Either party may end the lease by notice of ninety days. Keys are returned on the last day."


def hit(name: str, text: str, start: int = 0) -> Hit:
    return Hit(Passage(name, "Lease", text, (Place(f"{name}.txt", start, start + len(text)),)), 1.0, "test")


@pytest.mark.parametrize("embedder", [None, FakeEmbedder(256)])
def test_a_hit_is_cited_at_its_own_best_clause(embedder: FakeEmbedder | None) -> None:
    hits = [hit("a", LEASE, 100), hit("b", "Notice is written. Pets are not allowed.", 7)]
    first, second = located("How many days of notice end the lease?", hits, embedder)
    assert first is not None
    assert second is not None
    assert first.quote == "Either party may end the lease by notice of ninety days."
    assert (first.number, first.document, first.passage) == (1, "a.txt", "a")
    assert LEASE[first.start - 100 : first.end - 100] == first.quote
    assert (second.number, second.quote, second.start) == (2, "Notice is written.", 7)


def test_every_hit_is_cited_however_many_there_are() -> None:
    found = located("Who pays?", [hit(f"h{number}", f"Tenant {number} pays.") for number in range(9)], None)
    assert [spot.number for spot in found if spot is not None] == list(range(1, 10))


def test_long_sentences_are_cited_by_the_clause() -> None:
    many = "; ".join(
        f"({letter}) the parties keep the books of store {letter} in good order and open to both of them" for letter in "abcdefg"
    )
    text = f"During the term {many}; (h) the audit right of the landlord may be used once a year, and (i) nothing else is agreed here."
    (found,) = located("How often may the landlord audit?", [hit("a", text)], None)
    assert found is not None
    assert "audit right of the landlord" in found.quote
    assert len(found.quote) < len(text) / 2


def test_what_holds_no_words_is_cited_nowhere() -> None:
    assert located("Who pays?", [hit("a", "* * *"), hit("b", "The tenant pays.")], None)[0] is None
    assert located("Who pays?", [], FakeEmbedder(8)) == []


def shown(document: Document, words: str, most: int = 400) -> str:
    start = document.text.index(words)
    return document.text[slice(*surroundings(document, start, start + len(words), most))]


def test_the_innermost_section_is_what_stands_around() -> None:
    text = "Rules\n\nAll of them.\n\nLeave\n\nTwenty days.\n\nMore on request.\n\nPay\n\nMonthly.\n"
    start, end = text.index("\nTwenty"), text.index("Pay")
    document = Document("a", text, sections=(Section(("Rules",), 6, len(text)), Section(("Rules", "Leave"), start, end)))
    assert shown(document, "Twenty") == "Twenty days.\n\nMore on request."
    assert shown(document, "Monthly") == text[6:].strip(), "what no inner section holds stands in the outer one"


def test_a_long_section_is_cut_at_paragraphs_on_both_sides() -> None:
    parts = [f"Paragraph {number} has six words here." for number in range(9)]
    document = Document("a", "\n\n".join(parts))
    assert shown(document, parts[4]) == document.text
    assert shown(document, parts[4], most=20) == "\n\n".join(parts[3:6])
    assert shown(document, "has six words here.\n\nParagraph 1 has", most=2) == "\n\n".join(parts[:2]), "the span itself is always whole"
    assert shown(document, "Paragraph 0", most=20) == "\n\n".join(parts[:3])


def test_search_says_page_and_clause(run: Run, tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    write_pdf(
        tmp_path / "docs" / "manual.pdf", lines("This manual is about the pump."), lines("It is loud. The pump is reset with the red key.")
    )
    assert run("--set", "embedder=fake:64", "add", "docs", "--json")[0] == 0
    code, out, _ = run("--set", "embedder=fake:64", "search", "what resets the pump key", "--by", "lexical", "--json")
    best = json.loads(out)[0]["best"]
    assert (code, best["quote"], best["where"]) == (0, "The pump is reset with the red key.", "p. 2")
    assert best["around"] == ""
    assert best["source"].endswith("manual.pdf")
    out = run("--set", "embedder=fake:64", "search", "what resets the pump key")[1]
    assert "manual.pdf, p. 2, characters " in out
    assert "The pump is reset with the red key." in out


def test_around_shows_the_section_of_hits_and_citations(run: Run, home: Path) -> None:
    Path("docs/tea.md").write_text("# Tea\n\n## Black tea\n\nBlack tea needs boiling water. It steeps for four minutes.\n\nServe it hot.\n")
    assert run("add", "docs", "--json")[0] == 0
    assert "Serve it hot" not in run("search", "boiling water for black tea", "-k", "1")[1]
    assert "Serve it hot" in run("search", "boiling water for black tea", "-k", "1", "--around")[1]
    citation = json.loads(run("ask", "What does black tea need?", "--around", "--json")[1])["citations"][0]
    assert citation["around"] == "Black tea needs boiling water. It steeps for four minutes.\n\nServe it hot."
    assert citation["quote"] in citation["around"]
