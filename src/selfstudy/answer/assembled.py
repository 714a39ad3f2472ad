"""The sentences that were chosen as an answer: each cited where its passage supports it, else marked or left out; disagreement is told."""

from __future__ import annotations

import re
from collections.abc import Sequence

from selfstudy.answer.speaking import Told
from selfstudy.answer.terms import is_cjk_text
from selfstudy.answer.written import bears_out, disagree, proof
from selfstudy.core.records import Citation
from selfstudy.core.text import contains, normal

_HALF = 0.5
_UNPROVEN = ("(not from the documents)", "（非出自文档）")
_LETTER = re.compile(r"\W*(?:(?i:(?:the )?answer(?: is)?)\W*|(?:答案[是为為]?|选项|選項)\W*)?(?:([A-J])(?:[).:：、]|\W*$)|([a-j])\W*$)")
_DENIED = re.compile(r"(?:\b(?:not|never|no|isn['’]t|wasn['’]t|aren['’]t)(?: (?:a|an|the|at all|really|entirely))?|[不没沒無无未非])\s*$")
_OTHERWISE = ("But another passage says otherwise:", "但另一处说法不同：")


def assembled(
    question: str, chosen: Sequence[Told], considered: Sequence[Sequence[Told]], marks: bool
) -> tuple[str, tuple[Citation, ...], float, list[str]]:
    """Text, citations, the least probability that a cited sentence is supported (0 without one), and what is to be noted.

    `considered` are all candidates that might have been said, step by step.
    """
    chinese = is_cjk_text(question)
    parts: list[str] = []
    citations: list[Citation] = []
    notes: list[str] = []
    sure: list[float] = []

    def cite(one: Told) -> str:
        assert one.passage is not None
        citations.append(proof(one.candidate.text, one.passage, len(citations) + 1))
        sure.append(1.0 - one.candidate.supported.no if one.candidate.supported is not None else _HALF)
        return f"{one.candidate.text} [{len(citations)}]"

    for told in chosen:
        if is_supported(told):
            parts.append(cite(told))
            if (other := _contrary(told, considered)) is not None:
                parts.append(f"{_OTHERWISE[chinese]} {cite(other)}")
                notes.append("the passages disagree")
        elif marks:
            parts.append(f"{told.candidate.text} {_UNPROVEN[chinese]}")
            notes.append("a sentence that no passage supports is marked")
        else:
            notes.append("a sentence that no passage supports was left out")
    return ("" if chinese else " ").join(parts), tuple(citations), min(sure, default=0.0), list(dict.fromkeys(notes))


def is_supported(told: Told) -> bool:
    """Whether its passage rather supports a sentence than not; by its words where nobody judged."""
    if told.passage is None:
        return False
    supported = told.candidate.supported
    return bears_out(told.candidate.text, told.passage) if supported is None else supported.no <= _HALF


def _contrary(told: Told, considered: Sequence[Sequence[Told]]) -> Told | None:
    """The best candidate of the same step that another relevant passage supports and that says otherwise."""
    step = next((ones for ones in considered if any(one.candidate.id == told.candidate.id for one in ones)), ())
    others = [
        one
        for one in step
        if one.passage is not None
        and told.passage is not None
        and one.passage.id != told.passage.id
        and (one.candidate.relevant is None or one.candidate.relevant >= _HALF)
        and is_supported(one)
        and disagree(told.candidate.text, one.candidate.text)
    ]
    return max(others, key=lambda one: one.score, default=None)


def matched(text: str, choices: Sequence[str]) -> str | None:
    """The choice that `text` names, by its words or by its letter; None for none or several, and for one that it denies."""
    said = normal(text)
    named = [choice for choice in choices if contains(said, normal(choice))]
    longest = [one for one in named if not any(one != other and normal(one) in normal(other) for other in named)]
    if not longest:
        letter = _LETTER.match(text)
        place = "ABCDEFGHIJ".index((letter[1] or letter[2]).upper()) if letter is not None else len(choices)
        return choices[place] if place < len(choices) else None
    denied = _DENIED.search(said.partition(normal(longest[0]))[0]) is not None
    return longest[0] if len(longest) == 1 and not denied else None
