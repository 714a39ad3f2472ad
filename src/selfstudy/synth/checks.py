"""What a question that a model wrote must not be, each with the reason that is kept."""

from __future__ import annotations

import re
from collections.abc import Iterable

from selfstudy.core.records import Example
from selfstudy.core.text import cjk_share, contains, content_words, is_cjk, normal, stems, tokens

_LEAK = re.compile(
    r"\b(?:this|the|that|given|above|following)\s+(?:\w+\s+)?(?:passage|text|document|article|excerpt|paragraph|context|section|author)\b"
    r"|\b(?:mentioned|described|stated|listed|shown)\s+(?:above|here|below)\b"
    r"|(?:本文|文中|上文|这段|该段|这篇|文章中|材料中|段落中)",
    re.IGNORECASE,
)
_COPIED_WORDS = 9
_COPIED_CHARACTERS = 16


def fault_of(question: str, answers: Iterable[str], passage: str, claim: bool = False) -> str | None:
    """Why a question about `passage` cannot be used; None if it can."""
    if len(content_words(question)) < 2:
        return "it asks nothing"
    if _LEAK.search(question):
        return "it speaks of the passage"
    if (cjk_share(question) > 0.3) != (cjk_share(passage) > 0.3):
        return "it is in another language"
    if not stems(question) & stems(passage):
        return "it shares no word with its passage"
    if _copied(question, passage):
        return "it copies its passage"
    if not claim and any(contains(normal(question), normal(answer)) for answer in answers):
        return "it gives its answer away"
    return None


def _copied(question: str, passage: str) -> bool:
    """Whether so many words in a row stand in the passage too that one could search for them by hand."""
    words = tokens(question.lower())
    run = _COPIED_CHARACTERS if sum(map(is_cjk, words)) > len(words) / 2 else _COPIED_WORDS
    inside = normal(passage)
    return any(contains(inside, normal(" ".join(words[start : start + run]))) for start in range(len(words) - run + 1))


def nearly_equal(examples: Iterable[Example], least: float = 0.8) -> list[bool]:
    """For each example whether an earlier one asks nearly the same: the Jaccard index of their stems is at least `least`.

    Claims are compared word for word: a false one differs from a true one in a single fact.
    """
    seen: dict[str, list[set[str]]] = {}
    found = []
    for example in examples:
        words = set(tokens(example.question.lower())) if example.kind == "claim" else stems(example.question)
        bound = 1.0 if example.kind == "claim" else least
        near = {id(other): other for word in words for other in seen.get(word, ())}
        same = any(len(words & other) >= bound * len(words | other) for other in near.values())
        found.append(same)
        if not same:
            for word in words:
                seen.setdefault(word, []).append(words)
    return found
