"""Noise, density, relevance, trust: each higher where a reader would say so."""

from __future__ import annotations

import json
import random
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from selfstudy.core.records import Passage, Place, Scalar, passage_id
from selfstudy.corpus.cleaning.noise import density, noise
from selfstudy.corpus.cleaning.quality import Grade, Quality, Trust, grade_document, grade_passages, relevance

GUARD = Path(__file__).parent.parent / "src" / "selfstudy" / "evals" / "guard.jsonl"
TEXTS = [json.loads(line)["passage"] for line in GUARD.read_text("utf-8").splitlines()]
MISREAD = {"l": "1", "e": "c", "m": "rn", "h": "b", "s": "5", "a": "o", "t": "f"}


def misread(text: str, share: float, seed: int = 0) -> str:
    chooser = random.Random(seed)
    return "".join(MISREAD.get(char, char) if chooser.random() < share else char for char in text)


def test_misread_text_is_noisier_the_more_of_it_is_misread() -> None:
    for share, found in ((0.0, (0, 0.05)), (0.1, (0.1, 0.9)), (0.3, (0.8, 1))):
        bad = set(range(0, len(TEXTS), 7))
        rows = noise([misread(text, share) if at in bad else text for at, text in enumerate(TEXTS)])
        assert found[0] <= np.mean([rows[at] >= Quality().noisy for at in bad]) <= found[1]
        assert np.mean([row >= Quality().noisy for at, row in enumerate(rows) if at not in bad]) < 0.05


@pytest.mark.parametrize(
    "text", ["会员应当按时缴纳会费，逾期者停止服务。", "Wait 30 s, then press A or B on the X200 of the NASA.", "x", "v2 in 2024"]
)
def test_numbers_signs_of_units_and_chinese_are_no_noise(text: str) -> None:
    assert noise([*TEXTS, text])[-1] < 0.12


def test_another_language_is_no_misprint() -> None:
    german = "Die Umwälzpumpe steht im Heizungskeller und wird wöchentlich geölt; verschlissene Dichtungen wechselt der Hausmeister selbst."
    said = [*TEXTS, german, misread(TEXTS[0], 0.3)]

    def graded(language: str | None) -> list[Grade]:
        told = [*["en"] * len(TEXTS), language, None]
        made = [Passage(passage_id("", text), "", text, (), language=code) for text, code in zip(said, told, strict=True)]
        return grade_passages(made, Quality())

    assert [grade.noise >= Quality().noisy for grade in graded("de")[-2:]] == [False, True]
    assert graded(None)[-2].noise >= Quality().noisy, "as it would be for a broken English text"


def test_signs_without_words_are_nothing_but_noise() -> None:
    assert noise([*TEXTS, "■■● ~~~~ ||| \ufffd\ufffd ^^^^"])[-1] == 1
    assert noise([]) == []


def test_density_counts_different_words_with_meaning() -> None:
    said = "Pumps move water, compressors squeeze gases, turbines extract energy, boilers heat steam for factories near rivers and towns."
    assert density(said) > density("It is what it is and so it was as it was and it will be as it has been and was.") == 0
    assert density("pump " * 40) < 0.05
    assert density("Deprecated.") < 0.1


def unit(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def test_relevance_tells_the_core_from_strangers() -> None:
    chooser = np.random.default_rng(0)
    subject, everyday = chooser.normal(size=(2, 32))
    core = unit(subject + 0.8 * chooser.normal(size=(80, 32)))
    strangers = unit(everyday + 0.8 * chooser.normal(size=(15, 32)))
    general = unit(everyday + 0.8 * chooser.normal(size=(40, 32)))
    found = relevance(np.concatenate([core, strangers]), general)
    assert found is not None
    assert (found[:80] > 0.5).mean() > 0.95
    assert (found[80:] < 0.5).all()
    assert np.median(found) == pytest.approx(0.95, abs=0.01)
    assert relevance(core[:10], general) is None, "a handful is about nothing in particular"


def test_two_long_strangers_are_not_the_subject_of_a_small_collection() -> None:
    chooser = np.random.default_rng(0)
    subject, other, everyday = chooser.normal(size=(3, 32))
    core = unit(subject + 0.8 * chooser.normal(size=(16, 32)))
    long = unit(other + 0.5 * chooser.normal(size=(40, 32)))
    general = unit(everyday + 0.8 * chooser.normal(size=(40, 32)))
    texts = [f"The pump numbered {n} is oiled." for n in range(56)]
    where = [f"{at}.txt" for at in range(16)] + ["long1.pdf"] * 20 + ["long2.pdf"] * 20
    passages = [Passage(passage_id("", text), "", text, (Place(at, 0, 9),)) for text, at in zip(texts, where, strict=True)]
    grades = grade_passages(passages, Quality(), [], (np.concatenate([core, long]), general))
    assert not [grade.reasons for grade in grades[:16] if grade.reasons]


def test_grades_name_their_reasons() -> None:
    passages = [Passage(passage_id("", text), "", text) for text in [*TEXTS, misread(TEXTS[0], 0.4)]]
    grades = grade_passages(passages, Quality())
    assert grades[0].reasons == ()
    assert len(grades[-1].reasons) == 1
    assert grades[-1].reasons[0].startswith("noisy: ")


def grade(meta: dict[str, Scalar], cfg: Quality, id: str = "wiki/a.md", noise: float = 0.0) -> Grade:
    parts = [(Passage("p", "", "text"), Grade(noise, 0.5, 0.9))]
    return grade_document(id, meta, parts, date(2024, 1, 1), cfg)


def test_the_first_rule_that_fits_says_whom_to_believe() -> None:
    cfg = Quality(
        trust=(Trust(path="wiki/old/*", trust=0.1), Trust(path="wiki/*", author="*anna*", trust=0.9), Trust(kind="eml", trust=0.5))
    )
    assert grade({}, cfg).trust == 1
    assert grade({}, cfg, "wiki/old/x.md").trust == 0.1
    assert grade({"author": "Anna Berg"}, cfg).trust == 0.9
    assert grade({"format": "eml"}, cfg, "x.eml").trust == 0.5
    assert grade({"format": "eml"}, cfg, "x.eml").reasons == ("its source is believed 0.5",)


def test_age_scan_and_noise_take_from_trust() -> None:
    assert grade({"updated": "2022-01-01"}, Quality()).age == pytest.approx(2, abs=0.01)
    assert grade({"updated": "2022-01-01"}, Quality()).trust == 1
    assert grade({"updated": "2022-01-01"}, Quality(half_life=2)).trust == pytest.approx(0.5, abs=0.01)
    assert grade({"ocr_confidence": 0.8}, Quality()).trust == pytest.approx(0.8)
    assert grade({}, Quality(), noise=0.25).trust == pytest.approx(0.75)
    assert "age" not in grade({}, Quality()).facts()


def test_codes_and_lone_letters_in_chinese_are_few_among_its_characters() -> None:
    plates = "张某驾驶车牌号为京N88K23的小型客车与李x1驾驶的电动自行车相撞，双方均有责任，张某赔偿李x1医疗费三千元。"
    assert noise([plates])[0] < 0.1 < noise(["京N88K23 x1q2 李b7c d9e"])[0]
