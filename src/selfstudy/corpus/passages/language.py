"""The language of documents and of their parts, as a field to filter by."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from selfstudy.core.language import language_of
from selfstudy.core.records import LANGUAGE, Document, Passage

_FEWEST = 60
_SURE = 0.99
"""A list of names in an English document is not to count as Latin: what a part says must be long and plain."""


def with_language(document: Document) -> Document:
    """`document` with its language among its metadata, where it does not state one itself and its text tells one."""
    if document.meta.get(LANGUAGE):
        return document
    found = language_of(document.text)
    return document if found is None else replace(document, meta={**document.meta, LANGUAGE: found})


def with_languages(passages: Iterable[Passage]) -> list[Passage]:
    """`passages` with the language that each of them is surely in, where it tells one by itself."""
    return [replace(passage, language=language_of(passage.text, _FEWEST, _SURE)) for passage in passages]
