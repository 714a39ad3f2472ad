"""Near duplicates: passages that say the same in almost the same words, with the same numbers, dates and negations."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from selfstudy.core.facts.stated import Facts, cased, facts_of
from selfstudy.core.records import Passage
from selfstudy.core.text import tokens

Signature = NDArray[np.uint32]
Hashes = NDArray[np.uint64]

HASHES = 128
BANDS = 16  # of 8 hashes: a pair of Jaccard .85 shares a band with probability .994, one of .5 with .06
THRESHOLD = 0.85
SHORT = 20  # tokens; shorter texts are compared with their titles, since "Deprecated." alone says nothing
MOST = 64  # representatives compared in one bucket, so that a corpus of look-alikes stays linear

_RAW = np.random.PCG64(20240229).random_raw(2 * HASHES)  # random_raw is the same on every machine and in every release
_FACTOR = (_RAW[:HASHES] | np.uint64(1))[:, None]
_SHIFT = _RAW[HASHES:][:, None]
MIX = np.array([0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB], dtype=np.uint64)


def signature(text: str) -> Signature:
    """(128,) uint32: the MinHash of `text` (Broder 1997) over shingles of three tokens, a token being a word or one CJK character.

    The share of equal places in two signatures estimates the Jaccard similarity of the two texts' shingles, to about .03. Case, width and
    traditional characters are folded. The same on every machine.
    """
    hashes = hashed(text)
    hashes = hashes if len(hashes) else np.array([_hash(text.strip())], dtype=np.uint64)
    while len(hashes) < 3:
        hashes = np.append(hashes, np.uint64(0))
    shingles = threes(hashes)
    shingles ^= shingles >> np.uint64(29)
    signed: Signature = ((shingles * _FACTOR + _SHIFT) >> np.uint64(32)).min(axis=1).astype(np.uint32)
    return signed


def near_duplicates(passages: Sequence[Passage]) -> dict[str, str]:
    """The id of each passage that nearly repeats an earlier one, and the id of that one: estimated Jaccard >= .85 and the same facts.

    An earlier passage that is itself a near duplicate represents nobody. About 0.1 ms a passage.
    """
    compared = [_compared(passage) for passage in passages]
    signatures = np.empty((len(passages), HASHES), dtype=np.uint32)
    for index, text in enumerate(compared):
        signatures[index] = signature(text)
    keys, shared = _bands(signatures)
    buckets: dict[tuple[int, int, Facts], list[int]] = {}
    found: dict[str, str] = {}
    for index in np.flatnonzero(shared.any(axis=1)).tolist():
        facts = facts_of(compared[index])
        places = [(band, int(keys[index, band]), facts) for band in np.flatnonzero(shared[index]).tolist()]
        earlier = sorted({other for place in places for other in buckets.get(place, ())})
        near = [other for other in earlier if np.mean(signatures[other] == signatures[index]) >= THRESHOLD]
        if near:
            first = passages[near[0]].id
            if first != passages[index].id:
                found[passages[index].id] = first
            continue
        for place in places:
            bucket = buckets.setdefault(place, [])
            if len(bucket) < MOST:
                bucket.append(index)
    return found


def _compared(passage: Passage) -> str:
    return passage.text if len(passage.text) > 20 * SHORT or len(tokens(passage.text)) >= SHORT else passage.indexed


def _bands(signatures: Signature) -> tuple[NDArray[np.uint64], NDArray[np.bool_]]:
    """(n, 16) a hash of each band of each signature, and whether another passage has the same."""
    rows = HASHES // BANDS
    keys = np.zeros((len(signatures), BANDS), dtype=np.uint64)
    for row in range(rows):
        keys = (keys ^ signatures[:, row::rows]) * MIX[0]
        keys ^= keys >> np.uint64(31)
    shared = np.zeros(keys.shape, dtype=np.bool_)
    for band in range(BANDS):
        _, where, counts = np.unique(keys[:, band], return_inverse=True, return_counts=True)
        shared[:, band] = counts[where] > 1
    return keys, shared


def hashed(text: str) -> Hashes:
    """(tokens,) uint64: a hash of each token of `text` in its folded form."""
    return np.array([_hash(token) for token in tokens(folded(text))], dtype=np.uint64)


def threes(tokens: Hashes) -> Hashes:
    """A hash of every three tokens that follow one another."""
    found: Hashes = tokens[:-2] * MIX[0] + tokens[1:-1] * MIX[1] + tokens[2:] * MIX[2]
    return found


def folded(text: str) -> str:
    """`text` without differences of case, width and kind of Chinese characters."""
    return cased(text).lower()


@lru_cache(maxsize=1 << 18)
def _hash(token: str) -> int:
    return zlib.crc32(token.encode("utf-8", "surrogatepass"))
