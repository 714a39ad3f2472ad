"""Documents to passages: exact spans, nothing lost, headings first, sentences whole."""

from __future__ import annotations

import random
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest
from pydantic import ValidationError

from selfstudy.core.records import Document, Passage, Section, passage_id
from selfstudy.core.text import sentences
from selfstudy.corpus.folder import SourceFile, walk
from selfstudy.corpus.parse import parse
from selfstudy.corpus.passages.chunk import Chunk, chunk, word_count

WORDS = "the committee meets monthly and keeps minutes of every decision that its members take about fees rooms and guests".split()


def prose(count: int, seed: int = 0) -> str:
    """Paragraphs of sentences of 5 to 30 words, `count` words in all or a few more."""
    rng = random.Random(seed)
    text, words = [], 0
    while words < count:
        length = rng.randint(5, 30)
        text.append(" ".join(rng.choices(WORDS, k=length)).capitalize() + ("\n\n" if rng.random() < 0.2 else " "))
        text[-1] = text[-1].rstrip() + "." + text[-1][len(text[-1].rstrip()) :]
        words += length
    return "".join(text)


def spans(passages: list[Passage]) -> list[tuple[int, int]]:
    return sorted((place.start, place.end) for passage in passages for place in passage.places)


def check(document: Document, cfg: Chunk | None = None, without: str = "") -> list[Passage]:
    """The passages of `document`, after the checks that hold for every one; `without` are the characters that headings may keep out."""
    passages = chunk(document, cfg or Chunk())
    assert passages == chunk(document, cfg or Chunk())
    assert len({passage.id for passage in passages}) == len(passages)
    for passage in passages:
        assert passage.id == passage_id(passage.title, passage.text)
        assert passage.text == passage.text.strip() != ""
        for place in passage.places:
            assert place.document == document.id
            assert document.text[place.start : place.end] == passage.text
    found = spans(passages)
    assert all(one[1] <= two[0] for one, two in pairwise(found))
    covered = Counter(char for start, end in found for char in document.text[start:end] if not char.isspace())
    missing = Counter(char for char in document.text if not char.isspace())
    missing.subtract(covered)
    assert +missing == Counter(without.replace(" ", ""))
    return passages


def sizes(passages: list[Passage]) -> list[float]:
    return [word_count(passage.text) for passage in passages]


def test_a_short_document_is_one_passage() -> None:
    document = Document("a", prose(200), "Title")
    assert 200 < word_count(document.text) <= 240
    (passage,) = check(document)
    assert (passage.title, passage.text) == ("Title", document.text.strip())
    assert len(check(Document("a", prose(260)))) == 2


def test_long_prose_is_packed_into_whole_sentences() -> None:
    document = Document("a", prose(5000))
    passages = check(document)
    ends = {end for _, end in sentences(document.text)}
    assert all(passage.places[0].end in ends for passage in passages)
    assert max(sizes(passages)) <= 160
    assert min(sizes(passages)[:-1]) >= 80
    assert sum(sizes(passages)) / len(passages) > 120


def test_whole_paragraphs_are_preferred() -> None:
    paragraph = "Ten words stand in this sentence of the paragraph here. " * 6
    document = Document("a", "\n\n".join([paragraph.strip()] * 10))
    assert all(passage.text.count("\n\n") == 1 for passage in chunk(document))


def test_a_small_rest_is_merged() -> None:
    document = Document("a", " ".join(f"Sentence number {n} has just ten words in it here." for n in range(32)) + " A short end.")
    passages = chunk(document)
    assert [round(size) for size in sizes(passages)] == [160, 163]
    assert [round(size) for size in sizes(chunk(document, Chunk(min_words=0)))] == [160, 160, 3]


def test_sections_come_before_length() -> None:
    text = "# Guide\n\nIntro here.\n\n## Fees\n\nAnn pays 30 euros.\n\n## Rooms\n\nThere are two."
    path = ("Guide",)
    at = {name: text.index(name) for name in ("Intro", "Ann", "There")}
    document = Document(
        "a",
        text,
        "Guide",
        sections=(
            Section(path, at["Intro"], text.index("## Fees")),
            Section((*path, "Fees"), at["Ann"], text.index("## Rooms")),
            Section((*path, "Rooms"), at["There"], len(text)),
        ),
    )
    passages = check(document, without="#Guide##Fees##Rooms")
    assert [(passage.title, passage.text) for passage in passages] == [
        ("Guide", "Intro here."),
        ("Guide > Fees", "Ann pays 30 euros."),
        ("Guide > Rooms", "There are two."),
    ]


def test_text_that_no_section_covers_is_kept_under_the_title() -> None:
    text = "Preface text.\n\nFees\n====\n\nAnn pays.\n\nAfterword."
    section = Section(("Fees",), text.index("Ann"), text.index("After"))
    passages = check(Document("a", text, "T", sections=(section,)), without="Fees====")
    assert [(passage.title, passage.text) for passage in passages] == [
        ("T", "Preface text."),
        ("T > Fees", "Ann pays."),
        ("T", "Afterword."),
    ]


def test_nested_sections_give_the_innermost_heading() -> None:
    text = "Before. Inner text. After."
    outer = Section(("A",), 0, len(text))
    inner = Section(("A", "B"), text.index("Inner"), text.index("After"))
    passages = check(Document("a", text, sections=(inner, outer)))
    assert [(passage.title, passage.text) for passage in passages] == [("A", "Before."), ("A > B", "Inner text."), ("A", "After.")]


def test_sections_that_overlap_or_reach_too_far_lose_nothing() -> None:
    text = "One two three. Four five six. Seven eight nine."
    document = Document(
        "a", text, sections=(Section(("A",), 0, 25), Section(("B",), 10, 40), Section(("C",), 30, 999), Section(("D",), 5, 5))
    )
    check(document)


def test_titles_are_joined_without_repeats() -> None:
    text = "Some text."
    for title, path, expected in [
        ("Guide", ("Guide", "Fees"), "Guide > Fees"),
        ("", ("Fees",), "Fees"),
        ("The  Guide", ("the guide", "Use", "Guide"), "The Guide > Use > Guide"),
        ("", (), ""),
    ]:
        (passage,) = chunk(Document("a", text, title, sections=(Section(path, 0, len(text)),)))
        assert passage.title == expected


def test_equal_text_under_an_equal_title_is_one_passage_with_two_places() -> None:
    text = "Same words.\n\nOther.\n\nSame words."
    sections = (Section(("A",), 0, 11), Section(("B",), 13, 19), Section(("A",), 21, len(text)))
    passages = check(Document("a", text, sections=sections))
    assert [(len(passage.places), passage.text) for passage in passages] == [(2, "Same words."), (1, "Other.")]


def test_chinese_is_cut_at_its_sentences() -> None:
    sentence = "合同自双方签字之日起生效，有效期三年，任何一方可以提前三十天通知对方。"
    document = Document("a", sentence * 60)
    passages = check(document)
    assert all(passage.text.endswith("。") for passage in passages)
    assert all(220 <= len(passage.text) <= 270 for passage in passages[:-1])


def test_chinese_with_western_commas_is_cut_at_them() -> None:
    clauses = "".join(f"原告李某与被告甘某经人介绍相识并恋爱,借款{n},000元," for n in range(60))
    assert all(passage.text.endswith(("恋爱,", "元,")) for passage in check(Document("a", clauses)))


def test_a_sentence_over_the_limit_is_cut_at_clauses_else_at_spaces() -> None:
    clauses = ", ".join(["and this clause has exactly seven words"] * 60) + "."
    passages = check(Document("a", clauses))
    assert all(passage.text.endswith((",", ".")) for passage in passages)
    passages = check(Document("a", "word " * 50_000))
    assert set(map(len, (passage.text.split() for passage in passages))) <= {160, *range(60, 200)}
    assert all(set(passage.text.split()) == {"word"} for passage in passages)


@pytest.mark.parametrize(
    "text",
    [
        "word",
        "好",
        "🎉",
        "x" * 30_000,
        "好" * 5000,
        "👩‍👩‍👧‍👦" * 2000,
        "🇫🇷🇩🇪" * 2000,
        "e\u0301" * 9000,
        "...!?" * 500,
        "a\n" * 3000,
        "\u3000好\u3000" * 900,
        "ไทย" * 2000,
    ],
)
def test_odd_texts_lose_nothing_and_stay_in_bounds(text: str) -> None:
    passages = check(Document("a", text))
    assert max(sizes(passages)) <= 240


def test_joined_emoji_and_accents_are_not_torn() -> None:
    for whole in ("👩‍👩‍👧‍👦", "🇫🇷", "👍🏽", "e\u0301"):
        for passage in chunk(Document("a", whole * 6000)):
            assert len(passage.text) % len(whole) == 0


@pytest.mark.parametrize("text", ["", "  \n\t ", "\u3000"])
def test_no_text_no_passages(text: str) -> None:
    assert chunk(Document("a", text, "Title")) == []


def test_a_table_is_cut_between_rows() -> None:
    rows = [f"Name: St. Ann {n}; Fee: {n} euros. Due: May 1. Paid: yes" for n in range(100)]
    passages = check(Document("a", "\n".join(rows), meta={"format": "csv"}))
    assert len(passages) > 5
    assert [line for passage in passages for line in passage.text.split("\n")] == rows


def test_rows_between_bars_are_units() -> None:
    rows = [f"| St. Ann {n} | {n} euros. Due on May 1. | A note. Another note |" for n in range(100)]
    text = "The fees are these. All of them.\n\n" + "\n".join(rows) + "\n\nThat is all. It ends."
    passages = check(Document("a", text))
    assert [line for passage in passages for line in passage.text.split("\n") if line.startswith("|")] == rows


@pytest.mark.parametrize(
    ("head", "names"),
    [
        ("| **Part** | Torque |\n|---|:-:|", "Part | Torque"),
        ("Part | Torque", "Part | Torque"),
        ("Part | 2023 | 2024", "Part | 2023 | 2024"),
        ("Bolt x | 9 Nm", ""),
    ],
)
def test_what_follows_of_a_table_has_its_header_in_the_title(head: str, names: str) -> None:
    values = " | ".join(["{n} Nm"] * (head.split("\n")[0].strip("| ").count("|")))
    rows = [f"Bolt {n} | {values.format(n=n)}" for n in range(120)]
    text = f"The torques are these.\n\n{head}\n" + "\n".join(rows) + "\n\nThat is all of it. " + prose(200)
    first, *inside, last = check(Document("a", text, "T"))
    assert first.title == "T"
    assert len(inside) > 2
    assert {passage.title for passage in inside if passage.text.startswith("Bolt")} == {f"T > {names}" if names else "T"}
    assert last.title == "T"


@pytest.mark.parametrize("before", ["", " ", "\n  "])
def test_a_table_that_a_passage_begins_with_is_not_named_twice(before: str) -> None:
    (passage,) = check(Document("a", f"{before}| This year | Last year\nSales | 8,657 | 8,244\nCosts | 4,310 | 4,190", "T"))
    assert passage.title == "T"


def test_markdown_from_the_file_to_the_passages(tmp_path: Path) -> None:
    body = f"# The `x` guide\n\nIntro.\n\n---\n\n## See [this](http://a.b) **now**\n\n{prose(400)}\n\nSetext one\n---\n\n1. First.\n"
    (tmp_path / "a.md").write_text(body)
    (file,) = walk([tmp_path])
    assert isinstance(file, SourceFile)
    (document,) = parse(file)
    assert isinstance(document, Document)
    passages = check(document, without="# The `x` guide ## See [this](http://a.b) **now** Setext one ---")
    assert list(dict.fromkeys(passage.title for passage in passages)) == [
        "The x guide",
        "The x guide > See this now",
        "The x guide > Setext one",
    ]


def test_sizes_follow_the_settings() -> None:
    document = Document("a", prose(3000))
    assert max(sizes(check(document, Chunk(words=40, min_words=5)))) <= 50
    with pytest.raises(ValidationError):
        Chunk(word=5)  # type: ignore[call-arg]
    with pytest.raises(ValidationError):
        Chunk(words=0)


def test_words_are_counted_as_models_see_them() -> None:
    assert word_count("four words stand here") == 4
    assert word_count("中文字符") == pytest.approx(2.4)
    assert word_count("x" * 240) == 10
    assert word_count("") == 0


def test_two_megabytes_go_through() -> None:
    document = Document("a", prose(360_000))
    assert len(document.text) > 2_000_000
    passages = chunk(document)
    assert sum(map(word_count, (passage.text for passage in passages))) == word_count(document.text)
