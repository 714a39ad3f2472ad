"""Documents in a store, for tests and for the processes that they start."""

from __future__ import annotations

from collections.abc import Sequence

from passages import passage

from selfstudy.core.records import Document, Passage
from selfstudy.index.snapshot import FileFacts
from selfstudy.index.store import Store
from selfstudy.testing import FakeEmbedder

EMBEDDER = FakeEmbedder()
DOCUMENTS = 40
Item = tuple[Document, list[Passage], FileFacts | None]


def item(id: str, *texts: str, title: str = "", file: FileFacts | None = None) -> Item:
    """A document whose passages are `texts`, one after the other."""
    passages, at = [], 0
    for text in texts:
        passages.append(passage(text, title, id, at))
        at += len(text) + 1
    return Document(id, "\n".join(texts), title), passages, file


def put(store: Store, *items: Item, remove: Sequence[str] = ()) -> None:
    with store.writing("adding") as writer:
        writer.put(items)
        writer.remove(remove)
        writer.commit()


def version_items(n: int) -> list[Item]:
    return [item(f"d{d}", f"document {d} version{n}", f"version{n} of all", "constant") for d in range(DOCUMENTS)]
