"""The answer in a few words of the first passage that is cited, where they are one."""

from __future__ import annotations

import re
from collections.abc import Sequence

from selfstudy.answer.reading import Read, Sentence, Span
from selfstudy.answer.rivals import told_apart
from selfstudy.answer.terms import asks_whether
from selfstudy.answer.written import denies
from selfstudy.core.records import Citation
from selfstudy.core.text import is_cjk, tokens

_MOST, _MOST_CJK = 10, 30
"""Words, and characters of what is written without spaces between them."""
_SIGNS = re.compile(r"(?<!\S)[-+−±~≈<>≤≥$€£¥#]+$")
"""Before the reader's words, which begin with a letter or a digit: +49, $20, -5."""
_TURN = re.compile(r"[;；:：。！？()（）—–]|--|\b(?:but|rather|instead|until|unless|except)\b|而是|但|直到|除了", re.IGNORECASE)
"""Behind it a denial is over: not in winter but in spring, not until May."""
_ON = re.compile(rf"{_TURN.pattern}|\b(?:and|or|than|that|which|who|whose|where|when|while|because|if|without)\b", re.IGNORECASE)
"""Behind it a denial is of something else: water that is not clean."""
_COMMA = re.compile(r"[,，、](?=\D|$)")
_ITEM = 3
"""Words of one more of what was denied before it: no chlorine, acids or soap."""
_JOINED = re.compile(rf"\W*(?:(?:\w+\W+){{0,{_ITEM}}}(?:and|or|nor)\W+)?", re.IGNORECASE)
_LED = 2
"""Words of what only leads: On Mondays, the museum does not open."""


def short(one: Read, citations: Sequence[Citation]) -> str:
    """The reader's answer, if it rather believes in it and the first citation holds it, as a few words of one line that it does not deny.

    Of several quantities of one unit it is the one that the question tells apart (`rivals`). "" otherwise, and where a yes or a no is asked
    for.
    """
    if asks_whether(one.question) or one.answer is None:
        return ""
    hit, start, end = one.answer
    text = one.hits[hit].passage.text
    words = text[start:end]
    if one.hits[hit].passage.id != citations[0].passage or words not in citations[0].quote or not _is_short(words):
        return ""
    meant = _meant(one, one.answer)
    if meant is None or denied(one, meant):
        return ""
    signs = _SIGNS.search(text, 0, meant[1])
    return text[signs.start() if signs else meant[1] : meant[2]]


def _meant(one: Read, words: Span) -> Span | None:
    """`words`, or the quantity beside them that the question asks for; None where it does not tell which."""
    around = _around(one, words)
    if around is None:
        return words
    hit, start, end = words
    meant = told_apart(one.text(around), (start - around.start, end - around.start), one.order)
    return (hit, around.start + meant[0], around.start + meant[1]) if meant else None


def _is_short(words: str) -> bool:
    cjk = sum(map(is_cjk, words))
    return "\n" not in words and cjk <= _MOST_CJK and len(tokens(words)) - cjk <= _MOST


def denied(one: Read, words: Span) -> bool:
    """Whether the part of a sentence in which `words` stand says that it is not they, and the question does not ask for that."""
    if denies(one.question):
        return False
    hit, start, end = words
    text = one.hits[hit].passage.text
    around = _around(one, words)
    if around is None:
        return False
    before = _COMMA.split(_TURN.split(text[around.start : start])[-1])
    after = _COMMA.split(_ON.split(text[end : max(end, around.end)])[0])
    parts = [before.pop()]
    if not before and len(tokens(parts[0])) <= _LED:
        parts += after[1:2]
    elif before and _JOINED.fullmatch(parts[0]):
        parts.append(before.pop())
        while before and len(tokens(parts[-1])) <= _ITEM:
            parts.append(before.pop())
    return any(map(denies, [*parts, after[0]]))


def _around(one: Read, words: Span) -> Sentence | None:
    """The sentence in which `words` begin."""
    hit, start, _ = words
    return next((piece for piece in one.sentences if piece.hit == hit and piece.start <= start < piece.end), None)
