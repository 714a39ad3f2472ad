"""How much of a text is noise (what a bad scan or a broken file leaves), and how dense what it says is."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from statistics import median

from selfstudy.core.text import content_words, is_cjk, tokens

_FEWEST = 3  # texts that a word must stand in before its spelling is believed
_ENOUGH = 400  # believed words below which nothing is said about spelling
_MIXED = re.compile(r"[^\W\d_]+\d+[^\W\d_]+|[^\W\d_]{2,}\d[^\W\d_]*$")
_JUNK = re.compile(r"[\ufffd□■●◊¦¬§~^_|\\<>{}*#=+]{2,}|\ufffd")
_CODE = re.compile(r"[A-Z][a-z]+[A-Z]|[A-Z]{2,}")
_ALPHA = re.compile(r"[^\W\d_]+")


class _Spelling:
    """What words look like in a corpus: the letter trigrams of words that several of its texts have.

    A word that nobody else writes and whose letters follow one another as in no known word is a misprint, or as rare as one.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        counts: Counter[str] = Counter()
        for text in texts:
            counts.update(set(_words(text)))
        self._known = {word for word, count in counts.items() if count >= _FEWEST}
        self._trigrams = {part for word in self._known for part in _parts(word)}
        self.enough = len(self._known) >= _ENOUGH

    def odd(self, word: str) -> bool:
        """Whether `word`, in small letters, looks like no word."""
        if word in self._known or not self.enough:
            return False
        parts = _parts(word)
        return sum(part not in self._trigrams for part in parts) >= max(1, len(parts) // 4)


def noise(texts: Sequence[str], known: Sequence[str] = ()) -> list[float]:
    """For each of `texts`, 0 to 1: the share of its words that are misprints, digits among letters, lone letters or runs of signs.

    Foreign and rare words look like misprints: what the median of all texts has of those is usual here and counts for none.
    `known` are texts that are well spelt. CJK characters are never odd.
    """
    spelling = _Spelling([*texts, *known])
    counts = [_counts(text, spelling) for text in texts]
    usual = median(misspelt / words for _, misspelt, words in counts) if counts else 0.0
    return [round(min(1.0, odd / words + max(0.0, misspelt / words - usual)), 3) for odd, misspelt, words in counts]


def _counts(text: str, spelling: _Spelling) -> tuple[int, int, int]:
    """Signs and mixtures, words that look like none, and all words, at least one."""
    everything = tokens(text)
    found = [token for token in everything if not is_cjk(token[0])]
    junk = len(_JUNK.findall(text))
    if not found:
        return (junk if junk > 1 and not any(map(is_cjk, text)) else 0), 0, max(junk, 1)
    odd, misspelt = junk, 0
    for token in found:
        word = _folded(token)
        if _MIXED.search(word):
            odd += not _CODE.search(token)
        elif len(word) == 1:
            odd += word.isalpha() and word not in "aivsxt" and not token.isupper()
        elif len(word) > 3 and _ALPHA.fullmatch(word) and not token[0].isupper():  # names follow no rule
            misspelt += spelling.odd(word)
    return odd, misspelt, len(everything)


def density(text: str) -> float:
    """0 to 1: different words that carry meaning, of all words; a text of less than twenty words counts as one of twenty."""
    words = tokens(text)
    return round(len({word.lower() for word in content_words(text)}) / max(20, len(words)), 3)


def _words(text: str) -> Iterable[str]:
    return (word for token in tokens(text) if len(word := _folded(token)) > 3 and _ALPHA.fullmatch(word) and not is_cjk(word[0]))


def _folded(token: str) -> str:
    return token.lower() if token.isascii() else unicodedata.normalize("NFKC", token).lower()


def _parts(word: str) -> set[str]:
    padded = f" {word} "
    return {padded[at : at + 3] for at in range(len(padded) - 2)}
