"""How much the dense score counts in hybrid search: set on the tuning questions, moved only for a clear gain."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from selfstudy.core.files import write_json
from selfstudy.core.records import Artifact, Example
from selfstudy.core.run import Work, stage
from selfstudy.core.studied import examples_of
from selfstudy.evals.ranking import DEPTH, first_rank, reciprocal
from selfstudy.index.hybrid import Hybrid

WEIGHTS = (0.5, 0.55, 0.6, 0.65, 0.7)
"""Shares that are tried. Self-written questions share more words with their passages than people's do, so that the best share for them is
far too lexical for people: no share below one half is fitted."""
_CLEARLY = 2.0
"""Standard errors by which a share must beat the one before it was fitted."""


@stage("study.weight", version=4)
def weight(work: Work, config: None, mined: Artifact, hybrid: Hybrid) -> dict[str, Any]:
    """Fit the dense share of hybrid search on `tune`, into `weight.json`: the best of `WEIGHTS`, if it is clearly better."""
    ranks = _reciprocal_ranks(hybrid, examples_of(mined, "tune")[:600], sorted({hybrid.weight, *WEIGHTS}), work)
    told = {str(share): round(float(values.mean()), 4) for share, values in ranks.items()}
    result = {"weight": clearly_best(ranks, hybrid.weight), "mrr@10": told}
    write_json(work.folder / "weight.json", result)
    return result


def _reciprocal_ranks(hybrid: Hybrid, examples: Sequence[Example], shares: Sequence[float], work: Work) -> dict[float, NDArray[np.float64]]:
    """1 / rank of the evidence, 0 beyond 10, for each share and example."""
    ranks: dict[float, list[int]] = {share: [] for share in shares}
    for done, (example, found) in enumerate(zip(examples, hybrid.candidates([e.question for e in examples], 100), strict=True), 1):
        wanted = [hybrid.snapshot.row(hit.passage.id) for hit in example.evidence if hit.passage.id in hybrid.snapshot]
        for share in shares:
            rows, _ = found.top(share, DEPTH)
            ranks[share].append(first_rank(np.isin(rows, wanted)))
        work.progress(done, len(examples))
    return {share: reciprocal(found) for share, found in ranks.items()}


def clearly_best(ranks: dict[float, NDArray[np.float64]], usual: float) -> float:
    """The share with the best mean, where its paired gain over the usual one is more than two standard errors; else the usual one."""
    share = max(ranks, key=lambda share: (float(ranks[share].mean()) if len(ranks[share]) else 0.0, -abs(share - usual)))
    gain = ranks[share] - ranks[usual]
    return share if len(gain) and float(gain.mean()) > _CLEARLY * float(gain.std()) / len(gain) ** 0.5 else usual
