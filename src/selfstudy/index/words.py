"""BM25 in memory: every passage's score for a question, as the store's full text index would give it, in about a millisecond.

The store's index is the truth. This is the same text through the same analyzer (Tantivy's, of which the store's is a descendant), scored
with the same formula, and laid out so that a question's words are a few slices of an array. A test compares the two score by score.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import compress, pairwise
from typing import Any, Self

import numpy as np

from selfstudy.index.analyze import TOKENIZER, body
from selfstudy.index.ranking import Scores

K1, B = 1.2, 0.75
_BLOCK = 4_000_000
_STOP_WORDS = """
    a about after again against all am an and any are aren as at be because been before being below between both but by can couldn
    d did didn do does doesn don down during each few for from further had hadn has hasn have haven having he her here hers
    herself him himself his how i if in into is isn it its itself just ll m ma me mightn more most mustn my myself needn no nor
    not now o of off on once only or other our ours ourselves out over own re s same shan she should shouldn so some such t than
    that the their theirs them themselves then there these they this those through to too under until up ve very was wasn we were
    weren what when where which while who whom why will with won wouldn y you your yours yourself yourselves
""".split()
"""The store's English stop words; they are looked for among stems, so that "others" is one and "because" is none."""


@dataclass(frozen=True, slots=True, eq=False)
class Words:
    """How often each word stands in each passage, and what that is worth: `weights[starts[w]:starts[w + 1]]` are the BM25 scores that word
    `w` gives the passages at `rows[starts[w]:starts[w + 1]]`.
    """

    ids: Sequence[str]
    vocabulary: dict[str, int]
    counts: Any
    starts: np.ndarray[Any, np.dtype[np.int64]]
    rows: np.ndarray[Any, np.dtype[np.int32]]
    weights: Scores

    @classmethod
    def of(cls, ids: Sequence[str], texts: Iterable[str], before: Self | None = None) -> Self:
        """The words of `texts`, whose passages are called `ids`; of those that `before` knows too nothing is counted again."""
        known = {id: row for row, id in enumerate(before.ids)} if before is not None else {}
        vocabulary = dict(before.vocabulary) if before is not None else {}
        old = np.array([known.get(id, -1) for id in ids], np.int64)
        new = np.flatnonzero(old < 0)
        fresh = counted(compress(texts, old < 0), vocabulary)
        if before is not None and len(new) < len(ids):
            kept = before.counts[old[old >= 0]]
            kept.resize((kept.shape[0], len(vocabulary)))
            place = np.empty(len(ids), np.int64)
            place[np.concatenate([np.flatnonzero(old >= 0), new])] = np.arange(len(ids))
            fresh = _sparse().vstack([kept, fresh], format="csr")[place]
        return cls(ids, vocabulary, fresh, *_weighed(fresh))

    def scores(self, question: str) -> Scores:
        """(passages,) BM25 scores; a passage without any of the words has 0."""
        scores: Scores = np.zeros(len(self.ids), np.float32)
        for word in words_of(question):
            if (at := self.vocabulary.get(word)) is not None:
                here = slice(self.starts[at], self.starts[at + 1])
                scores[self.rows[here]] += self.weights[here]
        return scores


def _sparse() -> Any:
    from scipy import sparse

    return sparse


def counted(texts: Iterable[str], vocabulary: dict[str, int]) -> Any:
    """(texts, words) counts; words that are met for the first time join the vocabulary."""
    numbers, ends = array("i"), [0]
    for text in texts:
        numbers.extend(vocabulary.setdefault(word, len(vocabulary)) for word in words_of(text))
        ends.append(len(numbers))
    columns = np.asarray(numbers, np.int32)
    counts = _sparse().csr_array((np.ones(len(columns), np.float32), columns, ends), shape=(len(ends) - 1, len(vocabulary)))
    counts.sum_duplicates()
    return counts


def _weighed(counts: Any) -> tuple[Any, Any, Scores]:
    """BM25 by word: where each word's passages begin, the passages, the scores."""
    lengths = np.asarray(counts.sum(axis=1), np.float64)
    passages = max(1, np.count_nonzero(lengths))  # the store does not count those without a word
    columns = counts.tocsc()
    starts, rows, often = columns.indptr.astype(np.int64), columns.indices.astype(np.int32), columns.data
    holding = np.diff(starts)
    rarity = np.log(1 + (passages - holding + 0.5) / (holding + 0.5))
    norm = K1 * (1 - B + B * lengths / max(1.0, lengths.sum() / passages))
    weights = np.empty(len(rows), np.float32)
    # Some words at a time: numbers of 64 bits for a million passages at once would take gigabytes.
    edges = np.unique(np.searchsorted(starts, np.append(np.arange(0, len(rows), _BLOCK), len(rows))))
    for first, last in pairwise(edges.tolist()):
        here = slice(starts[first], starts[last])
        times = often[here].astype(np.float64)
        weights[here] = np.repeat(rarity[first:last], holding[first:last]) * (K1 + 1) * times / (times + norm[rows[here]])
    return starts, rows, weights


def words_of(text: str) -> list[str]:
    """The words of a text as they are counted, in their order: folded, stemmed, without stop words."""
    found: list[str] = _analyzer().analyze(body(text))
    return found


@cache
def _analyzer() -> Any:
    """The store's analyzer for `analyze.TOKENIZER`, step by step: stems before stop words."""
    from tantivy import Filter, TextAnalyzerBuilder, Tokenizer

    settings: dict[str, Any] = TOKENIZER
    steps = (
        Filter.remove_long(settings["max_token_length"]),
        Filter.lowercase(),
        Filter.stemmer(settings["language"]),
        Filter.custom_stopword(_STOP_WORDS),
        Filter.ascii_fold(),
    )
    builder = TextAnalyzerBuilder(Tokenizer.simple())
    for step in steps:
        builder = builder.filter(step)
    return builder.build()
