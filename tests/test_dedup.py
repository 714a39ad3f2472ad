"""Near duplicates: almost the same words, exactly the same facts."""

from __future__ import annotations

import random
import subprocess
import sys

import numpy as np
import pytest
from passages import passage

from selfstudy.core.facts.numerals import hanzi_number, roman_number
from selfstudy.core.facts.stated import cased, same_facts
from selfstudy.core.facts.units import same_quantity, unit
from selfstudy.core.text import tokens
from selfstudy.corpus.cleaning.dedup import folded, near_duplicates, signature

VOCABULARY = ["".join(random.Random(n).choices("abcdefghijklmnop", k=7)) for n in range(3000)]


def words(count: int, seed: int) -> list[str]:
    return random.Random(seed).choices(VOCABULARY, k=count)


def jaccard(a: list[str], b: list[str]) -> float:
    one = set(zip(a, a[1:], a[2:], strict=False))
    two = set(zip(b, b[1:], b[2:], strict=False))
    return len(one & two) / len(one | two)


def test_signatures_estimate_the_jaccard_similarity() -> None:
    base = words(400, 1)
    for kept in (400, 360, 300, 200, 0):
        other = base[:kept] + words(400 - kept, 2)
        estimate = float(np.mean(signature(" ".join(base)) == signature(" ".join(other))))
        assert estimate == pytest.approx(jaccard(base, other), abs=0.1)


def test_signatures_fold_case_and_width_and_read_chinese_by_characters() -> None:
    assert np.array_equal(signature("The Fee is 30 EUR"), signature("the fee\nIS 30 eur!"))
    assert np.array_equal(signature("ＡＢＣ　ｄｅｆ"), signature("abc def"))
    text = "合同自双方签字之日起生效有效期三年任何一方可以提前三十天通知对方解除本合同"
    assert np.mean(signature(text) == signature(text[:-1] + "书")) > 0.7
    assert np.mean(signature(text) == signature(text[::-1])) < 0.2


def test_signatures_are_the_same_in_every_process() -> None:
    code = "from selfstudy.corpus.cleaning.dedup import signature; print(signature('Members pay 30 euros, 会员三十元 🎉').tolist())"
    found = {subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout for _ in range(2)}
    assert found == {f"{signature('Members pay 30 euros, 会员三十元 🎉').tolist()}\n"}
    assert signature("Members pay").dtype == np.uint32
    assert signature("Members pay").shape == (128,)


def test_signatures_of_the_first_release_stay_valid() -> None:
    assert signature("the same on every machine")[:4].tolist() == [2081766538, 2019900772, 79009777, 1736746616]


@pytest.mark.parametrize(("text", "other"), [("", "x"), ("🎉", "🚀"), ("one", "two"), ("one two", "two one")])
def test_signatures_of_tiny_texts_differ(text: str, other: str) -> None:
    assert not np.array_equal(signature(text), signature(other))


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("Wait 30 s before use.", "Wait 60 s before use."),
        ("Wait 30 s before use.", "Wait 30 ms before use."),
        ("Wait 30 seconds.", "Wait 30 minutes."),
        ("It costs $5.", "It costs €5."),
        ("Keep below -5 °C.", "Keep below 5 °C."),
        ("From 5 to 10.", "From 10 to 5."),
        ("Use version 2.1.3.", "Use version 2.1.4."),
        ("A share of 1,000.", "A share of 1,001."),
        ("On 2024-01-31.", "On 2024-01-30."),
        ("In March it opens.", "In April it opens."),
        ("It opens on Monday.", "It opens on Tuesday."),
        ("Three members decide.", "Four members decide."),
        ("Guests may enter.", "Guests may not enter."),
        ("Guests do pay.", "Guests don't pay."),
        ("Sold with a key.", "Sold without a key."),
        ("会员可以转让。", "会员不可以转让。"),
        ("有效期三年。", "有效期五年。"),
        ("提前30天通知。", "提前30日通知。"),
        ("Model A12 fits.", "Model A13 fits."),
        ("It opens on May 5.", "It opens on June 5."),
        ("It opens on 5 May.", "It opens on 5 June."),
        ("It opened in May, 2020.", "It opened in June, 2020."),
        ("A fee of USD 500.", "A fee of EUR 500."),
        ("A fee of 500 USD.", "A fee of 500 EUR."),
        ("A fee of US$500.", "A fee of €500."),
        ("A fee of $5 million.", "A fee of $5 thousand."),
        ("A plant of 500 MW.", "A plant of 500 mW."),
        ("A line of 5 Mb.", "A line of 5 MB."),
        ("There are 10⁶ of them.", "There are 106 of them."),
        ("There are 10⁶ of them.", "There are 10⁻⁶ of them."),
        ("See version II.", "See version III."),
        ("See Part IV of it.", "See Part VI of it."),
        ("A Class A licence.", "A Class B licence."),
        ("Use version 2.10.", "Use version 2.1."),
        ("It weighs 1.500 kg.", "It weighs 1.5 kg."),
        ("不得超过三十天。", "不得超过四十天。"),
        ("百分之三十不退还。", "百分之三十退还。"),
        ("费用为3万元。", "费用为3元。"),
        ("Two members decide.", "Twenty members decide."),
    ],
)
def test_other_facts(a: str, b: str) -> None:
    assert not same_facts(a, b)
    assert same_facts(a, a)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("Wait 30 s before use.", "Please wait 30s before the use."),
        ("A sum of 1,000 euros.", "The sum of 1000 euros"),
        ("Guests do not pay.", "Guests don't pay!"),
        ("In 2010, the club grew.", "In 2010 the club grew."),
        ("３０ 天", "30 天"),
        ("Guests may not enter after 10.", "Guests must not enter after 10."),
        ("MAY be washed.", "Can be washed."),
        ("提前三十天通知。", "提前30天通知。"),
        ("二〇二三年起", "2023年起"),
        ("保修期为二年。", "保修期为两年。"),
        ("百分之三十", "30%"),
        ("费用为三万元。", "费用为3万元。"),
        ("费用为1.5万元。", "费用为15000元。"),
        ("Wait 30 s.", "Wait 30 seconds."),
        ("Wait thirty seconds.", "Wait 30 sec."),
        ("For one year.", "For 1 year."),
        ("It weighs 5 kg.", "IT WEIGHS 5 KG."),
        ("A sum of 500.00 euros.", "A sum of EUR 500"),
        ("A sum of 1.50 €.", "A sum of €1.5"),
        ("A dose of 5 µg.", "A dose of 5 mcg."),
        ("See Part II.", "See part 2."),
        ("It may try 5 times; one of us may.", "It can try 5 times, one of us can."),
    ],
)
def test_the_same_facts_in_other_words(a: str, b: str) -> None:
    assert same_facts(a, b)


def test_a_near_copy_points_to_the_first_and_an_edit_of_facts_does_not() -> None:
    text = words(150, 3)
    first = passage(" ".join(text) + " within 30 s")
    copy = passage(" ".join([*text[:70], "Changed", *text[71:]]) + " within 30 s")
    fact = passage(" ".join(text) + " within 60 s")
    denial = passage(" ".join([*text[:70], "not", *text[71:]]) + " within 30 s")
    other = passage(" ".join(words(150, 4)))
    assert near_duplicates([first, other, fact, copy, denial]) == {copy.id: first.id}
    assert near_duplicates([copy, first]) == {first.id: copy.id}


def test_representatives_are_nobodys_duplicates() -> None:
    text = words(200, 5)
    chain = []
    for step in range(40):  # each is near the one before, the last is far from the first
        text = [*text[: 5 * step], *words(2, 100 + step), *text[5 * step + 2 :]]
        chain.append(passage(" ".join(text)))
    found = near_duplicates(chain)
    assert found
    assert not set(found) & set(found.values())
    assert len(set(found.values())) > 1


def test_most_near_copies_are_found_and_no_far_ones() -> None:
    near, far = [], []
    for n in range(300):
        text = words(150, 1000 + n)
        near += [passage(" ".join(text)), passage(" ".join([*text[:75], "changed", *text[76:]]))]
        far += [passage(" ".join(["far", *text[:75]])), passage(" ".join(text[:50] + words(60, 5000 + n)))]
    assert len(near_duplicates(near)) >= 295
    assert near_duplicates(far) == {}


def test_the_same_text_under_two_titles_is_near_if_it_says_enough() -> None:
    long = " ".join(words(60, 7))
    assert len(near_duplicates([passage(long, "Contract one"), passage(long, "Contract two")])) == 1
    assert near_duplicates([passage("Deprecated.", "open"), passage("Deprecated.", "close")]) == {}


def test_nothing_and_the_same_passage_twice() -> None:
    assert near_duplicates([]) == {}
    one = passage(" ".join(words(50, 8)))
    assert near_duplicates([one, one]) == {}


def test_thousands_of_rows_of_one_pattern_stay_apart() -> None:
    frame = words(60, 9)
    rows = [passage(" ".join([*frame[:30], f"{n} euros", *frame[30:]])) for n in range(2000)]
    assert near_duplicates(rows) == {}


def test_folding_case_moves_no_token() -> None:
    for text in ("İZMİR pays 10⁶ €", "ﬁne ẞ ŉ ½ Ⅻ", "簽字 １０⁻⁶ m²", "plain ASCII"):
        assert len(cased(text)) == len(folded(text))
        assert [token.lower() for token in tokens(cased(text))] == tokens(folded(text))


def test_numbers_in_words_of_chinese_and_roman_numerals() -> None:
    numbers = {
        "十": 10,
        "三十": 30,
        "二〇二三": 2023,
        "一百零五": 105,
        "三百五": 350,
        "一万二": 12000,
        "十二万三千": 123000,
        "一亿二千万": 120_000_000,
    }
    assert {text: hanzi_number(text) for text in numbers} == numbers
    assert (hanzi_number(""), hanzi_number("三天")) == (None, None)
    assert [roman_number(text) for text in ("i", "iv", "ix", "xiv", "xl", "cxc", "iiii", "vx", "mix")] == [
        1,
        4,
        9,
        14,
        40,
        190,
        None,
        None,
        None,
    ]


def test_units_have_one_spelling_and_quantities_one_size() -> None:
    assert [unit(text) for text in ("Hours", "KG", "mW", "MW", "Euros", "Members", "glass")] == [
        "h",
        "kg",
        "mW",
        "mw",
        "€",
        "member",
        "glass",
    ]
    assert same_quantity("200", "°c", "392", "°f")
    assert same_quantity("2", "year", "24", "month")
    assert not same_quantity("5", "bar", "5", "psi")
    assert not same_quantity("5", "member", "5", "guest")
    assert not same_quantity("30", "s", "30.1", "s"), "what is not converted is not rounded"
