"""When to abstain, set on the tuning questions: answerable, the same with their evidence taken away, and foreign ones."""

from __future__ import annotations

from selfstudy.answer.abstention import Abstain, Calibration, by_meaning, by_words, fit
from selfstudy.answer.default import DEFAULT
from selfstudy.answer.reading import Extract, read
from selfstudy.answer.signals import features_of
from selfstudy.core.files import write_json
from selfstudy.core.ports import Embedder, Retriever
from selfstudy.core.records import Artifact, Example, Hit
from selfstudy.core.run import Work, stage
from selfstudy.evals.guard import pairs
from selfstudy.recipes.candidate import examples_of
from selfstudy.recipes.system import System

_EACH = 150
"""Examples of each sort."""
_COPIES = frozenset({"sentence", "chinese_clauses"})
"""Writers whose questions are taken out of the passage word for word."""


@stage("study.calibration", version=2)
def calibration(work: Work, config: Abstain, mined: Artifact, extract: Extract, system: tuple[Retriever, Embedder]) -> dict[str, int]:
    """Fit `calibration.json`. Returns how many examples could be read by meaning and by words alone."""
    retriever, embedder = system
    # A question that is a sentence of its passage is answered by more of its own words than any person's question is.
    examples = [example for example in examples_of(mined, "tune") if example.writer not in _COPIES] or examples_of(mined, "tune")
    examples = examples[:: max(1, len(examples) // _EACH)][:_EACH]
    foreign = [pair.question for pair in pairs()][::2][:_EACH]
    asked = [example.question for example in examples]
    found = retriever.search(asked, extract.hits + 5)
    answerable = [hits[: extract.hits] for hits in found]
    without = [_without(hits, example)[: extract.hits] for hits, example in zip(found, examples, strict=True)]
    away = retriever.search(foreign, extract.hits) if foreign else []
    work.progress(1, 2)
    reads = read([*asked, *asked, *foreign], [*answerable, *without, *away], embedder, extract)
    features = features_of(reads)
    labels = [int(_holds(hits, example)) for hits, example in zip(answerable, examples, strict=True)] + [0] * (len(without) + len(away))
    fitted = fit(features, labels, DEFAULT, config)
    write_json(work.folder / "calibration.json", fitted.json())
    return {"by meaning": int(by_meaning(features).sum()), "by words": int(by_words(features).sum())}


def _holds(hits: list[Hit], example: Example) -> bool:
    source = {hit.passage.id for hit in example.evidence}
    return any(hit.passage.id in source for hit in hits)


def _without(hits: list[Hit], example: Example) -> list[Hit]:
    """The hits without the evidence and what nearly repeats it."""
    source = example.evidence[0].passage
    family = {source.id, source.near} - {None}
    return [hit for hit in hits if hit.passage.id not in family and hit.passage.near not in family]


def calibration_of(system: System) -> Calibration | None:
    """The calibration of a system; None for one that was never calibrated."""
    return Calibration.load(system.abstention) if system.abstention else None
