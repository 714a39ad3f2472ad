"""A candidate before the gate: the share of meaning in its hybrid search."""

from __future__ import annotations

import numpy as np

from selfstudy.recipes.candidate import largest_without_loss


def test_the_share_grows_as_far_as_nothing_is_lost() -> None:
    before = np.tile([1.0, 0.5, 0.0, 0.5], 25)
    noise = np.tile([0.1, -0.1], 50)
    after = {0.5: before + 0.02, 0.6: before + noise, 0.7: before - 0.02 + noise}
    assert largest_without_loss(before, after, 0.4) == 0.6, "at .7 two hundredths are lost, of which noise explains one"
    assert largest_without_loss(before + 0.1, after, 0.4) == 0.4
    assert largest_without_loss(before - 0.1, after, 0.4) == 0.7
    assert largest_without_loss(np.zeros(0), {0.5: np.zeros(0), 0.7: np.zeros(0)}, 0.4) == 0.7
