"""Contained duplicates: passages whose text stands inside another document, in almost the same words and with the same facts."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

import numpy as np
from numpy.typing import NDArray

from selfstudy.core.facts.stated import cased, facts_of
from selfstudy.core.records import Passage
from selfstudy.core.text import token_spans
from selfstudy.corpus.cleaning.dedup import MIX, MOST, SHORT, Hashes, hashed, threes

ENOUGH = 0.92
"""Share of a passage's three-word sequences that must stand there. Two texts of one length whose Jaccard is .85 have so many in common."""
_SHINGLE = 5
_WINDOW = 8
_TRIED = 4
_SENTENCE_END = re.compile(r"[.!?。！？；\n]")
_LONGEST = 60
"""Tokens beyond which a sentence is not followed to its end."""


@dataclass(frozen=True, slots=True)
class _Stream:
    """A document as one sequence of hashed tokens; `ends[i]` is where its passage i ends therein."""

    parts: Sequence[Passage]
    tokens: Hashes
    ends: list[int]


@dataclass(frozen=True, slots=True)
class _Prints:
    """Fingerprints in ascending order, each with the number of its document and where therein it begins."""

    keys: NDArray[np.uint64]
    documents: NDArray[np.int64]
    starts: NDArray[np.int64]


def contained(documents: Sequence[Sequence[Passage]], near: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """For each passage that stands inside another document, the ids of the passages there that hold it, in the order of the text.

    `documents` are the passages of each in order; only an earlier document holds a passage of a later one. `near` are near duplicates: no
    passage that repeats another is named, but what it repeats. Texts under 20 tokens say too little to be told.

    Candidates are documents that share half of a passage's fingerprints (winnowing, Schleimer, Wilkerson and Aiken 2003: the least of every
    8 successive hashes of five tokens). One holds the passage if a stretch about as long has 92% of its three-token sequences in the
    same order, and the sentences of that stretch state the same numbers, units, dates and denials.
    """
    streams = [_stream(parts) for parts in documents if parts]
    prints = _shared(streams)
    found: dict[str, tuple[str, ...]] = {}
    seen: set[str] = set()
    for number, stream in enumerate(streams):
        for passage, tokens in zip(stream.parts, np.split(stream.tokens, stream.ends[:-1]), strict=True):
            if passage.id in seen or passage.id in near or len(tokens) < SHORT:
                continue
            seen.add(passage.id)
            for other, offset in _candidates(tokens, number, prints):
                if (inside := _inside(passage, tokens, streams[other], offset)) is not None:
                    roots = (near.get(id, id) for id in inside)
                    found[passage.id] = tuple(dict.fromkeys(root for id in roots for root in found.get(id, (id,))))
                    break
    return found | {id: found[first] for id, first in near.items() if first in found}


def _stream(parts: Sequence[Passage]) -> _Stream:
    pieces = [hashed(passage.text) for passage in parts]
    return _Stream(parts, np.concatenate([np.empty(0, np.uint64), *pieces]), np.cumsum([len(piece) for piece in pieces]).tolist())


def _fingerprints(tokens: Hashes) -> tuple[Hashes, NDArray[np.int64]]:
    """The fingerprints of a text, and where each begins."""
    if len(tokens) < _SHINGLE:
        return np.empty(0, np.uint64), np.empty(0, np.int64)
    shingles = np.zeros(len(tokens) - _SHINGLE + 1, np.uint64)
    for place in range(_SHINGLE):
        shingles = (shingles ^ tokens[place : place + len(shingles)]) * MIX[0]
        shingles ^= shingles >> np.uint64(29)
    windows = np.lib.stride_tricks.sliding_window_view(shingles, min(_WINDOW, len(shingles)))
    starts = np.unique(windows.argmin(axis=1) + np.arange(len(windows)))
    return shingles[starts], starts


def _shared(streams: Sequence[_Stream]) -> _Prints:
    """The fingerprints that stand in several documents."""
    made = [_fingerprints(stream.tokens) for stream in streams]
    keys = np.concatenate([np.empty(0, np.uint64), *(keys for keys, _ in made)])
    starts = np.concatenate([np.empty(0, np.int64), *(starts for _, starts in made)])
    documents = np.repeat(np.arange(len(made)), [len(keys) for keys, _ in made])
    order = np.lexsort((starts, documents, keys))
    keys, documents, starts = keys[order], documents[order], starts[order]
    _, first, counts = np.unique(keys, return_index=True, return_counts=True)
    several = np.repeat(documents[first] != documents[first + counts - 1], counts) if len(keys) else np.empty(0, np.bool_)
    return _Prints(keys[several], documents[several], starts[several])


def _candidates(tokens: Hashes, number: int, prints: _Prints) -> Iterator[tuple[int, int]]:
    """Documents before `number` that share half of the fingerprints, and where in each the text would begin, the likeliest first."""
    keys, starts = _fingerprints(tokens)
    lows = np.searchsorted(prints.keys, keys)
    highs = np.minimum(np.searchsorted(prints.keys, keys, side="right"), lows + MOST)
    offsets: dict[int, list[int]] = {}
    shared: dict[int, int] = {}
    for start, low, high in zip(starts.tolist(), lows.tolist(), highs.tolist(), strict=True):
        others = prints.documents[low:high]
        for other, at in zip(others.tolist(), prints.starts[low:high].tolist(), strict=True):
            if other < number:
                offsets.setdefault(other, []).append(at - start)
        for other in set(others.tolist()):
            shared[other] = shared.get(other, 0) + 1
    likely = sorted((-shared[other], other) for other in offsets if 2 * shared[other] >= len(keys))
    for _, other in likely[:_TRIED]:
        tried = np.array(offsets[other])
        close = (np.abs(tried[:, None] - tried[None, :]) <= _slack(len(tokens))).sum(axis=1)
        yield other, int(tried[close.argmax()])


def _slack(length: int) -> int:
    """Tokens that may be missing or too many before a place is another one."""
    return 5 + length // 10


def _inside(passage: Passage, tokens: Hashes, there: _Stream, offset: int) -> list[str] | None:
    """The ids of the passages of `there` that hold the passage, whose text would begin at `offset`; None where they do not."""
    begin = max(0, offset - _slack(len(tokens)))
    window = there.tokens[begin : offset + len(tokens) + _slack(len(tokens))]
    if np.isin(threes(tokens), threes(window)).mean() < ENOUGH:
        return None
    match = SequenceMatcher(None, tokens.tolist(), window.tolist(), autojunk=False)
    blocks = [block for block in match.get_matching_blocks() if block.size >= 3]
    if sum(block.size - 2 for block in blocks) < ENOUGH * len(threes(tokens)):
        return None
    first, last = begin + blocks[0].b, begin + blocks[-1].b + blocks[-1].size
    parts = range(bisect_right(there.ends, first), bisect_right(there.ends, last - 1) + 1)
    if facts_of(passage.text) != facts_of(_sentences(there, parts, first, last)):
        return None
    return [there.parts[part].id for part in parts]


def _sentences(there: _Stream, parts: range, first: int, last: int) -> str:
    """The text of the tokens from `first` to `last`, with what belongs to their sentences: "30" is not "30 million"."""
    text = "\n".join(cased(there.parts[part].text) for part in parts)
    spans = token_spans(text)
    base = there.ends[parts[0] - 1] if parts[0] else 0
    low, high = first - base, last - base
    while low > 0 and first - base - low < _LONGEST and not _SENTENCE_END.search(text, spans[low - 1][1], spans[low][0]):
        low -= 1
    while high < len(spans) and high - last + base < _LONGEST and not _SENTENCE_END.search(text, spans[high - 1][1], spans[high][0]):
        high += 1
    start = spans[low - 1][1] if low else 0
    end = spans[high][0] if high < len(spans) else len(text)
    return text[start:end]
