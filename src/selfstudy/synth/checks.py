"""What a question that a model wrote must not be, each with the reason that is kept."""

from __future__ import annotations

import re
from collections.abc import Iterable

from selfstudy.core.records import Example
from selfstudy.core.text import contains, content_words, is_cjk, normal, stems, tokens
from selfstudy.synth.prompting import by_script

_OF_IT = r"(?:passage|text|document|article|excerpt|paragraph|context|section|author)\b(?!\s+\d)"
_GOES_ON = (
    r"says?|said|states?|stated|mentions?|mentioned|describes?|described|gives?|lists?|names?|calls?|tells?|speaks?|talks?|refers?|covers?"
    r"|defines?|explains?|discuss(?:es)?|suggests?|implies|claims?|argues?|recommends?|specif(?:y|ies)|provides?|contains?|compares?"
    r"|thinks?|believes?|uses?|is|are|was|were|do|does|did|has|have|and|or|as|about|that|which|what|who|how|when|where|why"
)
_LEAK = re.compile(
    rf"\b(?:this\s+(?:\w+\s+)?|that\s+|(?:given|above|following|provided|preceding)\s+){_OF_IT}"
    rf"|\bthe\s+(?:(?:first|second|third|last|whole|entire|short)\s+)?{_OF_IT}(?=\W*$|\s*[^\w\s'’-]|['’]s\b|\s+(?:{_GOES_ON})\b)"
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
    if by_script(question) != by_script(passage):
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
