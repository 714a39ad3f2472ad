"""The index as it was at one moment: whole, and unchanged whatever is written afterwards."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import numpy as np
from numpy.typing import NDArray

from selfstudy.core.errors import BadInput, HomeError
from selfstudy.core.ports import Vectors
from selfstudy.core.records import LANGUAGE, Document, Mark, Passage, Place, Record, Scalar, Section, digest
from selfstudy.index import filters
from selfstudy.index.analyze import body
from selfstudy.index.state import State
from selfstudy.index.tables import DOCUMENTS, FACTS, PASSAGES, one_of, open_at, passage_schema, store_errors, vector_table

if TYPE_CHECKING:
    import pyarrow as pa

Rows = NDArray[np.int64]
Mask = NDArray[np.bool_]

_CHUNK = 4096
_HALF = np.uint64(32)
_LOW = np.uint64(0xFFFFFFFF)
_MASKS = 64

SUPERSEDED_BY = "superseded_by"
"""The field of a document that another one took the place of: the other's id."""
DROPPED = "dropped"
"""The field, true, of a document that a person dropped."""
ANY = f"({SUPERSEDED_BY} is null or {SUPERSEDED_BY} is not null)"
"""A filter that lets every document through, superseded or not."""
HIDDEN = frozenset({SUPERSEDED_BY, DROPPED})
"""Fields of documents that a search without a filter passes over."""


@dataclass(frozen=True, slots=True)
class FileFacts(Record):
    """The file that a document was read from, as it was then: what tells, next time, whether it must be read again."""

    path: str
    size: int
    mtime_ns: int
    hash: str = ""


@dataclass(frozen=True, slots=True)
class Card(Record):
    """A document without its text."""

    id: str
    title: str
    source: str
    meta: dict[str, Scalar] = field(default_factory=dict)
    file: FileFacts | None = None
    facts: dict[str, Scalar] = field(default_factory=dict)

    @property
    def fields(self) -> dict[str, Scalar]:
        """What filters see: the metadata, what was found out about the document, and id, title and source."""
        return {**self.meta, **self.facts, "id": self.id, "title": self.title, "source": self.source}

    @property
    def superseded_by(self) -> str | None:
        """The id of the document that took the place of this one."""
        by = self.facts.get(SUPERSEDED_BY)
        return None if by is None else str(by)

    @property
    def hidden(self) -> bool:
        """Whether search passes it over unless asked for it: another document took its place, or a person dropped it."""
        return not HIDDEN.isdisjoint(self.facts)


class Snapshot:
    """Passages in the order of their ids, numbered 0 .. len - 1 (their rows), with documents, vectors and full text of one moment.

    Equal contents give equal rows, whatever the order in which documents came. Made by `Store.snapshot()`.
    """

    def __init__(self, database: Any, home: Path, state: State) -> None:
        self._database = database
        self._home = home
        self.state = state
        self._masks: dict[str | None, Mask] = {}

    @property
    def version(self) -> int:
        """The index version that this shows."""
        return self.state.index_version

    def __len__(self) -> int:
        return int(self._rows.num_rows)

    @cached_property
    def ids(self) -> list[str]:
        """The ids of the passages, by row: ascending."""
        ids: list[str] = self._rows["id"].to_pylist()
        return ids

    def row(self, passage: str) -> int:
        """The row of the passage of this id. KeyError where there is none."""
        return self._row_of[passage]

    def __contains__(self, passage: object) -> bool:
        return passage in self._row_of

    @cached_property
    def passages(self) -> Passages:
        """All passages by row, decoded when they are looked at; places in superseded and dropped documents come last."""
        return Passages(self._rows, self._hidden)

    @cached_property
    def _hidden(self) -> frozenset[str]:
        """The documents that a search without a filter passes over."""
        return frozenset(id for id, card in self.documents.items() if card.hidden)

    @cached_property
    def documents(self) -> dict[str, Card]:
        """Every document by id, ascending, without its text."""
        if DOCUMENTS not in self.state.tables:
            return {}
        columns = ["id", "title", "source", "meta", "path", "size", "mtime_ns", "hash"]
        with store_errors(self._home):
            rows = self._table(DOCUMENTS).search().select(columns).to_arrow().sort_by("id").to_pylist()
            facts = self._table(FACTS).search().to_arrow().to_pylist() if FACTS in self.state.tables else []
        found = {row["id"]: json.loads(row["facts"]) for row in facts}
        return {row["id"]: _card(row, found.get(row["id"], {})) for row in rows}

    def document(self, id: str) -> Document:
        """The whole document. KeyError where there is none."""
        return self.load_documents([id])[0]

    def load_documents(self, ids: Sequence[str]) -> list[Document]:
        """The whole documents, in the order asked for. KeyError where one is not there."""
        found: dict[str, Document] = {}
        if DOCUMENTS in self.state.tables:
            table = self._table(DOCUMENTS)
            columns = ["id", "title", "source", "meta", "text", "sections"]
            for start in range(0, len(ids), _CHUNK):
                with store_errors(self._home):
                    rows = table.search().where(one_of(ids[start : start + _CHUNK])).select(columns).to_arrow().to_pylist()
                found.update((row["id"], _document(row)) for row in rows)
        return [found[id] for id in ids]

    def rows_of(self, document: str) -> Rows:
        """The rows of the passages that stand in a document."""
        number = self._document_numbers.get(document)
        if number is None:
            return np.empty(0, np.int64)
        rows, documents = self._places
        return np.unique(rows[documents == number])

    def vectors(self, fingerprint: str) -> Vectors:
        """(len(self), dim) float32: the vectors of the embedder of this fingerprint, by row.

        Raises HomeError where a passage has none; `missing` says which.
        """
        name = vector_table(fingerprint)
        dim = self._table(name).schema.field("vector").type.list_size if name in self.state.tables else 0
        matrix = np.empty((len(self), dim), np.float32)
        found = np.zeros(len(self), bool)
        for rows, batch in self._stored(name, ["id", "vector"]):
            here = rows >= 0
            matrix[rows[here]] = batch["vector"].flatten().to_numpy().reshape(-1, dim)[here]
            found[rows[here]] = True
        missing = len(self) - int(np.count_nonzero(found))
        if missing or name not in self.state.tables:
            raise HomeError(
                f"{missing or 'All'} of {len(self)} passages have no vector of the embedder {fingerprint!r}.",
                "Add the documents again (`selfstudy add`): only what is missing is embedded.",
            )
        return matrix

    def missing(self, fingerprint: str) -> Rows:
        """The rows of the passages without a vector of the embedder of this fingerprint, ascending."""
        found = np.zeros(len(self), bool)
        for rows, _ in self._stored(vector_table(fingerprint), ["id"]):
            found[rows[rows >= 0]] = True
        return np.flatnonzero(~found)

    def lexical(self, question: str, limit: int | None = None) -> tuple[Rows, NDArray[np.float32]]:
        """Rows and BM25 scores of the passages that hold a word of `question`: the best `limit`, best first, or all of them in any order.

        The question is data: no sign in it is read as syntax.
        """
        from lancedb.query import MatchQuery

        match: Any = MatchQuery
        words = body(question)
        if not len(self) or not words.strip():
            return np.empty(0, np.int64), np.empty(0, np.float32)
        wanted = len(self) if limit is None else min(limit, len(self))
        with store_errors(self._home):
            query = self._passages.search(match(words, "body"), query_type="fts")
            found = query.with_row_id(True).select(["_score"]).limit(wanted).to_arrow()
        rows = self._row_at(found["_rowid"].to_numpy())
        scores = found["_score"].to_numpy()
        if limit is None:
            return rows, scores
        order = np.lexsort((rows, -scores))
        return rows[order], scores[order]

    def mask(self, where: str | None) -> Mask | None:
        """Which rows the filter `where` lets through, or None where that is all of them. Raises BadInput for one that cannot be read.

        Documents that are superseded or dropped are not among them, unless the filter itself names the field that says so.
        """
        if where is None:
            if not self._hidden:
                return None
        elif not where.strip():
            raise BadInput("The filter is empty.", "Leave it out to search everything.")
        found = self._masks.get(where)
        if found is None:
            if len(self._masks) >= _MASKS:
                self._masks.clear()
            node = filters.parse(where, self.fields | HIDDEN) if where is not None else None
            found = self._matching(node)
            if node is not None and not found.any():
                filters.check_kinds(node, (card.fields for card in self.documents.values()))
            self._masks[where] = found
        return found

    @cached_property
    def fields(self) -> frozenset[str]:
        """The names that a filter may use."""
        told = {LANGUAGE} if self._languages[1] else set()
        return frozenset({"id", "title", "source"}.union(told, *(card.fields for card in self.documents.values())))

    @cached_property
    def content(self) -> str:
        """The same for equal passages, whichever home holds them."""
        return digest("content", *self.ids)

    @cached_property
    def described(self) -> str:
        """The same for equal documents and passages, as filters see them."""
        rows, documents = self._places
        cards = (json.dumps(card.fields, sort_keys=True) for card in self.documents.values())
        told, names = self._languages
        return digest(self.content, sha256(rows.tobytes() + documents.tobytes() + told.tobytes()).hexdigest(), *names, *cards)

    @cached_property
    def shown(self) -> str:
        """The same for equal passages, equal ones of which a search without a filter passes over."""
        mask = self.mask(None)
        return digest(self.content, "" if mask is None else sha256(mask.tobytes()).hexdigest())

    def _matching(self, node: filters.Node | None) -> Mask:
        hiding = HIDDEN if node is None else HIDDEN - filters.names(node)
        cards = list(self.documents.values())
        shown = np.fromiter((hiding.isdisjoint(card.facts) for card in cards), bool, len(cards))
        holds = np.fromiter((node is None or node.holds(card.fields) for card in cards), bool, len(cards)) & shown
        rows, documents = self._places
        here = holds[documents]
        if node is not None and LANGUAGE in filters.names(node):
            told, names = self._languages
            telling = told[rows] >= 0
            pairs, places = np.unique(documents[telling] * len(names) + told[rows][telling], return_inverse=True)
            answers = np.zeros(len(pairs), bool)
            for at, (number, own) in enumerate(divmod(int(pair), len(names)) for pair in pairs):
                fields = cards[number].fields
                named = fields.get(LANGUAGE) in (None, *names)  # its parts cannot be held against one that states "English", or "eng"
                answers[at] = shown[number] and node.holds({**fields, LANGUAGE: names[own]}) if named else holds[number]
            here[telling] = answers[places]
        mask = np.zeros(len(self), bool)
        mask[rows[here]] = True
        return mask

    @cached_property
    def _languages(self) -> tuple[Rows, list[str]]:
        """By row the number of the language that a passage tells by itself, -1 for none, and the names of all."""
        import pyarrow as pa
        import pyarrow.compute as pc

        column = self._rows[LANGUAGE] if LANGUAGE in self._rows.column_names else pa.nulls(len(self), pa.string())
        found = pc.dictionary_encode(column)
        found = found.combine_chunks() if isinstance(found, pa.ChunkedArray) else found
        return found.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64), found.dictionary.to_pylist()

    def _table(self, name: str) -> Any:
        return open_at(self._database, name, self.state.tables[name], self._home)

    @cached_property
    def _passages(self) -> Any:
        return self._table(PASSAGES)

    @cached_property
    def _rows(self) -> pa.Table:
        if PASSAGES not in self.state.tables:
            import pyarrow as pa

            return passage_schema().append(pa.field("_rowid", pa.uint64())).empty_table()
        with store_errors(self._home):
            known = self._passages.schema.names  # a home of an earlier version lacks some until it is written to
            columns = [field.name for field in passage_schema() if field.name != "body" and field.name in known]
            return self._passages.search().select(columns).with_row_id(True).to_arrow().sort_by("id").combine_chunks()

    @cached_property
    def _row_of(self) -> dict[str, int]:
        return {id: row for row, id in enumerate(self.ids)}

    def _row_at(self, stored: NDArray[np.uint64]) -> Rows:
        """The rows of the store's own row ids, which full text search returns."""
        starts, rows = self._addresses
        rows_at: Rows = rows[starts[stored >> _HALF] + (stored & _LOW).astype(np.int64)]
        return rows_at

    @cached_property
    def _addresses(self) -> tuple[Rows, Rows]:
        """Where each fragment's rows begin in the second array, and that array: the row of each of the fragment's offsets.

        The store's row id is the number of a fragment in its upper half and the offset therein in its lower.
        """
        stored = self._rows["_rowid"].to_numpy()
        fragments, offsets = (stored >> _HALF).astype(np.int64), (stored & _LOW).astype(np.int64)
        sizes = np.zeros(int(fragments.max(initial=-1)) + 1, np.int64)
        np.maximum.at(sizes, fragments, offsets + 1)
        starts = np.cumsum(sizes) - sizes
        rows = np.full(int(sizes.sum()), -1, np.int64)
        rows[starts[fragments] + offsets] = np.arange(len(stored))
        return starts, rows

    @cached_property
    def _document_numbers(self) -> dict[str, int]:
        return {id: number for number, id in enumerate(self.documents)}

    @cached_property
    def _places(self) -> tuple[Rows, Rows]:
        """Every place of every passage: the passage's row, and the number of its document."""
        import pyarrow.compute as pc

        places = self._rows["places"]
        rows = pc.list_parent_indices(places).to_numpy().astype(np.int64)
        names = pc.struct_field(pc.list_flatten(places), "document").to_pylist()
        numbers = np.fromiter((self._document_numbers[name] for name in names), np.int64, len(names))
        return rows, numbers

    def _stored(self, name: str, columns: list[str]) -> Iterator[tuple[Rows, pa.RecordBatch]]:
        """A table of vectors part by part, since a million vectors should stand in memory once, with the row of each, -1 for none."""
        if name not in self.state.tables:
            return
        with store_errors(self._home):
            for batch in self._table(name).search().select(columns).to_batches():
                rows = (self._row_of.get(id, -1) for id in batch["id"].to_pylist())
                yield np.fromiter(rows, np.int64, len(batch)), batch


class Passages(Sequence[Passage]):
    """The passages of a snapshot by row, decoded when they are looked at."""

    def __init__(self, rows: pa.Table, last: frozenset[str] = frozenset()) -> None:
        self._rows = rows
        self._last = last

    def __len__(self) -> int:
        return int(self._rows.num_rows)

    @overload
    def __getitem__(self, row: int) -> Passage: ...
    @overload
    def __getitem__(self, row: slice) -> list[Passage]: ...
    def __getitem__(self, row: int | slice) -> Passage | list[Passage]:
        if isinstance(row, slice):
            return self.take(range(*row.indices(len(self))))
        if not -len(self) <= row < len(self):
            raise IndexError(f"row {row} of {len(self)} passages")
        return self.take([row % len(self)])[0]

    def __iter__(self) -> Iterator[Passage]:
        for start in range(0, len(self), _CHUNK):
            yield from self[start : start + _CHUNK]

    def take(self, rows: Sequence[int] | Rows) -> list[Passage]:
        """The passages at `rows`, in that order."""
        taken = self._rows.take(np.asarray(rows, np.int64))
        nothing = [None] * len(taken)
        names = ("id", "title", "text", "places", "near", "within", "language")
        columns = (taken[name].to_pylist() if name in taken.column_names else nothing for name in names)
        return [
            Passage(id, title, text, self._places(places), near, tuple(within or ()), language)
            for id, title, text, places, near, within, language in zip(*columns, strict=True)
        ]

    def _places(self, places: list[dict[str, Any]]) -> tuple[Place, ...]:
        read = (Place(place["document"], place["start"], place["end"]) for place in places)
        return tuple(sorted(read, key=lambda place: place.document in self._last) if self._last else read)


def _card(row: Mapping[str, Any], facts: dict[str, Scalar]) -> Card:
    file = FileFacts(row["path"], row["size"], row["mtime_ns"], row["hash"]) if row["path"] is not None else None
    return Card(row["id"], row["title"], row["source"], json.loads(row["meta"]), file, facts)


def _document(row: Mapping[str, Any]) -> Document:
    kept = json.loads(row["sections"])
    parts = kept if isinstance(kept, dict) else {"sections": kept, "marks": []}
    sections = tuple(Section(tuple(path), start, end) for path, start, end in parts["sections"])
    marks = tuple(Mark(*mark) for mark in parts["marks"])
    return Document(row["id"], row["text"], row["title"], row["source"], json.loads(row["meta"]), sections, marks)
