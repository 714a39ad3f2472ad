"""Changes to the index: made beside what readers see, and seen at once when the pointer moves."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from selfstudy.core.errors import HomeError
from selfstudy.core.files import home_errors, sync_tree
from selfstudy.core.ports import Vectors
from selfstudy.core.records import Document, Passage, Place, Scalar
from selfstudy.index.analyze import body
from selfstudy.index.snapshot import FileFacts, Snapshot
from selfstudy.index.state import Past, State, write_state
from selfstudy.index.tables import (
    DOCUMENTS,
    FACTS,
    PASSAGES,
    STORE,
    VECTORS,
    document_schema,
    facts_schema,
    index_text,
    one_of,
    open_at,
    optimize,
    passage_schema,
    store_errors,
    table_names,
    vector_schema,
    vector_table,
)

if TYPE_CHECKING:
    import pyarrow as pa

Places = tuple[Place, ...]
Repeats = tuple[str | None, tuple[str, ...]]
"""What a passage nearly repeats, and what it stands inside."""

BUFFER = 20_000
"""Passages held in memory before they are written."""
ALWAYS_FOLDED = 20_000
"""Up to so many passages the full text index is complete after every commit, so that scores do not hang on the order of adding."""
FOLDED_AT = 0.05
"""Above that, it is completed when this share of the passages is not in it yet; until then those are searched one by one. It is built anew
when so many were deleted since, as it is after every deletion up to ALWAYS_FOLDED: 20,000 passages of 150 words take a second, 200,000 of
100 words seven.
"""
MANY_PARTS = 16
"""Vectors come in batches; after more than so many of them their files are merged."""
GRACE = timedelta(days=1)
"""How long a version stays readable after another took its place."""
_MOST_PASTS = 256
_OLDEST = "oldest-needed"


class Writer:
    """The one writer of a home; made by `Store.writing`, which holds the lock.

    Nothing that it does is seen before `commit`, and everything since the last commit is dropped if it never comes: documents and passages
    are brought back to the pointer's versions by the next writer. Vectors are not: they belong to texts, so what a killed run embedded is
    kept and used.
    """

    def __init__(self, database: Any, home: Path, state: State) -> None:
        self.state = state
        self._since = time.time() - 60
        self._database = database
        self._home = home
        with store_errors(home):
            self._present = table_names(database)
            self._restore(DOCUMENTS)
            self._restore(PASSAGES)
            self._restore(FACTS)
        self._tables: dict[str, Any] = {}
        self._parts: dict[str, int] = {}
        self._live = state.live
        self._changed = False
        self._complete()
        self._load()
        # An earlier version did not count them: as many as there are passages, or one where none is left, so that it is made good once.
        self._deleted = state.deleted if state.deleted is not None else len(self._places) + (PASSAGES in self._present)

    # What a killed writer left

    def _restore(self, name: str) -> None:
        """Bring a table back to the version of the pointer, which is the last one that anybody was told of."""
        if name not in self._present:
            if name in self.state.tables:
                open_at(self._database, name, self.state.tables[name], self._home)  # raises: it should be there
            return
        if name not in self.state.tables:
            self._database.drop_table(name)
            self._present.discard(name)
        elif self._database.open_table(name).version != self.state.tables[name]:
            open_at(self._database, name, self.state.tables[name], self._home).restore()

    def _complete(self) -> None:
        """Give the passages of a home that an earlier version made the columns that it did not know."""
        if PASSAGES in self._present:
            with store_errors(self._home):
                table = self._table(PASSAGES)
                if lacking := [field for field in passage_schema() if field.name not in table.schema.names]:
                    table.add_columns(lacking)

    # What is there

    def _load(self) -> None:
        """Where every passage stands, so that a document can be replaced without reading its passages again."""
        self._places: dict[str, Places] = {}
        self._repeats: dict[str, Repeats] = {}
        self._in: dict[str, set[str]] = {}
        self._was: dict[str, tuple[Places, Repeats] | None] = {}
        self._new: dict[str, Passage] = {}
        self._documents: dict[str, dict[str, Any] | None] = {}
        if PASSAGES not in self._present:
            return
        with store_errors(self._home):
            columns = ["id", "places", "near", "within"]
            stored = self._table(PASSAGES).search().select(columns).to_arrow()
        for id, places, near, within in zip(*(stored[name].to_pylist() for name in columns), strict=True):
            self._places[id] = tuple(Place(place["document"], place["start"], place["end"]) for place in places)
            self._repeats[id] = (near, tuple(within or ()))
            for place in self._places[id]:
                self._in.setdefault(place.document, set()).add(id)

    def _table(self, name: str) -> Any:
        if name not in self._tables:
            self._tables[name] = self._database.open_table(name)
        return self._tables[name]

    def _make(self, name: str, schema: pa.Schema) -> Any:
        if name not in self._present:
            self._tables[name] = self._database.create_table(name, schema=schema)
            self._present.add(name)
            if name == PASSAGES:
                index_text(self._tables[name])
        return self._table(name)

    def snapshot(self) -> Snapshot:
        """The index as it would be after a commit now: to embed what is missing before others see it."""
        self._flush()
        return Snapshot(self._database, self._home, replace(self.state, tables=self._versions()))

    # Changes

    def put(self, items: Iterable[tuple[Document, Sequence[Passage], FileFacts | None]]) -> None:
        """Add documents with their passages, or replace those of the same id.

        A passage of a document's former version loses its places there; one without any place goes; equal passages of several documents
        are one with all their places.
        """
        for document, passages, file in items:
            self._forget(document.id)
            self._documents[document.id] = _document_row(document, file)
            for passage in passages:
                self._stand(passage, document.id)
            if len(self._was) >= BUFFER:
                self._flush()

    def remove(self, documents: Iterable[str]) -> None:
        """Take documents away, with the passages that stand nowhere else. Ids that are not there are passed over."""
        for id in documents:
            self._forget(id)
            self._documents[id] = None

    def mark_repeats(self, repeats: Mapping[str, Repeats]) -> None:
        """Mark what passages nearly repeat and stand inside: `Passage.near` and `within`. Ids that are not there are passed over."""
        for id, marks in repeats.items():
            if id in self._places and self._repeats[id] != marks:
                self._touch(id)
                self._repeats[id] = marks

    def mark_documents(self, facts: Mapping[str, Mapping[str, Scalar]]) -> None:
        """Replace what was found out about documents by `facts`: for each document's id fields that filters see beside its metadata."""
        import pyarrow as pa

        rows = {id: json.dumps(dict(found), ensure_ascii=False, sort_keys=True) for id, found in facts.items() if found}
        if FACTS not in self._present and not rows:
            return
        with store_errors(self._home):
            table = self._make(FACTS, facts_schema())
            stored = table.search().select(["id", "facts"]).to_arrow()
            held = dict(zip(stored["id"].to_pylist(), stored["facts"].to_pylist(), strict=True))
            gone = [id for id in held if id not in rows]
            new = [{"id": id, "facts": found} for id, found in sorted(rows.items()) if held.get(id) != found]
            if not new and not gone:
                return
            merge = table.merge_insert("id").when_matched_update_all().when_not_matched_insert_all()
            if gone:
                merge = merge.when_not_matched_by_source_delete(one_of(gone))
            merge.execute(pa.Table.from_pylist(new, facts_schema()))
        self._changed = True

    def add_vectors(self, fingerprint: str, ids: Sequence[str], matrix: Vectors) -> None:
        """Keep `matrix[i]` as the vector of the passage `ids[i]`; those that are already there stay as they are. Written at once."""
        import pyarrow as pa
        import pyarrow.compute as pc

        if matrix.ndim != 2 or len(matrix) != len(ids):
            raise ValueError(f"{len(ids)} ids need a matrix of {len(ids)} rows, not of shape {matrix.shape}")
        if not np.isfinite(matrix).all():
            raise ValueError("a vector holds a value that is not finite")
        dim = int(matrix.shape[1])
        with store_errors(self._home):
            table = self._make(vector_table(fingerprint), vector_schema(dim))
            if table.schema.field("vector").type.list_size != dim:
                raise ValueError(f"vectors of {fingerprint!r} have {table.schema.field('vector').type.list_size} dimensions, not {dim}")
            first: dict[str, int] = {}
            for row, id in enumerate(ids):
                first.setdefault(id, row)
            names = pa.array(list(first), pa.string())
            held = table.search().select(["id"]).to_arrow()["id"].combine_chunks()
            new = pc.invert(pc.is_in(names, value_set=held)).to_numpy(zero_copy_only=False)
            rows = np.fromiter(first.values(), np.int64, len(first))[new]
            if len(rows):
                values = pa.array(np.ascontiguousarray(matrix[rows], dtype=np.float32).ravel())
                vectors = pa.FixedSizeListArray.from_arrays(values, dim)
                self._parts[table.name] = self._parts.get(table.name, 0) + 1
                table.add(pa.Table.from_arrays([names.filter(pa.array(new)), vectors], schema=table.schema))

    def set_live(self, live: dict[str, Any] | None) -> None:
        """Say what serves from the next commit on; the store keeps it and does not read it."""
        if live != self._live:
            self._live = live
            self._changed = True

    def commit(self) -> State:
        """Make everything since the last commit the index: one replacement of the pointer. Nothing happens where nothing changed."""
        self._flush()
        if not self._changed and not self._found_vectors():
            return self.state
        with store_errors(self._home):
            self._fold_text()
            for name, parts in self._parts.items():
                if parts > MANY_PARTS:
                    optimize(self._table(name))
            self._parts.clear()
            tables = self._versions()
        return self._point(tables)

    def _found_vectors(self) -> bool:
        """Whether a killed run embedded something that the pointer does not know of yet."""
        return any(version != self.state.tables.get(name) for name, version in self._versions().items() if name.startswith(VECTORS))

    def _point(self, tables: dict[str, int]) -> State:
        now = time.time()
        with home_errors(self._home):
            sync_tree(self._home / STORE, self._since)  # the tables must be on the disk before the pointer to them is
        past = tuple(item for item in self.state.past if item.until > now - GRACE.total_seconds())
        if self.state.tables and self.state.tables != tables:
            past = (*past, Past(self.state.tables, now))
        if len(past) > _MOST_PASTS:
            past = past[::2]  # what is left out is younger than the one before it, and kept with it
        version = self.state.index_version + 1
        state = replace(self.state, index_version=version, tables=tables, live=self._live, past=past, deleted=self._deleted)
        write_state(self._home, state)
        self.state = state
        self._changed = False
        return state

    def compact(self, grace: timedelta = GRACE) -> State:
        """Commit, then make the tables small and fast.

        Files are merged, the full text index is completed and what went is no longer counted in it, the vectors of passages that are gone
        and the versions that were replaced more than `grace` ago are dropped.
        """
        self.commit()
        with store_errors(self._home):
            for name in self._used():
                if name.startswith(VECTORS):
                    self._prune(name)
                optimize(self._table(name))
            self._rebuild_text()
            tables = self._versions()
        state = self._point(tables) if tables != self.state.tables else self.state
        with store_errors(self._home):
            for name in tables:
                self._drop_old(name, grace)
        return state

    def _prune(self, name: str) -> None:
        table = self._table(name)
        gone = [id for id in table.search().select(["id"]).to_arrow()["id"].to_pylist() if id not in self._places]
        for start in range(0, len(gone), 1000):
            table.delete(one_of(gone[start : start + 1000]))

    def _drop_old(self, name: str, grace: timedelta) -> None:
        """Drop the versions of a table that are older than the oldest one that a reader may still be looking at."""
        now = time.time()
        table = self._table(name)
        pasts = [item.tables for item in self.state.past if item.until > now - grace.total_seconds()]
        needed = {tables[name] for tables in [self.state.tables, *pasts] if name in tables}
        version, made = min((item["version"], item["timestamp"].timestamp()) for item in table.list_versions() if item["version"] in needed)
        (table.tags.update if _OLDEST in table.tags.list() else table.tags.create)(_OLDEST, version)
        try:
            optimize(table, timedelta(seconds=max(now - made, 0) + 1))
        except RuntimeError as error:
            # The library counts back from its own clock: on a busy machine that may come to reach the tagged version. Then it drops
            # nothing, and the next compaction does.
            if "tagged" not in str(error):
                raise

    # Writing

    def _forget(self, document: str) -> None:
        for id in self._in.pop(document, ()):
            self._touch(id)
            self._places[id] = tuple(place for place in self._places[id] if place.document != document)

    def _stand(self, passage: Passage, document: str) -> None:
        if not passage.places or any(place.document != document for place in passage.places):
            raise ValueError(f"passage {passage.id} must have its places in the document {document!r} that it is put with")
        self._touch(passage.id)
        places = {*self._places.get(passage.id, ()), *passage.places}
        self._places[passage.id] = tuple(sorted(places, key=lambda place: (place.document, place.start, place.end)))
        self._new[passage.id] = passage
        self._in.setdefault(document, set()).add(passage.id)
        if passage.repeats or passage.id not in self._repeats:
            self._repeats[passage.id] = (passage.near, passage.within)

    def _touch(self, id: str) -> None:
        if id not in self._was:
            self._was[id] = (self._places[id], self._repeats[id]) if id in self._places else None

    def _flush(self) -> None:
        """Write what is held in memory: one merge for each table, which replaces, adds and deletes in one version."""
        with store_errors(self._home):
            self._flush_passages()
            self._flush_documents()

    def _flush_passages(self) -> None:
        import pyarrow as pa

        added, moved, gone = [], [], []
        for id, was in self._was.items():
            places, (near, within) = now = (self._places[id], self._repeats[id])
            row = {"id": id, "places": _place_rows(places), "near": near, "within": list(within)}
            if not places:
                del self._places[id], self._repeats[id]
                if was is not None:
                    gone.append(id)
            elif was is None:
                passage = self._new[id]
                said = {"title": passage.title, "text": passage.text, "language": passage.language}
                added.append({**row, **said, "body": body(passage.indexed)})
            elif was != now:
                moved.append(row)
        self._was.clear()
        self._new.clear()
        if not (added or moved or gone):
            return
        schema = passage_schema()
        table = self._make(PASSAGES, schema)
        if moved:
            partly = pa.schema([schema.field(name) for name in ("id", "places", "near", "within")])
            table.merge_insert("id").when_matched_update_all().execute(pa.Table.from_pylist(moved, partly))
        if added or gone:
            merge = table.merge_insert("id").when_matched_update_all().when_not_matched_insert_all()
            if gone:
                merge = merge.when_not_matched_by_source_delete(one_of(gone))
            merge.execute(pa.Table.from_pylist(added, schema))
        self._deleted += len(moved) + len(gone)  # what moved is written anew, and its former row goes
        self._changed = True

    def _flush_documents(self) -> None:
        import pyarrow as pa

        rows = [row for row in self._documents.values() if row is not None]
        gone = [id for id, row in self._documents.items() if row is None]
        self._documents.clear()
        if not rows and (not gone or DOCUMENTS not in self._present):
            return
        schema = document_schema()
        table = self._make(DOCUMENTS, schema)
        merge = table.merge_insert("id").when_matched_update_all().when_not_matched_insert_all()
        if gone:
            merge = merge.when_not_matched_by_source_delete(one_of(gone))
        before = table.count_rows()
        done = merge.execute(pa.Table.from_pylist(rows, schema))
        self._changed = self._changed or bool(rows) or table.count_rows() != before or done.num_deleted_rows > 0

    def _fold_text(self) -> None:
        if PASSAGES not in self._present:
            return
        table = self._table(PASSAGES)
        total = table.count_rows()
        stats = table.index_stats("body_idx")
        if stats is None:
            raise HomeError(f"{self._home} is damaged: its full text index is missing.", "Start a new home and add the documents there.")
        always = total <= ALWAYS_FOLDED and self._unsettled()
        if always or stats.num_unindexed_rows > FOLDED_AT * total:
            optimize(table)
        if always or self._deleted > FOLDED_AT * total:
            self._rebuild_text()

    def _rebuild_text(self) -> None:
        """Build the full text index anew where rows were deleted: merging it, or the files beneath it, leaves their words counted."""
        if self._deleted:
            index_text(self._table(PASSAGES))
            self._deleted = 0

    def _unsettled(self) -> bool:
        return bool(self._table(PASSAGES).version != self.state.tables.get(PASSAGES))

    def _used(self) -> list[str]:
        """The tables of the index. Vectors that a killed run left are taken in, in the pointer or not."""
        return sorted(name for name in self._present if name in (DOCUMENTS, PASSAGES, FACTS) or name.startswith(VECTORS))

    def _versions(self) -> dict[str, int]:
        return {name: int(self._table(name).version) for name in self._used()}


def _document_row(document: Document, file: FileFacts | None) -> dict[str, Any]:
    sections: Any = [[list(section.path), section.start, section.end] for section in document.sections]
    if document.marks:
        sections = {"sections": sections, "marks": [[mark.start, mark.label, mark.row] for mark in document.marks]}
    meta: dict[str, Scalar] = dict(document.meta)
    return {
        "id": document.id,
        "title": document.title,
        "source": document.source,
        "text": document.text,
        "meta": json.dumps(meta, ensure_ascii=False),
        "sections": json.dumps(sections, ensure_ascii=False),
        "path": file.path if file else None,
        "size": file.size if file else None,
        "mtime_ns": file.mtime_ns if file else None,
        "hash": file.hash if file else None,
    }


def _place_rows(places: Places) -> list[dict[str, Any]]:
    return [{"document": place.document, "start": place.start, "end": place.end} for place in places]
