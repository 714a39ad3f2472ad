"""Words as vectors: short vectors whose inner products imitate BM25, to stand beside those of meaning (SPAR, arXiv 2110.06918).

SPAR trains a second encoder on what BM25 ranks. Over one corpus the best linear imitation needs no training: the first singular vectors of
the matrix of its BM25 weights give the inner products with the least squared error (Eckart and Young, 1936; on word counts this is latent
semantic analysis, Deerwester et al. 1990).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from selfstudy.core.files import write_json
from selfstudy.core.ports import Progress, Role, Vectors, silent
from selfstudy.core.records import digest
from selfstudy.index.words import K1, B, counted, words_of

_ABOUT, _TERMS = "imitation.json", "terms.npz"
_MOST_WORDS = 50_000
"""Words that have a vector: those in the most passages."""
_OUTLIERS = 99
"""Percentile of lengths that becomes 1: a single long passage must not make all others short."""
_BLOCK = 4096


class Imitate(BaseModel):
    """How words are imitated."""

    model_config = ConfigDict(extra="forbid")

    on: bool = Field(True, description="whether imitated words stand beside the meaning in dense search, if that is proven to pay")
    dims: int = Field(192, ge=1, description="dimensions of these vectors, which are stored beside the embedder's")
    shares: tuple[float, ...] = Field(
        (1.0, 0.5), min_length=1, description="how much words count beside the meaning; the next one is tried where only the guard refuses"
    )
    seed: int = 0


def fit(texts: Sequence[str], config: Imitate, into: Path, share: float = 1.0) -> dict[str, int]:
    """Write the imitation of BM25 over `texts` into the folder `into`; `share` scales the vectors of questions.

    Returns its words and dimensions, which few texts make fewer.
    """
    vocabulary: dict[str, int] = {}
    counts = counted(texts, vocabulary)
    holding = np.bincount(counts.indices, minlength=len(vocabulary))
    rarity = _rarity(holding, len(texts))
    chosen = np.sort(np.argsort(-holding, kind="stable")[:_MOST_WORDS])
    length = float(np.asarray(counts.sum(axis=1)).mean()) if len(texts) else 1.0
    # The rarity of a word is parted between both sides, so that rare words of the question and of the passage count alike.
    split = np.sqrt(rarity[chosen])
    often = _saturated(counts, length)[:, chosen]
    weighed = often @ _diagonal(split)
    dims = min(config.dims, *(side - 1 for side in weighed.shape))
    terms = split[:, None] * _directions(weighed, dims, config.seed) if dims > 0 else np.zeros((len(chosen), 1))
    lengths = np.linalg.norm(often @ terms, axis=1)
    longest = float(np.percentile(lengths, _OUTLIERS)) if len(lengths) else 1.0
    into.mkdir(parents=True, exist_ok=True)
    np.savez(into / _TERMS, terms=terms.astype(np.float32), rarity=rarity[chosen].astype(np.float32))
    words, unknown = list(vocabulary), float(_rarity(np.zeros(1), len(texts))[0])
    about = {"words": [words[at] for at in chosen], "unknown": unknown, "length": length, "longest": longest or 1.0, "share": share}
    write_json(into / _ABOUT, about)
    return {"words": len(chosen), "dimensions": max(dims, 0)}


def _rarity(holding: Any, texts: int) -> Any:
    """BM25's weight of words that stand in so many of the texts."""
    return np.log(1 + (texts - holding + 0.5) / (holding + 0.5))


def _saturated(counts: Any, length: float) -> Any:
    """(texts, words) what each word counts for standing so often in a text of that length: BM25 without rarity."""
    found = counts.tocsr(copy=True).astype(np.float64)
    norm = K1 * (1 - B + B * np.asarray(found.sum(axis=1)) / max(length, 1e-9))
    found.data = (K1 + 1) * found.data / (found.data + np.repeat(norm, np.diff(found.indptr)))
    return found


def _diagonal(values: Any) -> Any:
    from scipy import sparse

    return sparse.diags_array(values)


def _directions(weighed: Any, dims: int, seed: int) -> Any:
    """(words, dims) the first right singular vectors, turned at random so that every dimension says equally much, as bits need it."""
    from sklearn.utils.extmath import randomized_svd

    _, _, found = randomized_svd(weighed, dims, n_iter=4, random_state=seed)
    turn, _ = np.linalg.qr(np.random.default_rng(seed).standard_normal((dims, dims)))
    return found.T @ turn


class Imitation:
    """A `core.ports.Embedder` over a folder that `fit` wrote: sums of word vectors, loaded with the first text.

    A question is as long as the share of its words, by rarity, that the corpus knows: 1 at most, and 0 where there is none, so that what
    is foreign to the corpus is left to meaning (else everyday questions lose .01 to .02 of MRR@10). A passage is as long as BM25 would
    have it, 1 at most; one more dimension, in which questions are 0, makes up the rest, so that the inner product is the imitated score.
    """

    unkept = True
    """Vectors are not worth keeping for another time."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder = folder
        self._name = name
        self._fingerprint: str | None = None
        self._read: _Words | None = None

    @property
    def name(self) -> str:
        return self._name

    @property
    def dim(self) -> int:
        return int(self._loaded().terms.shape[1]) + 1

    @property
    def fingerprint(self) -> str:
        if self._fingerprint is None:
            files = ((self.folder / name).read_bytes() for name in (_ABOUT, _TERMS))
            self._fingerprint = digest("imitation", *(hashlib.sha256(file).hexdigest() for file in files))
        return self._fingerprint

    def embed(self, texts: Sequence[str], role: Role = "passage", progress: Progress = silent) -> Vectors:
        """(len(texts), dim) float32, in the order given."""
        found: Vectors = np.zeros((len(texts), self.dim), np.float32)
        for start in range(0, len(texts), _BLOCK):
            block = texts[start : start + _BLOCK]
            found[start : start + len(block)] = self._questions(block) if role == "query" else self._passages(block)
            progress(start + len(block), len(texts))
        return found

    def _questions(self, texts: Sequence[str]) -> Vectors:
        words = self._loaded()
        found: Vectors = np.zeros((len(texts), words.terms.shape[1] + 1), np.float32)
        for row, text in enumerate(texts):
            asked = sorted(set(words_of(text)))
            known = [words.rows[word] for word in asked if word in words.rows]
            vector = words.terms[known].sum(axis=0)
            if length := float(np.linalg.norm(vector)):
                rarity = float(words.rarity[known].sum())
                found[row, :-1] = words.share * vector / length * rarity / (rarity + words.unknown * (len(asked) - len(known)))
        return found

    def _passages(self, texts: Sequence[str]) -> Vectors:
        words = self._loaded()
        seen = dict(words.rows)  # words that are met for the first time join it, and have no vector
        found: Vectors = (_saturated(counted(texts, seen), words.length)[:, : len(words.terms)] @ words.terms / words.longest).astype(
            np.float32
        )
        found /= np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1)
        rest = np.sqrt(np.maximum(0, 1 - (found * found).sum(axis=1, keepdims=True)))
        return np.hstack([found, rest]).astype(np.float32)

    def _loaded(self) -> _Words:
        if self._read is None:
            about = json.loads((self.folder / _ABOUT).read_text("utf-8"))
            rows = {word: row for row, word in enumerate(about["words"])}
            with np.load(self.folder / _TERMS) as kept:
                self._read = _Words(
                    rows, kept["terms"], kept["rarity"], about["unknown"], about["length"], about["longest"], about["share"]
                )
        return self._read


@dataclass(frozen=True, slots=True, eq=False)
class _Words:
    """What `fit` wrote: the row of each word, vectors and rarity by row; the rarity of any other word, the mean length of texts in words,
    how long the sum of a passage is that becomes 1, and how much questions count.
    """

    rows: dict[str, int]
    terms: Vectors
    rarity: Vectors
    unknown: float
    length: float
    longest: float
    share: float


def holds_imitation(folder: Path) -> bool:
    """Whether `fit` wrote this folder."""
    return (folder / _ABOUT).exists()
