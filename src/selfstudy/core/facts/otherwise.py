"""Whether two sentences about the same thing say something else: another number, another date, or the opposite."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

from selfstudy.core.facts.dates import MONTH, first_date
from selfstudy.core.facts.numerals import HANZI
from selfstudy.core.facts.stated import Facts, fact_word, facts_of
from selfstudy.core.facts.units import same_quantity
from selfstudy.core.text import STOP_WORDS, content_words, stem, tokens

Difference = Literal["number", "date", "negation"]
Quantity = tuple[str, str]
"""A number and its unit or ""; or a word that is a fact by itself, and ""."""

OVERLAP = 0.7
"""The least share of their words, facts apart, that two sentences about the same thing have in common."""
WORDS = 4
"""The fewest words, units among them and numbers not, of a sentence that may differ in some of them."""
_FEWEST = 2  # words of a whole sentence that is compared with one of exactly the same words
_FACTLESS = re.compile(r"\d")
_DAYS = re.compile(
    rf"(?<!\d)\d{{1,2}}(?:st|nd|rd|th|\.)?\s(?:of\s)?{MONTH}\.?,?\s\d{{4}}(?!\d)|(?<![a-z]){MONTH}\.?\s\d{{1,2}}(?:st|nd|rd|th)?,?\s\d{{4}}(?!\d)"
    r"|\d{4}\s?年\s?\d{1,2}\s?月\s?\d{1,2}\s?日|(?<![\d.])\d{1,2}\.\d{1,2}\.\d{4}(?![\d.])",
    re.IGNORECASE,
)
_LABEL = re.compile(r"[:|]\s|[:|]$")
_DATED = re.compile(
    r"(?:19|20)\d\d(?:[-/.]\d{1,2}){0,2}|jan(?:uary)?|feb(?:ruary)?|march|april|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?"
    r"|dec(?:ember)?|(?:mon|tues|wednes|thurs|fri|satur|sun)day|[年月日号]"
)


@dataclass(frozen=True, slots=True)
class Saying:
    """What a sentence is about, as word stems, and what it states of that. A `short` one is compared with its very words only."""

    words: frozenset[str]
    facts: Facts
    short: bool = False


def saying(sentence: str, least: int = WORDS) -> Saying | None:
    """What `sentence` says; None for one of too few words to be compared with any other."""
    text = _DAYS.sub(lambda match: first_date(match[0]) or match[0], sentence)  # one spelling of a date, as of a unit
    facts = facts_of(text)
    words = frozenset(stem(word) for word in content_words(text) if not _is_fact(word, facts))
    units = {unit for _, unit in _quantities(facts) if unit}
    if len(words) + len(units) >= least and len(words) > 1:
        return Saying(words, facts)
    if len(words) >= _FEWEST and not _LABEL.search(text) and not STOP_WORDS.isdisjoint(token.lower() for token in tokens(text)):
        return Saying(words, facts, short=True)
    return None


def differ(one: Saying, other: Saying, least: float = OVERLAP) -> Difference | None:
    """What two sentences about the same thing differ in; None where they do not, or are not about the same.

    A sentence whose facts are a part of the other's says less, and nothing else.
    """
    least = 1.0 if one.short or other.short else least
    if _same(one.facts, other.facts) or overlap(one, other) < least:
        return None
    negations = one.facts.count("not") % 2 != other.facts.count("not") % 2
    numbers, others = ([fact for fact in side.facts if fact not in ("", "not")] for side in (one, other))
    if set(numbers) <= set(others) or set(others) <= set(numbers):
        return "negation" if negations else None
    changed = set(numbers) ^ set(others)
    return "date" if all(_DATED.fullmatch(fact) for fact in changed) else "number"


def changes(one: Saying, other: Saying) -> tuple[set[Quantity], set[Quantity]]:
    """The quantities, dates and denials of each that the other does not state in any unit."""
    mine, theirs = set(_quantities(one.facts)), set(_quantities(other.facts))
    return _unmatched(mine, theirs), _unmatched(theirs, mine)


def overlap(one: Saying, other: Saying) -> float:
    """The share of their words, facts apart, that both have: 0 to 1."""
    return len(one.words & other.words) / len(one.words | other.words)


def _is_fact(word: str, facts: Collection[str]) -> bool:
    """Whether a word of a sentence is one of its facts, or a part of one, and says nothing of what the sentence is about."""
    return word in facts or fact_word(word) in facts or stem(word) in facts or word in HANZI or _FACTLESS.search(word) is not None


def _unmatched(some: Collection[Quantity], others: Collection[Quantity]) -> set[Quantity]:
    return {one for one in some if not any(one == other or same_quantity(*one, *other) for other in others)}


def _same(facts: Sequence[str], others: Sequence[str]) -> bool:
    """Whether these are the same facts, or the same quantities in other units."""
    one, two = _quantities(facts), _quantities(others)
    return len(one) == len(two) and all(a == b or same_quantity(*a, *b) for a, b in zip(one, two, strict=True))


def _quantities(facts: Sequence[str]) -> list[Quantity]:
    """The facts one by one, numbers with their units."""
    found, left = [], iter(facts)
    for fact in left:
        found.append((fact, next(left, "") if _FACTLESS.search(fact) else ""))
    return found
