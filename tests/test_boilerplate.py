"""Boilerplate: what documents repeat at their edges goes, what they say stays, and every span stays exact."""

from __future__ import annotations

import random

import pytest

from selfstudy.core.records import Document, Scalar
from selfstudy.corpus.cleaning.boilerplate import Boilerplate, left_out, repeated
from selfstudy.corpus.passages.chunk import Chunk, chunk

WORDS = ["".join(random.Random(n).choices("abcdefghijklmnop", k=6)) for n in range(2000)]
MENU = "Home | Products | Contact"
FOOT = "© 2023 Example Ltd. All rights reserved."


def text(seed: int, lines: int = 4) -> str:
    chooser = random.Random(seed)
    return "\n\n".join(" ".join(chooser.choices(WORDS, k=30)).capitalize() + "." for _ in range(lines))


def document(id: str, text: str, **meta: Scalar) -> Document:
    return Document(id, text, meta={"format": "text", **meta})


def shown(document: Document, marks: frozenset[str]) -> list[str]:
    return [document.text[start:end] for start, end in left_out(document, marks)]


def test_menus_and_footers_go_whatever_their_numbers() -> None:
    every = [document(f"{n}", f"{MENU}\n\n{text(n)}\n\n{FOOT.replace('2023', str(2010 + n))}\nPage {n}") for n in range(6)]
    marks = repeated(every)
    assert shown(every[3], marks) == [MENU, FOOT.replace("2023", "2013"), "Page 3"]
    assert repeated(reversed(every)) == marks
    passages = chunk(every[3], Chunk(), left_out(every[3], marks))
    assert all("Example" not in one.text and MENU not in one.text for one in passages)
    assert " ".join(one.text for one in passages).split() == text(3).split()
    assert all(every[3].text[place.start : place.end] == one.text for one in passages for place in one.places)


def test_four_documents_prove_nothing_and_neither_does_one_in_ten() -> None:
    few = [document(f"{n}", f"{text(n)}\n{FOOT}") for n in range(4)]
    assert repeated(few) == frozenset()
    many = [document(f"{n}", text(n) + (f"\n{FOOT}" if n < 6 else "")) for n in range(60)]
    assert repeated(many) == frozenset()
    assert repeated(many, Boilerplate(share=0.05)) != frozenset()


def test_an_authors_signature_is_found_among_many_others() -> None:
    letters = [document(f"{n}", f"{text(n)}\n\nAnna Berg, head of sales", author="anna") for n in range(6)]
    others = [document(f"other {n}", text(100 + n), author=f"x{n}") for n in range(60)]
    assert shown(letters[0], repeated([*letters, *others])) == ["Anna Berg, head of sales"]


def test_versions_of_one_text_are_not_each_others_boilerplate() -> None:
    body = text(7, 12).split("\n\n")
    versions = []
    for n in range(8):
        changed = [*body[:5], body[5].replace(".", f" within {n} days as agreed on {n} May."), *body[6:]]
        versions.append(document(f"policy v{n}", "\n\n".join(changed)))
    assert repeated(versions) == frozenset()


def test_what_many_say_in_the_middle_stays_and_so_do_short_labels() -> None:
    clause = "This agreement is governed by the laws of the country."
    every = [document(f"{n}", f"{text(n, 12)}\n\n{clause}\n\nNotes\n\n{text(50 + n, 12)}") for n in range(6)]
    assert shown(every[0], repeated(every)) == []


def test_a_document_of_nothing_else_is_kept_whole() -> None:
    every = [document(f"{n}", f"{text(n)}\n{FOOT}") for n in range(6)]
    bare = document("bare", FOOT)
    assert shown(every[0], repeated([*every, bare])) == [FOOT]
    assert shown(bare, repeated([*every, bare])) == []


def test_tables_repeat_their_header_and_keep_it() -> None:
    rows = [
        document(f"{n}", f"name of it | unit | price in euros\nitem{n} | kg | {n}\n{WORDS[n]} {WORDS[n + 9]}", format="csv")
        for n in range(9)
    ]
    assert repeated(rows) == frozenset()


@pytest.mark.parametrize(("every", "found"), [(20, 5), (6, 0)])
def test_heads_of_pages_come_after_as_many_lines_each(every: int, found: int) -> None:
    lines = [" ".join(random.Random(n).choices(WORDS, k=9)) for n in range(5 * every)]
    paged = [line for n in range(5) for line in [f"Draft 7, page {n + 1}", *lines[n * every : (n + 1) * every]]]
    assert len(left_out(document("d", "\n".join(paged)), frozenset())) == found


def test_chinese_footers() -> None:
    every = [
        document(f"{n}", "".join(random.Random(n).choices([chr(0x4E00 + m) for m in range(900)], k=120)) + "。\n版权所有，不得转载。")
        for n in range(6)
    ]
    assert shown(every[2], repeated(every)) == ["版权所有，不得转载。"]


SHEET = "Weight: {} kg\nPower consumption: {} W\nMaximum pressure {} bar\nMade in {}\nMaterial: {}"


def test_lines_that_tell_sibling_documents_apart_stay() -> None:
    facts = [(7 + n, 110 * n, 10 + n % 2, 1990 + n, ("steel", "brass")[n == 6]) for n in range(7)]
    every = [document(f"{n}", f"{MENU}\n\n{text(n)}\n\n{SHEET.format(*facts[n])}") for n in range(7)]
    assert shown(every[3], repeated(every)) == [MENU]
    alike = [document(f"{n}", f"{text(n)}\n\n{SHEET.format(7, 110, 10, 1990, 'steel')}") for n in range(7)]
    assert shown(alike[3], repeated(alike)) == SHEET.format(7, 110, 10, 1990, "steel").split("\n")


def test_a_value_that_a_fifth_share_stays_where_others_have_another() -> None:
    every = [document(f"{n}", f"{text(n)}\nDelivery time: {3 + n % 3} weeks\n{FOOT}") for n in range(18)]
    assert shown(every[0], repeated(every)) == [FOOT]


@pytest.mark.parametrize(
    "line",
    [
        "Page {} of 7", "Page {} / 19", "Handbook of the club, page {}", "第{}页", "第 {} 页 共 9 页", "Printed on 2024-05-{:02}",
        "Printed: {} May 2024, 14:{:02}", "打印时间 2024年5月{}日", "Last updated on May {}, 2024", "Copyright (c) 2001-{:04} Example",
        "201{} Example Ltd. All rights reserved.",
    ],
)  # fmt: skip
def test_page_numbers_and_stamps_go_whatever_they_count(line: str) -> None:
    every = [document(f"{n}", f"{text(n)}\n\n{line.format(n + 1, n + 1)}\n- {n + 1} -") for n in range(6)]
    assert shown(every[3], repeated(every)) == [line.format(4, 4)]


def test_totals_under_the_pages_of_one_document_stay() -> None:
    lines = [" ".join(random.Random(n).choices(WORDS, k=9)) for n in range(100)]
    paged = [line for n in range(5) for line in [*lines[n * 20 : (n + 1) * 20], f"Total due: {137 * n} EUR", f"Page {n + 1} of 5"]]
    one = document("d", "\n".join(paged))
    assert shown(one, frozenset()) == [f"Page {n + 1} of 5" for n in range(5)]
