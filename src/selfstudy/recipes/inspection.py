"""Looking inside: base beside candidate over one corpus, as numbers, as a map, and as the places where answers are lost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from selfstudy.answer.abstention import abstains
from selfstudy.answer.default import DEFAULT
from selfstudy.answer.extractive import extract
from selfstudy.answer.reading import Extract, read
from selfstudy.answer.signals import features_of
from selfstudy.core.artifacts import artifacts
from selfstudy.core.errors import NotEnough
from selfstudy.core.ports import Embedder, Progress, Retriever, Vectors
from selfstudy.core.records import Artifact, Example, Passage
from selfstudy.core.run import Work, stage
from selfstudy.core.studied import examples_of
from selfstudy.core.text import contains, normal
from selfstudy.evals import gaps
from selfstudy.evals.geometry import Geometry, geometry, kept, nearest
from selfstudy.evals.labelled import read_qrels, read_queries
from selfstudy.evals.layout import Layout, layout
from selfstudy.evals.ranking import first_rank
from selfstudy.index.snapshot import Rows, Snapshot
from selfstudy.recipes.calibrate import calibration_of
from selfstudy.recipes.system import System
from selfstudy.recipes.vectors import prepared, saved
from selfstudy.synth.draft import pick

POINTS = 20_000
_HARD = 2
_CHANGED = 8
_BLOCK = 16


@dataclass(frozen=True, slots=True)
class Asked:
    """A question and the ids of the passages that answer it; those that are not in the index any more are left out."""

    question: str
    wanted: frozenset[str]
    answers: tuple[str, ...] = ()
    writer: str = ""


def held_out(home: Path, snapshot: Snapshot, most: int) -> list[Asked]:
    """At most `most` exam questions of the last study, whose evidence is the passage or what holds all of it; none before any study."""
    mined = [one for one in artifacts(home / "artifacts") if one.kind == "negatives"]
    families: dict[str, set[str]] = {}
    for passage in snapshot.passages:
        families.setdefault(passage.family, set()).add(passage.id)

    def wanted(example: Example) -> frozenset[str]:
        source = example.evidence[0].passage
        whole = families.get(source.within[0], set()) if len(source.within) == 1 else set()
        alike = families.get(source.family, set()) | whole | {source.id}
        return frozenset(id for id in alike if id in snapshot)

    chosen: list[Example] = pick(examples_of(mined[-1], "exam"), most, "inspect") if mined else []
    return [Asked(example.question, wanted(example), example.answers, example.writer) for example in chosen]


def labelled(snapshot: Snapshot, queries: Path, qrels: Path, most: int) -> list[Asked]:
    """At most `most` questions of a labelled folder that have a relevant document, here or not. Raises BadInput."""
    judgements = read_qrels(qrels)
    relevant = {id: [document for document, score in found.items() if score > 0] for id, found in judgements.items()}
    asked = [query for query in read_queries(queries) if relevant.get(query.id) and query.text.strip()]
    if not asked:
        raise NotEnough(f"None of the questions in {queries} has a relevant document in {qrels}.", "Check that the ids are the same.")

    def wanted(id: str) -> frozenset[str]:
        return frozenset(snapshot.ids[row] for document in relevant[id] for row in snapshot.rows_of(document))

    return [Asked(query.text, wanted(query.id)) for query in pick(asked, most, "inspect")]


def vectors_of(home: Path, snapshot: Snapshot, system: System, embedder: Embedder, progress: Progress) -> Vectors:
    """The snapshot's vectors by a system: of the store, of a study, and for what is left of the embedder. Stores nothing."""
    if not len(snapshot.missing(system.fingerprint)):
        return snapshot.vectors(system.fingerprint)
    made = prepared(home / "artifacts", system)
    known = dict(zip(*made, strict=True)) if made is not None else {}
    new = [passage for passage in snapshot.passages if passage.id not in known]
    if new:
        known.update(zip([p.id for p in new], embedder.embed([p.indexed for p in new], "passage", progress), strict=True))
    return np.stack([known[id] for id in snapshot.ids])


@stage("inspect.layout", version=2)
def laid_out(work: Work, config: None, content: str, sides: list[Vectors], asked: list[Vectors]) -> str:
    """`points.npy` (sides, passages, 2) and `asked.npy` (sides, questions, 2). Returns the method."""
    found = layout(sides, asked, work.progress)
    saved(work.folder / "points.npy", np.stack(found.points).astype(np.float32))
    saved(work.folder / "asked.npy", np.stack(found.asked).astype(np.float32))
    return found.method


def read_layout(artifact: Artifact, method: str) -> Layout:
    """What `laid_out` left."""
    points, asked = (np.load(artifact.path / f"{name}.npy").astype(np.float64) for name in ("points", "asked"))
    return Layout(method, list(points), list(asked))


def measured(snapshot: Snapshot, asked: Sequence[Asked], questions: Vectors, passages: Vectors, hard: Sequence[Sequence[str]]) -> Geometry:
    """The geometry of one side. `hard` are the ids of each question's hard negatives, the same ones for both sides."""
    positives = [(at, snapshot.row(id)) for at, one in enumerate(asked) for id in sorted(one.wanted)]
    wrong = [(at, snapshot.row(id)) for at, ids in enumerate(hard) for id in ids]
    return geometry(passages, questions, positives, wrong)


def hard_negatives(asked: Sequence[Asked], retrievers: Mapping[str, Retriever]) -> list[list[str]]:
    """For each question the best wrong passages by words and by meaning; what holds its answer is not known to be wrong."""
    found: list[dict[str, None]] = [{} for _ in asked]
    for name in ("lexical", "dense"):
        for at, hits in enumerate(retrievers[name].search([one.question for one in asked], 10) if asked else []):
            wrong = [hit.passage for hit in hits if hit.passage.id not in asked[at].wanted and not _holds(hit.passage, asked[at])]
            found[at].update(dict.fromkeys(passage.id for passage in wrong[:_HARD]))
    return [list(ids) for ids in found]


def _holds(passage: Passage, asked: Asked) -> bool:
    text = normal(passage.indexed)
    return any(contains(text, normal(answer)) for answer in asked.answers)


def lost(
    asked: Sequence[Asked], retriever: Retriever, system: System, embedder: Embedder, cfg: Extract, progress: Progress
) -> list[gaps.Lost]:
    """For each question the place where it fell, with quoted answers: a model behind an API is asked nothing."""
    calibration = calibration_of(system) or DEFAULT
    told: list[gaps.Lost] = []
    for start in range(0, len(asked), _BLOCK):
        block = asked[start : start + _BLOCK]
        found = retriever.search([one.question for one in block], gaps.DEPTH)
        reads = read([one.question for one in block], [hits[: cfg.hits] for hits in found], embedder, cfg)
        refused = abstains(features_of(reads), calibration)
        for one, hits, given, silent in zip(block, found, reads, refused, strict=True):
            rank = first_rank(hit.passage.id in one.wanted for hit in hits)
            cited = not silent and any(citation.passage in one.wanted for citation in extract(given, cfg)[1])
            place, why = gaps.place_of(bool(one.wanted), rank, bool(silent), cited)
            wanted = next((hit.passage.called for hit in hits if hit.passage.id in one.wanted), "")
            told.append(gaps.Lost(one.question, one.writer, place, why, rank, wanted, hits[0].passage.called if hits else ""))
        progress(min(start + _BLOCK, len(asked)), len(asked))
    return told


def drawn(snapshot: Snapshot, asked: Sequence[Asked]) -> Rows:
    """The rows on the map: all of them, or POINTS of them with those that answer a question always among them."""
    if len(snapshot) <= POINTS:
        return np.arange(len(snapshot))
    must = np.unique([snapshot.row(id) for one in asked for id in one.wanted]).astype(np.int64)[:POINTS]
    others = np.setdiff1d(np.arange(len(snapshot)), must)
    more = np.random.default_rng(0).permutation(others)[: POINTS - len(must)]
    return np.sort(np.concatenate([must, more]))


def neighbours(snapshot: Snapshot, rows: Rows, sides: Sequence[Vectors]) -> tuple[Rows, dict[str, Any]]:
    """How many of its nearest each passage of `rows` kept, and the passages that lost most, with what they lost and gained."""
    before, after = (nearest(vectors, rows) for vectors in sides)
    stayed = kept(before, after)
    most_changed = np.argsort(stayed, kind="stable")[:_CHANGED]

    def titles(found: Rows) -> list[str]:
        return [name_of(passage) for passage in snapshot.passages.take(found[:3])]

    changed = [
        {
            "passage": name_of(snapshot.passages[int(rows[at])]),
            "kept": int(stayed[at]),
            "lost": titles(before[at][~np.isin(before[at], after[at])]),
            "gained": titles(after[at][~np.isin(after[at], before[at])]),
        }
        for at in most_changed.tolist()
        if stayed[at] < before.shape[1]
    ]
    k = int(before.shape[1])
    counted = np.bincount(stayed, minlength=k + 1).tolist()
    return stayed, {"k": k, "kept": float(stayed.mean() / k) if k else 1.0, "counts": counted, "changed": changed}


def name_of(passage: Passage) -> str:
    """A passage in a few words."""
    start = " ".join(passage.text.split())[:90]
    return f"{passage.called}: {start}" if passage.called else start
