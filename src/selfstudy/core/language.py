"""The language that a text is written in, by its code in ISO 639: "en", "zh", "de".

By py3langid: naive Bayes over sequences of bytes (Lui and Baldwin 2011).
"""

from __future__ import annotations

from functools import cache
from typing import Any

_FEWEST = 20
"""Letters below which nothing can be said; a character of a script without spaces counts as three."""
_SURE = 0.5
_RULED_OUT = 0.001
"""How likely a language is at most that a text is not in. Of 7,700 questions in English and Chinese none is found not to be."""
_PART = 700
_CHINESE = ("yue", "wuu")
_NONE = "zxx"
"""What py3langid calls text that is in no language."""


def language_of(text: str, fewest: int = _FEWEST, least: float = _SURE) -> str | None:
    """The language of `text`, judged by its beginning, middle and end; None where it has less than `fewest` letters or is less likely
    than `least`.
    """
    middle = len(text) // 2
    sample = text if len(text) <= 3 * _PART else "\n".join((text[:_PART], text[middle : middle + _PART], text[-_PART:]))
    if _letters(sample) < fewest:
        return None
    code, sure = _identifier().classify(sample)
    return None if sure < least or code == _NONE else str(code)


def in_another(text: str, code: str) -> bool:
    """Whether a question or a sentence is surely not in the language `code`; False where it is too short to tell."""
    return _letters(text) >= _FEWEST and dict(_identifier().rank(text)).get(code, 1.0) < _RULED_OUT


def _letters(text: str) -> int:
    return sum(3 if char > "\u2e7f" else 1 for char in text if char.isalpha())


@cache
def _identifier() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    found = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    found.set_languages(set(found.labels).difference(_CHINESE))  # written Chinese is one language to whoever filters by it
    return found
