"""Files into the index: only what is new or changed is read, and every batch that is committed stays."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from selfstudy.core.errors import BadInput, nearest
from selfstudy.core.files import home_errors, read_json, write_json
from selfstudy.core.ports import Embedder
from selfstudy.core.records import Document, Passage, Record, digest
from selfstudy.core.run import Reporter, Stop
from selfstudy.corpus.chunk import chunk
from selfstudy.corpus.dedup import near_duplicates
from selfstudy.corpus.folder import SourceFile, walk
from selfstudy.corpus.set_aside import SetAside
from selfstudy.corpus.workers import Workers
from selfstudy.index.snapshot import FileFacts, Snapshot
from selfstudy.index.store import Store
from selfstudy.index.writer import Writer
from selfstudy.recipes.settings import Settings

READ = "read.json"
_BATCH = 256
"""Passages in a batch: what a kill may cost."""


@dataclass(frozen=True, slots=True)
class Added(Record):
    """What `add` or `remove` did. `passages` and `documents` count the whole index afterwards; `embedded` is the work of this call."""

    documents_added: int = 0
    documents_changed: int = 0
    documents_unchanged: int = 0
    documents_removed: int = 0
    documents: int = 0
    passages: int = 0
    embedded: int = 0
    set_aside: tuple[SetAside, ...] = ()
    seconds: float = 0.0


class Readings:
    """Which files were read to their end, with what was set aside: `read.json` in the home. `parsed_as` is the key of the settings."""

    def __init__(self, home: Path, parsed_as: str = "") -> None:
        self._path = home / READ
        self._parsed_as = parsed_as
        try:
            self.files: dict[str, dict[str, Any]] = read_json(self._path)
        except FileNotFoundError:
            self.files = {}

    def unchanged(self, file: SourceFile) -> bool:
        """Whether the file was read to its end as it is now, and what was set aside in it would be set aside again."""
        known = self.files.get(str(file.path))
        if known is None or any(one.get("again") for one in known["set_aside"]):
            return False
        if known["set_aside"] and known.get("parsed_as") != self._parsed_as:
            return False
        return bool(known["size"] == file.size and known["mtime_ns"] == file.mtime_ns and known["id"] == file.id)

    def done(self, file: SourceFile, set_aside: Sequence[SetAside]) -> None:
        facts = {"id": file.id, "size": file.size, "mtime_ns": file.mtime_ns, "parsed_as": self._parsed_as}
        self.files[str(file.path)] = {**facts, "set_aside": [one.json() for one in set_aside]}

    def set_aside(self) -> list[SetAside]:
        """All that is set aside in this home."""
        return [SetAside.load(one) for _, known in sorted(self.files.items()) for one in known["set_aside"]]

    def save(self) -> None:
        write_json(self._path, self.files)


def add(store: Store, settings: Settings, embedder: Embedder, paths: Sequence[Path], sync: bool, reporter: Reporter) -> Added:
    """Read `paths` into the index and embed what is new. With `sync`, documents of these paths that are gone are removed.

    Work is committed batch by batch: after a kill the next call goes on. Raises BadInput, Busy, HomeError, Stopped.
    """
    began = time.monotonic()
    stop = Stop()
    found = list(walk(paths))
    with store.writing("adding documents") as writer, stop.on_interrupt():
        adding = _Adding(store, settings, embedder, writer, reporter, stop)
        reporter.stage_started("add", resumed=False)
        adding.take(found)
        if sync:
            adding.drop_gone([Path(path).absolute() for path in paths], found)
        adding.finish()
    snapshot = store.snapshot()
    reporter.stage_finished("add", time.monotonic() - began, kept=False)
    return Added(
        documents_added=adding.added,
        documents_changed=adding.changed,
        documents_unchanged=adding.unchanged,
        documents_removed=adding.removed,
        documents=len(snapshot.documents),
        passages=len(snapshot),
        embedded=adding.embedded,
        set_aside=tuple(adding.set_aside),
        seconds=round(time.monotonic() - began, 3),
    )


def remove(store: Store, documents: Sequence[str]) -> Added:
    """Take documents out of the index. Raises BadInput for one that is not there; then none is removed."""
    began = time.monotonic()
    known = store.snapshot().documents
    for id in documents:
        if id not in known:
            raise BadInput(f"There is no document {id!r} here{nearest(id, known) or '.'}", "`selfstudy search` shows the documents' names.")
    with store.writing("removing documents") as writer:
        readings = Readings(store.home)
        for id in documents:
            if (file := known[id].file) is not None:
                readings.files.pop(file.path, None)
        readings.save()
        writer.remove(documents)
        writer.commit()
        _mark_near(writer)
        writer.compact()
    snapshot = store.snapshot()
    return Added(
        documents_removed=len(set(documents)),
        documents=len(snapshot.documents),
        passages=len(snapshot),
        seconds=round(time.monotonic() - began, 3),
    )


def embed_missing(writer: Writer, snapshot: Snapshot, embedder: Embedder, reporter: Reporter, stop: Stop, name: str = "embed") -> int:
    """Give every passage of `snapshot` that has none a vector of `embedder`, committing batch by batch. Returns how many."""
    missing = snapshot.missing(embedder.fingerprint)
    if len(missing):
        reporter.stage_started(name, resumed=False)
        began = time.monotonic()
        for start in range(0, len(missing), _BATCH):
            block = snapshot.passages.take(missing[start : start + _BATCH])
            writer.add_vectors(embedder.fingerprint, [p.id for p in block], embedder.embed([p.indexed for p in block], "passage"))
            writer.commit()
            reporter.progress(name, min(start + _BATCH, len(missing)), len(missing))
            stop.check()
        reporter.stage_finished(name, time.monotonic() - began, kept=False)
    return len(missing)


class _Adding:
    """One `add` under way."""

    def __init__(self, store: Store, settings: Settings, embedder: Embedder, writer: Writer, reporter: Reporter, stop: Stop) -> None:
        self._settings = settings
        self._embedder = embedder
        self._writer = writer
        self._reporter = reporter
        self._stop = stop
        self._readings = Readings(store.home, settings.parse.key)
        self._home = store.home
        snapshot = store.snapshot()
        self._known = dict(snapshot.documents)
        missing = snapshot.missing(embedder.fingerprint)
        self._late = [snapshot.ids[row] for row in missing]
        self._have = set(snapshot.ids).difference(self._late)
        self._pending: list[tuple[Document, list[Passage], FileFacts]] = []
        self._read: list[tuple[SourceFile, list[SetAside]]] = []
        self._waiting = 0
        self._read_whole: set[str] = set()
        self._touched: set[str] = set()
        self.set_aside: list[SetAside] = []
        self.added = self.changed = self.unchanged = self.removed = self.embedded = 0

    def take(self, found: Sequence[SourceFile | SetAside]) -> None:
        by_file: dict[str, int] = {}
        for card in self._known.values():
            if card.file is not None:
                by_file[card.file.path] = by_file.get(card.file.path, 0) + 1
        unread = dict.fromkeys(file for file in found if isinstance(file, SourceFile) and not self._readings.unchanged(file))
        with Workers(list(unread), self._settings.parse) as workers:
            contents = iter(workers)
            for done, file in enumerate(found):
                self._reporter.progress("add", done, len(found))
                if isinstance(file, SetAside):
                    self.set_aside.append(file)
                elif file in unread:
                    self._read_file(*next(contents))
                else:
                    self.unchanged += by_file.get(str(file.path), 0)
                    self.set_aside += [SetAside.load(one) for one in self._readings.files[str(file.path)]["set_aside"]]
            self._commit()
        self._reporter.progress("add", len(found), len(found))

    def drop_gone(self, roots: Sequence[Path], found: Sequence[SourceFile | SetAside]) -> None:
        """Remove the documents under `roots` whose file, or whose row in it, is not there any more."""
        there = {str(file.path) for file in found if isinstance(file, SourceFile)}
        gone = []
        for card in self._known.values():
            path = card.file.path if card.file else ""
            without = path not in there or (path in self._read_whole and card.id not in self._touched)
            if path and without and any(Path(path) == root or root in Path(path).parents for root in roots):
                gone.append(card.id)
        for path in [path for path in self._readings.files if any(root in Path(path).parents or root == Path(path) for root in roots)]:
            if path not in there:
                del self._readings.files[path]
        self._writer.remove(gone)
        self.removed = len(gone)
        self._writer.commit()
        self._readings.save()

    def finish(self) -> None:
        """Embed what an earlier call left without vectors, and mark near duplicates anew where anything changed."""
        if self._late:
            self.embedded += embed_missing(self._writer, self._writer.snapshot(), self._embedder, self._reporter, self._stop)
        if self.added or self.changed or self.removed:
            _mark_near(self._writer)

    def _read_file(self, file: SourceFile, contents: Iterator[Document | SetAside]) -> None:
        aside: list[SetAside] = []
        facts = FileFacts(str(file.path), file.size, file.mtime_ns)
        for item in contents:
            self._stop.check()
            if isinstance(item, SetAside):
                aside.append(item)
                continue
            known = self._known.get(item.id)
            if (other := _elsewhere(known, file)) is not None:
                aside.append(SetAside(str(file.path), f"the id {item.id!r} is already that of {other}: add the folder that holds both"))
                continue
            content = _content(item, self._settings)
            self._touched.add(item.id)
            if known is not None and known.file is not None and known.file.hash == content and known.file.path == facts.path:
                self.unchanged += 1
                continue
            self.added += known is None
            self.changed += known is not None and (known.file is None or known.file.hash != content)
            self.unchanged += known is not None and known.file is not None and known.file.hash == content
            passages = chunk(item, self._settings.chunk)
            self._pending.append((item, passages, FileFacts(facts.path, facts.size, facts.mtime_ns, content)))
            self._waiting += len(passages)
            if self._waiting >= _BATCH:
                self._commit()
        self.set_aside += aside
        self._read.append((file, aside))

    def _commit(self) -> None:
        """Documents, passages and vectors of the batch become the index at one moment; then the files count as read."""
        self._stop.check()
        if self._pending:
            self._writer.put(self._pending)
            new = {p.id: p for _, passages, _ in self._pending for p in passages if p.id not in self._have}
            if new:
                vectors = self._embedder.embed([p.indexed for p in new.values()], "passage")
                self._writer.add_vectors(self._embedder.fingerprint, list(new), np.asarray(vectors, np.float32))
                self._have.update(new)
                self.embedded += len(new)
            self._writer.commit()
        self._pending, self._waiting = [], 0
        for file, aside in self._read:
            self._readings.done(file, aside)
            self._read_whole.add(str(file.path))
        if self._read:
            self._readings.save()
        self._read = []


def _elsewhere(known: Any, file: SourceFile) -> str | None:
    """The path of another file that is still there and already gave the document of this id."""
    if known is None or known.file is None or known.file.path == str(file.path):
        return None
    with home_errors(file.path):
        return known.file.path if Path(known.file.path).exists() else None


def _content(document: Document, settings: Settings) -> str:
    """What a document says and how it is cut: when this is the same, there is nothing to do."""
    said = repr((document.title, document.text, sorted(document.meta.items()), document.sections, *document.marks))
    return digest(hashlib.sha256(said.encode("utf-8", "surrogatepass")).hexdigest(), settings.chunk.model_dump_json())


def _mark_near(writer: Writer) -> None:
    snapshot = writer.snapshot()
    passages = list(snapshot.passages)
    near = near_duplicates(passages)
    writer.mark_near({passage.id: near.get(passage.id) for passage in passages})
    writer.commit()
