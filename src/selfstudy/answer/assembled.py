"""The sentences that were chosen as an answer: each cited where its passage supports it, else marked or left out; disagreement is told."""

from __future__ import annotations

from collections.abc import Sequence

from selfstudy.answer.otherwise import OTHERWISE, disagree
from selfstudy.answer.scoring import support
from selfstudy.answer.speaking import Segment
from selfstudy.answer.terms import is_cjk_text
from selfstudy.answer.written import bears_out, proof
from selfstudy.core.records import Citation

_HALF = 0.5
UNPROVEN = ("(not from the documents)", "（非出自文档）")
"""What stands behind a sentence that no passage supports, in English and in Chinese."""


def assembled(
    question: str, chosen: Sequence[Segment], considered: Sequence[Sequence[Segment]], marks: bool
) -> tuple[str, tuple[Citation, ...], float, list[str]]:
    """Text, citations, how far the least supported of the cited sentences is (0 without one), and what is to be noted.

    `considered` are all candidates that might have been said, step by step.
    """
    chinese = is_cjk_text(question)
    parts: list[str] = []
    citations: list[Citation] = []
    notes: list[str] = []
    sure: list[float] = []

    def cite(one: Segment) -> str:
        marks = ""
        supporting = _supporting(one)
        for told in supporting:
            assert told.passage is not None
            citations.append(proof(told.candidate.text, told.passage, len(citations) + 1))
            marks += f"[{len(citations)}]"
        sure.append(max(_sure(told) for told in supporting))
        if all(told.candidate.supported is None for told in supporting):
            notes.append("the words of a sentence alone were checked, since nobody judged it")
        if all(_in_part(told) for told in supporting):
            notes.append("a sentence is supported only in part")
        return f"{one.candidate.text} {marks}"

    for told in chosen:
        if _supporting(told):
            parts.append(cite(told))
            if (other := _contrary(told, considered)) is not None:
                parts.append(f"{OTHERWISE[chinese]} {cite(other)}")
                notes.append("the passages disagree")
        elif marks:
            parts.append(f"{told.candidate.text} {UNPROVEN[chinese]}")
            notes.append("a sentence that no passage supports is marked")
        else:
            notes.append("a sentence that no passage supports was left out")
    return ("" if chinese else " ").join(parts), tuple(citations), min(sure, default=0.0), list(dict.fromkeys(notes))


def _supporting(told: Segment) -> list[Segment]:
    """The sentence, and those that say the same of relevant passages, as far as their passages support them."""
    return [one for one in (told, *filter(_relevant, told.also)) if is_supported(one)]


def _relevant(told: Segment) -> bool:
    return told.candidate.relevant is None or told.candidate.relevant >= _HALF


def _sure(told: Segment) -> float:
    """How far its passage supports a sentence; half where nobody judged."""
    return _HALF if told.candidate.supported is None else support(told.candidate.supported)


def _in_part(told: Segment) -> bool:
    supported = told.candidate.supported
    return supported is not None and supported.partly > supported.fully


def is_supported(told: Segment) -> bool:
    """Whether its passage rather supports a sentence than not; by its words where nobody judged."""
    if told.passage is None:
        return False
    supported = told.candidate.supported
    return bears_out(told.candidate.text, told.passage) if supported is None else supported.no <= _HALF


def _contrary(told: Segment, considered: Sequence[Sequence[Segment]]) -> Segment | None:
    """The best candidate of the same step that another relevant passage supports and that says otherwise."""
    step = next((ones for ones in considered if any(one.candidate.id == told.candidate.id for one in ones)), ())
    others = [
        one
        for one in step
        if one.passage is not None
        and told.passage is not None
        and one.passage.id != told.passage.id
        and _relevant(one)
        and is_supported(one)
        and disagree(told.candidate.text, one.candidate.text)
    ]
    return max(others, key=lambda one: one.score, default=None)
