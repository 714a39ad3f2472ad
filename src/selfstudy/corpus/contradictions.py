"""Passages that say of the same thing something else: other numbers, other dates, or the opposite. Candidates for a person to look at."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from selfstudy.core.ports import SUPPORT, Critic, Vectors
from selfstudy.core.records import Passage, Place, Record
from selfstudy.core.text import content_words, sentences, stem
from selfstudy.corpus.dedup import facts_of

Difference = Literal["number", "date", "negation"]

_BLOCK = 1024
_COMMON = 32  # rows that share two words; more than these share a phrase of the trade
_FACTLESS = re.compile(r"\d")
_DATED = re.compile(
    r"(?:19|20)\d\d(?:[-/.]\d{1,2}){0,2}|jan(?:uary)?|feb(?:ruary)?|march|april|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?"
    r"|dec(?:ember)?|(?:mon|tues|wednes|thurs|fri|satur|sun)day|[年月日号]"
)


class Contradictions(BaseModel):
    """When two sentences count as candidates."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    near: float = Field(0.6, ge=0, le=1, description="least cosine of two passages whose sentences are compared")
    neighbours: int = Field(8, ge=1, description="nearest passages that each is compared with")
    overlap: float = Field(0.7, ge=0, le=1, description="least share of words, facts apart, that two sentences must have in common")
    words: int = Field(4, ge=2, description="least words, facts apart, of a sentence that is compared")


@dataclass(frozen=True, slots=True)
class Contradiction(Record):
    """Two sentences, `quote` at `place` each, that differ in a number, a date or a negation; `overlap` is the share of their other words.

    `confirmed`: the probability that a critic gave to their not supporting each other; None where none was asked.
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
    words: frozenset[str]
    facts: tuple[str, ...]


def contradictions(
    passages: Sequence[Passage],
    vectors: Vectors | None,
    cfg: Contradictions = Contradictions(),  # noqa: B008
    apart: Collection[frozenset[str]] = (),
    critic: Critic | None = None,
) -> list[Contradiction]:
    """Candidates, likest first, from passages that have sentences with rare words in common, and from those that `vectors`, of unit length
    and (len(passages), dim), hold for near.

    Pairs of documents in `apart` are not compared: what versions of one document say of each other is no contradiction but a change.
    A sentence whose facts are a part of the other's says less, and nothing else.
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
                kind = _differ(mine, theirs, cfg.overlap) if row < other or mine.start < theirs.start else None
                if kind is not None:
                    quotes = one.text[mine.start : mine.end], two.text[theirs.start : theirs.end]
                    candidate = Contradiction(
                        kind, _place(a, mine), quotes[0], _place(b, theirs), quotes[1], round(_overlap(mine.words, theirs.words), 3)
                    )
                    found.setdefault((min(quotes), max(quotes)), candidate)
    listed = sorted(found.values(), key=lambda one: (-one.overlap, one.quote, one.other_quote))
    return _judged(listed, critic) if critic is not None and listed else listed


def _judged(found: Sequence[Contradiction], critic: Critic) -> list[Contradiction]:
    """With the critic's word on each: whether one sentence is supported by the other, either way round."""
    triples = [triple for one in found for triple in (("", one.quote, one.other_quote), ("", one.other_quote, one.quote))]
    unsupported = critic.supported(triples)[:, SUPPORT.index("no")].reshape(-1, 2).min(axis=1)
    return [replace(one, confirmed=round(float(value), 3)) for one, value in zip(found, unsupported, strict=True)]


def _sentences(row: int, passage: Passage, least: int) -> list[_Sentence]:
    found = []
    for start, end in sentences(passage.text):
        text = passage.text[start:end]
        facts = facts_of(text)
        known = {stem(fact) for fact in facts}
        words = frozenset(stem(word) for word in content_words(text) if not _FACTLESS.search(word)) - known
        if len(words) >= least:
            found.append(_Sentence(row, start, end, words, facts))
    return found


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
        for word in {word for one in held for word in one.words}:
            counts[word] += 1
    buckets: dict[tuple[str, ...], set[int]] = defaultdict(set)
    for row, held in enumerate(said):
        yield row, row
        for one in held:
            rare = sorted((word for word in one.words if counts[word] > 1), key=lambda word: (counts[word], word))[:3]
            for skipped in range(len(rare)):
                buckets[tuple(sorted(rare[:skipped] + rare[skipped + 1 :]))].add(row)
    for rows in buckets.values():
        if len(rows) <= _COMMON:
            yield from combinations(sorted(rows), 2)


def _differ(one: _Sentence, other: _Sentence, least: float) -> Difference | None:
    """What two sentences about the same thing differ in; None where they do not, or are not about the same."""
    if one.facts == other.facts or _overlap(one.words, other.words) < least:
        return None
    negations = one.facts.count("not") % 2 != other.facts.count("not") % 2
    numbers, others = ([fact for fact in side.facts if fact not in ("", "not")] for side in (one, other))
    if set(numbers) <= set(others) or set(others) <= set(numbers):
        return "negation" if negations else None
    changed = set(numbers) ^ set(others)
    return "date" if all(_DATED.fullmatch(fact) for fact in changed) else "number"


def _overlap(one: frozenset[str], other: frozenset[str]) -> float:
    return len(one & other) / len(one | other)


def _place(of: Place, sentence: _Sentence) -> Place:
    return Place(of.document, of.start + sentence.start, of.start + sentence.end)
