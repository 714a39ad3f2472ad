"""What a question beside its hits shows about whether they hold its answer: a few numbers, each higher where they do."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from selfstudy.answer.reading import Extract, Read, read
from selfstudy.answer.terms import asks_whether, terms
from selfstudy.core.facts.stated import cased, facts_of
from selfstudy.core.ports import Embedder
from selfstudy.core.records import Hit

Features = NDArray[np.float64]

NAMES = (
    "cosine_best",
    "cosine_lead",
    "cosine_sentence",
    "coverage_best",
    "coverage_lead",
    "coverage_sentence",
    "known",
    "phrase",
)
"""The columns of `features`.

cosine_best        highest cosine of the question to a passage
cosine_lead        how far that is above the mean of the other passages
cosine_sentence    highest cosine of the question to a sentence
coverage_best      highest rarity-weighted share of the question's terms in a passage
coverage_lead      how far that is above the mean of the other passages
coverage_sentence  the same share in a sentence, a term of its passage's title counting half
known              share of the question's terms that stand in any hit
phrase             share of the question's pairs of neighbouring terms that are neighbours in the passage of the best sentence, too

The cosines are nan where the embedder cannot read the question. A question without anything to read has a row of nan, and so has one that
names a number which no hit states: what happened in another year is no answer. Such a row is neither answered nor fitted on. Of questions
with such a number whose answer is among the hits 5 of 991 are refused for that, of the unanswerable ones 22 of 213 (squad_dev, drcd,
cmrc2018, cjrc_zh_legal, clapnq).
"""
COSINES = 3
_NAMED = re.compile(r"(?<![A-Za-z\d./])\d(?:\d+(?:\.\d+)?|\.\d+)(?!['’]?[A-Za-z]|[\d/])")
"""Numbers of two figures and more that are no parts of names, ordinals, decades or fractions. A lone figure only counts, mostly."""
_WANTED = re.compile(r"\btop\s+\d+|\d+\s*(?:words?|sentences?|lines?|bullets?)\b|\d+\s*(?:多)?(?:字|词|句|行)", re.IGNORECASE)
"""Numbers that say how much of an answer is wanted: no passage need state them."""
_FIGURES = re.compile(r"\d+")
_DECIMALS = re.compile(r"\d+\.\d+")
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")


def features(questions: Sequence[str], hits: Sequence[Sequence[Hit]], embedder: Embedder, cfg: Extract = Extract()) -> Features:  # noqa: B008
    """(len(questions), len(NAMES)) for questions beside their hits, for `abstention.fit` and `abstention.confidence`."""
    return features_of(read(questions, hits, embedder, cfg))


def features_of(reads: Sequence[Read]) -> Features:
    """As `features`, of what was read already."""
    return np.array([_row(one) for one in reads], dtype=np.float64).reshape(len(reads), len(NAMES))


def _row(one: Read) -> list[float]:
    if not one.sentences or _unstated(one):
        return [np.nan] * len(NAMES)
    anywhere = frozenset[str]().union(*one.found)
    return [
        max(one.cosine),
        _lead(one.cosine),
        max(sentence.cosine for sentence in one.sentences),
        max(one.coverage),
        _lead(one.coverage),
        max(sentence.coverage for sentence in one.sentences),
        sum(term in anywhere for term in one.weights) / max(1, len(one.weights)),
        _phrase(one),
    ]


def _unstated(one: Read) -> bool:
    """Whether the question names a number that no hit states, in figures or in words; where it asks whether that is so, it may be wrong."""
    named = set(_NAMED.findall(_WANTED.sub("", _plain(one.question))))
    if not named or asks_whether(one.question):
        return False
    texts = [_plain(hit.passage.indexed) for hit in one.hits]
    left = named.difference(*map(_FIGURES.findall, texts), *map(_DECIMALS.findall, texts))
    return bool(left) and bool(left.difference(*map(facts_of, texts)))


def _plain(text: str) -> str:
    """`text` in one width, without signs between thousands."""
    return _THOUSANDS.sub("", cased(text))


def _lead(values: Sequence[float]) -> float:
    best = max(values)
    others = sorted(values)[:-1]
    return best - sum(others) / len(others) if others else 0.0


def _phrase(one: Read) -> float:
    asked = list(pairwise(one.order))
    best = max(one.saying, key=lambda sentence: sentence.score)
    passage = terms(one.hits[best.hit].passage.indexed)
    there = set(pairwise(passage))
    return sum(pair in there for pair in asked) / max(1, len(asked))
