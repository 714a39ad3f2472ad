"""Contradictions: the same thing said otherwise is listed with both places; what merely says less, or something else, is not."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from selfstudy.core.ports import Vectors
from selfstudy.core.records import Passage, Place, passage_id
from selfstudy.corpus.cleaning.contradictions import contradictions
from selfstudy.testing import FakeEmbedder

EMBEDDER = FakeEmbedder(256)
BEFORE = "The pump house stands behind the northern gate. "


def passages(*texts: str) -> list[Passage]:
    return [Passage(passage_id("", text), "", text, (Place(f"d{n}", 100 * n, 100 * n + len(text)),)) for n, text in enumerate(texts)]


def found(*texts: str) -> list[tuple[str, str, str]]:
    every = passages(*texts)
    listed = contradictions(every, EMBEDDER.embed([one.text for one in every]))
    assert [one.quote for one in contradictions(every, None)] == [one.quote for one in listed], "with vectors and without"
    return [(one.kind, one.quote, one.other_quote) for one in listed]


@pytest.mark.parametrize(
    ("kind", "one", "other"),
    [
        ("number", "Customers may return unused goods within 30 days.", "Customers may return unused goods within 14 days."),
        ("number", "The relief valve opens at a pressure of 5 bar.", "The relief valve opens at a pressure of 5 psi."),
        ("number", "Three members of the board sign every contract.", "Five members of the board sign every contract."),
        ("date", "The new pension scheme starts on 1 March 2024.", "The new pension scheme starts on 1 April 2024."),
        ("negation", "Visitors may take photographs inside the laboratory.", "Visitors may not take photographs inside the laboratory."),
        ("negation", "会员可以把会员卡转让给他人使用。", "会员不可以把会员卡转让给他人使用。"),
        ("number", "员工每年享有十五天带薪休假待遇。", "员工每年享有十天带薪休假待遇。"),
        ("number", "员工每年享有十五天带薪休假待遇。", "员工每年享有10天带薪休假待遇。"),
        ("number", "The notice period for staff is 30 days.", "The notice period for staff is 60 days."),
        ("number", "The notice period for staff is thirty days.", "The notice period for staff is 60 days."),
        ("number", "The warranty lasts 2 years.", "The warranty lasts 3 years."),
        ("number", "The maximum operating pressure is 60 bar.", "The maximum operating pressure is 75 bar."),
        ("number", "The office opens at 8:00.", "The office opens at 9:00."),
        ("number", "The fee for the hall is USD 500.", "The fee for the hall is EUR 500."),
        ("date", "The contract ends on 5 May 2024 for all parties.", "The contract ends on June 6, 2024 for all parties."),
    ],
)
def test_the_same_thing_said_otherwise(kind: str, one: str, other: str) -> None:
    assert found(one, other, "Nothing of all this is said in a third text about gardens.") == [(kind, one, other)]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Customers may return unused goods within 30 days.", "Customers may return unused goods."),
        ("Customers may return unused goods within 30 days.", "Unused goods may be returned by customers within 30 days."),
        ("The club in Bonn has 30 members with voting rights.", "The harbour of Kiel has 12 cranes for heavy containers."),
        ("Fee: 30", "Fee: 60"),
        ("Net revenue: 30", "Net revenue: 60"),
        ("Net revenue 30", "Net revenue 60"),
        ("The warranty lasts 2 years.", "The trial lasts 3 years."),
        ("The notice period for staff is 30 days.", "The notice period for staff is thirty days."),
        ("The boiling point of pump oil is 200 °C.", "The boiling point of pump oil is 392 °F."),
        ("The distance of pump and wall is 1 m.", "The distance of pump and wall is 100 cm."),
        ("The meeting of the board is on 2024-05-01.", "The meeting of the board is on 1 May 2024."),
        ("保修期为二年，自购买之日起计算。", "保修期为2年，自购买之日起计算。"),
        ("保修期为二年，自购买之日起计算。", "保修期为两年，自购买之日起计算。"),
        ("会议于2024年5月1日在北京召开。", "会议于2024-05-01在北京召开。"),
    ],
)
def test_what_says_less_or_something_else_is_none(one: str, other: str) -> None:
    assert found(one, other) == []


def test_both_places_open_at_the_sentences() -> None:
    texts = [BEFORE + "Guests pay a fee of 30 euros per night.", "Guests pay a fee of 45 euros per night. " + BEFORE]
    every = passages(*texts)
    one = contradictions(every, EMBEDDER.embed([each.text for each in every]))[0]
    for place, quote in ((one.place, one.quote), (one.other_place, one.other_quote)):
        n = int(place.document[1:])
        assert texts[n][place.start - 100 * n : place.end - 100 * n] == quote
    assert one.quote.endswith("30 euros per night.")


def test_a_document_may_contradict_itself_and_versions_do_not() -> None:
    text = "Guests pay a fee of 30 euros per night. Dogs are welcome. Guests pay a fee of 45 euros per night."
    assert len(found(text)) == 1
    every = passages("Guests pay a fee of 30 euros per night.", "Guests pay a fee of 45 euros per night.")
    assert contradictions(every, None, apart=[frozenset(("d0", "d1"))]) == []


@pytest.mark.parametrize(
    "text",
    [
        "Step 1: press the green button and wait 30 seconds. Step 2: press the green button and wait 60 seconds.",
        "1. Press the green button and wait 30 seconds.\n2. Press the green button and wait 60 seconds.",
        "Month: May; rent of the hall: 300 euros; guests: 20\nMonth: June; rent of the hall: 400 euros; guests: 30",
        "The hall was rented for 300 euros in May. The hall was rented for 400 euros in June. The hall was rented for 500 euros in July.",
    ],
)
def test_what_one_document_says_over_and_over_is_a_series(text: str) -> None:
    assert found(text) == []


def test_a_talk_gives_no_long_list() -> None:
    turns = [f"So the topic number {chr(97 + n)}{chr(97 + n)} took us {n + k} minutes." for n in range(20) for k in (1, 3)]
    assert found(" ".join(turns)) == []
    assert len(found(" ".join(turns), turns[0].replace("1 minute", "5 minute"))) > 0, "other documents are compared with it as before"


class Stubborn:
    """Entailment that finds no support for a sentence with 30 in it."""

    def supported(self, triples: Sequence[tuple[str, str, str]]) -> Vectors:
        return np.array([[1, 0, 0] if "30" in sentence else [0.25, 0, 0.75] for _, sentence, _ in triples], np.float32)


def test_entailment_has_its_word() -> None:
    every = passages("Guests pay a fee of 30 euros per night.", "Guests pay a fee of 45 euros per night.")
    assert [one.confirmed for one in contradictions(every, None, entailment=Stubborn())] == [0.25]
