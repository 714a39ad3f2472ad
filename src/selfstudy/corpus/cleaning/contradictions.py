"""Passages that say of the same thing something else: other numbers, other dates, or the opposite. Candidates for a person to look at."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from selfstudy.core.facts.otherwise import OVERLAP, WORDS, Difference, Saying, differ, overlap, saying
from selfstudy.core.ports import SUPPORT, Entailment, Vectors
from selfstudy.core.records import Passage, Place, Record
from selfstudy.core.text import sentences

_BLOCK = 1024
_COMMON = 32  # rows that share two words; more than these share a phrase of the trade
_SERIES_OF = 3  # sentences of one document that differ in their facts alone
_SERIES_SHARE = 0.02
_ORDERED = re.compile(r"\W*(?:[^\W\d_]+[^\S\n])?\d[\d:.]*[.):]\s|[^:;\n]{1,60}: [^;\n]*; ")
"""How steps, turns with a time and rows of a table begin."""


class Contradictions(BaseModel):
    """When two sentences count as candidates."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    near: float = Field(0.6, ge=0, le=1, description="least cosine of two passages whose sentences are compared")
    neighbours: int = Field(8, ge=1, description="nearest passages that each is compared with")
    overlap: float = Field(OVERLAP, ge=0, le=1, description="least share of words, facts apart, that two sentences must have in common")
    words: int = Field(WORDS, ge=2, description="least words, units among them and numbers not, of a sentence that is compared")


@dataclass(frozen=True, slots=True)
class Contradiction(Record):
    """Two sentences, `quote` at `place` each, that differ in a number, a date or a negation; `overlap` is the share of their other words.

    `confirmed`: the probability that `entailment` gave to their not supporting each other; None where that was not asked.
    """

    kind: Difference
    place: Place
    quote: str
    other_place: Place
    other_quote: str
    overlap: float
    confirmed: float | None = None


@dataclass(frozen=True, slots=True)
class _Sentence:
    row: int
    start: int
    end: int
    said: Saying


def contradictions(
    passages: Sequence[Passage],
    vectors: Vectors | None,
    cfg: Contradictions = Contradictions(),  # noqa: B008
    apart: Collection[frozenset[str]] = (),
    entailment: Entailment | None = None,
) -> list[Contradiction]:
    """Candidates, likest first, from passages that have sentences with rare words in common, and from those that `vectors`, of unit length
    and (len(passages), dim), hold for near.

    Pairs of documents in `apart` are not compared: what versions of one document say of each other is no contradiction but a change.
    A sentence whose facts are a part of the other's says less, and nothing else. What one document says over and over with other facts
    (steps, rows of a table, turns of a talk) is a series.
    """
    said = [_sentences(row, passage, cfg.words) for row, passage in enumerate(passages)]
    found: dict[tuple[str, str], Contradiction] = {}
    pairs = {*_sharing(said), *(_near(vectors, cfg) if vectors is not None else ())}
    for row, other in sorted(pairs):
        one, two = passages[row], passages[other]
        a, b = one.places[0], two.places[0]
        if frozenset((a.document, b.document)) in apart:
            continue
        for mine in said[row]:
            for theirs in said[other]:
                kind = differ(mine.said, theirs.said, cfg.overlap) if row < other or mine.start < theirs.start else None
                if kind is not None:
                    quotes = one.text[mine.start : mine.end], two.text[theirs.start : theirs.end]
                    candidate = Contradiction(
                        kind, _place(a, mine), quotes[0], _place(b, theirs), quotes[1], round(overlap(mine.said, theirs.said), 3)
                    )
                    found.setdefault((min(quotes), max(quotes)), candidate)
    kept = _without_series(list(found.values()), passages, said)
    listed = sorted(kept, key=lambda one: (-one.overlap, one.quote, one.other_quote))
    return _judged(listed, entailment) if entailment is not None and listed else listed


def _judged(found: Sequence[Contradiction], entailment: Entailment) -> list[Contradiction]:
    """With the word of `entailment` on each: whether one sentence is supported by the other, either way round."""
    triples = [triple for one in found for triple in (("", one.quote, one.other_quote), ("", one.other_quote, one.quote))]
    unsupported = entailment.supported(triples)[:, SUPPORT.index("no")].reshape(-1, 2).min(axis=1)
    return [replace(one, confirmed=round(float(value), 3)) for one, value in zip(found, unsupported, strict=True)]


def _sentences(row: int, passage: Passage, least: int) -> list[_Sentence]:
    said = ((start, end, saying(passage.text[start:end], least)) for start, end in sentences(passage.text))
    return [_Sentence(row, start, end, one) for start, end, one in said if one is not None]


def _without_series(
    found: Sequence[Contradiction], passages: Sequence[Passage], said: Sequence[Sequence[_Sentence]]
) -> list[Contradiction]:
    """Those that are none: three sentences of one document that differ from each other, or more pairs than so long a text would have."""
    lengths = Counter(passage.places[0].document for passage, held in zip(passages, said, strict=True) for _ in held)
    own = [one for one in found if one.place.document == one.other_place.document]
    pairs = Counter(one.place.document for one in own)
    sides = Counter((one.place.document, quote) for one in own for quote in (one.quote, one.other_quote))

    def series(one: Contradiction) -> bool:
        document = one.place.document
        if document != one.other_place.document:
            return False
        if _ORDERED.match(one.quote) and _ORDERED.match(one.other_quote):
            return True
        often = max(sides[document, one.quote], sides[document, one.other_quote]) >= _SERIES_OF - 1
        return often or pairs[document] > _SERIES_OF + _SERIES_SHARE * lengths[document]

    return [one for one in found if not series(one)]


def _near(vectors: Vectors, cfg: Contradictions) -> Iterator[tuple[int, int]]:
    """Pairs of rows that are near."""
    for begin in range(0, len(vectors), _BLOCK):
        scores = vectors[begin : begin + _BLOCK] @ vectors.T
        most = min(cfg.neighbours + 1, scores.shape[1])
        best = np.argpartition(-scores, most - 1, axis=1)[:, :most]
        for at, others in enumerate(best.tolist()):
            row = begin + at
            yield from ((min(row, other), max(row, other)) for other in others if other != row and scores[at, other] >= cfg.near)


def _sharing(said: Sequence[Sequence[_Sentence]]) -> Iterator[tuple[int, int]]:
    """Each row with itself, and pairs of rows with sentences that have two of their three rarest words in common."""
    counts: dict[str, int] = defaultdict(int)
    for held in said:
        for word in {word for one in held for word in one.said.words}:
            counts[word] += 1
    buckets: dict[tuple[str, ...], set[int]] = defaultdict(set)
    for row, held in enumerate(said):
        yield row, row
        for one in held:
            rare = sorted((word for word in one.said.words if counts[word] > 1), key=lambda word: (counts[word], word))[:3]
            for skipped in range(len(rare)):
                buckets[tuple(sorted(rare[:skipped] + rare[skipped + 1 :]))].add(row)
    for rows in buckets.values():
        if len(rows) <= _COMMON:
            yield from combinations(sorted(rows), 2)


def _place(of: Place, sentence: _Sentence) -> Place:
    return Place(of.document, of.start + sentence.start, of.start + sentence.end)
