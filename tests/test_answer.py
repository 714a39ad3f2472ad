"""Answers in the documents' own words: spans, marks, joins, duplicates, Chinese."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from endpoint import Answer as Completed
from endpoint import completion, serving
from fakes import ALWAYS, Believing, Counting, Found
from passages import passage
from pydantic import SecretStr

from selfstudy.answer.abstention import Calibration
from selfstudy.answer.ask import NOT_FOUND, NOT_FOUND_CHINESE, answer
from selfstudy.answer.extractive import extract
from selfstudy.answer.otherwise import disagree
from selfstudy.answer.reading import Extract, pieces, read
from selfstudy.answer.terms import terms
from selfstudy.core.records import Answer, Document, Hit, Passage, Place, passage_id
from selfstudy.core.text import sentences
from selfstudy.models.api import Api, Endpoint
from selfstudy.models.openai import OpenAI
from selfstudy.testing import FakeEmbedder


def ask(question: str, passages: Sequence[Passage], calibration: Calibration | None = ALWAYS, cfg: Extract = Extract()) -> Answer:  # noqa: B008
    hits = [Hit(one, float(len(passages) - at), "hybrid") for at, one in enumerate(passages)]
    return answer(question, Found(hits), FakeEmbedder(), calibration, None, cfg)


def sentences_of(text: str) -> list[str]:
    return [text[start:end] for start, end in sentences(text)]


MILLS = [
    passage("The pump is made of brass. It was bought by the town council. It weighs two kilograms.", "The pump"),
    passage("The pump house stands by the river. Nobody lives there.", "The house"),
]


@pytest.mark.parametrize(("answered", "short"), [(0.9, "two kilograms"), (0.02, "")])
def test_a_readers_answer_is_quoted_in_its_sentence_if_it_believes_in_it(answered: float, short: str) -> None:
    hits = [Hit(one, 1.0, "hybrid") for one in MILLS]
    reader = Believing("two kilograms", answered)
    found = answer("How heavy is the pump?", Found(hits), FakeEmbedder(), ALWAYS, cfg=Extract(sentences=1, reading=2.0), reader=reader)
    assert found.short == short
    assert ("It weighs two kilograms." in found.text) == bool(short)
    for citation in found.citations:
        assert citation.quote in MILLS[0].text
    assert [text for _, text in reader.read_] == [one.indexed for one in MILLS]


@pytest.mark.parametrize(
    ("question", "short"),
    [
        ("Does it weigh two kilograms?", ""),
        ("does it?", ""),
        ("Doesburg weighs much?", "two"),
        ("Can you say its weight?", "two"),
        ("Is it two or three?", "two"),
    ],
)
def test_a_yes_or_a_no_is_not_answered_in_words_of_the_passage(question: str, short: str) -> None:
    hits = [Hit(MILLS[0], 1.0, "hybrid")]
    cfg = Extract(sentences=1, reading=2.0)
    assert answer(question, Found(hits), FakeEmbedder(), ALWAYS, cfg=cfg, reader=Believing("two", 0.9)).short == short


FAQ = passage(
    "Who pays for the return of the pump? The buyer pays it. Is the pump made of brass? Every pump is. Its lid is too.", "Questions"
)


def test_a_question_is_answered_by_what_follows_it_and_not_by_itself() -> None:
    found = ask("Who pays for the return of the pump?", [FAQ, *MILLS], cfg=Extract(sentences=1))
    assert found.text == "The buyer pays it. [1]"
    listed = passage(f"Who pays for the return of the pump? How is the lid closed? What is brass? By hand it is. {FAQ.text}")
    assert ask("Who pays for the return of the pump?", [listed], cfg=Extract(sentences=1)).text == "The buyer pays it. [1]"
    only = passage("Who pays for the return of the pump? What is brass?")
    assert ask("Who pays for the return of the pump?", [only], cfg=Extract(sentences=1)).text.startswith("Who pays"), (
        "there is nothing else"
    )
    chinese = passage("谁承担水泵的退货费用？由买方承担。水泵是黄铜的吗？是的。")
    assert ask("谁承担水泵的退货费用？", [chinese], cfg=Extract(sentences=1)).text == "由买方承担。 [1]"


def test_a_heading_in_capitals_answers_nothing() -> None:
    contract = passage("SPONSORSHIP AGREEMENT OF THE PUMP\n\nThe agreement of the sponsorship is governed by the law of Utrecht.")
    found = ask("What about the sponsorship agreement of the pump?", [contract], cfg=Extract(sentences=1))
    assert found.text.startswith("The agreement"), found.text
    report = passage("McMILL'S REPORTS ITS FLOUR FOR THE YEAR 2023\n\nFlour of 40 tons was sold by the mill in that year.")
    found = ask("What are the reports of McMill's for the year 2023 of flour?", [report], cfg=Extract(sentences=1))
    assert found.text.startswith("Flour of"), found.text
    table = "ITEM: PUMP; STATUS: OUT OF ORDER\nITEM: LID; STATUS: OK\nITEM: CORD; STATUS: ON LOAN"
    assert ask("What is the status of the pump?", [passage(table)], cfg=Extract(sentences=1)).text.startswith("ITEM: PUMP")
    listed = passage("- OIL THE PUMP\n- WEAR GLOVES\n- Then leave.")
    assert ask("Oil the pump?", [listed], cfg=Extract(sentences=1)).text.startswith("- OIL")
    for text in ("E17 OF THE PUMP\n\nThe tank is empty.", "THE PUMP IS OFF. Then it rests."):
        found = ask("What is E17 of the pump, is it off?", [passage(text)], cfg=Extract(sentences=1))
        assert found.text.startswith(text[:8]), "a name with a number, or a sentence, is none"


def test_each_row_of_a_table_is_a_sentence_of_its_own() -> None:
    rows = [
        f"Name: {name}; Age: {age}; City: {city}"
        for name, age, city in (("Jo Lee", 27, "Rome"), ("Al Day", 37, "Bern"), ("Ed Fox", 47, "Oslo"))
    ]
    text = "\n".join(rows)
    assert [text[start:end] for start, end in sentences(text)] == rows
    found = ask("In which city does Al Day live?", [passage(text)], cfg=Extract(sentences=1))
    assert found.text == f"{rows[1]} [1]"
    talk = "Anna: It is red.\nBert: So it is.\nand round."
    assert [talk[start:end] for start, end in sentences(talk)] == ["Anna: It is red.", "Bert: So it is.", "and round."]
    assert len(sentences("Note: one line\nthat goes on")) == 1


def test_the_number_of_an_item_is_no_sentence() -> None:
    text = "To reset it:\n\n1. Press the button.\n 12. Wait. It costs 5. Then go.\nIn 2019. Never."
    said = [text[start:end] for start, end in sentences(text)]
    assert said == ["To reset it:", "1. Press the button.", "12. Wait.", "It costs 5.", "Then go.", "In 2019.", "Never."]


def test_an_answer_in_the_title_alone_is_none() -> None:
    hits = [Hit(one, 1.0, "hybrid") for one in MILLS]
    found = answer("What is it about?", Found(hits), FakeEmbedder(), ALWAYS, reader=Believing("The house", 0.9))
    assert found.short == ""


def test_chinese_is_not_given_to_the_reader() -> None:
    reader = Believing("两公斤", 0.9)
    hits = [Hit(passage("水泵重两公斤。它是铜制的。"), 1.0, "hybrid")]
    assert "两公斤" in answer("水泵有多重？", Found(hits), FakeEmbedder(), ALWAYS, reader=reader).text
    assert reader.read_ == []


WORDS = "the a pump valve pressure oil bar seal of is in 3.5 45 Dr. e.g. café naïve — “gauge” 阀门 压力 泵".split()
ENDS = [". ", "! ", "? ", ".\n\n", "\n- ", "。", "；", " | ", "\n", ", "]


def random_document(seed: int) -> tuple[Document, list[Passage]]:
    """A document of odd text, and passages that stand somewhere in it."""
    rng = random.Random(seed)
    text = "".join(rng.choice(WORDS) + (rng.choice(ENDS) if rng.random() < 0.2 else " ") for _ in range(rng.randint(5, 400)))
    document = Document(f"odd {seed}.txt", text, "Odd")
    cuts = sorted(rng.sample(range(len(text)), min(len(text), 6)))
    passages = []
    for start, end in pairwise(cuts):
        passages.append(Passage(passage_id("Odd", text[start:end]), "Odd", text[start:end], (Place(document.id, start, end),)))
    return document, passages


@pytest.mark.parametrize("seed", range(60))
def test_every_quote_is_the_documents_own_text(seed: int) -> None:
    document, passages = random_document(seed)
    for question in ("What is the pressure of the oil pump?", "泵的压力是多少？"):
        found = ask(question, passages)
        assert found.abstained == (not found.citations)
        for citation in found.citations:
            assert citation.document == document.id
            assert document.text[citation.start : citation.end] == citation.quote
            assert citation.quote == citation.quote.strip() != ""
            assert citation.passage in {one.id for one in passages}


@pytest.mark.parametrize("seed", range(60))
def test_marks_are_the_citations_in_order(seed: int) -> None:
    _, passages = random_document(seed)
    found = ask("How many bar does the valve hold?", passages)
    numbers = [citation.number for citation in found.citations]
    assert numbers == list(range(1, len(numbers) + 1))
    assert [int(mark) for mark in re.findall(r"\[(\d+)\]", found.text)] == numbers
    for citation in found.citations:
        assert f"{citation.quote} [{citation.number}]" in found.text


@pytest.mark.parametrize("seed", range(60))
def test_pieces_hold_every_letter_once_in_order(seed: int) -> None:
    text = random_document(seed)[0].text
    spans = pieces(text, 60)
    assert all(left_end <= right_start for (_, left_end), (right_start, _) in pairwise(spans))
    kept = "".join(text[start:end] for start, end in spans)
    assert re.sub(r"[\W_]", "", kept) == re.sub(r"[\W_]", "", text)


@pytest.mark.parametrize("text", ["word " * 300, "字" * 900, "x" * 2000, "一段，" * 200, "a, b; " * 200])
def test_no_piece_is_longer_than_wanted(text: str) -> None:
    assert max(end - start for start, end in pieces(text, 120)) <= (120 if text.isascii() else 40)


def test_rows_of_a_table_stand_alone() -> None:
    text = "Item | Price\nBolt | 3\nNut | 1"
    assert [text[start:end] for start, end in pieces(text, 420)] == ["Item | Price", "Bolt | 3", "Nut | 1"]


MANUAL = (
    "The pump is blue. It stands on four feet. The relief valve opens at 45 bar. Its spring is made of steel. "
    "Clean the filter every month. Paint has no influence on the warranty."
)


def test_the_sentence_that_answers_is_first() -> None:
    found = ask("At how many bar does the relief valve open?", [passage("Gardens are green in May. Bees like them."), passage(MANUAL)])
    assert found.text.startswith("The relief valve opens at 45 bar. [1]") or "The relief valve opens at 45 bar." in found.citations[0].quote


def test_neighbours_become_one_citation() -> None:
    text = "Intro words here. Relief valve pressure opens. Relief valve pressure closes slowly. Unrelated ending stands."
    found = ask("relief valve pressure", [passage(text)], cfg=Extract(sentences=2))
    assert [citation.quote for citation in found.citations] == ["Relief valve pressure opens. Relief valve pressure closes slowly."]


def test_the_same_sentence_is_said_once_and_cited_from_each_document() -> None:
    one = passage("Foreword. The fee is 20 euros per year.", "a")
    other = passage("The fee is 20 euros per year. Pay it in May.", "b")
    found = ask("What is the fee per year?", [one, other], cfg=Extract(sentences=1))
    assert found.text == "The fee is 20 euros per year. [1][2]"
    assert [(citation.document, citation.start) for citation in found.citations] == [("a", 10), ("b", 0)]


def test_nearly_the_same_sentence_is_said_once() -> None:
    passages = [passage("The annual fee is 20 euros for members.", "a"), passage("The annual fee is 20 euros for members", "b")]
    found = ask("What is the annual fee for members?", passages, cfg=Extract(near=0.0))
    assert found.text.count("annual fee") == 1


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ("南岭大红山茶的叶子有多大？", "叶子为椭圆形，长三寸。"),
        ("南岭大红山茶在哪里用途最广？", "民间用途为榨油。"),
        ("南岭大红山茶是什么科的？", "南岭大红山茶是山茶科的一种，产于南方。"),
    ],
)
def test_a_sentence_need_not_repeat_the_name_that_its_title_says(question: str, said: str) -> None:
    tree = passage("南岭大红山茶是山茶科的一种，产于南方。叶子为椭圆形，长三寸。民间用途为榨油。", "南岭大红山茶")
    assert ask(question, [tree], cfg=Extract(sentences=1)).text == f"{said} [1]"


PARTS = passage("The mill was built by Otto. The mill was built of stone there. Today its wheel weighs two tons. Nobody lives nearby.")


@pytest.mark.parametrize(
    ("question", "text", "said"),
    [
        ("Who built the mill, and what does the wheel weigh?", PARTS.text, "Today its wheel weighs two tons."),
        ("水磨是谁建的，轮子有多重？", "水磨是奥托建的。水磨是用石头建的。轮子重两吨。附近无人居住。", "轮子重两吨。"),
    ],
)
def test_the_next_sentence_says_what_the_first_leaves_open(question: str, text: str, said: str) -> None:
    found = ask(question, [passage(text)], cfg=Extract(sentences=2, meaning=0))
    assert [citation.quote for citation in found.citations] == [sentences_of(text)[0], said]


def test_a_sentence_that_leaves_the_question_open_less_than_others_may_score_less() -> None:
    text = "The mill by the old river was built by Otto. Today its wheel weighs two tons. The old river flows east."
    question = "Who built the mill by the old river, and what does it weigh?"
    assert "two tons" in ask(question, [passage(text)], cfg=Extract(meaning=0, further=0.3)).text
    assert "two tons" not in ask(question, [passage(text)], cfg=Extract(meaning=0, further=0.3, more=0.9)).text


def test_where_the_reader_knows_the_answer_nothing_is_added_but_for_another_part() -> None:
    hits = [Hit(PARTS, 1.0, "hybrid")]

    def said(question: str, believed: float) -> str:
        cfg = Extract(meaning=0, reading=0)
        return answer(question, Found(hits), FakeEmbedder(), ALWAYS, cfg=cfg, reader=Believing("Otto", believed)).text

    assert said("Who built the mill?", 0.9) == "The mill was built by Otto. [1]"
    assert "of stone" in said("Who built the mill?", 0.1)
    hits[0] = Hit(passage(PARTS.text.replace("was built by", "was not built by")), 1.0, "hybrid")
    assert "of stone" in said("Who built the mill?", 0.9), "what the sentence denies is no answer"
    hits[0] = Hit(PARTS, 1.0, "hybrid")
    both = said("Who built the mill, and what does the wheel weigh?", 0.9)
    assert "by Otto" in both
    assert "two tons" in both


@pytest.mark.parametrize(
    ("question", "text", "answered"),
    [
        ("How many workers did the mill have in 1950?", "In 2012 the mill had 40 workers.", False),
        ("How many workers did the mill have in 2012?", "In 2012 the mill had 40 workers.", True),
        ("2012年水磨有多少工人？", "水磨在2008年有四十名工人。", False),
        ("2008年水磨有多少工人？", "水磨在二〇〇八年有四十名工人。", True),
        ("Which mill has 1,200 workers?", "The old mill has 1200 workers.", True),
        ("Which mill has 12 workers?", "The old mill has twelve workers.", True),
        ("Which mill has 12.5 tons of flour?", "The old mill has 13.5 tons of flour, or 12.", False),
        ("Who were the 3 workers of the mill?", "The workers of the mill were Jo, Al and Ed.", True),
        ("Who ran the mill in the 1930s?", "Otto ran the mill from 1931 on.", True),
        ("Did the mill have 50 workers in 2012?", "In 2012 the mill had 40 workers.", True),
        ("水磨是否有50名工人？", "水磨有40名工人。", True),
        ("Tell in 50 words or 12 lines who ran the mill.", "Otto ran the mill from 1931 on.", True),
        ("What are the top 10 rules of the mill?", "The rules of the mill: no fire, no noise.", True),
        ("请用50字以内说明水磨有多少工人。", "水磨有四十名工人。", True),
    ],
)
def test_what_names_a_number_that_stands_nowhere_is_not_answered(question: str, text: str, answered: bool) -> None:
    found = ask(question, [passage(text), passage("Another sentence.")])
    assert found.abstained is not answered
    assert (found.confidence > 0) is answered


WARRANTY = "The warranty of the pump covers parts and labour for 24 months after the delivery date that the invoice states."
RUNNING = "The gearbox may be opened by the operator during running when the red lamp is off and the hatch is closed."


@pytest.mark.parametrize(
    ("question", "one", "other"),
    [
        ("How long is the warranty of the pump?", WARRANTY, WARRANTY.replace("24", "36")),
        ("May the gearbox be opened during running?", RUNNING, RUNNING.replace("may be", "may not be")),
        ("水泵每几周加油一次？", "水泵每六周由夜班工人加油一次。", "水泵每九周由夜班工人加油一次。"),
    ],
)
def test_what_another_passage_says_otherwise_is_told_and_cited(question: str, one: str, other: str) -> None:
    chinese = question.endswith("？")
    between = " 但另一处说法不同： " if chinese else " But another passage says otherwise: "
    passages = [passage(one, "a"), passage(other, "b"), passage("Nothing else.", "c")]
    for most in (1, 3):
        found = ask(question, passages, cfg=Extract(sentences=most))
        assert found.text in (f"{one} [1]{between}{other} [2]", f"{other} [1]{between}{one} [2]")
        assert {citation.document for citation in found.citations} == {"a", "b"}
    for same in (one, one.replace("24 months", "2 years")):
        assert between.strip() not in ask(question, [passage(one, "a"), passage(same, "b")]).text


def test_what_another_passage_says_otherwise_than_a_model_is_told_once() -> None:
    passages = [passage(WARRANTY, "a"), passage("It is stored. " + WARRANTY.replace("24", "36"), "b")]
    hits = [Hit(one, 1.0, "hybrid") for one in passages]
    replies = ["The warranty covers parts for 24 months [1].", "It covers parts for 24 months [1]. It covers parts for 36 months [2]."]
    with serving(lambda body, place: Completed(completion(replies[place]))) as endpoint:
        llm = OpenAI("m", Endpoint(Api(base_url=endpoint.url, key=SecretStr("sk-test-only-1234"), retries=0), Path("/nowhere")))
        one, both = (answer("How long is the warranty?", Found(hits), FakeEmbedder(), ALWAYS, llm=llm) for _ in replies)
    told = f"The warranty covers parts for 24 months. [1] But another passage says otherwise: {WARRANTY.replace('24', '36')} [2]"
    assert one.text == told
    assert [(citation.document, citation.start) for citation in one.citations] == [("a", 0), ("b", len("It is stored. "))]
    assert "otherwise" not in both.text, "the model said it"


def test_what_is_said_of_another_thing_is_not_said_otherwise() -> None:
    passages = [passage(WARRANTY, "The Alpha pump"), passage(WARRANTY.replace("24", "36"), "The Beta pump")]
    assert "otherwise" not in ask("How long is the warranty of the Alpha pump?", passages).text
    assert "otherwise" in ask("How long is the warranty of the pump?", passages).text
    years = [
        passage(f"The census counted {count} people in the whole valley in {year}.", str(year)) for count, year in ((20, 1900), (30, 1910))
    ]
    assert "otherwise" not in ask("How many people did the census count in the valley?", years).text
    one = passage(WARRANTY + " It is short. " + WARRANTY.replace("24", "36"))
    assert "otherwise" not in ask("How long is the warranty of the pump?", [one]).text, "it is the same passage"


@pytest.mark.parametrize(
    ("one", "other", "differ"),
    [
        ("The pump is oiled every six weeks.", "The pump is oiled every nine weeks.", True),
        ("水泵每六周加油一次。", "水泵每九周加油一次。", True),
        ("The pump is oiled every 6 weeks.", "The pump is not oiled every 6 weeks.", True),
        ("The north pump is oiled every 6 weeks.", "The south pump is oiled every 9 weeks.", False),
        ("The warranty of the pump is 24 months.", "The warranty of the pump is 2 years.", False),
        ("The lid weighs 12.5 kg with its cord.", "The lid weighs 12.50 kg with its cord.", False),
        ("The pump is oiled every 6 weeks.", "The wheel turns day and night.", False),
    ],
)
def test_sentences_disagree_about_one_thing_and_in_one_thing(one: str, other: str, differ: bool) -> None:
    assert disagree(one, other) is differ
    assert disagree(other, one) is differ


def test_a_passage_in_several_places_is_cited_at_the_first() -> None:
    text = "Intro. The fee is 20 euros per year."
    twice = replace(passage(text), places=(Place("z.txt", 100, 100 + len(text)), Place("a.txt", 5, 5 + len(text))))
    found = ask("What is the fee per year?", [twice], cfg=Extract(sentences=1))
    assert [(c.document, c.start, c.end) for c in found.citations] == [("z.txt", 107, 100 + len(text))]


def test_an_answer_is_no_longer_than_wanted() -> None:
    text = " ".join(f"Relief valve number {word} opens." for word in ("alpha", "beta", "gamma", "delta", "omega"))
    for most in (1, 2, 3):
        hits = [Hit(passage(text), 1.0, "hybrid")]
        cfg = Extract(sentences=most, near=0.0)
        _, citations = extract(read(["Which relief valve opens?"], [hits], FakeEmbedder(), cfg)[0], cfg)
        assert sum(citation.quote.count(".") for citation in citations) == most


def test_chinese_is_answered_without_the_embedder() -> None:
    counting = Counting()
    hits = [
        Hit(passage("双方于2001年登记结婚。原告为教师。"), 2.0, "hybrid"),
        Hit(passage("经审理查明，双方曾签订协议。被告每月支付生活费800元。此后被告未支付。"), 1.0, "hybrid"),
    ]
    found = answer("被告每月支付多少生活费？", Found(hits), counting, ALWAYS, cfg=Extract(sentences=1))
    assert found.text == "被告每月支付生活费800元。 [1]"
    assert counting.asked == []


def test_chinese_is_read_by_meaning_where_the_embedder_can() -> None:
    counting = Counting()
    answer("生活费？", Found([Hit(passage("生活费800元。"), 1.0, "dense")]), counting, ALWAYS, cfg=Extract(cjk_meaning=True))
    assert "生活费？" in counting.asked


@pytest.mark.parametrize(("question", "said"), [("How old is the moon?", NOT_FOUND), ("月亮有多少岁了？", NOT_FOUND_CHINESE)])
def test_without_hits_it_abstains(question: str, said: str) -> None:
    found = ask(question, [])
    assert (found.abstained, found.text, found.citations, found.confidence) == (True, said, (), 0.0)


def test_hits_without_a_word_are_no_answer() -> None:
    assert ask("What is this?", [passage("--- *** ---")]).abstained


def test_an_abstention_still_shows_the_hits() -> None:
    found = ask("How do penguins sleep?", [passage(MANUAL)], calibration=None)
    assert found.abstained
    assert len(found.hits) == 1


def test_what_was_asked_reaches_the_retriever() -> None:
    retriever = Found([])
    answer("Where?", retriever, FakeEmbedder(), None, "site = 'x'", Extract(hits=7))
    assert (retriever.asked, retriever.asked_for) == (["Where?"], [(7, "site = 'x'")])


@pytest.mark.parametrize("question", ["the of and", "?!", "x" * 10_000, "pump " * 2_000, "泵" * 10_000])
def test_odd_questions_get_an_answer_or_none(question: str) -> None:
    found = ask(question, [passage(MANUAL), passage("泵的压力。")], calibration=None)
    assert 0 <= found.confidence <= 1
    assert found.abstained == (not found.citations)


def test_near_copies_do_not_stand_against_each_other() -> None:
    first = passage(MANUAL)
    copy = replace(passage(MANUAL + " Really."), near=first.id)
    one = read(["relief valve"], [[Hit(first, 2.0, "x"), Hit(copy, 1.0, "x")]], FakeEmbedder(), Extract())[0]
    assert [hit.passage.id for hit in one.hits] == [first.id]


def test_texts_are_embedded_once() -> None:
    counting = Counting()
    hits = [Hit(passage(MANUAL), 1.0, "x")]
    together = read(["relief valve", "blue pump", "relief valve"], [hits] * 3, counting, Extract())
    assert len(counting.asked) == len(set(counting.asked))
    alone = read(["blue pump"], [hits], Counting(), Extract())[0]
    assert np.allclose([s.score for s in together[1].sentences], [s.score for s in alone.sentences], atol=1e-6)


def test_terms() -> None:
    assert terms("Which of the valves were opened?") == terms("valve opens") == ["valv", "open"]
    assert terms("making caches") == terms("make a cache")
    assert terms("原告何时 paid 800元") == ["原告", "时", "paid", "800", "元"]


def test_answers_round_trip_through_json() -> None:
    found = ask("At how many bar does the relief valve open?", [passage(MANUAL)])
    assert Answer.load(found.json()) == found
