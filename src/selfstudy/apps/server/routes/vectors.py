"""/v1/embeddings with the live embedder, and /rerank with the live reranker, or else the embedder."""

from __future__ import annotations

import base64
from typing import Annotated, Any, Literal

import numpy as np
from fastapi import APIRouter, HTTPException
from pydantic import BaseModel, Field

from selfstudy.apps.server.access import Asks
from selfstudy.apps.server.faults import RESPONSES
from selfstudy.apps.server.routes.chat import EMBEDDER
from selfstudy.recipes.engine import Engine
from selfstudy.recipes.system import can_read, reranker_of

router = APIRouter(responses=RESPONSES, tags=["vectors"])
MOST, EMBEDDED = 256, 2048
"""Documents that are put in order at once, and texts that are embedded by one request: as many as OpenAI takes."""
Text = Annotated[str, Field(min_length=1, max_length=32_000, examples=["The warranty runs for two years."])]
Tokens = Annotated[list[int], Field(min_length=1)]
Texts = Annotated[list[Text], Field(min_length=1, max_length=MOST)]


class Embed(BaseModel):
    input: (
        Text | Annotated[list[Text], Field(min_length=1, max_length=EMBEDDED)] | Tokens | Annotated[list[Tokens], Field(min_length=1)]
    ) = Field(
        description="One text or several. The protocol's numbers of tokens are refused: only its own model knows what they stand for."
    )
    model: str = EMBEDDER
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: int | None = Field(None, description="Only the model's own number.")
    role: Literal["query", "passage"] = Field("passage", description="Whether the texts are questions or what is searched.")
    user: str | None = None


class Embedding(BaseModel):
    object: Literal["embedding"] = "embedding"
    index: int
    embedding: list[float] | str


class Embeddings(BaseModel):
    object: Literal["list"] = "list"
    model: str
    data: list[Embedding]
    fingerprint: str = Field(description="Vectors of equal fingerprints may be compared; after a promotion it is another.")
    usage: dict[str, int]


@router.post("/v1/embeddings")
async def embeddings(asked: Embed, by: Asks) -> Embeddings:
    """Vectors of unit length, in the order of the texts."""
    if asked.model != EMBEDDER:
        raise HTTPException(404, f"There is no embedder {asked.model!r} here; there is {EMBEDDER!r}.")
    texts = _texts(asked.input)

    def embedded(engine: Engine) -> tuple[str, Any]:
        embedder = engine.serving().embedder
        parts = [embedder.embed(texts[at : at + MOST], asked.role) for at in range(0, len(texts), MOST)]
        return embedder.fingerprint, np.concatenate(parts)

    fingerprint, vectors = await by.ask(embedded)
    if asked.dimensions not in (None, vectors.shape[1]):
        raise HTTPException(400, f"The vectors have {vectors.shape[1]} dimensions, not {asked.dimensions}.")
    whole: list[Any] = [
        base64.b64encode(vector.tobytes()).decode() if asked.encoding_format == "base64" else vector.tolist() for vector in vectors
    ]
    data = [Embedding(index=place, embedding=one) for place, one in enumerate(whole)]
    usage = {"prompt_tokens": 0, "total_tokens": 0}  # nothing is charged here, so nothing is counted
    return Embeddings(model=EMBEDDER, data=data, fingerprint=fingerprint, usage=usage)


def _texts(given: str | list[Any]) -> list[str]:
    """The texts to embed. Raises 400 for numbers of tokens."""
    texts = [given] if isinstance(given, str) else given
    if not all(isinstance(text, str) for text in texts):
        raise HTTPException(400, "The input is numbers of tokens. Send the texts themselves.")
    return texts


class Rerank(BaseModel):
    query: Text
    documents: Texts
    top_n: int | None = Field(None, ge=1)


class Ranked(BaseModel):
    index: int
    relevance_score: float


class Reranked(BaseModel):
    by: Literal["reranker", "cosine"] = Field(
        description="What the scores are: those of the reranker that serves, log-odds of any sign, else (or where it cannot read the "
        "query) the embedder's cosine."
    )
    results: list[Ranked]


@router.post("/rerank")
async def rerank(asked: Rerank, by: Asks) -> Reranked:
    """The documents by how well they fit the query, best first; equal ones in the order given."""

    def scored(engine: Engine) -> tuple[Literal["reranker", "cosine"], list[float]]:
        now = engine.serving()
        if (chosen := now.live.reranking) is not None and can_read(chosen.model, asked.query):
            pairs = [(asked.query, document) for document in asked.documents]
            return "reranker", reranker_of(chosen.model, engine.home).score(pairs).tolist()
        cosines = now.embedder.embed(asked.documents, "passage") @ now.embedder.embed([asked.query], "query")[0]
        return "cosine", cosines.tolist()

    named, scores = await by.ask(scored)
    order = sorted(range(len(scores)), key=lambda place: -scores[place])[: asked.top_n]
    return Reranked(by=named, results=[Ranked(index=place, relevance_score=scores[place]) for place in order])
