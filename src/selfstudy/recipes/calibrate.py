"""When to abstain, set on the tuning questions: answerable, the same with their evidence taken away, and foreign ones."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from selfstudy.answer.abstention import Abstain, Calibration, between, by_meaning, by_words, confidence, fit
from selfstudy.answer.default import DEFAULT
from selfstudy.answer.reading import Extract, read
from selfstudy.answer.signals import Features, features_of
from selfstudy.core.files import write_json
from selfstudy.core.ports import Embedder, Retriever
from selfstudy.core.records import Artifact, Example, Hit
from selfstudy.core.run import Work, stage
from selfstudy.core.studied import examples_of
from selfstudy.evals.guard import pairs
from selfstudy.recipes.system import System

_EACH = 150
"""Answerable examples; half of them, a quarter as many without their evidence and about as many foreign ones are fitted on."""
_COPIES = frozenset({"sentence", "chinese_clauses"})
"""Writers whose questions are taken out of the passage word for word."""


@stage("study.calibration", version=6)
def calibration(work: Work, config: Abstain, mined: Artifact, extract: Extract, system: tuple[Retriever, Embedder]) -> dict[str, int]:
    """Fit `calibration.json`. Returns how many examples could be read by meaning and by words alone."""
    retriever, embedder = system
    # A question that is a sentence of its passage is answered by more of its own words than any person's question is.
    examples = [example for example in examples_of(mined, "tune") if example.writer not in _COPIES] or examples_of(mined, "tune")
    examples = examples[:: max(1, len(examples) // _EACH)][:_EACH]
    foreign = [pair.question for pair in pairs()][::8]
    asked = [example.question for example in examples]
    found = retriever.search(asked, extract.hits + 5)
    answerable = [hits[: extract.hits] for hits in found]
    bare = list(range(0, len(examples), 4))
    without = [_without(found[place], examples[place])[: extract.hits] for place in bare]
    away = retriever.search(foreign, extract.hits) if foreign else []
    work.progress(1, 2)
    reads = read([*asked, *(asked[place] for place in bare), *foreign], [*answerable, *without, *away], embedder, extract)
    features = features_of(reads)
    labels = [int(_holds(hits, example)) for hits, example in zip(answerable, examples, strict=True)] + [0] * (len(without) + len(away))
    chosen = harder(features, np.array(labels))
    fitted = fit(features[chosen], np.array(labels)[chosen], DEFAULT, config)
    if config.objective == "f1":  # questions that rules wrote are believed as much as those that the default was learned from
        fitted = between(DEFAULT, fitted)
    write_json(work.folder / "calibration.json", fitted.json())
    return {"by meaning": int(by_meaning(features[chosen]).sum()), "by words": int(by_words(features[chosen]).sum())}


def harder(features: Features, labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """The rows to fit on: of the answerable examples the half that looks least so, and all others.

    Self-written questions have their passage's words, and are surer than people's are: fitted on all of them, the threshold refused 90% of
    what people asked of policyqa.
    """
    answerable = np.flatnonzero(labels == 1)
    sure = confidence(features[answerable], DEFAULT)
    least = answerable[np.argsort(sure, kind="stable")][: -(-len(answerable) // 2)]
    return np.concatenate([least, np.flatnonzero(labels == 0)])


def _holds(hits: list[Hit], example: Example) -> bool:
    source = {hit.passage.id for hit in example.evidence}
    return any(hit.passage.id in source for hit in hits)


def _without(hits: list[Hit], example: Example) -> list[Hit]:
    """The hits without the evidence, what nearly repeats it, holds it, or stands inside it."""
    source = example.evidence[0].passage
    return [hit for hit in hits if not hit.passage.shares(source)]


def calibration_of(system: System) -> Calibration | None:
    """The calibration of a system; None for one that was never calibrated."""
    return Calibration.load(system.abstention) if system.abstention else None
