"""The answer in the documents' own words: the best sentences, quoted exactly, each cited to its document and span.

What another passage says otherwise follows its sentence.
"""

from __future__ import annotations

from collections.abc import Sequence

from selfstudy.answer.otherwise import OTHERWISE, contrary, disagree
from selfstudy.answer.reading import Extract, Read, Sentence, Span
from selfstudy.answer.short import denied
from selfstudy.answer.terms import covered, is_cjk_text, terms
from selfstudy.core.facts.stated import same_facts
from selfstudy.core.records import Citation
from selfstudy.core.text import normal

_WITNESSES = 3
_SAME = 0.8


def extract(read: Read, cfg: Extract) -> tuple[str, tuple[Citation, ...]]:
    """The answer's text, with a mark [n] for each citation, and the citations in the order of their numbers."""
    chinese = is_cjk_text(read.question)
    citations: list[Citation] = []
    parts: list[str] = []

    def cite(span: Span) -> str:
        first = len(citations) + 1
        citations.extend(_cite(read, span, first))
        marks = "".join(f"[{citation.number}]" for citation in citations[first - 1 :])
        return f"{citations[first - 1].quote} {marks}"

    told = joined(read, chosen(read, cfg))
    for span in tuple(told):
        parts.append(cite(span))
        others = contrary(read, span, told)
        parts.extend(f"{OTHERWISE[chinese]} {cite(other)}" for other in others)
        told.extend(others)
    return " ".join(parts), tuple(citations)


def chosen(read: Read, cfg: Extract) -> list[Sentence]:
    """The sentences of the answer: the best, then those that say most of what those before leave open (as maximal marginal relevance does,
    Carbonell and Goldstein 1998).

    None says nearly the same as one before, or the contrary: that is no part of it. Where the reader takes words of the best one for the
    answer, no other is needed but for another part of the question.
    """
    ranked = sorted(read.saying, key=lambda sentence: -sentence.score)  # stable: equal scores in the order of the hits
    taken = ranked[:1]
    while taken and len(taken) < cfg.sentences and (further := _next(read, cfg, ranked, taken)) is not None:
        taken.append(further)
    return taken


def _next(read: Read, cfg: Extract, ranked: Sequence[Sentence], taken: Sequence[Sentence]) -> Sentence | None:
    best = taken[0]
    said = frozenset[str]().union(*(sentence.terms | set(terms(read.hits[sentence.hit].passage.title)) for sentence in taken))
    words = read.answer
    answered = words is not None and words[0] == best.hit and best.start <= words[1] < best.end and not denied(read, words)
    fit: list[tuple[float, Sentence]] = []
    for sentence in ranked:
        new = covered(read.weights, sentence.terms - said)
        least = min(cfg.near, cfg.further) if new >= cfg.more else cfg.near
        if sentence.score >= least * best.score and (new >= cfg.more or not answered):
            fit.append((sentence.score + cfg.gain * new, sentence))
    fit.sort(key=lambda each: -each[0])
    return next((one for _, one in fit if not any(_alike(read, one, other) or _against(read, one, other) for other in taken)), None)


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
    said, before = read.text(one), read.text(other)
    if not one.terms or not other.terms:
        return normal(said) == normal(before)
    return len(one.terms & other.terms) > _SAME * len(one.terms | other.terms) and same_facts(said, before)


def _against(read: Read, one: Sentence, other: Sentence) -> bool:
    """Whether a sentence of another passage disagrees."""
    return one.hit != other.hit and disagree(read.text(one), read.text(other))


def _cite(read: Read, span: Span, number: int) -> list[Citation]:
    """One citation of `span`, and one more for each other document among the hits that says the very same."""
    hit, start, end = span
    quote = read.hits[hit].passage.text[start:end]
    found = [read.hits[hit].passage.citation(start, end, number)]
    for other in read.hits:
        at = other.passage.text.find(quote)
        if at >= 0 and len(found) < _WITNESSES and other.passage.place.document not in {citation.document for citation in found}:
            found.append(other.passage.citation(at, at + len(quote), number + len(found)))
    return found
