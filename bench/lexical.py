"""MRR@10 of the store's full text search: against bm25s on English sets, and of ways to segment Chinese.

    python bench/lexical.py [--data ../shared/data] [--english policyqa cranfield ...] [--chinese cjrc_zh_legal ...] [--expand pubmedqa ...]

With --expand sets are searched with and without the glossary that they explain themselves, by the questions that it widens.
Every set is searched whole, a document as one passage, by every question that has words and a relevant document; a miss counts 0.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from beir import relevant, rows_in

from selfstudy.core.records import Document, Passage, Place, passage_id
from selfstudy.corpus.glossary import mined
from selfstudy.index.analyze import TOKENIZER
from selfstudy.index.lexical import Lexical
from selfstudy.index.store import Store
from selfstudy.recipes.glossary import Expansion

CJK = re.compile("[㐀-䶿一-鿿豈-﫿぀-ヿ가-힯]+")
Ranking = list[str]


class Set:
    """A BEIR folder: passages, and the questions that have a relevant one."""

    def __init__(self, folder: Path) -> None:
        self.name = folder.name
        corpus = rows_in(folder / "corpus.jsonl")
        self.ids = [row["id"] for row in corpus]
        self.titles = [row.get("title") or "" for row in corpus]
        self.texts = [row["text"] for row in corpus]
        self.relevant = relevant(folder)
        asked = rows_in(folder / "queries.jsonl")
        self.questions = {row["id"]: row["text"] for row in asked if self.relevant.get(row["id"]) and row["text"].strip()}

    @property
    def indexed(self) -> list[str]:
        return [f"{title}\n{text}" if title else text for title, text in zip(self.titles, self.texts, strict=True)]

    def mrr(self, search: Callable[[str], Ranking]) -> float:
        total = 0.0
        for id, question in self.questions.items():
            ranks = (rank for rank, document in enumerate(search(question)[:10], start=1) if document in self.relevant[id])
            total += 1 / next(ranks, np.inf)
        return total / len(self.questions)


def ours(data: Set, folder: Path, expand: Callable[[str], str] | None = None) -> Callable[[str], Ranking]:
    store = Store.open(folder, create=True)
    with store.writing() as writer:
        for id, title, text in zip(data.ids, data.titles, data.texts, strict=True):
            passage = Passage(passage_id(title, text), title, text, (Place(id, 0, len(text)),))
            writer.put([(Document(id, text, title), [passage], None)])
        writer.commit()
    retriever = Lexical(store.snapshot(), expand)
    return lambda question: [place.document for hit in retriever.search([question], 10)[0] for place in hit.passage.places]


def bm25s_porter(data: Set) -> Callable[[str], Ranking]:
    import bm25s
    import Stemmer

    settings: dict[str, Any] = {"stopwords": "en", "stemmer": Stemmer.Stemmer("porter"), "show_progress": False}
    index = bm25s.BM25(k1=1.2, b=0.75)
    index.index(bm25s.tokenize(data.indexed, **settings), show_progress=False)

    def search(question: str) -> Ranking:
        words = bm25s.tokenize([question], return_ids=False, **settings)[0]
        scores = index.get_scores(words) if words else np.zeros(len(data.ids))
        return [data.ids[row] for row in np.argsort(-scores, kind="stable")[:10] if scores[row] > 0]

    return search


def lance(data: Set, folder: Path, segment: Callable[[str], str], **tokenizer: Any) -> Callable[[str], Ranking]:
    """LanceDB's full text search alone, with other settings than the store's."""
    import lancedb
    import pyarrow as pa
    from lancedb.index import FTS
    from lancedb.query import MatchQuery

    table = lancedb.connect(folder).create_table("passages", pa.table({"id": data.ids, "body": [segment(text) for text in data.indexed]}))
    table.create_index("body", config=FTS(**{**TOKENIZER, **tokenizer}))

    def search(question: str) -> Ranking:
        match: Any = MatchQuery
        query = table.search(match(segment(question), "body"), query_type="fts")
        ids: Ranking = query.select(["id", "_score"]).limit(10).to_arrow()["id"].to_pylist()
        return ids

    return search


def plain(text: str) -> str:
    return text


def pairs(text: str) -> str:
    return CJK.sub(lambda run: f" {' '.join(run[0][at : at + 2] for at in range(max(1, len(run[0]) - 1)))} ", text)


def jieba_words(text: str) -> str:
    import jieba

    jieba.setLogLevel("ERROR")
    return CJK.sub(lambda run: f" {' '.join(jieba.cut(run[0]))} ", text)


def english(data: Set, folder: Path) -> Iterator[tuple[str, Callable[[str], Ranking]]]:
    from bm25s.stopwords import STOPWORDS_EN

    yield "bm25s, Porter", bm25s_porter(data)
    yield "ours", ours(data, folder / "ours")
    yield "ours, all words kept", lance(data, folder / "all", plain, remove_stop_words=False)
    yield "ours, bm25s' stop words", lance(data, folder / "few", plain, custom_stop_words=list(STOPWORDS_EN))


def chinese(data: Set, folder: Path) -> Iterator[tuple[str, Callable[[str], Ranking]]]:
    yield "ours", ours(data, folder / "ours")
    yield "ours, whole runs", lance(data, folder / "simple", plain)
    yield "icu", lance(data, folder / "icu", plain, base_tokenizer="icu")
    yield "ngram(2,2)", lance(data, folder / "ngram", plain, base_tokenizer="ngram", ngram_min_length=2, ngram_max_length=2, stem=False)
    yield "pairs of CJK alone", lance(data, folder / "pairs", pairs)
    try:
        import jieba
    except ImportError:
        return
    assert jieba
    yield "jieba", lance(data, folder / "jieba", jieba_words)


def expanded(data: Set, folder: Path) -> None:
    """MRR@10 of the questions that the glossary of the set itself widens, as they are asked and widened."""
    terms = mined(data.texts)
    expand = Expansion(terms)
    data.questions = {id: question for id, question in data.questions.items() if expand(question)}
    print(f"  {len(terms)} terms widen {len(data.questions)} of them", flush=True)
    if data.questions:
        told = (data.mrr(ours(data, folder / name, how)) for name, how in (("as asked", None), ("widened", expand)))
        print("  MRR@10 {:.4f} -> {:.4f}".format(*told), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--english", nargs="*", default=["policyqa", "cranfield", "emanual_tv", "clapnq"])
    parser.add_argument("--chinese", nargs="*", default=["cjrc_zh_legal", "cmrc2018", "drcd"])
    parser.add_argument("--expand", nargs="*", default=[])
    chosen = parser.parse_args()
    for name in chosen.expand:
        data = Set(chosen.data / name)
        print(f"\n{name}: {len(data.ids)} passages, {len(data.questions)} questions", flush=True)
        with tempfile.TemporaryDirectory() as folder:
            expanded(data, Path(folder))
    os.environ.setdefault("LANCE_LOG", "error")
    for names, ways in ((chosen.english, english), (chosen.chinese, chinese)):
        for name in names:
            if not (chosen.data / name / "corpus.jsonl").exists():
                sys.exit(f"There is no set {name!r} in {chosen.data}; name its folder with --data.")
            data = Set(chosen.data / name)
            print(f"\n{name}: {len(data.ids)} passages, {len(data.questions)} questions", flush=True)
            with tempfile.TemporaryDirectory() as folder:
                for way, search in ways(data, Path(folder)):
                    started = time.process_time()
                    score = data.mrr(search)
                    spent = 1000 * (time.process_time() - started) / len(data.questions)
                    print(f"  {way:<26} MRR@10 {score:.4f}   {spent:5.1f} ms CPU a question", flush=True)


if __name__ == "__main__":
    main()
