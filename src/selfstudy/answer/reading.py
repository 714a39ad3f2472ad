"""Questions read beside their hits: each passage cut into sentences, each sentence and passage compared with the question."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from selfstudy.answer.chinese_questions import about, lacking
from selfstudy.answer.named import of_what_is_named
from selfstudy.answer.terms import covered, is_cjk_text, rarity, terms
from selfstudy.core.fold import fold
from selfstudy.core.ports import Embedder, Reader
from selfstudy.core.records import Hit, Reading
from selfstudy.core.text import is_cjk, sentences

_ROW = re.compile(r"^[^\S\n]*\|.*$|^.* \| .*$", re.MULTILINE)
_ASKS = re.compile(r"[?？][\"'”’)\]」』）]*$")
_PLAIN = re.compile(r"[^\W\d_](?:[^\d:;|]*[^\W\d_])?")
_ABOVE = re.compile(r"[^\S\n]*\n[^\S\n]*\n")
_YEAR = re.compile(r"\b(?:19|20)\d\d\b")
_CAPITALS = 0.95
"""The least share of capitals among the letters of such a heading: McDONALD'S has small ones."""
_HEADING = 8
"""Words of a heading in capitals."""
_CLAUSE = re.compile(r"[;；]|(?<=\S)[,:](?=\s)|[，：]|(?<=[^\d\s]),(?=[^\d\s])|\n|\s[–—-](?=\s)")
_BELIEVED = 0.5
_TITLE = 0.5
"""What a word that only the title holds counts where it is judged whether any sentence answers; which one does, that tells not."""

Span = tuple[int, int, int]
"""(hit, start, end): a stretch of the text of a hit's passage."""


class Extract(BaseModel):
    """How an answer is taken out of passages.

    A sentence scores `meaning` * its cosine to the question + `words` * (the rarity-weighted share of the question's terms in it or in its
    title), and `rank` times the same of its passage. The share of right first sentences hardly depends on these weights (clapnq: .72 to
    .75); it does on the title's: a name of many characters, counted by half, made the sentence that says it the answer to whatever was
    asked about it (cmrc2018: .81 right with a half, .85 so).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    hits: int = Field(10, ge=1, description="passages searched for and shown")
    passages: int = Field(5, ge=1, description="sentences are taken from the first so many")
    sentences: int = Field(3, ge=1, le=9, description="most sentences of an answer")
    near: float = Field(0.85, ge=0, le=1, description="a further sentence must score so much of the best one's score")
    further: float = Field(0.7, ge=0, le=1, description="or so much, where it says more of the question than those before")
    more: float = Field(0.15, ge=0, le=1, description="the rarity-weighted share of the question's terms that is more")
    gain: float = Field(0.3, ge=0, description="weight of that share where the next sentence is chosen")
    meaning: float = Field(0.5, ge=0, description="weight of cosines in a sentence's score")
    words: float = Field(0.2, ge=0, description="weight of the question's words in a sentence's score")
    rank: float = Field(0.5, ge=0, description="weight of the passage in its sentences' scores")
    reading: float = Field(0.1, ge=0, description="weight of the reader's probability in the score of the sentence that holds its answer")
    kind: float = Field(
        0.1, ge=0, lt=1, description="what a sentence loses without such an answer as a Chinese question asks for: a number, a time"
    )
    attribute: float = Field(0.6, ge=0, lt=1, description="what it loses where the amount asked for is no subject of it, as of others")
    longest: int = Field(420, ge=60, description="sentences of more characters are cut at clauses; a CJK character counts as three")
    cjk_meaning: bool = Field(False, description="whether the embedder reads Chinese; if not, only words count for Chinese questions")


@dataclass(frozen=True, slots=True)
class Sentence:
    """`passage.text[start:end]` of the hit number `hit`; `cosine` is nan where meaning was not compared.

    One that `leads` is a question or a heading: it is like what was asked and answers nothing. What follows a question is worth as much.
    """

    hit: int
    start: int
    end: int
    terms: frozenset[str]
    coverage: float
    cosine: float
    score: float
    leads: bool = False


@dataclass(frozen=True, slots=True)
class Read:
    """A question beside its hits.

    `order` are the question's terms as they come, `weights` how rare each is, `found` the terms of each hit. `coverage` and `cosine` hold
    one number for each of the first `Extract.passages` hits, `readings` a Reading of each, or nothing where nobody read.
    """

    question: str
    hits: tuple[Hit, ...]
    order: tuple[str, ...]
    weights: dict[str, float]
    found: tuple[frozenset[str], ...]
    coverage: tuple[float, ...]
    cosine: tuple[float, ...]
    sentences: tuple[Sentence, ...]
    readings: tuple[Reading, ...] = ()

    @property
    def saying(self) -> tuple[Sentence, ...]:
        """The sentences that may answer: all but those that lead, unless there are no others."""
        return tuple(sentence for sentence in self.sentences if not sentence.leads) or self.sentences

    @property
    def answer(self) -> Span | None:
        """The words that the reader takes for the answer, where it rather believes in them."""
        hit = max(range(len(self.readings)), key=lambda at: self.readings[at].answered, default=None)
        if hit is None or self.readings[hit].answered < _BELIEVED:
            return None
        return hit, self.readings[hit].start, self.readings[hit].end

    def text(self, sentence: Sentence) -> str:
        """What one of `sentences` says."""
        return self.hits[sentence.hit].passage.text[sentence.start : sentence.end]


def read(
    questions: Sequence[str], hits: Sequence[Sequence[Hit]], embedder: Embedder | None, cfg: Extract, reader: Reader | None = None
) -> list[Read]:
    """One Read for each question. All texts are embedded in one batch, each once, passages as they are indexed; without an `embedder`
    only words are compared.

    `reader` reads the first passages of what is not Chinese, and its probability that a passage answers counts for the sentence where the
    answer stands. Its spans are those of `Passage.text`.

    Hits are folded, as a copy is no rival of the passage that it repeats, and those about another thing than the question names are left
    out.
    """
    hits = [of_what_is_named(question, fold(found)) for question, found in zip(questions, hits, strict=True)]
    cut = [_cut(found, cfg) for found in hits]
    by_meaning = [embedder is not None and (cfg.cjk_meaning or not is_cjk_text(question)) for question in questions]
    cosines = _cosines(questions, hits, cut, by_meaning, embedder, cfg)
    readings = _readings(questions, hits, reader, cfg)
    return [_read(*each, cfg) for each in zip(questions, hits, cut, cosines, readings, strict=True)]


def _readings(questions: Sequence[str], hits: Sequence[Sequence[Hit]], reader: Reader | None, cfg: Extract) -> list[tuple[Reading, ...]]:
    if reader is None:
        return [()] * len(questions)
    shown = [() if is_cjk_text(question) else found[: cfg.passages] for question, found in zip(questions, hits, strict=True)]
    told = iter(reader.read([(question, hit.passage.indexed) for question, found in zip(questions, shown, strict=True) for hit in found]))
    return [tuple(_in_text(next(told), hit) for hit in found) for found in shown]


def _in_text(one: Reading, hit: Hit) -> Reading:
    """The Reading with the span that it has in the passage's text alone; empty for what stands in the title."""
    title = len(hit.passage.indexed) - len(hit.passage.text)
    start, end = max(0, one.start - title), max(0, one.end - title)
    return replace(one, start=min(start, end), end=end)


def _cut(hits: Sequence[Hit], cfg: Extract) -> list[tuple[int, int, int]]:
    return [(at, *span) for at, hit in enumerate(hits[: cfg.passages]) for span in pieces(hit.passage.text, cfg.longest)]


def pieces(text: str, longest: int) -> list[tuple[int, int]]:
    """The spans of the sentences of `text`; rows of tables stand alone, and what is longer than `longest` is cut at clauses."""
    spans: list[tuple[int, int]] = []
    for start, end in sentences(text):
        at = start
        for row in _ROW.finditer(text, start, end):
            spans.extend(_clauses(text, at, row.start(), longest))
            spans.append(row.span())
            at = row.end()
        spans.extend(_clauses(text, at, end, longest))
    trimmed = (_trim(text, start, end) for start, end in spans)
    return [(start, end) for start, end in trimmed if any(char.isalnum() for char in text[start:end])]


def _clauses(text: str, start: int, end: int, longest: int) -> Iterator[tuple[int, int]]:
    """`text[start:end]` whole where it is short enough, else in stretches of clauses of at most `longest`, else of words."""
    if _length(text[start:end]) <= longest:
        yield start, end
        return
    room = longest // 3 if sum(map(is_cjk, text[start:end])) * 3 > end - start else longest
    ends = [match.end() for match in _CLAUSE.finditer(text, start, end)]
    while end - start > room:
        within = [at for at in ends if start < at <= start + room]
        at = within[-1] if within else text.rfind(" ", start + 1, start + room)
        at = at if at > start else start + room
        yield start, at
        start = at
    yield start, end


def _length(text: str) -> int:
    return len(text) if text.isascii() else len(text) + 2 * sum(map(is_cjk, text))


def _trim(text: str, start: int, end: int) -> tuple[int, int]:
    stripped = text[start:end].strip()
    start = text.index(stripped, start) if stripped else end
    return start, start + len(stripped)


def _cosines(
    questions: Sequence[str],
    hits: Sequence[Sequence[Hit]],
    cut: Sequence[Sequence[tuple[int, int, int]]],
    by_meaning: Sequence[bool],
    embedder: Embedder | None,
    cfg: Extract,
) -> list[tuple[list[float], list[float]]]:
    """For each question the cosines of its first hits and of its sentences, nan where meaning is not compared."""
    asked = list(dict.fromkeys(question for question, wanted in zip(questions, by_meaning, strict=True) if wanted))
    texts: dict[str, int] = {}
    for found, spans, wanted in zip(hits, cut, by_meaning, strict=True):
        if wanted:
            for hit in found[: cfg.passages]:
                texts.setdefault(hit.passage.indexed, len(texts))
            for at, start, end in spans:
                texts.setdefault(found[at].passage.text[start:end], len(texts))
    if embedder is not None and asked and texts:
        of_question = dict(zip(asked, embedder.embed(asked, "query"), strict=True))
        vectors = embedder.embed(list(texts), "passage")
    told = []
    for question, found, spans, wanted in zip(questions, hits, cut, by_meaning, strict=True):
        if not wanted or not found:
            told.append(([np.nan] * len(found[: cfg.passages]), [np.nan] * len(spans)))
            continue
        rows = [texts[hit.passage.indexed] for hit in found[: cfg.passages]]
        inner = [texts[found[at].passage.text[start:end]] for at, start, end in spans]
        values = vectors[rows + inner] @ of_question[question]
        told.append((values[: len(rows)].tolist(), values[len(rows) :].tolist()))
    return told


def _heads(said: str, text: str, end: int) -> bool:
    """Whether `said`, which ends at `end` of `text`, is a heading in capitals over what follows."""
    letters = [char for char in said if char.isalpha()]
    capitals = sum(map(str.isupper, letters)) >= _CAPITALS * len(letters) > 0
    in_capitals = capitals and _PLAIN.fullmatch(_YEAR.sub("", said).strip()) is not None and len(said.split()) <= _HEADING
    return in_capitals and _ABOVE.match(text, end) is not None


def _read(
    question: str,
    hits: Sequence[Hit],
    cut: Sequence[tuple[int, int, int]],
    cosines: tuple[list[float], list[float]],
    readings: tuple[Reading, ...],
    cfg: Extract,
) -> Read:
    found = tuple(frozenset(terms(hit.passage.indexed)) for hit in hits)
    order = tuple(terms(about(question)))
    weights = rarity(order, found)
    coverage = tuple(covered(weights, each) for each in found[: cfg.passages])
    titles = [frozenset(terms(hit.passage.title)) for hit in hits[: cfg.passages]]
    of_passages, of_sentences = cosines
    told: list[Sentence] = []
    asked = -np.inf
    said = [hits[at].passage.text[start:end] for at, start, end in cut]
    inner = [frozenset(terms(text)) for text in said]
    for (at, start, end), words, cosine, missing in zip(cut, inner, of_sentences, lacking(question, said), strict=True):
        own, above = covered(weights, words), covered(weights, titles[at] - words)
        score = cfg.words * (own + above + cfg.rank * coverage[at])
        if not np.isnan(cosine):
            score += cfg.meaning * (cosine + cfg.rank * of_passages[at])
        score *= (1 - cfg.kind * missing[0]) * (1 - cfg.attribute * missing[1])
        if readings and start <= readings[at].start < min(end, readings[at].end):
            score += cfg.reading * readings[at].answered
        worth = max(score, asked) if told and told[-1].hit == at else score
        text = hits[at].passage.text
        asks = _ASKS.search(text[start:end]) is not None
        told.append(Sentence(at, start, end, words, own + _TITLE * above, cosine, worth, asks or _heads(text[start:end], text, end)))
        asked = score if asks else -np.inf
    return Read(question, tuple(hits), order, weights, found, coverage, tuple(of_passages), tuple(told), readings)
