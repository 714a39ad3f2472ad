"""The language that a document or a part of it is written in, by its code in ISO 639: "en", "zh", "de"."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from typing import Any

from selfstudy.core.records import LANGUAGE, Document, Passage

_FEWEST = 20
"""Letters below which nothing can be said; a character of a script without spaces counts as three."""
_SURE = 0.5
_FEWEST_OF_A_PART = 60
_SURE_OF_A_PART = 0.99
"""A list of names in an English document is not to count as Latin: what a part says must be long and plain."""
_PART = 700
_CHINESE = ("yue", "wuu")
_NONE = "zxx"
"""What py3langid calls text that is in no language."""


def with_language(document: Document) -> Document:
    """`document` with its language among its metadata, where it does not state one itself and its text tells one."""
    if document.meta.get(LANGUAGE):
        return document
    found = language_of(document.text)
    return document if found is None else replace(document, meta={**document.meta, LANGUAGE: found})


def with_languages(passages: Iterable[Passage]) -> list[Passage]:
    """`passages` with the language that each of them is surely in, where it tells one by itself."""
    return [replace(passage, language=language_of(passage.text, _FEWEST_OF_A_PART, _SURE_OF_A_PART)) for passage in passages]


def language_of(text: str, fewest: int = _FEWEST, least: float = _SURE) -> str | None:
    """The language of `text`, judged by its beginning, middle and end; None where it has less than `fewest` letters or is less likely
    than `least`.

    By py3langid: naive Bayes over sequences of bytes (Lui and Baldwin 2011).
    """
    middle = len(text) // 2
    sample = text if len(text) <= 3 * _PART else "\n".join((text[:_PART], text[middle : middle + _PART], text[-_PART:]))
    if sum(3 if char > "\u2e7f" else 1 for char in sample if char.isalpha()) < fewest:
        return None
    code, sure = _identifier().classify(sample)
    return None if sure < least or code == _NONE else str(code)


@cache
def _identifier() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    found = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    found.set_languages(set(found.labels).difference(_CHINESE))  # written Chinese is one language to whoever filters by it
    return found
