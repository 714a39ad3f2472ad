"""One row of JSON as a document, and objects as lines "key: value"."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from selfstudy.core.errors import BadInput
from selfstudy.core.records import Document
from selfstudy.corpus.formats.decode import clean, one_line
from selfstudy.corpus.formats.meta import scalars

_IDS = ("_id", "id")
_BESIDE = ("title", "text", "metadata", "meta")


def row_document(row: object, path: Path, number: int) -> Document:
    """Row `number` of the file at `path` as a document: BEIR's {"_id" or "id", "title", "text", "metadata" or "meta"}, or any other object.

    Scalars of the metadata become meta; lists and tables in it are left out. A row without "text" has its other keys as lines "key: value",
    or else its title, for text; one without an id is named after its file and place. Raises BadInput where there is nothing to read.
    """
    if not isinstance(row, dict):
        raise BadInput(f'broken: expected an object {{"_id", "title", "text"}}, found {_kind(row)}')
    named = [name for name in _IDS if name in row]
    key = row[named[0]] if named else f"{path.name}#{number}"
    if isinstance(key, bool) or not isinstance(key, (str, int)) or not clean(str(key)).strip():
        raise BadInput(f'broken: "{named[0]}" is neither text nor a whole number')
    for name in ("title", "text"):
        if not isinstance(row.get(name), (str, type(None))):
            raise BadInput(f'broken: "{name}" is {_kind(row[name])}, expected text')
    others = {name: value for name, value in row.items() if name not in (*_IDS, *_BESIDE)}
    title = one_line(row.get("title") or "")
    text = clean(row.get("text") or "") if "text" in row else "\n".join(lines_of(others))
    if not text.strip():
        title, text = "", title
    if not text:
        raise BadInput("empty: no text and no title")
    data = row.get("metadata") or row.get("meta") or {}
    return Document(clean(str(key)), text, title, str(path), scalars(data) if isinstance(data, dict) else {})


def lines_of(data: dict[str, Any], above: str = "") -> Iterator[str]:
    """A line "key: value" for each text, number or truth value in `data`; objects inside objects have keys like "address.city"."""
    for key, value in data.items():
        name = above + one_line(key)
        if isinstance(value, dict):
            yield from lines_of(value, f"{name}.")
        elif isinstance(value, list) and holds_objects(value):
            for item in value:
                yield from lines_of(item, f"{name}.") if isinstance(item, dict) else lines_of({name: item})
        elif text := joined(value):
            yield f"{name}: {text}"


def holds_objects(value: Any) -> bool:
    """Whether `value` is an object, or a list with objects or lists in it."""
    return isinstance(value, dict) or (isinstance(value, list) and any(isinstance(item, (dict, list)) for item in value))


def joined(value: Any) -> str:
    """A value, or all of a list, in one line; "" for null and empty ones."""
    return ", ".join(filter(None, map(plain, value))) if isinstance(value, list) else plain(value)


def plain(value: Any) -> str:
    """A text, number or truth value as text; "" for null."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return clean(str(value)).strip()


def _kind(value: object) -> str:
    names = {dict: "an object", list: "a list", str: "text", bool: "true or false", int: "a number", float: "a number", type(None): "null"}
    return names[type(value)]
