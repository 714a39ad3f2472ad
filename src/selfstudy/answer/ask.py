"""A question to an Answer: search, read, decide, quote."""

from __future__ import annotations

import re
from collections.abc import Sequence

from selfstudy.answer.abstention import Calibration, abstains, confidence
from selfstudy.answer.default import DEFAULT
from selfstudy.answer.extractive import extract
from selfstudy.answer.reading import Extract, Read, read
from selfstudy.answer.signals import features_of
from selfstudy.answer.terms import is_cjk_text
from selfstudy.answer.written import write
from selfstudy.core.ports import LLM, Critic, Embedder, Reader, Retriever
from selfstudy.core.prompts import aimed_at_models
from selfstudy.core.records import Answer, Citation, Hit

_BELIEVED = 0.5
_WHETHER = re.compile(r"(?:is|are|was|were|am|do|does|did|can|could|may|might|must|shall|should|will|would|has|have|had)\b", re.IGNORECASE)
"""How questions begin that ask for a yes or a no: words out of a passage are neither."""
_OTHERWISE = re.compile(r"\b(?:who|whom|whose|what|which|when|where|why|how|or)\b|^(?:can|could|would|will) you\b", re.IGNORECASE)
"""What asks for more than that: "Can you tell me who ...", "Is it red or blue?"."""
NOT_FOUND = "The documents do not hold the answer."
NOT_FOUND_CHINESE = "文档中没有答案。"


def answer(
    question: str,
    retriever: Retriever,
    embedder: Embedder,
    calibration: Calibration | None = None,
    where: str | None = None,
    cfg: Extract = Extract(),  # noqa: B008
    llm: LLM | None = None,
    critic: Critic | None = None,
    reader: Reader | None = None,
) -> Answer:
    """The answer to `question`, or an abstention: in the documents' own words, or in those of `llm` where there is one.

    `calibration` is DEFAULT where none was fitted. A model is asked only where search found something that may hold the answer; `critic`
    then judges what it said. `reader` reads the first passages for an answer of a few words.

    Citations have an empty `source`: only whoever knows the documents can name it. Raises what the retriever raises.
    """
    hits = tuple(retriever.search([question], cfg.hits, where)[0])
    found = read([question], [hits], embedder, cfg, reader)
    features = features_of(found)
    calibration = calibration or DEFAULT
    sure = float(confidence(features, calibration)[0])
    said = None
    if not abstains(features, calibration)[0]:
        said = extract(found[0], cfg) if llm is None else _written(llm, question, found[0].hits[: cfg.passages], critic)
    if said is None:
        return Answer(question, not_found(question), (), hits, sure, True)
    text, citations = said
    return Answer(question, text, citations, hits, sure, False, _short(found[0], citations))


def _short(one: Read, citations: Sequence[Citation]) -> str:
    """The reader's answer, if it rather believes in it and the first citation holds it; "" where a yes or a no is asked for."""
    if _WHETHER.match(one.question) and not _OTHERWISE.search(one.question):
        return ""
    best = max(range(len(one.readings)), key=lambda at: one.readings[at].answered, default=None)
    if best is None or one.readings[best].answered < _BELIEVED or one.hits[best].passage.id != citations[0].passage:
        return ""
    words = one.hits[best].passage.text[one.readings[best].start : one.readings[best].end]
    return words if words in citations[0].quote else ""


def not_found(question: str) -> str:
    """An abstention in the language of the question."""
    return NOT_FOUND_CHINESE if is_cjk_text(question) else NOT_FOUND


def _written(llm: LLM, question: str, hits: Sequence[Hit], critic: Critic | None) -> tuple[str, tuple[Citation, ...]] | None:
    """The model's answer over what is meant for readers; a passage that speaks to models is not shown to one."""
    shown = [hit for hit in hits if not aimed_at_models(hit.passage.indexed)]
    return write(llm, question, shown, critic) if shown else None
