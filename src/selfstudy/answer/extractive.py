"""The answer in the documents' own words: the best sentences, quoted exactly, each cited to its document and span."""

from __future__ import annotations

from collections.abc import Sequence

from selfstudy.answer.reading import Extract, Read, Sentence
from selfstudy.answer.terms import is_cjk_text
from selfstudy.core.records import Citation, Passage, Place
from selfstudy.core.text import normal

_WITNESSES = 3
_SAME = 0.8

Span = tuple[int, int, int]
"""(hit, start, end): a stretch of the text of a hit's passage."""


def extract(read: Read, cfg: Extract) -> tuple[str, tuple[Citation, ...]]:
    """The answer's text, with a mark [n] for each citation, and the citations in the order of their numbers."""
    citations: list[Citation] = []
    parts = []
    for span in joined(read, chosen(read, cfg)):
        first = len(citations) + 1
        citations.extend(_cite(read, span, first))
        marks = "".join(f"[{citation.number}]" for citation in citations[first - 1 :])
        parts.append(f"{citations[first - 1].quote} {marks}")
    return ("" if is_cjk_text(read.question) else " ").join(parts), tuple(citations)


def chosen(read: Read, cfg: Extract) -> list[Sentence]:
    """The sentences of the answer, best first; none says nearly the same as a better one."""
    ranked = sorted(read.saying, key=lambda sentence: -sentence.score)  # stable: equal scores in the order of the hits
    taken: list[Sentence] = []
    for sentence in ranked:
        if len(taken) == cfg.sentences or (taken and sentence.score < cfg.near * taken[0].score):
            break
        if not any(_alike(read, sentence, other) for other in taken):
            taken.append(sentence)
    return taken


def joined(read: Read, sentences: Sequence[Sentence]) -> list[Span]:
    """The spans of `sentences`, in their order, those that stand side by side in one passage made one."""
    places = {(sentence.hit, sentence.start): place for place, sentence in enumerate(read.sentences)}
    wanted = {places[sentence.hit, sentence.start] for sentence in sentences}
    spans: list[Span] = []
    done: set[int] = set()
    for sentence in sentences:
        first = last = places[sentence.hit, sentence.start]
        if first in done:
            continue
        while first - 1 in wanted and read.sentences[first - 1].hit == sentence.hit:
            first -= 1
        while last + 1 in wanted and read.sentences[last + 1].hit == sentence.hit:
            last += 1
        done.update(range(first, last + 1))
        spans.append((sentence.hit, read.sentences[first].start, read.sentences[last].end))
    return spans


def _alike(read: Read, one: Sentence, other: Sentence) -> bool:
    if one.terms and other.terms:
        return len(one.terms & other.terms) > _SAME * len(one.terms | other.terms)
    return normal(_text(read, one)) == normal(_text(read, other))


def _text(read: Read, sentence: Sentence) -> str:
    return read.hits[sentence.hit].passage.text[sentence.start : sentence.end]


def _cite(read: Read, span: Span, number: int) -> list[Citation]:
    """One citation of `span`, and one more for each other document among the hits that says the very same."""
    hit, start, end = span
    quote = read.hits[hit].passage.text[start:end]
    found = [_citation(read.hits[hit].passage, start, quote, number)]
    for other in read.hits:
        at = other.passage.text.find(quote)
        if at >= 0 and len(found) < _WITNESSES and _place(other.passage).document not in {citation.document for citation in found}:
            found.append(_citation(other.passage, at, quote, number + len(found)))
    return found


def _citation(passage: Passage, start: int, quote: str, number: int) -> Citation:
    place = _place(passage)
    begin = place.start + start
    return Citation(number, passage.id, place.document, passage.title, "", begin, begin + len(quote), quote)


def _place(passage: Passage) -> Place:
    """The first place of the passage; one that stands nowhere is its own document."""
    return passage.places[0] if passage.places else Place(passage.id, 0, len(passage.text))
