"""Where exactly in a passage stands what was asked for: search finds passages, this points at the sentence or clause."""

from __future__ import annotations

from collections.abc import Sequence

from selfstudy.answer.reading import Extract, Sentence, read
from selfstudy.core.ports import Embedder
from selfstudy.core.records import Citation, Hit


def located(question: str, hits: Sequence[Hit], embedder: Embedder | None, cfg: Extract = Extract()) -> list[Citation | None]:  # noqa: B008
    """For each hit its sentence, row or clause that says most about `question`, cited; None for a hit in which no words stand, or that is
    about another thing than `question` names.

    `hits` are folded: none nearly repeats another. Scored as the sentences of an answer are, over words and cosines; over words alone
    without an `embedder`. The number of a citation is the rank of its hit, and `source` is empty.
    """
    (one,) = read([question], [hits], embedder, cfg.model_copy(update={"passages": max(1, len(hits))}))
    best: dict[str, Sentence] = {}
    for sentence in one.sentences:
        passage = one.hits[sentence.hit].passage.id
        if passage not in best or sentence.score > best[passage].score:
            best[passage] = sentence
    found = ((hit.passage, best.get(hit.passage.id)) for hit in hits)
    return [passage.citation(told.start, told.end, number) if told else None for number, (passage, told) in enumerate(found, 1)]
