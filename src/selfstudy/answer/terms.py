"""What a question asks about, as terms that can be looked for: word stems, and pairs of neighbouring characters where no spaces stand."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from itertools import pairwise

from selfstudy.core.text import STOP_WORDS, cjk_share, is_cjk, stem, tokens

# Characters that hardly ever belong to a word worth looking for; the wider list of `core.text` would tear 被告 and 对方 apart.
_GLUE = frozenset("的了吗呢吧啊么什谁何哪如与和及是")

_WHETHER = re.compile(
    r"(?:is|are|was|were|am|do|does|did|can|could|may|might|must|shall|should|will|would|has|have|had)\b|.*(?:是否|[吗嗎]\W*$)",
    re.IGNORECASE,
)
_NOT_ONLY = re.compile(r"\b(?:who|whom|whose|what|which|when|where|why|how|or)\b|^(?:can|could|would|will) you\b", re.IGNORECASE)
"""What asks for more than that: "Can you tell me who ...", "Is it red or blue?"."""


def asks_whether(question: str) -> bool:
    """Whether a yes or a no is asked for: words out of a passage are neither."""
    return _WHETHER.match(question) is not None and _NOT_ONLY.search(question) is None


def is_cjk_text(text: str) -> bool:
    """Whether `text` is mostly written without spaces between words."""
    return cjk_share(text) > 0.5


def terms(text: str) -> list[str]:
    """Stems of the words of `text` that carry meaning, and every two neighbouring CJK characters; in order, repeated where repeated."""
    found: list[str] = []
    run: list[str] = []
    for token in [*tokens(text), ""]:
        if token and is_cjk(token) and token not in _GLUE:
            run.append(token)
            continue
        if run:
            found.extend(first + second for first, second in pairwise(run))
            if len(run) == 1:
                found.append(run[0])
            run = []
        word = token.lower()
        if word and not is_cjk(word) and word not in STOP_WORDS and (len(word) > 1 or word.isdigit()):
            found.append(_stem(word.removesuffix("'s").removesuffix("’s")))
    return found


def _stem(word: str) -> str:
    """`core.text.stem` without a last e, so that valve and valves, make and making are one."""
    short = stem(word)
    return short.removesuffix("e") if len(short) > 3 else short


def rarity(wanted: Sequence[str], texts: Sequence[Collection[str]]) -> dict[str, float]:
    """A weight for each term of `wanted`, summing to 1: log((n + 1) / (df + 0.5)) over the n term sets `texts`, as BM25's idf, above 0."""
    known = Counter(term for text in texts for term in set(wanted) if term in text)
    raw = {term: math.log1p((len(texts) + 1) / (known[term] + 0.5)) for term in dict.fromkeys(wanted)}
    total = sum(raw.values())
    return {term: weight / total for term, weight in raw.items()}


def covered(weights: Mapping[str, float], found: Collection[str]) -> float:
    """The share of the weight of `weights` that stands in `found`: 0 to 1."""
    return sum(weight for term, weight in weights.items() if term in found)
