"""Hybrid search put in order by the starter's reader, people's questions: what each weight of its judgement brings.

    python bench/rerank.py --data ../shared/data --questions 200 emanual_tv policyqa cuad tatqa cranfield qmsum
    python bench/rerank.py --reading reading.safetensors ...      # another reader than the one shipped

For each set: whole groups of documents, untuned hybrid search, the first `--depth` passages of each question read. Prints MRR@10 of
documents without and with `weight` x log-odds beside the score of search, for two judgements (holds an answer; is relevant) and their sum:
each set, the macro mean, and for each set + or - where the 95% interval of the paired difference leaves out 0. Readings are kept
under --out.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from adapt import subset

from selfstudy.core.records import Hit
from selfstudy.evals.bootstrap import interval
from selfstudy.evals.labelled import read_qrels, read_queries
from selfstudy.index.reranked import order
from selfstudy.models.folder import sha256_of
from selfstudy.models.starter import load
from selfstudy.models.starter.reading import StarterReader
from selfstudy.recipes.engine import Engine

WEIGHTS = (0.03, 0.05, 0.07, 0.1, 0.15, 0.2, 0.3, 0.5)
JUDGEMENTS = ("answered", "relevant", "both")


def read(name: str, arguments: argparse.Namespace, reader: StarterReader, key: str) -> list[dict[str, Any]]:
    """For each question the scores of its first passages by search and by the reader, their documents, and which are relevant."""
    folder = arguments.out / name
    kept = folder / f"read-{arguments.questions}-{arguments.depth}-{key[:12]}.json"
    if kept.exists():
        return list(json.loads(kept.read_text(encoding="utf-8")))
    if not (folder / "set").is_dir():
        subset(arguments.data / name, folder / "set", arguments.most)
    engine = Engine.open(folder / "home", create=True)
    engine.add([folder / "set" / "corpus.jsonl"])
    relevant = read_qrels(folder / "set" / "qrels.tsv")
    queries = [one for one in read_queries(folder / "set" / "queries.jsonl") if one.text.strip() and one.id in relevant]
    queries = random.Random(0).sample(queries, min(arguments.questions, len(queries)))
    rows = []
    began = time.monotonic()
    spent = 0.0
    for query in queries:
        hits: Sequence[Hit] = engine.search(query.text, 20)
        before = time.monotonic()
        read = reader.read([(query.text, hit.passage.indexed) for hit in hits[: arguments.depth]])
        spent += time.monotonic() - before
        documents = [[place.document for place in hit.passage.places] for hit in hits]
        rows.append({
            "found": [hit.score for hit in hits], "documents": documents, "relevant": sorted(relevant[query.id]),
            "answered": [one.answered for one in read], "judged": [one.relevant for one in read],
        })  # fmt: skip
    print(
        f"{name}: {len(rows)} questions, {time.monotonic() - began:.0f} s, reading {spent / len(rows) * 1000:.0f} ms a question", flush=True
    )
    kept.write_text(json.dumps(rows), encoding="utf-8")
    return rows


def reciprocal_ranks(rows: Sequence[dict[str, Any]], judgement: str, weight: float, depth: int) -> Any:
    """Of the first relevant document, 0 beyond ten."""
    found = np.zeros(len(rows))
    for at, row in enumerate(rows):
        first = min(depth, len(row["answered"]))
        odds = {name: np.log(p / (1 - p)) for name in ("answered", "judged") for p in [np.clip(row[name][:first], 1e-6, 1 - 1e-6)]}
        said = {"answered": odds["answered"], "relevant": odds["judged"], "both": odds["answered"] + odds["judged"]}[judgement]
        places = [*order(row["found"][:first], said, weight), *range(first, len(row["found"]))] if first else []
        documents = list(dict.fromkeys(document for place in places for document in row["documents"][place]))
        found[at] = next((1 / rank for rank, document in enumerate(documents[:10], 1) if document in row["relevant"]), 0.0)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="+")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--out", type=Path, default=Path("rerank"))
    parser.add_argument("--most", type=int, default=800, help="documents of a set")
    parser.add_argument("--questions", type=int, default=200)
    parser.add_argument("--depth", type=int, default=10, help="passages that are read")
    parser.add_argument("--reading", type=Path, default=load.FOLDER / load.READING)
    arguments = parser.parse_args()
    reader, key = load.reader(arguments.reading, arguments.out / "cache"), sha256_of(arguments.reading)
    rows = {name: read(name, arguments, reader, key) for name in arguments.names}
    for depth in sorted({5, arguments.depth}):
        plain = {name: reciprocal_ranks(found, "answered", 0.0, depth) for name, found in rows.items()}
        print(f"\nfirst {depth} read; without: {told(plain)}")
        for judgement in JUDGEMENTS:
            for weight in WEIGHTS:
                ranked = {name: reciprocal_ranks(found, judgement, weight, depth) for name, found in rows.items()}
                signs = " ".join(sign(ranked[name] - plain[name]) for name in rows)
                print(f"{judgement:<9}{weight:<5} {told(ranked)}  {signs}")


def told(values: dict[str, Any]) -> str:
    """The mean of each set, and the macro mean."""
    means = {name: float(found.mean()) for name, found in values.items()}
    return "  ".join(f"{name} {mean:.3f}" for name, mean in means.items()) + f"  macro {np.mean(list(means.values())):.4f}"


def sign(difference: Any) -> str:
    """+ or - where the interval of the mean leaves out 0, else a dot."""
    low, high = interval(difference, 2000, 0)
    return "+" if low > 0 else "-" if high < 0 else "."


if __name__ == "__main__":
    main()
