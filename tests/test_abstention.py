"""When to abstain, and how that is measured."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from selfstudy.answer.abstention import Abstain, Calibration, abstains, between, confidence, fit, threshold
from selfstudy.answer.default import DEFAULT
from selfstudy.answer.reading import Extract
from selfstudy.answer.signals import COSINES, NAMES, Features, features
from selfstudy.core.errors import HomeError
from selfstudy.core.records import Hit, Passage, Place, passage_id
from selfstudy.evals.answers import abstention, auc, exact_match, holds, risk_coverage, token_f1
from selfstudy.recipes.calibrate import harder
from selfstudy.testing import FakeEmbedder


def examples(n: int, gap: float, seed: int = 0, words: bool = False) -> tuple[Features, np.ndarray]:
    """`n` answerable rows that lie `gap` above `n` unanswerable ones in every feature, with noise of 0.1."""
    rng = np.random.default_rng(seed)
    rows = np.concatenate([0.3 + gap + rng.normal(0, 0.1, (n, len(NAMES))), 0.3 + rng.normal(0, 0.1, (n, len(NAMES)))])
    if words:
        rows[:, :COSINES] = np.nan
    return rows, np.repeat([1, 0], n)


@pytest.mark.parametrize("words", [False, True])
def test_what_can_be_told_apart_is_told_apart(words: bool) -> None:
    rows, labels = examples(100, 0.6, words=words)
    fitted = fit(rows, labels, DEFAULT)
    others, truth = examples(200, 0.6, seed=1, words=words)
    assert abstention(abstains(others, fitted), truth).f1 > 0.99
    sure = confidence(others, fitted)
    assert sure[truth == 1].min() > sure[truth == 0].max()
    assert ((sure > 0) & (sure < 1)).all()


def test_each_kind_of_question_has_its_own_line() -> None:
    rows, labels = examples(100, 0.6, words=True)
    fitted = fit(rows, labels, DEFAULT)
    assert fitted.meaning == DEFAULT.meaning
    assert fitted.words != DEFAULT.words


def test_half_way_is_as_far_from_both() -> None:
    rows, labels = examples(400, 0.1)
    one, other = DEFAULT, fit(rows, labels, DEFAULT)
    both = between(one, other)
    assert both.meaning.threshold == pytest.approx((one.meaning.threshold + other.meaning.threshold) / 2)
    odds = [np.log(sure / (1 - sure)) for sure in (confidence(rows[:20], each) for each in (one, both, other))]
    assert odds[1] - odds[0] == pytest.approx(odds[2] - odds[1])
    assert np.abs(odds[1] - odds[0]).max() > 0.01


def test_the_surer_half_of_what_can_be_answered_is_not_fitted_on() -> None:
    rows, labels = examples(40, 0.1)
    chosen = harder(rows, labels.astype(np.int64))
    left = sorted(set(range(len(rows))) - set(chosen.tolist()))
    sure = confidence(rows, DEFAULT)
    kept = [at for at in chosen if labels[at] == 1]
    assert len(kept) == len(left)
    assert all(labels[at] == 1 for at in left)
    assert max(sure[kept]) <= min(sure[left])


def test_probabilities_fit_the_examples() -> None:
    rows, labels = examples(2000, 0.1)
    keep = np.concatenate([np.arange(2000), np.arange(2000, 2500)])  # four answerable to one that is not
    fitted = fit(rows[keep], labels[keep], DEFAULT)
    sure = confidence(rows[keep], fitted)
    assert sure.mean() == pytest.approx(0.8, abs=0.01)
    middle = (sure > 0.6) & (sure < 0.8)
    assert middle.sum() > 100
    assert labels[keep][middle].mean() == pytest.approx(sure[middle].mean(), abs=0.08)


@pytest.mark.parametrize("labels", [np.ones(40), np.zeros(40), np.repeat([1, 0], [35, 5])])
def test_too_few_examples_leave_the_default(labels: np.ndarray) -> None:
    assert fit(examples(20, 0.5)[0], labels, DEFAULT) == DEFAULT


def test_examples_that_are_upside_down_leave_the_default() -> None:
    rows, labels = examples(100, 0.6)
    assert fit(rows, 1 - labels, DEFAULT) == DEFAULT


def test_a_calibration_survives_json() -> None:
    rows, labels = examples(100, 0.3)
    for one in (DEFAULT, fit(rows, labels, DEFAULT)):
        again = Calibration.load(json.loads(json.dumps(one.json())))
        assert again == one
        assert (confidence(rows, again) == confidence(rows, one)).all()


def test_a_calibration_of_other_features_is_refused() -> None:
    with pytest.raises(HomeError, match="selfstudy adapt"):
        confidence(examples(2, 0.1)[0], replace(DEFAULT, names=("length",)))


def test_without_anything_to_read_the_probability_is_0() -> None:
    nothing = features(["What?"], [[]], FakeEmbedder())
    assert nothing.shape == (1, len(NAMES))
    assert confidence(nothing, DEFAULT).tolist() == [0.0]
    assert abstains(nothing, replace(DEFAULT, meaning=replace(DEFAULT.meaning, threshold=0.0))).tolist() == [True]


def test_threshold_for_f1_by_hand() -> None:
    # Refusing the first three finds both unanswerable ones and one answerable: F1 = 2*2 / (3 + 2) = .8; refusing one: 2 / (1 + 2).
    assert threshold(np.array([0.1, 0.2, 0.3, 0.9]), np.array([0.0, 1, 0, 1])) == pytest.approx(0.6)


def test_threshold_for_risk_by_hand() -> None:
    sure, truth = np.array([0.1, 0.2, 0.3, 0.4, 0.9]), np.array([0.0, 1, 0, 1, 1])
    assert threshold(sure, truth, Abstain(objective="risk", risk=0.45)) == 0.0  # two of five is little enough
    assert threshold(sure, truth, Abstain(objective="risk", risk=0.3)) == 0.2  # one of four
    assert threshold(sure, truth, Abstain(objective="risk", risk=0.05)) == 0.4  # none of two
    assert threshold(sure, np.zeros(5), Abstain(objective="risk")) == 1.0


def hit(text: str, title: str = "") -> Hit:
    return Hit(Passage(passage_id(title, text), title, text, (Place("d", 0, len(text)),)), 1.0, "hybrid")


def test_features_are_higher_where_the_answer_stands() -> None:
    there = [hit("The relief valve opens at 45 bar. It is green."), hit("Bees like gardens in May.")]
    away = [hit("Bees like gardens in May."), hit("Gardens are green, and a valve is there.")]
    question = "When does the relief valve open?"
    holding, missing = features([question, question], [there, away], FakeEmbedder())
    assert (holding >= missing).all()
    assert (holding > missing).sum() >= 6
    named = dict(zip(NAMES, holding.tolist(), strict=True))
    assert named["known"] == 1.0
    assert named["coverage_best"] == pytest.approx(1.0)
    assert named["phrase"] == 1.0  # relief valve, valve opens


def test_a_chinese_question_has_no_cosines() -> None:
    row = features(["生活费是多少？"], [[hit("生活费800元。"), hit("其他事项。")]], FakeEmbedder())[0]
    assert np.isnan(row[:COSINES]).all()
    assert not np.isnan(row[COSINES:]).any()
    read_by_meaning = features(["生活费是多少？"], [[hit("生活费800元。")]], FakeEmbedder(), Extract(cjk_meaning=True))
    assert not np.isnan(read_by_meaning).any()


def test_default_answers_what_is_there_and_not_what_is_away() -> None:
    # Cosines as all-MiniLM-L6-v2 gives them for a passage that answers, and for one about something else.
    there = np.array([[0.75, 0.5, 0.72, 0.8, 0.6, 0.7, 1.0, 0.3]])
    away = np.array([[0.2, 0.05, 0.25, 0.2, 0.1, 0.2, 0.4, 0.0]])
    assert abstains(there, DEFAULT).tolist() == [False]
    assert abstains(away, DEFAULT).tolist() == [True]


def test_abstention_by_hand() -> None:
    found = abstention([True, True, True, False, False], [False, False, True, True, False])
    assert (found.precision, found.recall, found.f1, found.answered, found.n) == (2 / 3, 2 / 3, 2 / 3, 1 / 2, 5)
    always = abstention([False] * 4, [True, False, True, False])
    assert (always.f1, always.precision, always.recall, always.answered) == (0, 0, 0, 1)
    with pytest.raises(ValueError, match="do not fit"):
        abstention([True], [True, False])


def test_risk_coverage_by_hand() -> None:
    curve = risk_coverage([0.9, 0.8, 0.7, 0.6], [1, 0, 1, 0])
    assert curve.coverage == (0.25, 0.5, 0.75, 1.0)
    assert curve.risk == pytest.approx((0, 1 / 2, 1 / 3, 1 / 2))
    assert curve.threshold == (0.9, 0.8, 0.7, 0.6)
    assert curve.area == pytest.approx((0 + 1 / 2 + 1 / 3 + 1 / 2) / 4)
    assert curve.best == pytest.approx((0 + 0 + 1 / 3 + 1 / 2) / 4)


def test_ties_are_one_point_whatever_their_order() -> None:
    curves = {risk_coverage([0.5, 0.5, 0.9], correct) for correct in ([1, 0, 1], [0, 1, 1])}
    assert len(curves) == 1
    (curve,) = curves
    assert curve.coverage == pytest.approx((1 / 3, 1))
    assert curve.area == pytest.approx((0 + 0.5 / 2 + 1 / 3) / 3)
    with pytest.raises(ValueError, match="do not fit"):
        risk_coverage([], [])


def test_answers_are_compared_by_words_and_characters() -> None:
    assert token_f1("The cat sat. [1][2]", ["a cat"]) == pytest.approx(2 / 3)
    assert token_f1("生活费800元", ["800元"]) == pytest.approx(4 / 7)
    assert token_f1("no", ["yes", "no"]) == 1
    assert token_f1("", [""]) == 1
    assert token_f1("anything", []) == 0
    assert exact_match("The 45 bar!", ["45 bar"]) == 1
    assert exact_match("45 bars", ["45 bar"]) == 0
    assert holds("It opens at 45 bar. [1]", ["45 bar"]) == 1
    assert holds("It opens at 45 barns.", ["45 bar"]) == 0
    assert holds("被告支付800元。 [1]", ["800元"]) == 1
    assert holds("anything", [""]) == 0


def test_auc_is_the_share_of_pairs_in_the_right_order() -> None:
    rng = np.random.default_rng(3)
    values, labels = rng.integers(0, 6, 80).astype(float), rng.random(80) < 0.4  # many ties
    pairs = [(one > other) + 0.5 * (one == other) for one in values[labels] for other in values[~labels]]
    assert auc(values, labels) == pytest.approx(np.mean(pairs))
    assert auc([1, 2, 3], [0, 1, 1]) == 1
    assert np.isnan(auc([1, 2], [1, 1]))
    with pytest.raises(ValueError, match="do not fit"):
        auc([1, 2], [1])
