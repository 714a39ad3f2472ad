"""Multiple choice and claims out of short questions."""

from __future__ import annotations

from dataclasses import replace

from selfstudy.core.records import Example, Passage, Place, passage_id
from selfstudy.synth.draft import draft
from selfstudy.synth.kinds import choices, choices_for, claims

YEARS = range(1960, 1984)
TEXTS = [
    f"The mill of valley {n} stands by the river. Its wheel was built in {year} by hand. It burnt in {year + 1}."
    for n, year in enumerate(YEARS)
]


def short() -> list[Example]:
    passages = [Passage(passage_id("", text), "", text, (Place(f"d{n}", 0, len(text)),)) for n, text in enumerate(TEXTS)]
    return [
        draft(passage, f"When was the wheel of valley {n} built?", (str(year),), "date", "cloze")
        for n, (passage, year) in enumerate(zip(passages, YEARS, strict=True))
    ]


def test_a_choice_has_the_right_answer_among_wrong_ones_of_its_type() -> None:
    made = list(choices(short()))
    assert len(made) == len(TEXTS)
    places = set()
    for example in made:
        assert (example.kind, example.writer) == ("choice", "cloze choice")
        assert len(set(example.choices)) == 4
        inside = example.evidence[0].passage.text
        assert [choice for choice in example.choices if choice in inside] == list(example.answers)
        places.add(example.choices.index(example.answers[0]))
    assert places == {0, 1, 2, 3}, "the right one stands anywhere"
    assert not {example.id for example in made} & {example.id for example in short()}


def test_a_rival_that_holds_the_answer_is_no_wrong_one() -> None:
    source = Passage(passage_id("", "t"), "", "The pump is oiled after 6 weeks in service.")
    example = draft(source, "How long?", ("6 weeks",), "number", "w")
    rivals = ["every 6 weeks", "9 days", "3 hours", "6 weeks or less", "two years", "weeks", "16 weeks"]
    assert set(choices_for(example, [*rivals[:5], "weeks"])) == {"6 weeks", "9 days", "3 hours", "two years"}
    assert choices_for(example, ["6 weeks or less", "9 days", "3 hours"]) == ()
    assert {wrong for n in range(40) for wrong in choices_for(replace(example, id=f"{n}"), rivals)} == {
        "6 weeks", "9 days", "3 hours", "two years", "16 weeks"
    }  # fmt: skip


def test_one_wrong_answer_stands_in_a_choice_once_however_it_is_spelled() -> None:
    source = Passage(passage_id("", "t"), "", "The office is in Berlin.")
    example = draft(source, "Where is the office?", ("Berlin",), "name", "w")
    assert choices_for(example, ["Paris", "paris", "PARIS"]) == ()
    assert set(choices_for(example, ["Paris", "paris", "Rome", "ROME", "Vienna"])) == {"Berlin", "Paris", "Rome", "Vienna"}


def test_too_few_rivals_make_no_choice() -> None:
    assert list(choices(short()[:3])) == []


def test_a_claim_is_the_sentence_or_the_sentence_with_another_fact() -> None:
    made = list(claims(short()))
    assert len(made) == len(TEXTS)
    verdicts = [example.answers[0] for example in made]
    assert 4 < verdicts.count("true") < 20
    for example in made:
        inside = example.evidence[0].passage.text
        assert (example.question in inside) == (example.answers == ("true",))
        assert example.question.startswith("Its wheel was built in 19")
        assert example.kind == "claim"


def test_a_sentence_makes_one_claim() -> None:
    twice = [*short(), *(draft(one.evidence[0].passage, "And when?", one.answers, "date", "other") for one in short())]
    assert len(list(claims(twice))) == len(TEXTS)


def test_an_answer_inside_another_number_is_left_alone() -> None:
    texts = [f"In 19{n}8 the mill of place{n} fed {n} families." for n in range(2, 9)]
    passages = [Passage(passage_id("", text), "", text, (Place(f"d{n}", 0, len(text)),)) for n, text in enumerate(texts)]
    examples = [draft(one, "How many?", (str(n),), "number", "cloze") for n, one in enumerate(passages, 2)]
    made = list(claims(examples))
    assert {example.answers[0] for example in made} == {"true", "false"}
    for example in made:
        n = int(example.evidence[0].passage.text[5])
        assert example.question.startswith(f"In 19{n}8 the mill of place{n} fed ")


def test_without_a_rival_there_is_no_claim() -> None:
    assert list(claims(short()[:1])) == []
