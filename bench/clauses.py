"""The right clause within a contract: passages cut along sentences beside windows of equally many words, and scored by their sentences too.

    python bench/clauses.py [--data ../shared/data] [--contracts 12] [--words 160] [--finer]

Contracts are put together again out of the rows of cuad, and each question is asked within its contract, without the words that name it.
A passage is right if it holds half of the labelled clause, or is itself half of it; so is a clause that a hit points at.
Every way ranks the same passages of the same run; differences are paired, question by question, against `hybrid` of the same cut.
"""

from __future__ import annotations

import argparse
import random
import re
import tempfile
from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from beir import rows_in
from numpy.typing import NDArray

from selfstudy.answer.locating import located
from selfstudy.answer.reading import pieces
from selfstudy.core.ports import Embedder
from selfstudy.core.records import Document, Hit, Passage, Place, passage_id
from selfstudy.corpus.passages.chunk import Chunk, chunk
from selfstudy.evals.paired import compare
from selfstudy.index.snapshot import Snapshot
from selfstudy.index.store import Store
from selfstudy.recipes.caches import Cache, vectors_of
from selfstudy.recipes.embedding import put_embedded
from selfstudy.recipes.remembering import Remembering
from selfstudy.recipes.system import load_embedder, retrievers

Span = tuple[int, int]
Asked = tuple[str, str, list[Span]]
"""A question, the id of its contract, and where in that the labelled clauses stand."""


def whole(parts: Sequence[str]) -> str:
    """A contract out of its rows, each of which begins with the end of the one before."""
    text = parts[0]
    for part in parts[1:]:
        common = next((size for size in range(min(len(text), len(part), 2500), 15, -1) if text.endswith(part[:size])), 0)
        text += part[common:] if common else "\n\n" + part
    return text


def read(folder: Path, most: int) -> tuple[list[Document], list[Asked]]:
    """Some contracts, drawn by a fixed seed, and what is asked about them."""
    parts: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows_in(folder / "corpus.jsonl"):
        parts[row["meta"]["contract"]].append(row)
    names = sorted(parts)
    random.Random(0).shuffle(names)
    found = {name: Document(name, whole([row["text"] for row in parts[name]]), parts[name][0]["title"]) for name in names[:most]}
    asked: list[Asked] = []
    for row in rows_in(folder / "queries.jsonl"):
        if row["contract"] in found and row["type"] == "clause":
            text = found[row["contract"]].text
            patterns = (r"\s+".join(map(re.escape, answer.split())) for answer in row["answers"])
            spans = [match.span() for pattern in patterns for match in re.finditer(pattern, text)]
            if spans:
                asked.append((row["text"].split("): ", 1)[-1], row["contract"], spans))
    return list(found.values()), asked


def windows(document: Document, words: int) -> list[Passage]:
    """Windows of so many words, wherever their ends fall."""
    spans = [match.span() for match in re.finditer(r"\S+", document.text)]
    found: dict[str, Passage] = {}
    for at in range(0, len(spans), words):
        start, end = spans[at][0], spans[min(at + words, len(spans)) - 1][1]
        key = passage_id(document.title, document.text[start:end])
        places = found[key].places if key in found else ()
        found[key] = Passage(key, document.title, document.text[start:end], (*places, Place(document.id, start, end)))
    return list(found.values())


def right(start: int, end: int, clauses: Sequence[Span]) -> bool:
    shared = (min(end, right) - max(start, left) for left, right in clauses)
    return any(2 * both >= min(end - start, right - left) for both, (left, right) in zip(shared, clauses, strict=True) if both > 0)


def standard(scores: Any) -> Any:
    return (scores - scores.mean()) / (scores.std() or 1.0)


def ways(snapshot: Snapshot, embedder: Embedder, asked: Sequence[Asked], finer: bool) -> dict[str, list[list[int]]]:
    """For every way to score, the rows of each question's contract, best first; `finer`: by the sentences of passages, too."""
    passages = list(snapshot.passages)
    inner = [
        (row, passage.text[start:end])
        for row, passage in enumerate(passages)
        for start, end in (pieces(passage.text, 420) if finer else [])
    ]
    matrix = embedder.embed([text for _, text in inner])
    owners = np.array([row for row, _ in inner])
    vectors = embedder.embed([question for question, _, _ in asked], "query")
    hybrid: Any = retrievers(snapshot, embedder, 0.5)["hybrid"]  # the scores of all passages, which the port does not show
    found: dict[str, list[list[int]]] = defaultdict(list)
    for (_, contract, _), vector, scores in zip(asked, vectors, hybrid._all([question for question, _, _ in asked]), strict=True):
        best = np.full(len(passages), -1.0)
        words, meaning = standard(scores.lexical), standard(scores.dense)
        scored = {"lexical": words, "dense": meaning, "hybrid": words + meaning}
        if finer:
            np.maximum.at(best, owners, matrix @ vector)
            finest = standard(best)
            scored["dense, best sentence"] = finest
            scored["hybrid, half of meaning by the best sentence"] = words + (meaning + finest) / 2
            scored["hybrid, meaning by the best sentence"] = words + finest
        held = snapshot.rows_of(contract)
        for name, mixed in scored.items():
            found[name].append([int(row) for row in held[np.argsort(-mixed[held], kind="stable")]])
    return found


def measured(
    name: str,
    documents: Sequence[Document],
    asked: Sequence[Asked],
    cut: Callable[[Document], list[Passage]],
    embedder: Embedder,
    finer: bool,
) -> NDArray[np.float64]:
    """Print how every way does over this cut. Returns for each question whether hybrid search has the clause in the first five."""
    with tempfile.TemporaryDirectory() as folder:
        store = Store.open(Path(folder), create=True)
        with store.writing() as writer:
            put_embedded(writer, [embedder], [(document, cut(document), None) for document in documents], set())
        snapshot = store.snapshot()
        texts = [passage.text for passage in snapshot.passages]
        print(f"\n{name}: {len(texts)} passages of {np.mean([len(text.split()) for text in texts]):.0f} words", flush=True)
        ranked = ways(snapshot, embedder, asked, finer)
        first: dict[str, NDArray[np.float64]] = {}
        for way, rankings in ranked.items():
            ranks = [rank_of(snapshot, rows, contract, clauses) for rows, (_, contract, clauses) in zip(rankings, asked, strict=True)]
            first[way] = np.array([0 < rank <= 5 for rank in ranks], np.float64)
            mrr = np.mean([1 / rank if 0 < rank <= 10 else 0.0 for rank in ranks])
            change = compare(first["hybrid"], first[way]) if way in ranked and "hybrid" in first else None
            told = f"  {change.value:+.3f} [{change.low:+.3f}, {change.high:+.3f}]" if change is not None and way != "hybrid" else ""
            print(
                f"  {way:<46} hit@1 {np.mean([rank == 1 for rank in ranks]):.3f}  hit@5 {first[way].mean():.3f}  MRR@10 {mrr:.3f}{told}",
                flush=True,
            )
        for how, by in (("words", None), ("words and meaning", embedder)):
            print(f"  clause pointed at in the first five by {how:<28} {pointed(snapshot, ranked['hybrid'], asked, by)}", flush=True)
        return first["hybrid"]


def rank_of(snapshot: Snapshot, rows: Sequence[int], contract: str, clauses: Sequence[Span]) -> int:
    """The rank of the first passage that is right, 0 for none."""
    for rank, passage in enumerate(snapshot.passages.take(rows), 1):
        if any(place.document == contract and right(place.start, place.end, clauses) for place in passage.places):
            return rank
    return 0


def pointed(snapshot: Snapshot, rankings: Sequence[Sequence[int]], asked: Sequence[Asked], embedder: Embedder | None) -> str:
    """How often a clause that one of the first five hits points at is the labelled one, and how long such clauses are."""
    good, lengths, reached = 0, [], 0
    for rows, (question, contract, clauses) in zip(rankings, asked, strict=True):
        passages = snapshot.passages.take(rows[:5])
        own = [p for p in passages if p.places[0].document == contract]
        spots = [spot for spot in located(question, [Hit(p, 1.0, "hybrid") for p in own], embedder) if spot is not None]
        good += any(right(spot.start, spot.end, clauses) for spot in spots)
        reached += any(right(p.places[0].start, p.places[0].end, clauses) for p in own)
        lengths += [len(spot.quote.split()) for spot in spots]
    return f"{good / len(asked):.3f} (of {reached / len(asked):.3f} whose passage is among them), {np.mean(lengths):.0f} words long"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--contracts", type=int, default=12)
    parser.add_argument("--words", type=int, nargs="+", default=[160])
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "selfstudy-clauses", help="vectors are kept here")
    parser.add_argument("--finer", action="store_true", help="score passages by their best sentences, too: many more vectors")
    given = parser.parse_args()
    given.cache.mkdir(parents=True, exist_ok=True)
    embedder = Remembering(load_embedder("minilm:all-MiniLM-L6-v2", given.cache), vectors_of(given.cache, Cache()))
    documents, asked = read(given.data / "cuad", given.contracts)
    print(f"{len(documents)} contracts of {np.mean([len(d.text.split()) for d in documents]):.0f} words, {len(asked)} questions")
    for words in given.words:
        cut = [chunk(document, Chunk(words=words)) for document in documents]
        equal = round(float(np.mean([len(passage.text.split()) for passages in cut for passage in passages])))
        along, across = (
            measured(name, documents, asked, how, embedder, given.finer)
            for name, how in (
                (f"along sentences, {words} at most", partial(chunk, cfg=Chunk(words=words))),
                (f"windows of {equal}", partial(windows, words=equal)),
            )
        )
        change = compare(across, along)
        print(f"along sentences minus windows, hit@5 of hybrid: {change.value:+.3f} [{change.low:+.3f}, {change.high:+.3f}]", flush=True)


if __name__ == "__main__":
    main()
