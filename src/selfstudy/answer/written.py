"""An answer that a model wrote: its sentences kept where a passage bears them out, each cited to the passage's best sentence."""

from __future__ import annotations

import re
from collections.abc import Sequence

from selfstudy.answer.reading import pieces
from selfstudy.answer.terms import is_cjk_text, terms
from selfstudy.core.errors import BadModel
from selfstudy.core.ports import LLM
from selfstudy.core.prompts import NOT_HERE, grounded
from selfstudy.core.records import Citation, Hit, Passage, Place
from selfstudy.core.text import normal, sentences

_MARKS = re.compile(r"\s*\[(\d{1,3}(?:\s*[,;]\s*\d{1,3})*)\]")
_MOVED = re.compile(r"([.!?。！？]+)((?:\s*\[\d[\d,; ]*\])+)")
_BORNE_OUT = 0.34
"""The least share of a sentence's terms that the sentence of the passage must hold, else the citation proves nothing."""
_LONGEST = 420


def write(llm: LLM, question: str, hits: Sequence[Hit], max_tokens: int = 400) -> tuple[str, tuple[Citation, ...]] | None:
    """The model's answer with a mark for each citation; None where it says that the passages hold none, or nothing that they bear out.

    Raises BadModel where the model gives no reply.
    """
    (reply,) = llm.chat([grounded(question, [hit.passage for hit in hits])], max_tokens=max_tokens)
    if reply.fault:
        raise BadModel(
            f"{llm.name} gave no answer: {reply.fault}", "Ask again, or without --set llm for an answer in the documents' words."
        )
    return cited(reply.text, hits)


def cited(text: str, hits: Sequence[Hit]) -> tuple[str, tuple[Citation, ...]] | None:
    """The sentences of `text` that passages bear out, with their citations; None where there are none.

    A sentence that names no passage is looked for in all of them; one that none bears out is left out.
    """
    if normal(NOT_HERE) in normal(text) and len(text) < 4 * len(NOT_HERE):
        return None
    text = _MOVED.sub(r"\2\1", text)  # "It is red. [1]" -> "It is red [1]."
    parts: list[str] = []
    citations: list[Citation] = []
    for start, end in sentences(text):
        said = text[start:end]
        named = [int(number) - 1 for match in _MARKS.finditer(said) for number in re.findall(r"\d+", match[1])]
        bare = _MARKS.sub("", said).strip()
        among = [at for at in dict.fromkeys(named) if 0 <= at < len(hits)] or range(len(hits))
        found = [best for at in among if (best := _borne_out(bare, hits[at].passage)) is not None]
        if not found or not any(char.isalnum() for char in bare):
            continue
        chosen = found if named else [max(found, key=lambda one: one[0])]
        first = len(citations) + 1
        citations.extend(_citation(passage, span, first + place) for place, (_, passage, span) in enumerate(chosen))
        parts.append(f"{bare} {''.join(f'[{citation.number}]' for citation in citations[first - 1 :])}")
    return (("" if is_cjk_text(text) else " ").join(parts), tuple(citations)) if parts else None


def _borne_out(said: str, passage: Passage) -> tuple[float, Passage, tuple[int, int]] | None:
    """The sentence of `passage` that holds most of what is said, if it holds enough."""
    wanted = set(terms(said))
    wanted = wanted - set(terms(passage.title)) or wanted  # what the title says already need not be said again
    spans = pieces(passage.text, _LONGEST)
    shares = [len(wanted & set(terms(passage.text[start:end]))) / len(wanted) for start, end in spans] if wanted else []
    if not shares or max(shares) < _BORNE_OUT:
        return None
    best = shares.index(max(shares))
    return shares[best], passage, spans[best]


def _citation(passage: Passage, span: tuple[int, int], number: int) -> Citation:
    place = passage.places[0] if passage.places else Place(passage.id, 0, len(passage.text))
    start, end = span
    return Citation(
        number, passage.id, place.document, passage.title, "", place.start + start, place.start + end, passage.text[start:end]
    )  # fmt: skip
