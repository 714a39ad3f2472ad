"""Files into the index: only what is new or changed is read, and every batch that is committed stays."""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from selfstudy.core.errors import BadInput, Stopped, nearest
from selfstudy.core.files import home_errors, read_json, write_json
from selfstudy.core.ports import Embedder
from selfstudy.core.records import Document, Passage, Record, digest
from selfstudy.core.run import Reporter, Stop
from selfstudy.corpus.cleaning.boilerplate import repeated
from selfstudy.corpus.cleaning.redact import redact, redact_aside
from selfstudy.corpus.folder import SourceFile, walk
from selfstudy.corpus.passages.chunk import chunk
from selfstudy.corpus.passages.language import with_language
from selfstudy.corpus.passages.topics import topics
from selfstudy.corpus.set_aside import SetAside, file_of
from selfstudy.corpus.workers import Workers
from selfstudy.index.snapshot import Card, FileFacts, Snapshot
from selfstudy.index.store import Store
from selfstudy.index.writer import Writer
from selfstudy.recipes.embedding import BATCH, embed_missing, put_embedded, without_vector
from selfstudy.recipes.settings import Settings
from selfstudy.recipes.settle import boilerplate_of, cut, settle

READ = "read.json"
_READ_AS = "3"
"""Another one than before has every file read anew: what the parsers make of it is no longer what it was."""
_CUT_AS = "2"
"""The same for what `chunk` makes of a document."""


@dataclass(frozen=True, slots=True)
class Added(Record):
    """What `add` or `remove` did. `embedded` is the work of this call.

    `passages` and `documents` count the whole index afterwards, and so do `near_duplicates` and `contained`: the passages that nearly
    repeat another one, and those that stand inside others. `redacted` counts what was replaced by its kind in the documents that were read
    now.
    """

    documents_added: int = 0
    documents_changed: int = 0
    documents_unchanged: int = 0
    documents_removed: int = 0
    documents: int = 0
    passages: int = 0
    near_duplicates: int = 0
    contained: int = 0
    embedded: int = 0
    set_aside: tuple[SetAside, ...] = ()
    redacted: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0


class Readings:
    """Which files were read to their end, with what was set aside: `read.json` in the home. `parsed_as` is the key of the settings.

    A file that was read with other settings than `read_as` is the key of is read again.
    """

    def __init__(self, home: Path, parsed_as: str = "", read_as: str = "") -> None:
        self._path = home / READ
        self._parsed_as = parsed_as
        self._read_as = read_as
        try:
            self.files: dict[str, dict[str, Any]] = read_json(self._path)
        except FileNotFoundError:
            self.files = {}

    def unchanged(self, file: SourceFile) -> bool:
        """Whether the file was read to its end as it is now, and what was set aside in it would be set aside again."""
        known = self.files.get(str(file.path))
        if known is None or any(one.get("again") for one in known["set_aside"]) or known.get("read_as") != self._read_as:
            return False
        if known["set_aside"] and known.get("parsed_as") != self._parsed_as:
            return False
        return bool(known["size"] == file.size and known["mtime_ns"] == file.mtime_ns and known["id"] == file.id)

    def done(self, file: SourceFile, set_aside: Sequence[SetAside]) -> None:
        facts = {
            "id": file.id, "size": file.size, "mtime_ns": file.mtime_ns, "parsed_as": self._parsed_as, "read_as": self._read_as,
        }  # fmt: skip
        self.files[str(file.path)] = {**facts, "set_aside": [one.json() for one in set_aside]}

    def set_aside(self) -> list[SetAside]:
        """All that is set aside in this home."""
        return [SetAside.load(one) for _, known in sorted(self.files.items()) for one in known["set_aside"]]

    def save(self) -> None:
        write_json(self._path, self.files)


def add(store: Store, settings: Settings, embedders: Sequence[Embedder], paths: Sequence[Path], sync: bool, reporter: Reporter) -> Added:
    """Read `paths` into the index and embed what is new. With `sync`, documents whose file in these paths is gone are removed; what a file
    that is read holds no more is removed in any case.

    Work is committed batch by batch: after a kill the next call goes on. Raises BadInput, Busy, HomeError, Stopped.
    """
    began = time.monotonic()
    stop = Stop()
    found = list(walk(paths))
    with store.writing("adding documents") as writer, stop.on_interrupt():
        adding = _Adding(store, settings, embedders, writer, reporter, stop)
        reporter.stage_started("add", resumed=False)
        adding.take(found)
        if sync:
            adding.drop_gone([Path(path).absolute() for path in paths], found)
        adding.finish()
    snapshot = store.snapshot()
    near, inside = repeated_in(snapshot)
    reporter.stage_finished("add", time.monotonic() - began, kept=False)
    return Added(
        documents_added=adding.added,
        documents_changed=adding.changed,
        documents_unchanged=adding.unchanged,
        documents_removed=adding.removed,
        documents=len(snapshot.documents),
        passages=len(snapshot),
        near_duplicates=near,
        contained=inside,
        embedded=adding.embedded,
        set_aside=tuple(adding.set_aside),
        redacted=dict(sorted(adding.redacted.items())),
        seconds=round(time.monotonic() - began, 3),
    )


def remove(store: Store, settings: Settings, embedders: Sequence[Embedder], documents: Sequence[str], reporter: Reporter) -> Added:
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
        embedded = settle(store.home, writer, settings, embedders, reporter, Stop())
        writer.compact()
    snapshot = store.snapshot()
    near, inside = repeated_in(snapshot)
    return Added(
        documents_removed=len(set(documents)),
        documents=len(snapshot.documents),
        passages=len(snapshot),
        near_duplicates=near,
        contained=inside,
        embedded=embedded,
        seconds=round(time.monotonic() - began, 3),
    )


def repeated_in(snapshot: Snapshot) -> tuple[int, int]:
    """How many passages nearly repeat another one, and how many stand inside others."""
    near = sum(passage.near is not None for passage in snapshot.passages)
    return near, sum(bool(passage.within) for passage in snapshot.passages)


class _Adding:
    """One `add` under way."""

    def __init__(
        self, store: Store, settings: Settings, embedders: Sequence[Embedder], writer: Writer, reporter: Reporter, stop: Stop
    ) -> None:
        self._settings = settings
        self._embedders = embedders
        self._writer = writer
        self._reporter = reporter
        self._stop = stop
        self._readings = Readings(store.home, settings.parse.key, _read_as(settings))
        self._home = store.home
        snapshot = store.snapshot()
        self._known = dict(snapshot.documents)
        self._late = without_vector(snapshot, embedders)
        self._have = set(snapshot.ids).difference(self._late)
        self._marks = boilerplate_of(store.home)
        self._pending: list[tuple[Document, list[Passage], FileFacts]] = []
        self._read: list[tuple[SourceFile, list[SetAside]]] = []
        self._waiting = 0
        self._read_whole: set[str] = set()
        self._taken: dict[str, str] = {}
        self._by_file: dict[str, list[Card]] = {}
        for card in self._known.values():
            if card.file is not None:
                self._by_file.setdefault(card.file.path, []).append(card)
        self._outdated: list[str] = []
        self._doubtful: set[str] = set()
        self.set_aside: list[SetAside] = []
        self.redacted: Counter[str] = Counter()
        self.added = self.changed = self.unchanged = self.removed = self.embedded = 0

    def take(self, found: Sequence[SourceFile | SetAside]) -> None:
        unread = dict.fromkeys(file for file in found if isinstance(file, SourceFile) and not self._readings.unchanged(file))
        with Workers(list(unread), self._settings.parse) as workers:
            contents = iter(workers)
            try:
                for done, file in enumerate(found):
                    self._reporter.progress("add", done, len(found))
                    if isinstance(file, SetAside):
                        self.set_aside.append(file)
                    elif file in unread:
                        self._read_file(*next(contents))
                    else:
                        self.unchanged += len(self._by_file.get(str(file.path), ()))
                        self.set_aside += [SetAside.load(one) for one in self._readings.files[str(file.path)]["set_aside"]]
            except Stopped:
                self._commit()  # what was read is kept
                raise
            self._commit()
        self._reporter.progress("add", len(found), len(found))

    def drop_gone(self, roots: Sequence[Path], found: Sequence[SourceFile | SetAside]) -> None:
        """Remove the documents under `roots` whose file is not there any more, or whose row may be one that is broken now: what cannot be
        read now is not gone."""
        unreadable = {one.source for one in found if isinstance(one, SetAside)}
        there = {str(file.path) for file in found if isinstance(file, SourceFile)} | unreadable

        def is_there(path: str) -> bool:
            return path in there or any(str(parent) in unreadable for parent in Path(path).parents)

        gone = self._doubtful.difference(self._taken)
        for path, cards in self._by_file.items():
            if not is_there(path) and any(Path(path) == root or root in Path(path).parents for root in roots):
                gone.update(card.id for card in cards if card.id not in self._taken)
        for path in [path for path in self._readings.files if any(root in Path(path).parents or root == Path(path) for root in roots)]:
            if not is_there(path):
                del self._readings.files[path]
        self._writer.remove(sorted(gone))
        self.removed += len(gone)
        self._writer.commit()
        self._readings.save()

    def finish(self) -> None:
        """Embed what an earlier call left without vectors, and find anew what documents say about one another where anything changed."""
        if self._late:
            self.embedded += embed_missing(self._writer, self._writer.snapshot(), self._embedders, self._reporter, self._stop)
        self.embedded += settle(self._home, self._writer, self._settings, self._embedders, self._reporter, self._stop)

    def _read_file(self, file: SourceFile, contents: Iterator[Document | SetAside]) -> None:
        faults: list[SetAside] = []
        refused: list[SetAside] = []
        facts = FileFacts(str(file.path), file.size, file.mtime_ns)
        documents = 0
        for item in contents:
            self._stop.check()
            if isinstance(item, SetAside):
                faults.append(redact_aside(item, self._settings.redact))
                continue
            if self._settings.redact:
                item, counts = redact(item, self._settings.redact)
                self.redacted += counts
            item = with_language(topics(item, self._settings.topics))
            known = self._known.get(item.id)
            documents += 1
            if (reason := self._refused(item.id, known, file)) is not None:
                refused.append(SetAside(facts.path, reason, again=True))  # the other may be gone the next time
                continue
            content = _content(item, self._settings)
            self._taken[item.id] = facts.path
            if known is not None and known.file is not None and _said(known) == content and known.file.path == facts.path:
                self.unchanged += 1
                continue
            self.added += known is None
            self.changed += known is not None and _said(known) != content
            self.unchanged += known is not None and _said(known) == content
            passages = chunk(item, self._settings.chunk)
            self._pending.append((item, passages, FileFacts(facts.path, facts.size, facts.mtime_ns, content)))
            self._waiting += len(passages)
            if self._waiting >= BATCH:
                self._commit()
        if documents or all(one.reason.startswith("empty") for one in faults):
            self._part_with(facts.path, faults)
        doubtful = any(card.id in self._doubtful for card in self._by_file.get(facts.path, ()))
        aside = [*(replace(one, again=one.again or doubtful) for one in faults), *refused]
        self._read_whole.add(facts.path)
        self.set_aside += aside
        self._read.append((file, aside))

    def _part_with(self, path: str, faults: Sequence[SetAside]) -> None:
        """Note which documents the file gave before and holds no more, by these ids: other rows, or another folder that was added.

        What cannot be read now is not gone. Where that is a row, nobody knows which document it was: `drop_gone` decides, now or when the
        file is read again.
        """
        unread = {one.source for one in faults if not one.reason.startswith("empty")}
        rows = {file_of(source) for source in unread} - unread
        for card in self._by_file.get(path, ()):
            if card.id not in self._taken and not _lies_in(card.source, unread):
                if _lies_in(card.source, rows):
                    self._doubtful.add(card.id)
                else:
                    self._outdated.append(card.id)

    def _refused(self, id: str, known: Card | None, file: SourceFile) -> str | None:
        """Why this document of `file` cannot have its `id`; None where it can."""
        path = self._taken.get(id)
        if path == str(file.path):
            return f"the id {id!r} stands in it more than once: only the first document of that id is taken"
        if (other := path or _elsewhere(known, file)) is None or (path is None and other in self._read_whole):
            return None  # the other was read a moment ago, and does not hold it any more
        return f"the id {id!r} is already that of {other}: give one of them another, or add the folder that holds both"

    def _commit(self) -> None:
        """Documents, passages and vectors of the batch become the index at one moment; then the files count as read."""
        gone = [id for id in self._outdated if id not in self._taken]  # another file may have given such a document since
        self._writer.remove(gone)
        self.removed += len(gone)
        if self._pending:
            # What the batch itself repeats counts as well: the whole is looked at only in the end, and would be embedded twice.
            marks = self._marks | repeated((item for item, _, _ in self._pending), self._settings.boilerplate)
            items = []
            for item, whole, facts in self._pending:
                passages, told = cut(item, marks, facts.hash, self._settings) if marks else (whole, facts.hash)
                items.append((item, passages, replace(facts, hash=told)))
            self.embedded += put_embedded(self._writer, self._embedders, items, self._have)
        elif gone:
            self._writer.commit()
        self._pending, self._waiting, self._outdated = [], 0, []
        for file, aside in self._read:
            self._readings.done(file, aside)
        if self._read:
            self._readings.save()
        self._read = []


def _said(known: Card) -> str:
    """What a document said when it was read: the first part of its hash; how it was cut is the second."""
    return known.file.hash.partition(" ")[0] if known.file is not None else ""


def _read_as(settings: Settings) -> str:
    """The same for settings by which a file is made into the same passages."""
    return digest("read as", _READ_AS, *sorted(settings.redact), settings.chunk.model_dump_json(), settings.topics.model_dump_json())


def _elsewhere(known: Card | None, file: SourceFile) -> str | None:
    """The path of another file that is still there and already gave the document of this id."""
    if known is None or known.file is None or known.file.path == str(file.path):
        return None
    with home_errors(file.path):
        return known.file.path if Path(known.file.path).exists() else None


def _lies_in(source: str, sources: Collection[str]) -> bool:
    """Whether `source` is one of `sources` or a part of one: a letter of a mailbox, a file in an archive."""
    return any(source == one or source.startswith(f"{one}#") for one in sources)


def _content(document: Document, settings: Settings) -> str:
    """What a document says and how it is cut: when this is the same, there is nothing to do."""
    said = repr((document.title, document.text, sorted(document.meta.items()), document.sections, *document.marks))
    return digest(hashlib.sha256(said.encode("utf-8", "surrogatepass")).hexdigest(), _CUT_AS, settings.chunk.model_dump_json())
