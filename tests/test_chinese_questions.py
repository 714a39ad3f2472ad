"""What a question asks for: its asking words weigh nothing, and a sentence without what is asked for weighs less."""

from __future__ import annotations

import pytest
from test_answer import ask, passage

from selfstudy.answer.chinese_questions import about, lacking
from selfstudy.answer.reading import Extract
from selfstudy.answer.terms import terms

CONTRACT = "乙方购买水泵，单价为五千元，总价为六万元。违约金不超过合同总价的百分之十。质保期内的维修由乙方承担。质保期为两年。"


@pytest.mark.parametrize(
    ("question", "left"),
    [
        ("由哪个机构仲裁？", ["仲裁"]),
        ("質保期是多久？", ["質保", "保期"]),
        ("合同什么时候生效？", ["合同", "生效"]),
        ("叶子有多大？", ["叶子"]),
        ("How long may the pump run dry?", ["long", "pump", "run", "dry"]),
    ],
)
def test_the_words_that_ask_are_not_looked_for(question: str, left: list[str]) -> None:
    assert terms(about(question)) == left


@pytest.mark.parametrize(
    ("question", "lacks"),
    [
        ("合同总价是多少？", [(False, False), (False, True)]),
        ("單價是多少？", [(False, False), (False, True)]),
        ("由哪个机构仲裁？", [(False, False), (False, False)]),
        ("合同总价是多少，谁付？", [(False, False), (False, False)]),
        ("何时付款？", [(False, False), (False, False)]),
        ("How long is it?", [(False, False), (False, False)]),
    ],
)
def test_what_a_sentence_lacks(question: str, lacks: list[tuple[bool, bool]]) -> None:
    assert lacking(question, ["单价为五千元，总价为六万元。", "违约金不超过合同总价和单价的百分之十。"]) == lacks


def test_a_kind_that_no_sentence_holds_is_lacking_in_none() -> None:
    assert lacking("保修多久？", ["两年。", "由乙方承担。"]) == [(False, False), (True, False)]
    assert lacking("保修多久？", ["由甲方承担。", "由乙方承担。"]) == [(False, False)] * 2


@pytest.mark.parametrize(("question", "said"), [("合同总价是多少？", "总价为六万元"), ("质保期多长？", "质保期为两年")])
def test_the_sentence_that_speaks_of_the_amount_answers(question: str, said: str) -> None:
    assert said in ask(question, [passage(CONTRACT)], cfg=Extract(sentences=1)).text


def test_two_quoted_sentences_in_chinese_are_set_apart() -> None:
    mill = passage("水磨是奥托建的。水磨是用石头建的。轮子重两吨。附近无人居住。")
    found = ask("水磨是谁建的，轮子有多重？", [mill], cfg=Extract(sentences=2, meaning=0))
    assert found.text == " ".join(f"{citation.quote} [{citation.number}]" for citation in found.citations)
    assert len(found.citations) == 2
