"""Whether votes teach: what is learned from some people's must help with what others chose, or none is learned from."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from selfstudy.core.files import read_json, write_json
from selfstudy.core.ports import Embedder, Vectors
from selfstudy.core.records import Artifact, Example, Passage, digest
from selfstudy.core.run import Work, stage
from selfstudy.core.studied import kept_of, passages_of
from selfstudy.recipes.ledger import Vote
from selfstudy.recipes.votes import Judged, Votes, judged
from selfstudy.synth.draft import pick
from selfstudy.train.head import Head, fit_head

_ROWS = 2000
"""Written questions that the votes join: enough to fit a head as a study does, few enough to do it once for each fold."""
_SHARE = 0.5


@stage("study.votes_proof", version=3)
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
    """`choices.json`: for each question that people agree on how far above chance its passage stands, without and with votes.

    Only what voters were shown is compared (`beyond_chance`): they could choose nothing else, so ranks among all passages would favour
    whatever showed them. A head is fitted on written questions and on the votes of all folds but one, and asked that one's. Folds are
    of people; where there are fewer people than folds, of questions. The exam's documents are in none that is learned from. "Without": on
    the written questions and those votes alone whose ids are `known`, since what serves has learned from them. Both heads stand on the
    base's vectors, `searched` those of the passages.
    """
    everything = passages_of(studied)
    groups: dict[str, str] = read_json(studied.path / "groups.json")
    found = judged(votes, {one.id: one for one in everything}, groups, config, seed)
    people = found.examples
    written = pick([one for one in kept_of(kept) if one.split == "train"], _ROWS, "proof")
    asked = embedder.embed([one.question for one in [*written, *people]], "query")
    fit = _Fit(fitting, [*written, *people], asked, everything, groups, searched)
    own, theirs = np.arange(len(written)), np.arange(len(people)) + len(written)
    folds = folds_of(found, config.folds)
    learned = np.array([one.split != "exam" for one in people])
    compared = [place for place, one in enumerate(people) if len(found.shown[one.id]) > 1]
    usual = places_of(found)
    before, old = np.full(len(people), np.nan), np.array([one.id in known for one in people])
    after = before.copy()
    for fold in range(config.folds):
        others, mine = learned & (folds != fold), [place for place in compared if folds[place] == fold]
        if fold == 0 or old.any():
            without = fit.on(np.concatenate([own, theirs[others & old]]))
        taught = fit.on(np.concatenate([own, theirs[others]]))
        for side, seen in ((before, without), (after, taught)):
            side[mine] = [fit.choice(seen, theirs[place], found.shown[people[place].id], usual) for place in mine]
        work.progress(fold + 1, config.folds)
    told = {"ids": [one.id for one in people], "before": before[compared].tolist(), "after": after[compared].tolist()}
    write_json(work.folder / "choices.json", told)
    return {"questions": len(people), "learned from": int(learned.sum())}


def folds_of(found: Judged, folds: int) -> NDArray[np.int64]:
    """The fold of each question: all of one person in one, so that nobody's votes are proven by his own; of too few people, by question."""
    people = sorted(set(found.voters.values()))
    if len(people) < folds:
        return np.array([int(digest("fold", one.id), 16) % folds for one in found.examples], np.int64)
    return np.array([people.index(found.voters[one.id]) % folds for one in found.examples], np.int64)


def places_of(found: Judged) -> NDArray[np.int64]:
    """How often people chose the first, the second, ... of the passages that they were shown."""
    chosen = [found.shown[one.id].index(one.evidence[0].passage.id) for one in found.examples if found.shown[one.id]]
    return np.bincount(np.array(chosen, np.int64))


def beyond_chance(scores: ArrayLike, chosen: int, usual: ArrayLike) -> float:
    """The share of the other `scores` that the `chosen` one exceeds, less what that share is for a choice by place alone.

    `usual` says how often people chose the first, the second, ... place. Whoever chooses by place, at random or the first most often, comes
    to 0 on average, however the passages are ranked; who goes by what they say stands above it.
    """
    given, often = np.asarray(scores, np.float64), np.asarray(usual, np.float64)[: len(np.asarray(scores))]
    above = (given[:, None] > given[None, :]).sum(axis=1) / (len(given) - 1)
    return float(above[chosen] - above[: len(often)] @ often / often.sum())


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

    def choice(self, seen: tuple[Vectors, Vectors], place: int, shown: Sequence[str], usual: NDArray[np.int64]) -> float:
        """`beyond_chance` of the evidence of the example at `place` among the passages `shown` (ids)."""
        rows = [self._rows[id] for id in shown]
        return beyond_chance(seen[1][rows] @ seen[0][place], rows.index(int(self._evidence[place])), usual)
