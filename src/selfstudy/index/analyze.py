"""Text as the full text index sees it, so that one index serves English, Chinese and mixed text.

The store's tokenizer splits at spaces and signs, lowers, folds accents, drops English stop words and stems. Chinese has no spaces, so we
set them: runs of CJK characters become overlapping pairs, a number or Latin word beside them pairs with its neighbour ("800元" gives
"800", "800元"), traditional characters count as simplified ones, and function characters part the runs. Passages and questions go
through the same function. Other ways of segmenting were measured by `bench/lexical.py`.
"""

from __future__ import annotations

import re
import unicodedata
from itertools import pairwise

from selfstudy.core.hanzi import simplified
from selfstudy.core.text import CJK, CJK_FUNCTION, is_cjk

TOKENIZER = {
    "base_tokenizer": "simple",
    "language": "English",
    "lower_case": True,
    "stem": True,
    "remove_stop_words": True,
    "ascii_folding": True,
    "max_token_length": 128,
}
"""The settings of the store's full text index that `body` is written for."""

_RUN = re.compile(rf"[^\W_{CJK}]*[{CJK}](?:[{CJK}]|[^\W_{CJK}])*")
_UNIT = re.compile(rf"[{CJK}]|[^{CJK}]+")
_FUNCTION = re.compile(f"[{''.join(sorted(CJK_FUNCTION))}]")


_BROKEN = re.compile(r"([^\W\d_]+)-[^\S\n]*\n\s*([^\W\d_]+)")
"""A word that the end of a line has cut in two, or a compound that stood there: only a dictionary could tell."""


def body(text: str) -> str:
    """`text` with widths and ligatures folded, words mended at the ends of lines, and CJK runs spaced into the words that the index counts.

    A word cut by a hyphen and a line end is counted whole and in its two parts.
    """
    text = _BROKEN.sub(r"\1\2 \1-\2", text)
    if text.isascii():
        return text
    folded = unicodedata.normalize("NFKC", text)
    if not _RUN.search(folded):
        return folded
    return _RUN.sub(_pairs, _FUNCTION.sub(" ", simplified(folded)))


def _pairs(run: re.Match[str]) -> str:
    units = _UNIT.findall(run.group())
    if len(units) == 1:
        return f" {units[0]} "
    words = [left + right for left, right in pairwise(units)]
    words += [unit for unit in units if not is_cjk(unit[0])]
    return f" {' '.join(words)} "
