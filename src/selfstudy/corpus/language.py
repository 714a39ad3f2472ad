"""The language that a document is written in, by its code in ISO 639: "en", "zh", "de"."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

from selfstudy.core.records import Document

LANGUAGE = "language"
"""The field of `Document.meta` that filters see."""
_FEWEST = 20
"""Letters below which nothing can be said; a character of a script without spaces counts as three."""
_SURE = 0.5
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


def language_of(text: str) -> str | None:
    """The language of `text`, judged by its beginning, middle and end; None where it has too few letters or may be several.

    By py3langid: naive Bayes over sequences of bytes (Lui and Baldwin 2011).
    """
    middle = len(text) // 2
    sample = text if len(text) <= 3 * _PART else "\n".join((text[:_PART], text[middle : middle + _PART], text[-_PART:]))
    if sum(3 if char > "\u2e7f" else 1 for char in sample if char.isalpha()) < _FEWEST:
        return None
    code, sure = _identifier().classify(sample)
    return None if sure < _SURE or code == _NONE else str(code)


@cache
def _identifier() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    found = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    found.set_languages(set(found.labels).difference(_CHINESE))  # written Chinese is one language to whoever filters by it
    return found
