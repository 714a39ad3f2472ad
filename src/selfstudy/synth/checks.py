"""What a question that a model wrote must not be, each with the reason that is kept."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from itertools import pairwise
from math import ceil

from selfstudy.core.language import in_another
from selfstudy.core.records import Example
from selfstudy.core.text import contains, content_words, is_cjk, normal, stem, stems, tokens
from selfstudy.synth.leaning import leans
from selfstudy.synth.prompting import by_script

_CODES = {"Chinese": "zh", "Japanese": "ja", "Korean": "ko"}
_NUMERALS = frozenset("0123456789０１２３４５６７８９〇零二三四五六七八九十百千万萬亿億两兩")
"""Without 一, which stands in many words that are no number."""
_COPIED_WORDS = 9
_COPIED_CHARACTERS = 16
_ALIKE = 0.8
"""The Jaccard index of the words of two questions that ask nearly the same."""


def fault_of(question: str, answers: Iterable[str], passage: str, claim: bool = False, language: str | None = None) -> str | None:
    """Why a question about `passage`, whose language by its code is `language` where it is known, cannot be used; None if it can."""
    if len(content_words(question)) < 2:
        return "it asks nothing"
    if leans(question, passage):
        return "it speaks of the passage"
    if _in_another_language(question, passage, language):
        return "it is in another language"
    if not stems(question) & stems(passage):
        return "it shares no word with its passage"
    if _copied(question, passage):
        return "it copies its passage"
    if not claim and any(contains(normal(question), normal(answer)) for answer in answers):
        return "it gives its answer away"
    return None


def _in_another_language(question: str, passage: str, language: str | None) -> bool:
    """By the script first; what mixes two, and what shares one with other languages, by its wording."""
    stated = next((name for name, code in _CODES.items() if code == language), "")
    own, said = by_script(passage) or stated, by_script(question)
    if said or not any(map(is_cjk, question)):
        if said != own:
            return True
        if said:
            return False
    code = _CODES.get(own, language)
    return code is not None and in_another(question, code)


def _copied(question: str, passage: str) -> bool:
    """Whether so many words in a row stand in the passage too that one could search for them by hand."""
    words = tokens(question.lower())
    run = _COPIED_CHARACTERS if sum(map(is_cjk, words)) > len(words) / 2 else _COPIED_WORDS
    inside = normal(passage)
    return any(contains(inside, normal(" ".join(words[start : start + run]))) for start in range(len(words) - run + 1))


def nearly_equal(examples: Iterable[Example]) -> list[bool]:
    """For each example whether an earlier one asks nearly the same: the same numbers, names and codes, and words whose Jaccard index is at
    least 0.8. Claims are compared word for word: a false one differs from a true one in a single fact.

    Two sets that are so alike share one of the rarest words of each (prefix filtering: Chaudhuri, Ganti and Kaushik 2006), so that only
    those that do are compared.
    """
    all_words = [_words(example) for example in examples]
    counts = Counter(word for words, _ in all_words for word in words)
    seen: dict[tuple[frozenset[str], str], list[set[str]]] = defaultdict(list)
    found = []
    for words, telling in all_words:
        rarest = sorted(words, key=lambda word: (counts[word], word))[: len(words) - ceil(_ALIKE * len(words) - 1e-9) + 1]
        near = (other for word in rarest for other in seen[telling, word])
        found.append(any(len(words & other) >= _ALIKE * len(words | other) for other in near))
        if not found[-1]:
            for word in rarest:
                seen[telling, word].append(words)
    return found


def _words(example: Example) -> tuple[set[str], frozenset[str]]:
    """The stems of what an example says, in pairs of characters where words are not set off, and those that tell it from any other."""
    if example.kind == "claim":
        return {normal(example.question)}, frozenset()
    named = {stem(word.lower()) for place, word in enumerate(tokens(example.question)) if _is_name(word, place)}
    words = {word for word in stems(example.question) if not is_cjk(word)} | {word for word in named if len(word) == 1 and word != "i"}
    dense = [word for word in content_words(example.question) if is_cjk(word)]
    words |= {one + two for one, two in pairwise(dense)}
    return words, frozenset(word for word in words if word in named or not _NUMERALS.isdisjoint(word))


def _is_name(word: str, place: int) -> bool:
    return word[1:] != word[1:].lower() or (place > 0 and word[0].isupper())
