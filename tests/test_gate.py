"""The gate: each condition alone keeps a candidate out, and the reason names it with its numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import ValidationError

from selfstudy.evals.gate import Gate, Verdict, by_writer, judge

N = 200
RNG = np.random.default_rng(5)
BASE = np.round(RNG.random(N), 3)
NOISE = RNG.normal(0, 0.1, N)
NOISE -= NOISE.mean()
WRITERS = ["heading"] * 100 + ["cloze"] * 60 + ["found"] * 40
UNSEEN = slice(160, N)


def moved(by: float, noise: float = 1.0, n: int = N) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    steps = noise * NOISE[:n]
    return BASE[:n], BASE[:n] + by + steps - steps.mean()


def given(**changes: Any) -> Verdict:
    """The verdict on a candidate that meets every condition but for `changes`."""
    gate = changes.pop("gate", Gate())
    inputs: dict[str, Any] = {
        "dense": moved(0.05), "hybrid": moved(0.01), "writers": WRITERS, "unseen": {"found"}, "guard": moved(0.0, 0.3),
        "own": moved(0.0, 0.3), **changes,
    }  # fmt: skip
    return judge(gate, **inputs)


def failing(verdict: Verdict) -> list[str]:
    assert verdict.promote == all(check.passed for check in verdict.checks)
    return [check.name for check in verdict.checks if not check.passed]


def only_trained_gain() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    before, after = moved(0.08)
    after = after.copy()
    after[UNSEEN] = before[UNSEEN] - 0.001
    return before, after


def test_a_good_candidate_is_promoted() -> None:
    verdict = given()
    assert failing(verdict) == []
    assert [check.name for check in verdict.checks] == ["exam size", "gain", "hybrid", "unseen writers", "guard", "own questions"]
    assert verdict.reason.startswith("Promoted: on 200 exam questions dense MRR@10 changes by +0.050 [")
    assert "own questions" in verdict.reason
    assert Verdict.load(verdict.json()) == verdict


def test_without_own_questions() -> None:
    verdict = given(own=None)
    assert failing(verdict) == []
    assert [check.name for check in verdict.checks][-1] == "guard"
    assert "own questions" not in verdict.reason
    assert verdict.reason.endswith("and hybrid search, unseen writers and the guard are not worse by 0.03 or more.")
    assert given(own=([], [])).checks == verdict.checks


@pytest.mark.parametrize(
    ("changes", "name", "told"),
    [
        ({"dense": moved(0.005)}, "gain", "MRR@10 changes on dense search over the exam by +0.005 ["),
        ({"hybrid": moved(-0.04)}, "hybrid", "on hybrid search over the exam by -0.040 ["),
        ({"hybrid": moved(0.0, 4.0)}, "hybrid", "an interval above -0.030"),  # not worse, and not proven either
        ({"dense": only_trained_gain()}, "unseen writers", "-0.001 [-0.001, -0.001]"),
        (
            {"unseen": {"nobody"}},
            "unseen writers",
            "writers that training never saw can prove nothing: at least 20 of them in the exam are needed, and there are 0",
        ),
        ({"guard": moved(-0.05, 0.3)}, "guard", "on everyday questions (the guard) by -0.050 ["),
        ({"guard": moved(0.0, 4.0)}, "guard", "an interval above -0.030"),
        ({"own": moved(-0.05, 0.3)}, "own questions", "on your own questions by -0.050 ["),
    ],
)
def test_each_condition_alone_refuses(changes: dict[str, Any], name: str, told: str) -> None:
    verdict = given(**changes)
    assert failing(verdict) == [name]
    assert verdict.reason.startswith("Refused: ")
    assert told in verdict.reason
    assert "\n" not in verdict.reason


def test_all_failures_are_named_together() -> None:
    verdict = given(dense=moved(-0.1), hybrid=moved(-0.1), guard=moved(-0.1), own=moved(-0.1))
    assert failing(verdict) == ["gain", "hybrid", "unseen writers", "guard", "own questions"]
    assert verdict.reason.count(" by -0.100") == 5 - 1  # the unseen writers' questions have a mean of their own
    assert verdict.reason.count(";") == 4


def test_noisy_gain_on_unseen_writers_needs_a_bound_too() -> None:
    before, after = moved(0.08)
    after = after.copy()
    after[UNSEEN] = before[UNSEEN] + 0.01 + np.where(np.arange(40) % 2, 0.4, -0.4)
    verdict = given(dense=(before, after))
    assert failing(verdict) == ["unseen writers"]
    assert next(check for check in verdict.checks if check.name == "unseen writers").difference.value > 0  # type: ignore[union-attr]


def test_repeated_candidates_need_stronger_proof() -> None:
    weak = moved(0.017)  # about 2.4 standard errors
    assert failing(given(dense=weak)) == []
    verdict = given(dense=weak, candidates=10)
    assert failing(verdict) == ["gain"]
    assert "p <= 0.000455 (candidate 10 of this exam)" in verdict.reason
    assert failing(given(candidates=10)) == []
    assert failing(given(dense=weak, gate=Gate(alpha=0.01))) == ["gain"]


def test_too_small_an_exam_proves_nothing() -> None:
    short = {"dense": moved(0.5, n=29), "hybrid": moved(0.5, n=29), "writers": ["found"] * 29}
    verdict = given(**short)
    assert failing(verdict) == ["exam size"]
    assert verdict.reason == "Refused: the exam can prove nothing: at least 30 questions are needed, and there are 29."
    assert failing(given(**short, gate=Gate(minimum_exam=29))) == []
    assert failing(given(dense=([], []), hybrid=([], []), writers=[])) == ["exam size"]


def test_nineteen_unseen_questions_prove_nothing() -> None:
    writers = ["cloze"] * 181 + ["found"] * 19
    assert failing(given(writers=writers)) == ["unseen writers"]
    assert failing(given(writers=["cloze"] * 180 + ["found"] * 20)) == []


def test_few_own_questions_are_shown_only() -> None:
    verdict = given(own=moved(-0.2, n=19))
    assert failing(verdict) == []
    own = verdict.checks[-1]
    assert own.needed == "shown only: fewer than 20"
    assert own.difference is not None
    assert own.difference.value == pytest.approx(-0.2)
    assert failing(given(own=moved(-0.2, n=20))) == ["own questions"]


def test_margins_are_settable() -> None:
    assert failing(given(guard=moved(-0.05, 0.3), gate=Gate(guard_margin=0.1))) == []
    assert failing(given(hybrid=moved(-0.04), gate=Gate(hybrid_margin=0.1))) == []


def test_settings_are_checked() -> None:
    with pytest.raises(ValidationError):
        Gate(alfa=0.1)  # type: ignore[call-arg]
    with pytest.raises(ValidationError):
        Gate(guard_margin=-0.1)


def test_inputs_that_do_not_fit() -> None:
    with pytest.raises(ValueError, match="same exam questions"):
        given(writers=WRITERS[:-1])
    with pytest.raises(ValueError, match="same exam questions"):
        given(hybrid=moved(0.1, n=100))
    with pytest.raises(ValueError, match="1 or more"):
        given(candidates=0)


def test_by_writer() -> None:
    found = by_writer([0, 0, 0, 1], [1, 0, 1, 0], ["b", "a", "b", "a"])
    assert list(found) == ["a", "b"]
    assert (found["a"].value, found["a"].n) == (-0.5, 2)
    assert (found["b"].value, found["b"].n) == (1.0, 2)
