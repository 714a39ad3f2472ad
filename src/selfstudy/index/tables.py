"""The tables of the store: their columns, how they are opened, and what their library's faults mean to a person."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from selfstudy.core.errors import HomeError
from selfstudy.core.files import home_error
from selfstudy.core.records import digest
from selfstudy.index.analyze import TOKENIZER

if TYPE_CHECKING:
    import pyarrow as pa

DOCUMENTS = "documents"
PASSAGES = "passages"
FACTS = "facts"
VECTORS = "vectors_"
STORE = "store"

_KEEP_ALL = timedelta(days=36500)
_ATTEMPTS = 6
_OS_ERROR = re.compile(r"\(os error (\d+)\)")


def document_schema() -> pa.Schema:
    import pyarrow as pa

    texts = [(name, pa.string()) for name in ("id", "title", "source", "text", "meta", "sections")]
    return pa.schema([*texts, ("path", pa.string()), ("size", pa.int64()), ("mtime_ns", pa.int64()), ("hash", pa.string())])


def facts_schema() -> pa.Schema:
    """What was found out about a document by comparing it with the others, as JSON: it changes when they do."""
    import pyarrow as pa

    return pa.schema([("id", pa.string()), ("facts", pa.string())])


def place_type() -> pa.DataType:
    import pyarrow as pa

    return pa.list_(pa.struct([("document", pa.string()), ("start", pa.int64()), ("end", pa.int64())]))


def passage_schema() -> pa.Schema:
    """`body` is what full text counts (`analyze.body` of title and text); the rest is the Passage record."""
    import pyarrow as pa

    texts = [(name, pa.string()) for name in ("id", "title", "text", "body", "language")]
    return pa.schema([*texts, ("places", place_type()), ("near", pa.string()), ("within", pa.list_(pa.string()))])


def vector_schema(dim: int) -> pa.Schema:
    import pyarrow as pa

    return pa.schema([("id", pa.string()), ("vector", pa.list_(pa.float32(), dim))])


def vector_table(fingerprint: str) -> str:
    """The name of the table of an embedder's vectors: the fingerprint itself where a file may be called that."""
    safe = re.sub(r"[^A-Za-z0-9._-]", "-", fingerprint)[:80]
    return VECTORS + (safe if safe == fingerprint else f"{safe}-{digest(fingerprint)[:8]}")


def connect(home: Path) -> Any:
    """The LanceDB database inside `home`; its library is loaded here, not before."""
    os.environ.setdefault("LANCE_LOG", "error")  # one warning per query otherwise
    import lancedb

    with store_errors(home):
        return lancedb.connect(home / STORE)


def table_names(database: Any) -> set[str]:
    """The names of all tables in `database`."""
    names: set[str] = set()
    token: str | None = None
    while True:
        page = database.list_tables(page_token=token)
        names.update(page.tables)
        token = page.page_token
        if not token:
            return names


def open_at(database: Any, name: str, version: int, home: Path) -> Any:
    """The table `name` as it was at `version`. HomeError where it is no longer there."""
    with store_errors(home):
        try:
            table = database.open_table(name)
            table.checkout(version)
        except ValueError as error:
            raise HomeError(
                f"{home} is damaged: version {version} of its table {name!r} is missing.",
                "Copy the home again from where it was made, or start a new one with --home.",
            ) from error
        return table


def index_text(table: Any) -> None:
    """Give `table` its full text index over `body`."""
    from lancedb.index import FTS

    settings: dict[str, Any] = TOKENIZER
    table.create_index("body", config=FTS(**settings))


def optimize(table: Any, older_than: timedelta = _KEEP_ALL) -> None:
    """Merge small files and index what is not indexed yet; drop versions older than `older_than`. Tried again on a conflict."""
    for attempt in range(_ATTEMPTS):
        try:
            table.optimize(cleanup_older_than=older_than)
            return
        except RuntimeError as error:
            if "conflict" not in str(error).lower() or attempt == _ATTEMPTS - 1:
                raise
            time.sleep(0.05 * 2**attempt)


def one_of(ids: Sequence[str]) -> str:
    """The SQL condition that `id` is one of `ids`."""
    return "id in (" + ",".join("'" + id.replace("'", "''") + "'" for id in ids) + ")"


@contextmanager
def store_errors(home: Path) -> Iterator[None]:
    """Turn a full, read-only or forbidden place, which the library reports in its own words, into HomeError."""
    try:
        yield
    except (OSError, RuntimeError, ValueError) as error:
        number = error.errno if isinstance(error, OSError) and error.errno else None
        if number is None and (found := _OS_ERROR.search(str(error))):
            number = int(found.group(1))
        told = home_error(home, OSError(number, "")) if number else None
        if told is None and isinstance(error, RuntimeError) and "lance error" in str(error):
            what = str(error).splitlines()[0][:160]
            mend = "Put back a copy of the home, or add the documents to a new one."
            told = HomeError(f"The store in {home} cannot be read: {what}", mend)
        if told is None:
            raise
        raise told from error
