"""JSON: objects as lines "key: value"."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

from selfstudy.core.errors import BadInput
from selfstudy.core.records import Document
from selfstudy.corpus.formats.decode import one_line, read_text
from selfstudy.corpus.formats.json_rows import holds_objects, joined, lines_of, plain, row_document
from selfstudy.corpus.set_aside import SetAside, faultless
from selfstudy.corpus.structure.blocks import Block, join
from selfstudy.corpus.structure.headings import LONGEST, sections


class Json:
    """Reads a JSON file as one document: a paragraph for each object, a line "key: value" for each text, number or truth value in it.

    Objects inside objects have keys like "address.city"; a key of the outermost object that holds objects is a heading. Null and empty
    values are left out. A list of rows as in BEIR, {"_id" or "id", "text", ...}, gives a document for each.
    """

    def parse(self, path: Path) -> Iterator[Document]:
        """The documents of a file without faults. Raises BadInput at the first bad row; `rows` goes on."""
        yield from faultless(self.rows(path), "Mend or delete that row.")

    def rows(self, path: Path) -> Iterator[Document | SetAside]:
        """The document, or one for each good row and a SetAside named path:number for each bad one."""
        try:
            data = json.loads(read_text(path))
        except json.JSONDecodeError as error:
            raise BadInput(f"broken: no JSON ({error.msg} at line {error.lineno}, column {error.colno})", "Mend it there.") from None
        except (RecursionError, ValueError) as error:  # nested too deeply; a number of thousands of digits
            raise BadInput(f"broken: JSON that cannot be read ({str(error).splitlines()[0]})") from None
        if _is_beir(data):
            for number, row in enumerate(data, 1):
                try:
                    yield row_document(row, path, number)
                except BadInput as error:
                    yield SetAside(f"{path}:{number}", error.problem)
            return
        text, headings = join(list(_blocks(data)))
        yield Document(path.name, text, source=str(path), sections=sections(text, headings))


def _is_beir(data: Any) -> bool:
    return (
        isinstance(data, list) and bool(data) and isinstance(data[0], dict) and "text" in data[0] and bool({"_id", "id"} & data[0].keys())
    )


def _blocks(data: Any) -> Iterator[Block]:
    if isinstance(data, list):
        yield from _items(data)
        return
    if not isinstance(data, dict):
        if text := plain(data):
            yield Block(text)
        return
    for holds, group in groupby(data.items(), key=lambda pair: holds_objects(pair[1])):
        pairs = list(group)
        if not holds:
            yield from _paragraph(dict(pairs))
            continue
        for key, value in pairs:
            inside = list(_items(value) if isinstance(value, list) else _paragraph(value))
            name = one_line(key)
            if inside:
                yield Block(name, 1 if 0 < len(name) <= LONGEST else 0)
            yield from inside


def _items(values: list[Any]) -> Iterator[Block]:
    for value in values:
        if isinstance(value, dict):
            yield from _paragraph(value)
        elif isinstance(value, list) and holds_objects(value):
            yield from _items(value)
        elif text := joined(value):
            yield Block(text)


def _paragraph(data: dict[str, Any]) -> Iterator[Block]:
    lines = list(lines_of(data))
    if lines:
        yield Block("\n".join(lines))
