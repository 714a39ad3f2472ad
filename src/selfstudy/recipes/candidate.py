"""A tuned embedder before the gate: its vectors, its share in hybrid search, and how it does beside what serves now."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from selfstudy.core.artifacts import artifacts, manifest, read_records
from selfstudy.core.files import read_json, write_json
from selfstudy.core.ports import Embedder, Retriever, Vectors
from selfstudy.core.records import Artifact, Example, Passage
from selfstudy.core.run import Work, stage
from selfstudy.evals import guard
from selfstudy.evals.bootstrap import Values
from selfstudy.index.dense import Dense, Flat
from selfstudy.index.hybrid import Hybrid, Spread
from selfstudy.index.lexical import Lexical
from selfstudy.index.snapshot import Snapshot
from selfstudy.recipes.system import System
from selfstudy.train.head import head_of

_PART = 512
WEIGHTS = (0.5, 0.55, 0.6, 0.65, 0.7)
"""Shares that are tried. Self-written questions share more words with their passages than people's do, so that the best share for them is
far too lexical for people: no share below one half is fitted."""
_CLEARLY = 2.0
"""Standard errors by which a share must beat the one before it was fitted."""


def examples_of(mined: Artifact, split: str) -> list[Example]:
    """The examples of one split, in their order."""
    return [example for example in read_records(mined.path / "mined.jsonl", Example) if example.split == split]


def saved(path: Path, vectors: Vectors) -> None:
    """Write a matrix beside and rename, so that a part that exists is whole."""
    beside = path.with_name(f".{path.name}.part")
    with open(beside, "wb") as file:
        np.save(file, vectors)
    beside.rename(path)


@stage("study.body_vectors", version=1)
def body_vectors(work: Work, config: None, corpus: Artifact, embedder: Embedder, stored: tuple[str, Vectors]) -> str:
    """`vectors.npy`: a row for each passage of the corpus, in its order. A kill loses one part of 512.

    `stored` are a fingerprint and the vectors that the store has of it: an embedder that is still that one need not work again.
    """
    if embedder.fingerprint == stored[0]:
        saved(work.folder / "vectors.npy", stored[1])
        return embedder.fingerprint
    passages = list(read_records(corpus.path / "passages.jsonl", Passage))
    texts = [passage.indexed for passage in passages]
    parts = []
    for start in range(0, len(texts), _PART):
        part = work.folder / f"part-{start:09d}.npy"
        if not part.exists():
            saved(part, embedder.embed(texts[start : start + _PART], "passage"))
        work.progress(min(start + _PART, len(texts)), len(texts))
        parts.append(part)
    saved(work.folder / "vectors.npy", np.concatenate([np.load(part) for part in parts]))
    for part in parts:
        part.unlink()
    return embedder.fingerprint


@stage("study.passage_vectors", version=2)
def passage_vectors(
    work: Work, config: None, corpus: Artifact, body: Artifact, fitted: Artifact, share: float, embedder: Embedder
) -> dict[str, Any]:
    """`vectors.npy`: the vectors of `embedder`, which is the body with `share` of the head, so the head is all that has to be applied."""
    vectors = np.load(body.path / "vectors.npy")
    saved(work.folder / "vectors.npy", moved(vectors, fitted, share))
    ids = [passage.id for passage in read_records(corpus.path / "passages.jsonl", Passage)]
    return {"fingerprint": embedder.fingerprint, "ids": ids}


def moved(vectors: Vectors, fitted: Artifact | None, share: float) -> Vectors:
    """What the head of `fitted` makes of a body's vectors."""
    head = head_of(fitted.path, share) if fitted is not None else None
    return vectors if head is None else head(vectors)


class Teacher:
    """What training learns from beside the questions: the base's vectors, and its lexical and dense scores, half and half, as z-scores."""

    def __init__(self, snapshot: Snapshot, base: dict[str, Any], embedder: Embedder) -> None:
        self._snapshot = snapshot
        self._base = base
        self._embedder = embedder

    def scores(self, questions: Sequence[str], passages: Sequence[Sequence[str]]) -> list[NDArray[np.float32]]:
        by_words, by_meaning = (chain.from_iterable(self._base[name].scores(questions)) for name in ("lexical", "dense"))
        found = []
        for words, meaning, ids in zip(by_words, by_meaning, passages, strict=True):
            rows = [self._snapshot.row(id) for id in ids]
            mixed = (Spread.of(words).standard(words[rows]) + Spread.of(meaning).standard(meaning[rows])) / 2
            found.append(mixed.astype(np.float32))
        return found

    def vectors(self, questions: Sequence[str], passages: Sequence[str]) -> tuple[Vectors, Vectors]:
        stored = self._snapshot.vectors(self._embedder.fingerprint)
        return self._embedder.embed(questions, "query"), stored[[self._snapshot.row(id) for id in passages]]


@stage("study.question_vectors", version=1)
def question_vectors(work: Work, config: None, kept: Artifact, embedder: Embedder) -> int:
    """`vectors.npy`: a row for each kept question, in its order."""
    texts = [example.question for example in read_records(kept.path / "kept.jsonl", Example)]
    saved(work.folder / "vectors.npy", embedder.embed(texts, "query", work.progress))
    return len(texts)


@stage("study.guard_vectors", version=1)
def guard_vectors(work: Work, config: None, embedder: Embedder) -> None:
    """`questions.npy` and `passages.npy`: the guard as this embedder sees it."""
    found = guard.embed(embedder, work.progress)
    saved(work.folder / "questions.npy", found.questions)
    saved(work.folder / "passages.npy", found.passages)


@stage("study.guard", version=2)
def guard_ranks(work: Work, config: None, seen: Artifact, fitted: Artifact | None = None, share: float = 1.0) -> float:
    """`ranks.npy`: the reciprocal rank of every guard question, with the head of `fitted` over the vectors of `seen`."""
    vectors = (moved(np.load(seen.path / f"{name}.npy"), fitted, share) for name in ("questions", "passages"))
    ranks = guard.reciprocal_ranks_of(*vectors)
    saved(work.folder / "ranks.npy", ranks.astype(np.float32))
    return round(float(ranks.mean()), 4)


@stage("study.weight", version=4)
def weight(work: Work, config: None, mined: Artifact, hybrid: Hybrid) -> dict[str, Any]:
    """Fit the dense share of hybrid search on `tune`, into `weight.json`: the best of `WEIGHTS`, if it is clearly better."""
    ranks = _reciprocal_ranks(hybrid, examples_of(mined, "tune")[:600], sorted({hybrid.weight, *WEIGHTS}), work)
    told = {str(share): round(float(values.mean()), 4) for share, values in ranks.items()}
    result = {"weight": clearly_best(ranks, hybrid.weight), "mrr@10": told}
    write_json(work.folder / "weight.json", result)
    return result


def _reciprocal_ranks(hybrid: Hybrid, examples: Sequence[Example], shares: Sequence[float], work: Work) -> dict[float, NDArray[np.float64]]:
    """1 / rank of the evidence, 0 beyond 10, for each share and example."""
    ranks = {share: np.zeros(len(examples)) for share in shares}
    for place, (example, found) in enumerate(zip(examples, hybrid.candidates([e.question for e in examples], 100), strict=True)):
        wanted = [hybrid.snapshot.row(hit.passage.id) for hit in example.evidence if hit.passage.id in hybrid.snapshot]
        for share in shares:
            rows, _ = found.top(share, 10)
            at = np.flatnonzero(np.isin(rows, wanted))
            ranks[share][place] = 1 / (1 + at[0]) if len(at) else 0.0
        work.progress(place + 1, len(examples))
    return ranks


def clearly_best(ranks: dict[float, NDArray[np.float64]], usual: float) -> float:
    """The share with the best mean, where its paired gain over the usual one is more than two standard errors; else the usual one."""
    share = max(ranks, key=lambda share: (float(ranks[share].mean()) if len(ranks[share]) else 0.0, -abs(share - usual)))
    gain = ranks[share] - ranks[usual]
    return share if len(gain) and float(gain.mean()) > _CLEARLY * float(gain.std()) / len(gain) ** 0.5 else usual


@stage("study.exam", version=1)
def exam(work: Work, config: None, mined: Artifact, before: dict[str, Retriever], after: dict[str, Retriever]) -> dict[str, int]:
    """`rows.json`: for every exam question its rank by dense and hybrid search, before and after; 0 stands for not among the first ten."""
    examples = examples_of(mined, "exam")
    rows: list[dict[str, Any]] = [{"id": e.id, "question": e.question, "writer": e.writer} for e in examples]
    sides = [("before", before), ("after", after)]
    for done, (side, retrievers, name) in enumerate([(s, r, n) for s, r in sides for n in ("dense", "hybrid")], 1):
        for row, rank in zip(rows, ranks_of(retrievers[name], examples), strict=True):
            row[f"{name}_{side}"] = rank
        work.progress(done, 4)
    for row, rank in zip(rows, ranks_of(before["lexical"], examples), strict=True):
        row["lexical"] = rank
    write_json(work.folder / "rows.json", rows)
    return {"questions": len(rows)}


def ranks_of(retriever: Retriever, examples: Sequence[Example], k: int = 10) -> list[int]:
    """The rank of the evidence, or of what holds all of it, for each example; 0 beyond `k`."""
    found = retriever.search([example.question for example in examples], k) if examples else []
    return [next((rank for rank, hit in enumerate(hits, 1) if answers(hit.passage, e)), 0) for e, hits in zip(examples, found, strict=True)]


def answers(passage: Passage, example: Example) -> bool:
    """Whether the passage is the example's evidence, nearly repeats it, or holds it."""
    return passage.holds(example.evidence[0].passage)


def reciprocal(ranks: Sequence[int]) -> NDArray[np.float64]:
    """1 / rank, and 0 for rank 0."""
    array = np.asarray(ranks, np.float64)
    return np.divide(1.0, array, out=np.zeros_like(array), where=array > 0)


def read_rows(exam_artifact: Artifact) -> list[dict[str, Any]]:
    """The rows of a finished exam."""
    rows: list[dict[str, Any]] = read_json(exam_artifact.path / "rows.json")
    return rows


def tune_score(mined: Artifact, passages: Sequence[Passage], load: Callable[[Path], Embedder]) -> Callable[[Path], float]:
    """A function from a model folder to its dense MRR@10 on tuning questions, see `tune_ranks`."""
    ranks = tune_ranks(mined, passages, load)

    def score(folder: Path) -> float:
        found = ranks(folder)
        return float(found.mean()) if len(found) else 0.0

    return score


def tune_ranks(mined: Artifact, passages: Sequence[Passage], load: Callable[[Path], Embedder]) -> Callable[[Path], Values]:
    """A function from a model folder to 1 / dense rank (0 beyond 10) of tuning questions, among their passages, distractors and others."""
    examples = examples_of(mined, "tune")[:300]
    pool = {hit.passage.id: hit.passage for e in examples for hit in (*e.evidence, *e.distractors[:2])}
    for passage in sorted(passages, key=lambda p: p.id):
        if len(pool) >= 600:
            break
        pool.setdefault(passage.id, passage)
    places = {id: place for place, id in enumerate(pool)}

    def ranks(folder: Path) -> Values:
        embedder = load(folder)
        matrix = embedder.embed([passage.indexed for passage in pool.values()], "passage")
        scores = embedder.embed([example.question for example in examples], "query") @ matrix.T
        own = scores[np.arange(len(examples)), [places[e.evidence[0].passage.id] for e in examples]]
        places_of = (scores >= own[:, None]).sum(axis=1)
        return np.where(places_of <= 10, 1 / places_of, 0.0)

    return ranks


def sides(rows: Sequence[Mapping[str, Any]], name: str = "") -> tuple[Values, Values]:
    """The reciprocal ranks before and after of the rows of an exam, in the columns that begin with `name`."""
    before, after = (reciprocal([row[f"{name}{side}"] for row in rows]) for side in ("before", "after"))
    return before, after


def system_of(snapshot: Snapshot, embedder: Embedder, vectors: Vectors | None, share: float) -> tuple[Lexical, Dense, Hybrid]:
    """The three retrievers over a snapshot, with vectors that may not be stored yet (row i is the snapshot's row i)."""
    lexical = Lexical(snapshot)
    dense = Dense(snapshot, embedder, Flat(vectors, embedder.fingerprint) if vectors is not None else None)
    return lexical, dense, Hybrid(lexical, dense, share)


def prepared(artifacts_folder: Path, system: System) -> tuple[list[str], Vectors] | None:
    """Passage ids and their vectors, where a study made them with this system's embedder."""
    for artifact in reversed(artifacts(artifacts_folder)):
        if artifact.kind == "passage_vectors" and manifest(artifact).result["fingerprint"] == system.fingerprint:
            ids = manifest(artifact).result["ids"]
            return ids, np.load(artifact.path / "vectors.npy")
    return None
