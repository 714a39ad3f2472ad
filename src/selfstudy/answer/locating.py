"""Where exactly in a passage stands what was asked for: search finds passages, this points at the sentence or clause."""

from __future__ import annotations

from collections.abc import Sequence

from selfstudy.answer.reading import Extract, Sentence, read
from selfstudy.core.ports import Embedder
from selfstudy.core.records import Citation, Hit


def located(question: str, hits: Sequence[Hit], embedder: Embedder | None, cfg: Extract = Extract()) -> list[Citation | None]:  # noqa: B008
    """For each hit its sentence, row or clause that says most about `question`, cited; None for a hit in which no words stand.

    `hits` are folded: none nearly repeats another. Scored as the sentences of an answer are, over words and cosines; over words alone
    without an `embedder`. The number of a citation is the rank of its hit, and `source` is empty.
    """
    (one,) = read([question], [hits], embedder, cfg.model_copy(update={"passages": max(1, len(hits))}))
    best: dict[int, Sentence] = {}
    for sentence in one.sentences:
        if sentence.hit not in best or sentence.score > best[sentence.hit].score:
            best[sentence.hit] = sentence
    return [_cited(hit, best[at], at + 1) if at in best else None for at, hit in enumerate(one.hits)]


def _cited(hit: Hit, sentence: Sentence, number: int) -> Citation:
    passage = hit.passage
    document, begin = (passage.places[0].document, passage.places[0].start) if passage.places else (passage.id, 0)
    quote = passage.text[sentence.start : sentence.end]
    return Citation(number, passage.id, document, passage.title, "", begin + sentence.start, begin + sentence.end, quote)
