"""Search small, show large: a passage is as near to a question as the nearest of its sentences.

One vector of a passage is a mean over all that it speaks of, and a question is about one thing in it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from selfstudy.core.ports import Embedder, Progress, Vectors, silent
from selfstudy.core.records import digest
from selfstudy.core.text import sentences

_TITLE = 120


class BySentence(BaseModel):
    """What the nearest sentence of a passage counts beside what the search thinks of it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    on: bool = Field(
        True, description="whether the first passages are put in order by their sentences, where that is proven to cost next to nothing"
    )
    depth: int = Field(20, ge=2, description="passages of a search whose sentences are looked at")
    dense: float = Field(2.0, ge=0, description="weight of the nearest sentence's cosine beside the passage's")
    joined: float = Field(0.3, ge=0, description="the same where imitated words stand beside the passage's cosine")
    hybrid: float = Field(4.0, ge=0, description="the same beside the score of hybrid search")
    guard: int = Field(250, ge=2, description="everyday questions that it is judged on")


class Sentences:
    """A `core.ports.Reranker`: the cosine of the question to the nearest sentence of each passage. As fast as `embedder` remembers."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder

    @property
    def fingerprint(self) -> str:
        return digest("sentences", self._embedder.fingerprint)

    def score(self, pairs: Sequence[tuple[str, str]]) -> Vectors:
        """As `core.ports.Reranker.score`."""
        asked = list(dict.fromkeys(question for question, _ in pairs))
        vector_of = dict(zip(asked, self._embedder.embed(asked, "query"), strict=True))
        cut = [parts(text) for _, text in pairs]
        places = {text: place for place, text in enumerate(dict.fromkeys(text for texts in cut for text in texts))}
        vectors = self._embedder.embed(list(places), "passage")
        nearest = [
            (vectors[[places[text] for text in texts]] @ vector_of[question]).max() for (question, _), texts in zip(pairs, cut, strict=True)
        ]
        return np.asarray(nearest, np.float32)

    def keep(self, texts: Sequence[str], progress: Progress = silent) -> None:
        """Have the sentences of these passages embedded, so that the first question about them waits for nothing."""
        self._embedder.embed([part for text in texts for part in parts(text)], "passage", progress)


def parts(text: str) -> list[str]:
    """The sentences of a passage as it is indexed, its title before each: what a sentence is about often stands there alone.

    A first line that goes on in small letters is no title but the beginning of a wrapped sentence.
    """
    title, _, body = text.partition("\n")
    if not body or len(title) > _TITLE or body[:1].islower():
        title, body = "", text
    return [f"{title}\n{body[start:end]}".lstrip("\n") for start, end in sentences(body)] or [text]
