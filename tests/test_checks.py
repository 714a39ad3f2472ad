"""What a question that a model wrote must not be: a repetition, in another language, leaning on its passage."""

from __future__ import annotations

import random

import pytest

from selfstudy.core.records import Example, Passage, passage_id
from selfstudy.core.text import stems
from selfstudy.synth.checks import fault_of, nearly_equal
from selfstudy.synth.draft import draft

ONE = Passage(passage_id("", "t"), "", "t")


def same(*questions: str, kind: str = "text") -> list[bool]:
    return nearly_equal(draft(ONE, question, ("x",), kind, "model") for question in questions)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("2019年公司净利润为多少元？", "2020年公司净利润为多少元？"),
        ("合同第三条规定的承租人应当支付的租金总额是多少？", "合同第五条规定的承租人应当支付的租金总额是多少？"),
        (
            "What total revenue did the European industrial automation segment report for fiscal year 2019?",
            "What total revenue did the European industrial automation segment report for fiscal year 2018?",
        ),
        (
            "Which screw holds the outer cover plate of the large cooling pump model PX200 during start?",
            "Which screw holds the outer cover plate of the large cooling pump model PX300 during start?",
        ),
        (
            "Which screw holds the outer cover plate of the large cooling pump type B during start?",
            "Which screw holds the outer cover plate of the large cooling pump type C during start?",
        ),
        (
            "Which engineer of the northern harbour district oils the large cooling pump for Siemens every week?",
            "Which engineer of the northern harbour district oils the large cooling pump for Bosch every week?",
        ),
    ],
)
def test_numbers_years_and_names_tell_questions_apart(one: str, other: str) -> None:
    assert same(one, other) == [False, False]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("How often does the pump get oil?", "How often do pumps get the oil?"),
        ("In 2019, how often did the PX200 get oil?", "How often did the PX200 get the oil in 2019?"),
        ("2019年公司的净利润为多少元？", "2019年公司净利润是多少元？"),
    ],
)
def test_other_words_around_the_same_are_a_repetition(one: str, other: str) -> None:
    assert same(one, other) == [False, True]


def test_chinese_claims_are_compared_in_their_order() -> None:
    assert same("甲公司欠乙公司货款。", "乙公司欠甲公司货款。", "甲公司欠乙公司货款", kind="claim") == [False, False, True]


def test_no_repetition_is_missed_for_being_looked_up_by_rare_words() -> None:
    rng = random.Random(0)
    words = [f"w{chr(97 + n % 26)}{chr(97 + n // 26)}x" for n in range(40)]
    asked: list[str] = []
    for _ in range(300):
        fresh = rng.sample(words, rng.randint(3, 15))
        old = rng.choice(asked).split() if asked else fresh
        asked.append(" ".join(fresh if rng.random() < 0.5 else [*old[:-1], rng.choice(words)]))
    kept: list[set[str]] = []
    expected = []
    for said in map(stems, asked):
        expected.append(any(len(said & other) >= 0.8 * len(said | other) for other in kept))
        if not expected[-1]:
            kept.append(said)
    assert same(*asked) == expected
    assert 20 < sum(expected) < 280


GERMAN = "Das Rad der Pumpe PX7 wird alle neun Wochen von Ingenieur Petersen geölt, wenn der Hafen geschlossen ist."
MIXED = "调用 getConfigurationManager 接口会返回 ConfigurationManager 对象，线程安全。默认的连接超时时间是 3000 毫秒。"


@pytest.mark.parametrize(
    ("question", "passage", "language", "other"),
    [
        ("How many weeks pass between two oilings of the PX7 by Petersen?", GERMAN, "de", True),
        ("Nach wie vielen Wochen wird das Rad der PX7 wieder geölt?", GERMAN, "de", False),
        ("How many weeks pass between two oilings of the PX7 by Petersen?", GERMAN, None, False),
        ("Wie viele Wochen hat der Ingenieur der Pumpe Zeit?", "The pump is oiled for weeks: Wochen.", "en", True),
        ("默认的连接超时时间是多少毫秒？", MIXED, "zh", False),
        ("ConfigurationManager 的默认超时是多少？", "连接的默认超时时间是三千毫秒，由管理对象 ConfigurationManager 设置。", "zh", False),
        ("Windows Server 的 IIS 默认端口？", "在 Windows Server 上，IIS 的默认端口为八十，可以在管理器中修改。", None, False),
        ("Which object is returned by getConfigurationManager?", MIXED, "zh", True),
        ("Which court heard the case of 王某某 about the yearly rent?", "王某某因为租金问题向法院提起诉讼。", "zh", True),
        ("水泵由谁加油？", "The pump is oiled by 王, who is an engineer.", "en", True),
    ],
)
def test_a_question_is_in_the_language_of_its_passage(question: str, passage: str, language: str | None, other: bool) -> None:
    assert (fault_of(question, (), passage, language=language) == "it is in another language") is other


@pytest.mark.parametrize(
    ("question", "leans"),
    [
        ("这段时间内客户多久可以申请退货？", False),
        ("论文中引用的条文规定退货期限为几天？", False),
        ("合同条文中规定的退货期限是多少天？", False),
        ("中文中如何表示退货单号？", False),
        ("当前文档的退货单号是什么？", False),
        ("材料中的期限由谁规定？", False),
        ("材料中提到的退货期限是几天？", True),
        ("申请人提供的材料有哪些？", False),
        ("根据上述内容，退货期限是多久？", True),
        ("根据文章，退货由谁批准？", True),
        ("文章提到的退货期限是多久？", True),
        ("该文档规定的退货期限是几天？", True),
        ("此段规定的退货期限是几天？", True),
        ("根据材料，退货期限是多久？", True),
        ("上述段落规定的退货期限是多久？", True),
        ("根据所给资料，退货期限是多久？", True),
        ("作者提到的退货期限是几天？", True),
        ("原文规定退货期限是几天？", True),
        ("下文提到的退货期限是几天？", True),
        ("根據這段文字，退貨期限是多久？", True),
        ("文中提到的退货期限是多少天？", True),
    ],
)
def test_chinese_questions_that_lean_on_their_passage(question: str, leans: bool) -> None:
    assert (fault_of(question, (), "客户可以在七天的期限内申请退货并注明单号。") == "it speaks of the passage") is leans


@pytest.mark.parametrize(
    ("question", "passage", "leans"),
    [
        ("Who must sign the document?", "The clerk must sign the document at the office.", False),
        ("Who may edit the text?", "Editors may edit the text until noon.", False),
        ("Which button deletes the section?", "A section is deleted by the red button.", False),
        ("Who must sign the document?", "The clerk must sign it, as this document says.", True),
        ("What does the document say about the clerk?", "The clerk must sign the document.", True),
        ("Which clerk is named in the document?", "The clerk must sign the document.", True),
    ],
)
def test_a_thing_of_the_passage_is_not_the_passage(question: str, passage: str, leans: bool) -> None:
    assert (fault_of(question, (), passage) == "it speaks of the passage") is leans


def test_the_draw_of_examples_is_not_read_twice() -> None:
    made = (draft(ONE, "How often is the pump oiled?", ("x",), "text", "model") for _ in range(2))
    assert nearly_equal(made) == [False, True]
    assert nearly_equal(list[Example]()) == []
