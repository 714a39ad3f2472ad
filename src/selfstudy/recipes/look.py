"""`inspect`: what the space looks like before and after, and where answers are lost, gathered for the table and the page."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from selfstudy.answer.reading import Extract
from selfstudy.core.errors import HomeError, NotEnough
from selfstudy.core.ports import Progress, Retriever, Vectors
from selfstudy.core.records import digest
from selfstudy.core.run import Lazy, Run
from selfstudy.evals import gaps
from selfstudy.evals.inside import Inside, Side
from selfstudy.evals.layout import clusters
from selfstudy.evals.space import Place, Questioned, Space
from selfstudy.index.dense import Dense, Flat
from selfstudy.index.snapshot import Snapshot
from selfstudy.recipes import inspection as i
from selfstudy.recipes.history import History
from selfstudy.recipes.remembering import Remembering
from selfstudy.recipes.system import System, reranked, retrievers

_UNASKED = "No questions here yet, so nothing is said about answers: `selfstudy adapt` writes some, or give --queries and --qrels."
_BROUGHT_BACK = (
    "The questions are those of the last study's exam. Each was kept because search by the base brought it back, so few are lost in"
    " search: --queries and --qrels show what people's questions lose."
)
_ALONE = "Only the base is shown: nothing was trained here yet."


@dataclass(frozen=True, slots=True)
class Looked:
    """One side with all that is worked out of it."""

    name: str
    system: System
    embedder: Remembering
    passages: Any
    questions: Any
    ways: Mapping[str, Retriever]


def sides_of(base: System, live: System, history: History, candidate: str | None) -> list[tuple[str, System]]:
    """The base and, where something was trained, what is looked at beside it: `candidate`, else what is live, else the last one judged.

    Raises BadInput, HomeError for a candidate that is not there.
    """
    if candidate is not None:
        judged = history.candidate(candidate)
        if judged.system is None:
            raise HomeError(f"The candidate {judged.key} is not kept here.", "Run `selfstudy adapt` again.")
        return [("base", base), ("candidate", judged.system)]
    if live.key is not None:
        return [("base", base), ("live", live)]
    trained = [event.system for event in history.events() if event.event == "judged" and event.system is not None]
    return [("base", base), *(("candidate", system) for system in trained[-1:] if system.fingerprint != base.fingerprint)]


def look(
    home: Path,
    snapshot: Snapshot,
    run: Run,
    sides: Sequence[tuple[str, System]],
    *,
    load: Callable[[str], Remembering],
    asked: Sequence[i.Asked],
    own: bool,
    cfg: Extract,
    expand: Callable[[str], str] | None = None,
) -> Inside:
    """Everything about `sides` (the base alone, or base and candidate), each searched as it serves or would serve.

    `expand` is how questions are widened by the glossary. Raises NotEnough for fewer than two passages, BadInput for a reranker that is
    gone.
    """
    if len(snapshot) < 2:
        raise NotEnough(f"The index holds {len(snapshot)} passages: there is no space to look at.", "Add documents first.")
    questions = [one.question for one in asked]
    seen = []
    for name, system in sides:
        embedder = load(system.embedder)
        with _step(run, f"vectors of the {name}") as progress:
            passages = i.vectors_of(home, snapshot, system, embedder, progress)
            asked_at = embedder.embed(questions, "query")
        seen.append(Looked(name, system, embedder, passages, asked_at, _ways(home, snapshot, system, load, passages, expand)))
    base = seen[0]
    with _step(run, "hard negatives"):
        hard = i.hard_negatives(asked, base.ways)
    told = []
    for side in seen:
        measured = i.measured(snapshot, asked, side.questions, side.passages, hard)
        with _step(run, f"answers of the {side.name}") as progress:
            lost = i.lost(asked, side.ways["hybrid"], side.system, side.embedder, cfg, progress)
        told.append(Side(side.name, side.system.embedder, measured, gaps.counts(lost), tuple(lost)))
    rows = i.drawn(snapshot, asked)
    stayed, moved = i.neighbours(snapshot, rows, [side.passages for side in seen]) if len(seen) > 1 else (None, None)
    notes = [_UNASKED] if not asked else [] if own else [_BROUGHT_BACK]
    return Inside(
        title=home.resolve().name,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        passages=len(snapshot),
        sides=tuple(told),
        neighbours=moved,
        space=_space(snapshot, run, rows, seen, asked, told, stayed),
        notes=tuple(notes + ([_ALONE] if len(seen) == 1 else [])),
    )


def _ways(
    home: Path,
    snapshot: Snapshot,
    system: System,
    load: Callable[[str], Remembering],
    passages: Vectors,
    expand: Callable[[str], str] | None,
) -> dict[str, Retriever]:
    """The ways to search by `system`, as `Loaded.retrievers` gives them, over vectors that may not be stored yet."""
    embedder = load(system.embedder)
    dense = Dense(snapshot, embedder, Flat(passages, embedder.fingerprint))
    imitation = load(system.imitation) if system.imitation else None
    return reranked(retrievers(snapshot, embedder, system.weight, dense, expand, imitation), system, home, embedder)


@contextmanager
def _step(run: Run, name: str) -> Iterator[Progress]:
    """Tell whoever watches how this goes on; Ctrl-C stops between two steps."""
    run.stop.check()
    run.reporter.stage_started(name, resumed=False)
    began = time.monotonic()
    yield lambda done, total: run.reporter.progress(name, done, total)
    run.reporter.stage_finished(name, time.monotonic() - began, kept=False)


def _space(
    snapshot: Snapshot, run: Run, rows: Any, seen: Sequence[Looked], asked: Sequence[i.Asked], told: Sequence[Side], stayed: Any
) -> Space:
    content = digest("map", snapshot.content, *(side.system.fingerprint for side in seen), *(one.question for one in asked))
    vectors = Lazy(content, lambda: [side.passages[rows] for side in seen])
    artifact = run.stage(i.laid_out, None, content, vectors, Lazy(content, lambda: [side.questions for side in seen]))
    flat = i.read_layout(artifact, run.result(artifact))
    passages = snapshot.passages.take(rows)
    numbers, names = clusters(seen[-1].passages[rows], [passage.indexed for passage in passages])
    at = {passage.id: place for place, passage in enumerate(passages)}
    return Space(
        method=flat.method,
        of=len(snapshot),
        points=tuple(flat.points),
        asked_at=tuple(flat.asked),
        places=tuple(
            Place(passage.called, passage.text, _source(passage.places[0].document if passage.places else ""), int(number))
            for passage, number in zip(passages, numbers, strict=True)
        ),
        clusters=tuple(names),
        kept=None if stayed is None else tuple(np.asarray(stayed).tolist()),
        questions=tuple(
            Questioned(one.question, tuple(sorted(at[id] for id in one.wanted if id in at)), tuple(side.lost[number] for side in told))
            for number, one in enumerate(asked)
        ),
    )


def _source(document: str) -> str:
    """The folder of a document, or its name where it lies in none."""
    folder = str(PurePosixPath(document).parent)
    return document if folder in (".", "/") else folder
