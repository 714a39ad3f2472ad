"""Embedders behind an endpoint that speaks OpenAI's protocol: `openai:<model>` as an embedder (/v1/embeddings)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from selfstudy.core.errors import BadModel
from selfstudy.core.plugs import extra
from selfstudy.core.ports import Progress, Role, Vectors, silent
from selfstudy.core.records import digest
from selfstudy.models.api import Api, Endpoint, Meter
from selfstudy.models.openai import NO_PROTOCOL, Crew, in_thread
from selfstudy.models.replies import Kept

TEXTS_A_CALL = 64
_LONGEST = 20_000  # characters; endpoints refuse some 8,000 tokens
_PROBE = "dimensions"


class OpenAIEmbedder:
    """Vectors of a model behind HTTP, of unit length. Those that were paid for are kept under `cache` and never asked for again."""

    unkept = True
    """What was paid for has a place of its own, where nothing is ever thrown away."""

    def __init__(self, model: str, endpoint: Endpoint, cache: Path | None = None, meter: Meter | None = None) -> None:
        if not model.strip():
            raise BadModel("'openai:' names no model.", "Write openai:<model>, with the name that the endpoint knows it by.")
        self.model = model
        self.endpoint = endpoint
        self.meter = meter or Meter(prices=endpoint.settings.prices)
        self._kept = _Kept(cache) if cache is not None else None
        self._dim: int | None = None
        self._seen: int | None = None  # dimensions of the vectors so far
        self._reached = False

    @property
    def name(self) -> str:
        return f"openai:{self.model}"

    @property
    def fingerprint(self) -> str:
        return digest("openai embedder", self.model, self.endpoint.url)

    @property
    def dim(self) -> int:
        """The number of dimensions; asks the endpoint for one vector if none was seen yet."""
        if self._dim is None:
            self._dim = self.embed([_PROBE]).shape[1]
        return self._dim

    def embed(self, texts: Sequence[str], role: Role = "passage", progress: Progress = silent) -> Vectors:
        """As `core.ports.Embedder.embed`; both roles alike. Raises BadModel where the endpoint gives no vectors."""
        cut = [text[:_LONGEST] or " " for text in texts]
        found: dict[str, Vectors] = self._kept.get(self.fingerprint, cut) if self._kept else {}
        missing = list(dict.fromkeys(text for text in cut if text not in found))
        self.meter.kept += len(set(cut)) - len(missing)
        before = self._kept.get(self.fingerprint, [_PROBE]) if self._kept and self._seen is None else {}
        for vector in [*before.values(), *found.values()]:
            self._fitting(vector.shape[0])
        if missing:
            in_thread(self._ask(missing, found, progress))
        progress(len(texts), len(texts))
        return np.stack([found[text] for text in cut]) if texts else np.empty((0, self.dim), np.float32)

    async def _ask(self, texts: list[str], found: dict[str, Vectors], progress: Progress) -> None:
        starts = list(range(0, len(texts), TEXTS_A_CALL))
        openai = extra("openai", "api")
        async with self.endpoint.client(self.meter) as client:
            crew = Crew(self.endpoint.settings.concurrency)

            async def one(start: int) -> None:
                part = texts[start : start + TEXTS_A_CALL]
                async with crew.place():
                    try:
                        async with asyncio.timeout(self.endpoint.settings.deadline):
                            with self.meter.call():
                                answer = await client.embeddings.create(model=self.model, input=part, encoding_format="float")
                    except (openai.OpenAIError, ValueError, RecursionError, TimeoutError) as error:
                        raise self.endpoint.failure(error) from None
                vectors = self._read(answer, part)
                if self._kept:
                    self._kept.put(self.fingerprint, part, vectors)
                found.update(zip(part, vectors, strict=True))
                progress(len(found), len(texts))

            await crew.every(starts, one, self._reached)

    def _read(self, answer: Any, part: list[str]) -> Vectors:
        if isinstance(answer, str):
            raise self.endpoint.failure(ValueError(NO_PROTOCOL))
        self.meter.read(self.model, answer, part)
        try:
            rows = sorted(answer.data, key=lambda row: row.index)
            vectors = np.array([row.embedding for row in rows], np.float32)
            lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
            usable = vectors.shape[0] == len(part) and bool(np.isfinite(vectors).all()) and bool((lengths > 0).all())
        except (AttributeError, TypeError, ValueError):
            usable = False
        if not usable:
            raise BadModel(f"{self.endpoint.url} gives no vectors for {self.model!r}.", "Name a model that makes embeddings.")
        self._fitting(vectors.shape[1])
        self._reached = True
        unit: Vectors = vectors / lengths
        return unit

    def _fitting(self, dim: int) -> None:
        """Raises BadModel where vectors have other dimensions than those before."""
        self._seen = self._seen or dim
        if dim != self._seen:
            raise BadModel(
                f"{self.endpoint.url} gives vectors of {dim} dimensions for {self.model!r}, and gave {self._seen} before.",
                "Another model stands behind that name: name the one before, or start a new home with the one of today.",
            )


class _Kept:
    """Vectors on disk by (fingerprint, text)."""

    def __init__(self, folder: Path) -> None:
        self._kept = Kept(folder, "vectors", "key TEXT PRIMARY KEY, vector BLOB NOT NULL")

    def get(self, fingerprint: str, texts: Sequence[str]) -> dict[str, Vectors]:
        keys = {digest(fingerprint, text): text for text in texts}
        found: dict[str, Vectors] = {}
        names = list(keys)
        for start in range(0, len(names), 500):
            part = names[start : start + 500]
            rows = self._kept.rows(f"SELECT key, vector FROM vectors WHERE key IN ({','.join('?' * len(part))})", part)
            found |= {keys[key]: np.frombuffer(blob, np.float32) for key, blob in rows}
        return found

    def put(self, fingerprint: str, texts: Sequence[str], vectors: Vectors) -> None:
        rows = zip(texts, vectors, strict=True)
        self._kept.put([(digest(fingerprint, text), vector.astype(np.float32).tobytes()) for text, vector in rows])


def load(model: str, *, api: Api | None = None, cache: Path | None = None, meter: Meter | None = None, **_: Any) -> OpenAIEmbedder:
    """The embedder `openai:<model>`. Raises BadModel, MissingExtra."""
    return OpenAIEmbedder(model, Endpoint(api), cache, meter)
