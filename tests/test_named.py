"""Things of one name that a number tells apart: what is said of one answers nothing about another."""

from __future__ import annotations

import pytest
from test_answer import ask, passage

from selfstudy.answer.locating import located
from selfstudy.answer.named import named, of_what_is_named
from selfstudy.core.records import Hit
from selfstudy.testing import FakeEmbedder


@pytest.mark.parametrize(
    ("question", "names"),
    [
        ("What is the maximum flow of the HydroMax 200?", {"hydromax": {"200"}}),
        ("What does Article 7 say of section 3.2 and chapter One?", {"article": {"7"}, "section": {"3.2"}, "chapter": {"1"}}),
        ("What does E17 mean, and when was World War II?", {"e": {"17"}, "war": {"2"}}),
        ("第九条规定了什么?", {"条": {"9"}}),
        ("HydroMax 300型的单价是多少?", {"hydromax": {"300"}}),
        ("In 2012, on May 5, how many of the Tank 30 litres weigh 45 bar within 30 days?", {}),
        ("What happened at the World Cup 2014?", {}),
    ],
)
def test_names_with_numbers(question: str, names: dict[str, set[str]]) -> None:
    assert named(question) == names


FLOW = "The maximum flow is 300 l/min, and 200 l/min in winter."


@pytest.mark.parametrize(
    ("question", "title", "text", "answered"),
    [
        ("What is the maximum flow of the HydroMax 200?", "HydroMax 300 Manual", FLOW, False),
        ("What is the maximum flow of the HydroMax 300?", "HydroMax 300 Manual", FLOW, True),
        ("What is the maximum flow of the HydroMax 200?", "Manual of the HydroMax 200/300", FLOW, True),
        ("What is the maximum flow of the HydroMax 200?", "Pumps", FLOW, True),
        ("Does the HydroMax 200 have a maximum flow?", "HydroMax 300 Manual", FLOW, False),
        ("What does Article 9 say of the flow?", "Article 7", FLOW, False),
        ("What does Article 9 say of the flow?", "Article 7", "Articles 8 to 9 do not limit the flow.", True),
        ("What does section 7 say of the flow?", "Section 7.2", FLOW, True),
        ("What does section 7 say of the flow?", "Rules > 7. Flow", "Section 3 does not limit the flow.", True),
        ("What does part IV say of the flow?", "Part III", FLOW, False),
        ("第九条对流量有什么规定?", "第三条 流量", "流量为300升。", False),
        ("第三条对流量有什么规定?", "第三条 流量", "流量为300升。", True),
        ("What does part 2 say of the flow?", "Part 1", "The second part does not limit the flow.", True),
        ("How many teams won the Super Bowl eight times?", "Super Bowl 50", "Nobody won the Super Bowl eight times.", True),
        ("王x2与王x5是否登记结婚?", "判决", "被告王x2与王x5未登记结婚。", True),
    ],
)
def test_what_is_said_of_another_thing_of_that_name_is_no_answer(question: str, title: str, text: str, answered: bool) -> None:
    assert ask(question, [passage(text, title), passage("Nothing else is said of it.")]).abstained is not answered


def test_passages_about_another_thing_are_left_out() -> None:
    hits = [Hit(passage(FLOW, title), 1.0, "hybrid") for title in ("HydroMax 300 Manual", "HydroMax 200 Manual", "Pumps")]
    assert of_what_is_named("What is the flow of the HydroMax 200?", hits) == hits[1:]
    assert of_what_is_named("What is the flow?", hits) == hits
    spots = located("What is the flow of the HydroMax 200?", hits, FakeEmbedder())
    assert [spot and (spot.number, spot.title) for spot in spots] == [None, (2, "HydroMax 200 Manual"), (3, "Pumps")]
