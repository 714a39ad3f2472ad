"""Whether votes teach: what is learned from some must help with others, about documents that it never saw, or none is learned from."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from selfstudy.core.artifacts import read_records
from selfstudy.core.files import read_json, write_json
from selfstudy.core.ports import Embedder, Vectors
from selfstudy.core.records import Artifact, Example, Passage, digest
from selfstudy.core.run import Work, stage
from selfstudy.recipes.ledger import Vote
from selfstudy.recipes.votes import Votes, judged
from selfstudy.synth.draft import pick
from selfstudy.train.head import Head, fit_head

_ROWS = 2000
"""Written questions that the votes join: enough to fit a head as a study does, few enough to do it once for each fold."""
_SHARE = 0.5


@stage("study.votes_proof", version=1)
def votes_proof(
    work: Work,
    config: Votes,
    fitting: Head,
    kept: Artifact,
    studied: Artifact,
    seed: int,
    votes: Sequence[Vote],
    known: Sequence[str],
    embedder: Embedder,
    searched: Vectors,
) -> dict[str, int]:
    """`ranks.json`: for each question that people agree on the reciprocal rank (cut at 10) of its passage, without and with votes.

    A head is fitted on written questions and on the votes of all folds but one, and asked that one's; folds are drawn by document group,
    and the exam's documents are in none that is learned from. "Without": on the written questions and those votes alone whose ids are
    `known`, since what serves has learned from them. Both heads stand on the base's vectors, `searched` those of the passages. "agreed":
    the share of the other passages shown that rank below the chosen one, with votes; where people chose at random that is one half.
    """
    everything = list(read_records(studied.path / "passages.jsonl", Passage))
    groups: dict[str, str] = read_json(studied.path / "groups.json")
    found = judged(votes, {one.id: one for one in everything}, groups, config, seed)
    people = found.examples
    written = pick([one for one in read_records(kept.path / "kept.jsonl", Example) if one.split == "train"], _ROWS, "proof")
    asked = embedder.embed([one.question for one in [*written, *people]], "query")
    fit = _Fit(fitting, [*written, *people], asked, everything, groups, searched)
    own, theirs = np.arange(len(written)), np.arange(len(people)) + len(written)
    folds = np.array([int(digest("fold", one.group), 16) % config.folds for one in people])
    learned = np.array([one.split != "exam" for one in people])
    before, old = np.zeros(len(people)), np.array([one.id in known for one in people])
    after, agreed = np.zeros(len(people)), np.full(len(people), np.nan)
    for fold in range(config.folds):
        others, mine = learned & (folds != fold), folds == fold
        if fold == 0 or old.any():
            without = fit.on(np.concatenate([own, theirs[others & old]]))
        before[mine] = fit.ranks(without, theirs[mine])
        taught = fit.on(np.concatenate([own, theirs[others]]))
        after[mine] = fit.ranks(taught, theirs[mine])
        agreed[mine] = [fit.above(taught, theirs[place], found.shown[people[place].id]) for place in np.flatnonzero(mine)]
        work.progress(fold + 1, config.folds)
    told = {"ids": [one.id for one in people], "before": before.tolist(), "after": after.tolist()}
    write_json(work.folder / "ranks.json", told | {"agreed": agreed[~np.isnan(agreed)].tolist()})
    return {"questions": len(people), "learned from": int(learned.sum())}


class _Fit:
    """Heads over the base's vectors of examples and passages."""

    def __init__(
        self,
        config: Head,
        examples: Sequence[Example],
        asked: Vectors,
        passages: Sequence[Passage],
        groups: dict[str, str],
        searched: Vectors,
    ) -> None:
        self._config, self._examples, self._asked, self._searched = config, examples, asked, searched
        self._rows = {passage.id: row for row, passage in enumerate(passages)}
        self._evidence = np.array([self._rows[one.evidence[0].passage.id] for one in examples], np.int64)
        self._groups = [groups[passage.id] for passage in passages]

    def on(self, places: NDArray[np.int64]) -> tuple[Vectors, Vectors]:
        """Questions and passages as a head sees them that was fitted on the examples at `places`, against the passages of their groups."""
        weighed = np.repeat(places, [self._examples[place].weight for place in places])
        inside = {self._examples[place].group for place in places}
        pool = np.array([row for row, group in enumerate(self._groups) if group in inside], np.int64)
        evidence = np.searchsorted(pool, self._evidence[weighed])
        nothing = np.zeros(0, np.int64)
        fitted, _ = fit_head(self._config, self._asked[weighed], self._searched[pool], evidence, lambda rows: (nothing, nothing))
        head = fitted.scaled(_SHARE)
        return head(self._asked), head(self._searched)

    def ranks(self, seen: tuple[Vectors, Vectors], places: NDArray[np.int64]) -> NDArray[np.float64]:
        """The reciprocal rank of the evidence of the examples at `places`; 0 beyond the tenth."""
        scores = seen[0][places] @ seen[1].T
        ranks = (scores >= scores[np.arange(len(places)), self._evidence[places]][:, None]).sum(axis=1)
        found: NDArray[np.float64] = np.where(ranks <= 10, 1 / ranks, 0.0)
        return found

    def above(self, seen: tuple[Vectors, Vectors], place: int, others: Sequence[str]) -> float:
        """The share of `others` (ids) that the example's evidence outranks; nan for none."""
        scores = seen[1][[int(self._evidence[place]), *(self._rows[id] for id in others)]] @ seen[0][place]
        return float((scores[0] > scores[1:]).mean()) if others else float("nan")
