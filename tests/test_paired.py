"""The paired test: exact where it can be counted by hand, honest where nothing changed, strong where something did."""

from __future__ import annotations

import math
import tracemalloc

import numpy as np
import pytest
from scipy.stats import kstest

from selfstudy.core.errors import NotEnough
from selfstudy.evals.paired import compare


@pytest.mark.parametrize(
    ("differences", "p"),
    [
        ([1.0], 1),  # either sign is as far from 0
        ([1.0, 1.0], 2 / 4),
        ([1.0, 1.0, 1.0], 2 / 8),
        ([1.0, 1.0, -1.0], 1),  # |sum| is 1 or 3
        ([3.0, 2.0, 1.0, -1.0], 6 / 16),  # |sum| >= 5: signs of (+3 +2 and 1, 1: ++, +-, -+) and their mirror images
        ([0.1] * 12, 2 / 4096),
        ([0.1] * 12 + [0.0] * 500, 2 / 4096),  # questions that did not move decide nothing
        ([0.0] * 30, 1),
    ],
)
def test_exact_p(differences: list[float], p: float) -> None:
    before = np.zeros(len(differences))
    assert compare(before, before + differences).p == pytest.approx(p, abs=1e-12)


def test_value_interval_and_direction() -> None:
    rng = np.random.default_rng(3)
    before = rng.random(200)
    after = before + rng.normal(0.1, 0.2, 200)
    found = compare(before, after)
    assert found.n == 200
    assert found.value == pytest.approx(after.mean() - before.mean())
    assert found.low < found.value < found.high
    assert found.high - found.low == pytest.approx(4 * (after - before).std() / math.sqrt(200), rel=0.1)
    mirrored = compare(after, before)
    assert mirrored.value == pytest.approx(-found.value)
    assert mirrored.p == found.p
    assert compare(before, after) == found
    assert compare(before, after, seed=1) != found


def test_p_of_a_null_comparison_is_uniform() -> None:
    rng = np.random.default_rng(11)
    found = [compare(pair[0], pair[1], trial, 400).p for trial in range(400) if (pair := rng.random((2, 30))) is not None]
    assert kstest(found, "uniform").pvalue > 0.01
    assert 0.02 <= np.mean(np.array(found) <= 0.05) <= 0.085


def test_p_of_reciprocal_ranks_that_do_not_change_is_not_too_small() -> None:
    rng = np.random.default_rng(12)
    ranks = 1 / np.arange(1, 6)
    found = [compare(*rng.choice(ranks, (2, 40)), trial, 400).p for trial in range(300)]
    assert np.mean(np.array(found) <= 0.05) <= 0.085


def test_power_on_a_known_shift() -> None:
    rng = np.random.default_rng(13)
    trials = [compare(before, before + rng.normal(0.1, 0.3, 150), 0, 400) for before in rng.random((60, 150))]
    assert np.mean([trial.p <= 0.05 for trial in trials]) >= 0.95  # 0.1 is four standard errors: power 0.98
    assert np.mean([trial.low > 0 for trial in trials]) >= 0.95
    assert 0.88 <= np.mean([trial.low <= 0.1 <= trial.high for trial in trials]) <= 1


def test_pairing_is_what_finds_a_small_steady_gain() -> None:
    rng = np.random.default_rng(14)
    before = rng.random(100)
    after = before + 0.01 + rng.normal(0, 0.01, 100)
    assert compare(before, after).p < 0.001
    assert compare(before, rng.permutation(after)).p > 0.05


def test_p_is_never_zero() -> None:
    before = np.zeros(100)
    assert compare(before, before + 1, resamples=199).p == pytest.approx(1 / 200)
    assert (compare(before, before + 1).low, compare(before, before + 1).high) == (1, 1)


def test_many_questions_take_bounded_memory() -> None:
    rng = np.random.default_rng(15)
    before = rng.random(50_000)
    tracemalloc.start()
    found = compare(before, before + rng.normal(0, 1, 50_000), resamples=300)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found.n == 50_000
    assert peak < 64e6  # all resamples at once would be 120 MB for their indices' values alone


def test_what_cannot_be_compared() -> None:
    with pytest.raises(ValueError, match="same questions"):
        compare([1, 2, 3], [1, 2])
    with pytest.raises(ValueError, match="same questions"):
        compare([1, 2, 3], [1])
    with pytest.raises(ValueError, match="finite"):
        compare([1, 2], [1, math.nan])
    with pytest.raises(NotEnough):
        compare([], [])
