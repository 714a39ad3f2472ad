"""How fast passages are embedded and searched, beside named alternatives in the same run and the machine's own measured peak.

    python bench/speed.py [--passages 300] [--sizes 2000 100000] [--questions 300] [--dir DIR] [--json]

Embedding: passages of the standard library's documentation through selfstudy and through sentence-transformers' `encode` (torch fp32, as
it comes), in alternating rounds; the share of the peak counts the encoder's multiplications over those of a large matrix product.
Search: a store on disk of real sentences put together at random; the vectors are those of real passages with noise, since embedding
100,000 passages would take an hour. p50 and p99 in milliseconds of one question after another, with its embedding and without.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from selfstudy.apps.stdlib_docs import chosen, markdown
from selfstudy.core.records import Document, Passage, Place, passage_id
from selfstudy.core.text import sentences
from selfstudy.evals.guard import pairs
from selfstudy.index.store import Store
from selfstudy.models.minilm import load as minilm
from selfstudy.recipes.system import Remembering, retrievers

ROUNDS = 3
WAYS = ("lexical", "dense", "hybrid")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--passages", type=int, default=300, help="passages that are embedded; 0 leaves embedding out")
    parser.add_argument("--sizes", type=int, nargs="*", default=[2_000, 100_000])
    parser.add_argument("--questions", type=int, default=300)
    parser.add_argument("--dir", type=Path, help="where the stores are made and kept")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    folder = given.dir or Path(tempfile.mkdtemp(prefix="selfstudy-speed-"))
    spans = real_sentences()
    embedder = minilm("all-MiniLM-L6-v2", cache=folder / "openvino")
    found: dict[str, Any] = {}
    if given.passages:
        found["embedding"] = embedding(embedder, texts(spans, given.passages, 12))
    found["search"] = {str(size): search(embedder, folder / f"store-{size}", spans, size, given.questions) for size in given.sizes}
    if given.json:
        sys.stdout.write(json.dumps(found, indent=1) + "\n")
    else:
        show(found)


def real_sentences() -> list[str]:
    """Sentences of the standard library's documentation, in an order that is the same on every run."""
    whole = "\n\n".join(markdown(module) for module in chosen())
    found = {" ".join(whole[start:end].split()) for start, end in sentences(whole)}
    spans = sorted(text for text in found if 6 <= len(text.split()) <= 40)
    random.Random(0).shuffle(spans)
    return spans


def texts(spans: list[str], count: int, each: int, seed: int = 0) -> list[str]:
    """`count` texts of `each` sentences."""
    chooser = random.Random(seed)
    return [" ".join(chooser.choices(spans, k=each)) for _ in range(count)]


# Embedding


def peak() -> tuple[float, str]:
    """GFLOP/s of a large product in the precision that is fastest here."""
    import torch

    from selfstudy.train.embedder import has_bf16

    kind = torch.bfloat16 if has_bf16() else torch.float32
    one, other = (torch.randn(3072, 3072).to(kind) for _ in range(2))
    best = 0.0
    for _ in range(8):
        began = time.perf_counter()
        one @ other
        best = max(best, 2 * 3072**3 / (time.perf_counter() - began) / 1e9)
    return best, str(kind).removeprefix("torch.")


def embedding(embedder: Any, passages: list[str]) -> dict[str, Any]:
    """Passages/s of selfstudy and of sentence-transformers, their ratio in every round, and the share of the peak."""
    from sentence_transformers import SentenceTransformer

    theirs = SentenceTransformer(str(embedder.folder.path), device="cpu")
    lengths = [len(ids) for ids in theirs.tokenizer(passages, truncation=True, max_length=theirs.max_seq_length)["input_ids"]]
    layers, width = 6, theirs.get_embedding_dimension() or 384
    operations = sum(layers * (24 * n * width**2 + 4 * n**2 * width) for n in lengths)
    embedder.embed(passages[:8])
    theirs.encode(passages[:8])
    ours_s, theirs_s = [], []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        mine = embedder.embed(passages)
        middle = time.perf_counter()
        plain = theirs.encode(passages, normalize_embeddings=True, show_progress_bar=False)
        theirs_s.append(time.perf_counter() - middle)
        ours_s.append(middle - began)
    most, kind = peak()
    fastest = min(ours_s)
    return {
        "passages": len(passages),
        "tokens": round(statistics.mean(lengths)),
        "selfstudy_per_s": round(len(passages) / fastest, 1),
        "sentence_transformers_per_s": round(len(passages) / min(theirs_s), 1),
        "ratio": round(statistics.median(b / a for a, b in zip(ours_s, theirs_s, strict=True)), 2),
        "cosine_min": round(float((mine * plain).sum(axis=1).min()), 5),
        "gflops": round(operations / fastest / 1e9, 1),
        "peak_gflops": round(most, 1),
        "peak_kind": kind,
        "share_of_peak": round(operations / fastest / 1e9 / most, 3),
    }


# Search


def made(folder: Path, embedder: Any, spans: list[str], size: int) -> Store:
    """The store of this size, made once."""
    if (folder / "state.json").exists():
        return Store.open(folder)
    real = np.asarray(embedder.embed(texts(spans, 1000, 6)))
    noise = np.random.default_rng(0)
    bodies = dict.fromkeys(texts(spans, size, 6, seed=1))
    with Store.open(folder, create=True).writing("making the store") as writer:
        items = []
        for number, text in enumerate(bodies):
            name = f"d{number:06d}"
            items.append((Document(name, text, name), [Passage(passage_id("", text), "", text, (Place(name, 0, len(text)),))], None))
        writer.put(items)
        ids = [passages[0].id for _, passages, _ in items]
        for start in range(0, len(ids), 10_000):
            part = ids[start : start + 10_000]
            vectors = real[noise.integers(0, len(real), len(part))] + 0.03 * noise.standard_normal((len(part), real.shape[1]))
            writer.add_vectors(embedder.fingerprint, part, (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32))
        writer.commit()
    Store.open(folder).compact()
    return Store.open(folder)


def search(embedder: Any, folder: Path, spans: list[str], size: int, count: int) -> dict[str, Any]:
    """p50 and p99 of every retriever; `with_embedding` asks questions that were never seen."""
    snapshot = made(folder, embedder, spans, size).snapshot()
    asked = [pair.question for pair in pairs()] + [" ".join(span.split()[:9]) for span in spans]
    asked = list(dict.fromkeys(asked))[:count]
    known = Remembering(embedder)
    known.embed(asked, "query")
    found: dict[str, Any] = {"passages": len(snapshot)}
    for name, using in (("without_embedding", known), ("with_embedding", embedder)):
        ways = retrievers(snapshot, using, 0.5)
        found[name] = {way: times(ways[way], asked) for way in WAYS if way != "lexical" or using is known}
    return found


def times(retriever: Any, asked: list[str]) -> dict[str, float]:
    for question in asked[:10]:
        retriever.search([question], 10)
    took = []
    for question in asked:
        began = time.perf_counter()
        retriever.search([question], 10)
        took.append(1000 * (time.perf_counter() - began))
    return {"p50_ms": round(float(np.percentile(took, 50)), 2), "p99_ms": round(float(np.percentile(took, 99)), 2)}


def show(found: dict[str, Any]) -> None:
    out = sys.stdout.write
    for name, value in found.get("embedding", {}).items():
        out(f"{name:<30}{value}\n")
    for size, rows in found["search"].items():
        out(f"\nsearch, {size} passages{'':<12}p50 ms   p99 ms\n")
        for name in ("without_embedding", "with_embedding"):
            for way, row in rows[name].items():
                out(f"{name + ', ' + way:<34}{row['p50_ms']:>8}{row['p99_ms']:>9}\n")


if __name__ == "__main__":
    main()
