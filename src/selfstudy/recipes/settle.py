"""What documents say about one another, found anew where any of them changed: boilerplate, near duplicates, versions, grades, terms.

All of it depends on the documents, the settings and a person's rulings alone: never on the order in which the documents came.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from selfstudy.core.files import make_folder, read_json, write_atomic, write_json
from selfstudy.core.ports import Embedder, Vectors
from selfstudy.core.records import Document, Passage, Scalar, Term, digest
from selfstudy.core.run import Reporter, Stop
from selfstudy.corpus.cleaning.boilerplate import left_out, repeated
from selfstudy.corpus.cleaning.contained import contained
from selfstudy.corpus.cleaning.dedup import near_duplicates
from selfstudy.corpus.cleaning.quality import Grade, grade_document, grade_passages, stated_date
from selfstudy.corpus.cleaning.versions import Family, Source, families
from selfstudy.corpus.glossary import mined
from selfstudy.corpus.passages.chunk import chunk
from selfstudy.evals.guard import pairs
from selfstudy.index.snapshot import DROPPED, HIDDEN, SUPERSEDED_BY, Snapshot
from selfstudy.index.tables import DOCUMENTS, PASSAGES
from selfstudy.index.writer import Writer
from selfstudy.recipes.embedding import BATCH, put_embedded, without_vector
from selfstudy.recipes.glossary import Terms
from selfstudy.recipes.remembering import known_share
from selfstudy.recipes.rulings import Rulings
from selfstudy.recipes.settings import Settings

READS = 0.8
"""An embedder that knows fewer of a corpus's tokens cannot search it: what it finds is noise."""
_SETTLED = "settled.json"
_METHOD = "5"
"""Another one than before has every home settled anew."""
_GENERAL = 3
"""Every so manieth of the guard's passages is the general text that documents are compared with."""


def boilerplate_of(home: Path) -> frozenset[str]:
    """The marks of the boilerplate that was found when the home was last settled."""
    path = home / _SETTLED
    return frozenset(read_json(path)["boilerplate"]) if path.is_file() else frozenset()


def cut(document: Document, marks: Set[str], content: str, settings: Settings) -> tuple[list[Passage], str]:
    """The passages of `document` without its boilerplate, and what tells next time whether it must be cut anew."""
    spans = left_out(document, marks) if marks and settings.boilerplate.on else ()
    return chunk(document, settings.chunk, spans), f"{content} {digest(repr(spans))[:8]}" if spans else content


def settle(home: Path, writer: Writer, settings: Settings, embedders: Sequence[Embedder], reporter: Reporter, stop: Stop) -> int:
    """Bring the index up to what its documents say about one another. Returns how many passages were embedded for it.

    The first of `embedders` is that of meaning.

    Nothing is done where nothing changed since the last time; that another embedder serves is no change, or each promotion would have
    the same documents studied anew. After a kill the next call does what is left.
    """
    rules = digest(
        _METHOD,
        settings.boilerplate.model_dump_json(), settings.versions.model_dump_json(), settings.quality.model_dump_json(),
        settings.glossary.model_dump_json(include={"on"}), repr(Rulings(home).all()), settings.embedder, repr(settings.reads),
    )  # fmt: skip
    path = home / _SETTLED
    if path.is_file() and (before := read_json(path)) and before["rules"] == rules and before["tables"] == _tables(writer):
        return 0
    reporter.stage_started("settle", resumed=False)
    marks, embedded = _recut(writer, settings, embedders, stop)
    snapshot = writer.snapshot()
    grades = graded(home, snapshot, settings, embedders[0])
    facts = _facts(snapshot, grades, families_of(home, snapshot, settings), settings, Rulings(home).all())
    writer.mark_repeats(repeats(snapshot, facts))
    writer.mark_documents(facts)
    writer.commit()
    if settings.glossary.on:
        Terms(home).found(terms_of(writer.snapshot()))
    write_json(path, {"rules": rules, "tables": _tables(writer), "boilerplate": sorted(marks)})
    reporter.stage_finished("settle", 0.0, kept=False)
    return embedded


def repeats(snapshot: Snapshot, facts: Mapping[str, Mapping[str, Scalar]]) -> dict[str, tuple[str | None, tuple[str, ...]]]:
    """What every passage nearly repeats and stands inside. Documents that search passes over come last, short ones after long ones: what is
    shown repeats nothing that is hidden."""
    parts = standing(snapshot)
    lengths = {id: sum(len(passage.text) for passage in held) for id, held in parts.items()}
    order = sorted(parts, key=lambda id: (not HIDDEN.isdisjoint(facts.get(id, {})), -lengths[id], id))
    near = near_duplicates(list({passage.id: passage for id in order for passage in parts[id]}.values()))
    within = contained([parts[id] for id in order], near)
    return {id: (near.get(id), within.get(id, ())) for id in snapshot.ids}


def terms_of(snapshot: Snapshot) -> list[Term]:
    """What the documents explain that a search without a filter lets through."""
    mask = snapshot.mask(None)
    return mined(passage.text for row, passage in enumerate(snapshot.passages) if mask is None or mask[row])


def graded(home: Path, snapshot: Snapshot, settings: Settings, embedder: Embedder) -> dict[str, Grade]:
    """The grade of every passage, by its id."""
    texts = [pair.passage for pair in pairs()][::_GENERAL]
    own = readable_vectors(snapshot, embedder)
    vectors = (own, _general(home, texts, embedder)) if own is not None else None
    return dict(zip(snapshot.ids, grade_passages(list(snapshot.passages), settings.quality, texts, vectors), strict=True))


def families_of(home: Path, snapshot: Snapshot, settings: Settings) -> list[Family]:
    """The versions among the documents, as names, contents and rulings have it."""
    if not settings.versions.on:
        return []
    parts = standing(snapshot)
    sources = [
        Source(id, card.title, "\n".join(passage.text for passage in parts.get(id, ())), card.meta)
        for id, card in snapshot.documents.items()
    ]
    return families(sources, settings.versions, Rulings(home).all())


def standing(snapshot: Snapshot) -> dict[str, list[Passage]]:
    """The passages of every document in the order of its text."""
    found: dict[str, list[tuple[int, str, Passage]]] = {}
    for passage in snapshot.passages:
        for place in passage.places:
            found.setdefault(place.document, []).append((place.start, passage.id, passage))
    return {id: [passage for _, _, passage in sorted(parts, key=lambda part: part[:2])] for id, parts in found.items()}


def weights(snapshot: Snapshot, grades: Mapping[str, Grade], rulings: Mapping[str, str]) -> dict[str, float]:
    """For every passage how much is asked about it, 0 to 1: its document's trust; nothing about what is superseded, dropped, repeated,
    noisy or off the subject. What a person keeps is asked about whatever was found."""
    found: dict[str, float] = {}
    for passage in snapshot.passages:
        documents = [snapshot.documents[place.document] for place in passage.places]
        trust = max((float(card.facts.get("trust", 1.0)) for card in documents if not card.hidden), default=0.0)
        kept = any(rulings.get(card.id) == "keep" for card in documents)
        bad = passage.repeats or bool(grades[passage.id].reasons)
        found[passage.id] = 1.0 if kept else 0.0 if bad else trust
    return found


def _recut(writer: Writer, settings: Settings, embedders: Sequence[Embedder], stop: Stop) -> tuple[frozenset[str], int]:
    """Cut those documents anew whose boilerplate is no longer what it was. Returns the marks, and how many passages were embedded."""
    snapshot = writer.snapshot()
    marks = repeated(_documents(snapshot), settings.boilerplate) if settings.boilerplate.on else frozenset()
    have = set(snapshot.ids) - without_vector(snapshot, embedders)
    items: list[Any] = []
    waiting = embedded = 0
    for document in _documents(snapshot):
        file = snapshot.documents[document.id].file
        if file is None:
            continue
        passages, told = cut(document, marks, file.hash.partition(" ")[0], settings)
        if told != file.hash:
            items.append((document, passages, replace(file, hash=told)))
            waiting += len(passages)
        if waiting >= BATCH:
            stop.check()
            embedded += put_embedded(writer, embedders, items, have)
            items, waiting = [], 0
    return marks, embedded + (put_embedded(writer, embedders, items, have) if items else 0)


def _documents(snapshot: Snapshot) -> Iterator[Document]:
    ids = list(snapshot.documents)
    for start in range(0, len(ids), BATCH):
        yield from snapshot.load_documents(ids[start : start + BATCH])


def _tables(writer: Writer) -> dict[str, int]:
    return {name: version for name, version in writer.state.tables.items() if name in (DOCUMENTS, PASSAGES)}


def _facts(
    snapshot: Snapshot, grades: Mapping[str, Grade], found: Sequence[Family], settings: Settings, rulings: Mapping[str, str]
) -> dict[str, dict[str, Scalar]]:
    """What filters see of every document: its grade, what took its place, whether a person dropped it."""
    parts = standing(snapshot)
    newest = max((stated for card in snapshot.documents.values() if (stated := stated_date(card.meta)) is not None), default=None)
    facts: dict[str, dict[str, Scalar]] = {}
    for id, card in snapshot.documents.items():
        held = [(passage, grades[passage.id]) for passage in parts.get(id, ())]
        facts[id] = grade_document(id, card.meta, held, newest, settings.quality).facts()
        if rulings.get(id) == "drop":
            facts[id][DROPPED] = True
    for family in found:
        for id in family.members:
            if family.current is not None and id != family.current:
                facts[id][SUPERSEDED_BY] = family.current
    return facts


def readable_vectors(snapshot: Snapshot, embedder: Embedder) -> Vectors | None:
    """The vectors of the passages; None where the embedder cannot read them, some are missing, or general text would have to be paid."""
    if not len(snapshot) or embedder.name.startswith("openai:") or len(snapshot.missing(embedder.fingerprint)):
        return None
    return snapshot.vectors(embedder.fingerprint) if known_share(snapshot, embedder) >= READS else None


def _general(home: Path, texts: Sequence[str], embedder: Embedder) -> Vectors:
    """The vectors of general text, kept in the home's cache."""
    path = home / "cache" / f"general-{digest(embedder.fingerprint, *texts)[:16]}.npy"
    if path.is_file():
        kept: Vectors = np.load(path)
        return kept
    vectors = embedder.embed(texts, "passage")
    made = BytesIO()
    np.save(made, vectors)
    make_folder(path.parent)
    write_atomic(path, made.getvalue())
    return vectors
