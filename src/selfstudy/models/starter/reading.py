"""Reading a question and a passage together: where the answer stands, whether there is one, relevance and support."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from selfstudy.core.padding import padded
from selfstudy.core.ports import SUPPORT
from selfstudy.core.records import Reading
from selfstudy.models.openvino import MULTIPLE, batches

if TYPE_CHECKING:
    from tokenizers import Encoding, Tokenizer

MOST_TOKENS = 224
"""Of question and passage together; what is beyond is cut off the passage."""
_CHUNK = 1024  # pairs tokenized at once

Ints = NDArray[np.int64]
Floats = NDArray[np.float32]
Heads = Callable[[Ints, Ints, Ints], tuple[Floats, Floats, Floats]]
"""Scores of a `network`'s heads for (rows, tokens) of ids, mask and kinds: (rows, tokens, 2), (rows,), (rows, 3)."""


def first_part(question: str, answer: str | None = None) -> str:
    """What stands before the passage: the question, and behind it the answer whose support is asked for."""
    return question if answer is None else f"{question} [SEP] {answer}"


class StarterReader:
    """A `core.ports.Reader` and `Entailment` by a network's `heads`, for one thread after the other: neither they nor a tokenizer may serve
    two at once.
    """

    def __init__(self, heads: Heads, tokenizer: Tokenizer, longest: int = 40) -> None:
        self.heads = heads
        self.tokenizer = tokenizer
        self.longest = longest
        self._turn = Lock()

    def read(self, pairs: Sequence[tuple[str, str]]) -> list[Reading]:
        """For each (question, passage) the likeliest span of at most `longest` tokens, as characters of the passage."""
        found: list[Any] = [None] * len(pairs)
        for place, encoding, (span, relevant, _) in self._scored([(first_part(question), passage) for question, passage in pairs]):
            start, end, answered = _best(*_sides(encoding, span), self.longest)
            found[place] = Reading(encoding.offsets[start][0], encoding.offsets[end][1], answered, float(1 / (1 + np.exp(-relevant))))
        return found

    def supported(self, triples: Sequence[tuple[str, str, str]]) -> Floats:
        """(len(triples), 3) probabilities that the passage of (question, answer, passage) supports the answer: no, partly, fully."""
        found = np.zeros((len(triples), len(SUPPORT)), np.float32)
        pairs = [(first_part(question, answer), passage) for question, answer, passage in triples]
        for place, _, (_, _, support) in self._scored(pairs):
            found[place] = np.exp(support - np.logaddexp.reduce(support))
        return found

    def _scored(self, pairs: Sequence[tuple[str, str]]) -> Iterator[tuple[int, Encoding, tuple[Any, Any, Any]]]:
        """The place of each pair, its tokens, and the scores of the heads."""
        for begin in range(0, len(pairs), _CHUNK):
            with self._turn:
                encoded = encode(self.tokenizer, pairs[begin : begin + _CHUNK])
            for rows in batches([len(one.ids) for one in encoded]):
                chosen = [encoded[row] for row in rows]
                with self._turn:
                    scores = self.heads(*inputs(chosen))
                yield from ((begin + row, encoded[row], each) for row, each in zip(rows, zip(*scores, strict=True), strict=True))


def encode(tokenizer: Tokenizer, pairs: Sequence[tuple[str, str]]) -> list[Encoding]:
    """Tokens of (first part, passage) pairs with the passage cut short, and the characters that each token stands for."""
    tokenizer.no_padding()
    tokenizer.no_truncation()
    firsts = [_short(tokenizer, first[:2000], MOST_TOKENS // 2) for first, _ in pairs]
    tokenizer.enable_truncation(MOST_TOKENS, strategy="only_second")
    return tokenizer.encode_batch([(first, passage) for first, (_, passage) in zip(firsts, pairs, strict=True)])


def _short(tokenizer: Tokenizer, text: str, most: int) -> str:
    if len(text) < most:
        return text
    ids = tokenizer.encode(text, add_special_tokens=False).ids
    return tokenizer.decode(ids[:most], skip_special_tokens=False) if len(ids) > most else text


def inputs(encoded: Sequence[Encoding]) -> tuple[Ints, Ints, Ints]:
    """Ids, mask and kinds (0: the first part, 1: the passage) of a batch, (rows, tokens) each."""
    rows = [(one.ids, one.attention_mask, one.type_ids) for one in encoded]
    ids, mask, kinds = (padded(side, 0, MULTIPLE) for side in zip(*rows, strict=True))
    return ids, mask, kinds


def _sides(encoding: Encoding, span: Any) -> tuple[Any, Any]:
    """The log-probabilities of each token to be the start and the end; only the first token and those of the passage can be."""
    kinds = np.array(encoding.type_ids)
    kinds[0], kinds[-1] = 1, 0  # "no answer"; the mark that ends the passage
    scores = np.where(kinds[:, None] == 1, span[: len(kinds)], -1e4).astype(np.float64)
    scores -= np.logaddexp.reduce(scores, axis=0)
    return scores[:, 0], scores[:, 1]


def _best(start: Any, end: Any, longest: int) -> tuple[int, int, float]:
    """The likeliest start and end, and the probability that there is an answer at all, against "no answer" (both at the first token)."""
    ends = np.pad(end[1:], (0, longest - 1), constant_values=-np.inf)
    scores = start[1:, None] + np.lib.stride_tricks.sliding_window_view(ends, longest)
    first, further = np.unravel_index(int(scores.argmax()), scores.shape)
    highest = scores[first, further]
    some = float(highest + np.log(np.exp(scores - highest).sum()))
    none = float(start[0] + end[0])
    return int(first) + 1, int(first + further) + 1, float(1 / (1 + np.exp(min(50.0, none - some))))
