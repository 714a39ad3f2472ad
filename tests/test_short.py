"""The answer in a few words: none where its sentence denies them, and none that is not short."""

from __future__ import annotations

import pytest
from fakes import ALWAYS, Believing, Found
from passages import passage

from selfstudy.answer.ask import answer
from selfstudy.answer.reading import Extract
from selfstudy.core.records import Hit
from selfstudy.testing import FakeEmbedder


def short(text: str, words: str, question: str = "What is said of it?") -> str:
    hits = [Hit(passage(text), 1.0, "hybrid")]
    cfg = Extract(sentences=1, reading=2.0)
    return answer(question, Found(hits), FakeEmbedder(), ALWAYS, cfg=cfg, reader=Believing(words, 0.9)).short


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("The museum does not open on Mondays.", "Mondays"),
        ("On Mondays, the museum does not open.", "Mondays"),
        ("Meyer did not sign the contract.", "Meyer"),
        ("The notice period is no longer six weeks.", "six weeks"),
        ("Patients should not take aspirin, ibuprofen, codeine or rum for the pain.", "ibuprofen"),
        ("Patients should not take aspirin, ibuprofen, codeine or rum for the pain.", "rum"),
        ("The valve was not replaced because of corrosion, but because its maker left.", "corrosion"),
        ("The bridge was not built in 1931 as planned, and work began after the war.", "1931"),
        ("It was built in 1931, not in 1932.", "1932"),
        ("It was not paid for the purpose of raising revenue , but rather to regulate trade.", "raising revenue"),
        ("押金不得以现金支付。", "现金"),
    ],
)
def test_what_a_sentence_denies_is_no_answer(text: str, words: str) -> None:
    assert short(text, words) == ""
    assert short(text, words, "What is it not?") == words, "the question asks for what is not so"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("The valve was not replaced because of corrosion, but because its maker left.", "its maker left"),
        ("The bridge was not built in 1931 as planned, and work began after the war.", "after the war"),
        ("The museum did not open until May 1931.", "May 1931"),
        ("It was built in 1931, not in 1932.", "1931"),
        ("Nobody but the treasurer may sign cheques.", "the treasurer"),
        ("Although it was not popular, it was passed in 1733.", "1733"),
        ("The tank is filled with water that is not clean.", "water"),
        ("Few seasons are not held in the archives (most notably season 3).", "season 3"),
        ("押金不得以现金支付，而是以支票支付。", "支票"),
    ],
)
def test_what_stands_beside_a_denial_is_an_answer(text: str, words: str) -> None:
    assert short(text, words) == words


@pytest.mark.parametrize(
    ("text", "whole"), [("It is answered at +49 30 12.", "+49 30 12"), ("It costs $20 a day.", "$20"), ("It is on 5-20.", "20")]
)
def test_signs_that_belong_to_the_words_come_with_them(text: str, whole: str) -> None:
    assert short(text, whole.lstrip("+$")) == whole


@pytest.mark.parametrize(
    ("words", "kept"),
    [
        ("one two three four five six seven eight nine ten", True),
        ("one two three four five six seven eight nine ten eleven", False),
        ("General\nNetwork\nPower", False),
        ("水" * 30, True),
        ("水" * 31, False),
    ],
)
def test_it_is_a_few_words_of_one_line(words: str, kept: bool) -> None:
    assert short(f"The menu has {words}.", words) == (words if kept else "")


ALLOWANCE = "The daily meal allowance is 28 EUR in the country and 45 EUR abroad."
WORKERS = "The mill had 6,000 workers in 1910, and 7,000 workers in 1920."
NOTICE = "Notice is four weeks for clerks, but two weeks for apprentices."


@pytest.mark.parametrize(
    ("text", "words", "question", "meant"),
    [
        (ALLOWANCE, "28 EUR", "What is the daily meal allowance abroad?", "45 EUR"),
        (ALLOWANCE, "28 EUR", "What is the daily meal allowance in the country?", "28 EUR"),
        (ALLOWANCE, "28 EUR", "What is the daily meal allowance?", ""),
        (ALLOWANCE, "28 EUR in the country and 45 EUR", "What is the daily meal allowance abroad?", "45 EUR"),
        (ALLOWANCE, "28 EUR in the country and 45 EUR abroad", "What is the daily allowance?", "28 EUR in the country and 45 EUR abroad"),
        (WORKERS, "6,000", "How many workers did the mill have in 1920?", "7,000 workers"),
        (WORKERS, "6,000", "How many workers did the mill have in 1910?", "6,000"),
        (NOTICE, "four weeks", "How long is the notice for apprentices?", "two weeks"),
        ("Children pay €10 and adults €20.", "€10", "What do children pay?", "€10"),
        ("Children pay €10 and adults €20.", "€10", "What do adults pay?", ""),
        ("The pump weighs 31 kg and its tank 12 kg.", "12 kg", "How much does the pump weigh?", "31 kg"),
        ("The lid grew from 20 cm to 30 cm.", "20 cm", "How wide is it?", "20 cm"),
        ("The lid grew from 20 cm to 30 cm.", "20 cm to 30 cm", "How wide is it?", "20 cm to 30 cm"),
        ("It weighs 20 kg and is 2 m high.", "20 kg", "How much is it?", "20 kg"),
        ("Clerks get 28 EUR, and not 45 EUR abroad.", "28 EUR", "What do they get abroad?", ""),
    ],
)
def test_of_two_quantities_of_a_unit_it_is_the_one_that_the_question_tells_apart(text: str, words: str, question: str, meant: str) -> None:
    assert short(text, words, question) == meant
