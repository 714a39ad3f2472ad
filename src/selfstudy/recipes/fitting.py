"""Fitting the head: over vectors of questions and passages that other steps made, with as much of it as the tuning questions want."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from selfstudy.core.files import read_json, write_json
from selfstudy.core.records import Artifact, Example, Passage
from selfstudy.core.run import Work, stage
from selfstudy.core.studied import examples_of, passages_of
from selfstudy.evals.ranking import ranks_of_own, reciprocal
from selfstudy.train.head import Head, Weights, fit_head


@stage("train.head", version=4)
def head(work: Work, config: Head, mined: Artifact, asked: Artifact, searched: Artifact, studied: Artifact) -> dict[str, float]:
    """Fit the head on the train split over given vectors; `head.npz` and `losses.json`, or nothing where it is off."""
    if not config.on:
        return {}
    examples = examples_of(mined)
    training_places = [place for place, example in enumerate(examples) if example.split == "train" for _ in range(example.weight)]
    mine = np.array(training_places, np.int64)
    groups: dict[str, str] = read_json(studied.path / "groups.json")
    training = {examples[place].group for place in mine}
    everything = passages_of(studied)
    # Passages of other splits are never evidence here: as negatives all the time they would only learn to be far from every question.
    pool = [row for row, passage in enumerate(everything) if groups[passage.id] in training]
    rows = {everything[row].id: place for place, row in enumerate(pool)}
    evidence = np.array([rows[examples[place].evidence[0].passage.id] for place in mine], np.int64)
    alike = _alike([examples[place].evidence[0].passage for place in mine], rows, [everything[row] for row in pool])

    def excluded(chosen: Any) -> tuple[Any, Any]:
        pairs = [(at, row) for at, place in enumerate(chosen) for row in alike.get(int(place), ())]
        which, wrong = np.array(pairs, np.int64).reshape(-1, 2).T
        return which, wrong

    asked_for, passages = np.load(asked.path / "vectors.npy")[mine], np.load(searched.path / "vectors.npy")[pool]
    fitted, losses = fit_head(config, asked_for, passages, evidence, excluded, work.progress)
    scores = _tuned_shares(config, fitted, examples, everything, asked, searched)
    share = max(config.shares, key=lambda share: (scores[share], -share))
    fitted.scaled(share).save(work.folder / "head.npz")
    write_json(work.folder / "losses.json", [round(loss, 4) for loss in losses])
    told = {f"tune MRR@10 at {name}": round(score, 4) for name, score in scores.items()}
    return {"first loss": round(losses[0], 4), "last loss": round(losses[-1], 4), "share": share, **told}


def _tuned_shares(
    config: Head, fitted: Weights, examples: Sequence[Example], everything: Sequence[Passage], asked: Artifact, searched: Artifact
) -> dict[float, float]:
    """The dense MRR@10 of the tuning questions over the whole corpus, for every share of the head."""
    places = [place for place, example in enumerate(examples) if example.split == "tune"][:600]
    rows = {passage.id: row for row, passage in enumerate(everything)}
    own = np.array([rows[examples[place].evidence[0].passage.id] for place in places], np.int64)
    questions, passages = np.load(asked.path / "vectors.npy")[places], np.load(searched.path / "vectors.npy")
    found: dict[float, float] = {}
    for share in config.shares:
        head = fitted.scaled(share)
        found[share] = float(reciprocal(ranks_of_own(head(questions), head(passages), own)).mean()) if len(own) else 0.0
    return found


def _alike(evidence: Sequence[Passage], rows: dict[str, int], passages: Sequence[Passage]) -> dict[int, list[int]]:
    """For each place in `evidence` the rows of the passages that repeat it, hold it or stand inside it: no negatives of its question."""
    family: dict[str, set[int]] = {}
    for passage in passages:
        for id in (passage.family, *passage.within):
            family.setdefault(id, set()).add(rows[passage.id])
    found = {at: sorted(set().union(*(family.get(id, ()) for id in (p.family, *p.within))) - {rows[p.id]}) for at, p in enumerate(evidence)}
    return {place: others for place, others in found.items() if others}
