"""A question to an Answer: search, read, decide, quote."""

from __future__ import annotations

from selfstudy.answer.abstention import Calibration, abstains, confidence
from selfstudy.answer.default import DEFAULT
from selfstudy.answer.extractive import extract
from selfstudy.answer.otherwise import OTHERWISE, contrary
from selfstudy.answer.reading import Extract, Read, Span, read
from selfstudy.answer.short import short
from selfstudy.answer.signals import features_of
from selfstudy.answer.terms import is_cjk_text
from selfstudy.answer.written import cited, write
from selfstudy.core.errors import BadModel
from selfstudy.core.ports import LLM, Embedder, Entailment, Reader, Retriever
from selfstudy.core.records import Answer, Citation

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
    entailment: Entailment | None = None,
    reader: Reader | None = None,
) -> Answer:
    """The answer to `question`, or an abstention: in the documents' own words, or in those of `llm` where there is one.

    `calibration` is DEFAULT where none was fitted. A model is asked only where search found something that may hold the answer;
    `entailment` then judges what it said; where that cannot be told, the words alone prove it, and a note says so. `reader` reads the
    first passages for an answer of a few words.

    Citations have an empty `source`: only whoever knows the documents can name it. Raises what the retriever raises.
    """
    hits = tuple(retriever.search([question], cfg.hits, where)[0])
    found = read([question], [hits], embedder, cfg, reader)
    features = features_of(found)
    calibration = calibration or DEFAULT
    sure = float(confidence(features, calibration)[0])
    said, enough = None, not abstains(features, calibration)[0]
    notes: tuple[str, ...] = ()
    if enough and llm is None:
        said = extract(found[0], cfg)
    elif enough and llm is not None:
        said, notes = _written(llm, found[0], cfg, entailment)
    if said is None:  # whoever read what was found found no answer in it, so what search thought of it counts no more
        return Answer(question, not_found(question), (), hits, 0.0 if enough else sure, True, notes=notes)
    text, citations = said
    return Answer(question, text, citations, hits, sure, False, short(found[0], citations), notes=notes)


def not_found(question: str) -> str:
    """An abstention in the language of the question."""
    return NOT_FOUND_CHINESE if is_cjk_text(question) else NOT_FOUND


def _written(
    llm: LLM, one: Read, cfg: Extract, entailment: Entailment | None
) -> tuple[tuple[str, tuple[Citation, ...]] | None, tuple[str, ...]]:
    """The model's answer with what other passages say otherwise than those that it cites, and what is to be noted."""
    hits = one.hits[: cfg.passages]
    reply = write(llm, one.question, hits)
    try:
        said, note = cited(reply, hits, one.question, entailment), ""
    except BadModel as fault:  # the answer is there, and paid for
        said, note = cited(reply, hits, one.question), f"the answer's words alone were checked: {fault.problem}"
    return said and _beside(one, *said), (note,) if note else ()


def _beside(one: Read, text: str, citations: tuple[Citation, ...]) -> tuple[str, tuple[Citation, ...]]:
    """An answer, and what other passages say otherwise than those that it cites."""
    told = [_span(one, cited) for cited in citations]
    for span in tuple(told):
        told.extend(contrary(one, span, told))
    for hit, start, end in told[len(citations) :]:
        citations = (*citations, one.hits[hit].passage.citation(start, end, len(citations) + 1))
        text += f" {OTHERWISE[is_cjk_text(one.question)]} {citations[-1].quote} [{len(citations)}]"
    return text, citations


def _span(one: Read, cited: Citation) -> Span:
    hit = next(at for at, hit in enumerate(one.hits) if hit.passage.id == cited.passage)
    begin = one.hits[hit].passage.place.start
    return hit, cited.start - begin, cited.end - begin
