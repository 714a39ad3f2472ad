"""How fast passages are embedded, searched and learned from, beside named alternatives in the same run and the machine's own measured peak.

    python bench/speed.py [--json] [--only PART ...] [--passages 96] [--size 100000] [--questions 300] [--steps 12] [--dir DIR]

Embedding: passages of the standard library's documentation through selfstudy and through sentence-transformers' `encode` (torch fp32, as
it comes), in alternating rounds; then by the int8 model that is calibrated on those passages, and what it costs in nDCG@10 over the
guard's questions. The share of the peak counts the encoder's multiplications over those of a large matrix product.
Search: a store on disk of real sentences put together at random; the vectors are those of real passages with noise, since embedding
100,000 passages would take an hour. p50 and p99 in milliseconds of one question after another as a service searches (hybrid, hot tier),
beside the store alone, whose exact search is also what recall is measured against.
Training: seconds of a step of our trainer and of sentence-transformers' defaults, on the same pairs with the same in-batch softmax.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import statistics
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from selfstudy.apps.stdlib_docs import chosen, markdown
from selfstudy.core.records import Document, Passage, Place, passage_id
from selfstudy.core.text import sentences
from selfstudy.evals import guard
from selfstudy.evals.paired import compare
from selfstudy.evals.ranking import gains
from selfstudy.index.dense import Dense
from selfstudy.index.store import Store
from selfstudy.index.tiered import Hot, Tiered
from selfstudy.models.int8 import Int8Embedder, quantise
from selfstudy.models.minilm import load as minilm
from selfstudy.recipes.remembering import Remembering
from selfstudy.recipes.system import retrievers

ROUNDS = 3
PARTS = ("embedding", "search", "training")
DISTRACTORS = 400
CORES = os.cpu_count() or 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="*", choices=PARTS, default=PARTS, help="the parts that are measured")
    parser.add_argument("--passages", type=int, default=96, help="passages that are embedded")
    parser.add_argument("--size", type=int, default=100_000, help="passages that are searched")
    parser.add_argument("--questions", type=int, default=300)
    parser.add_argument("--steps", type=int, default=12, help="steps of each trainer")
    parser.add_argument("--dir", type=Path, help="where the stores and converted models are made and kept")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    folder = given.dir or Path(tempfile.mkdtemp(prefix="selfstudy-speed-"))
    spans = real_sentences()
    embedder = minilm("all-MiniLM-L6-v2", cache=folder / "openvino")
    found: dict[str, Any] = {}
    if "embedding" in given.only:
        found["embedding"] = embedding(embedder, texts(spans, given.passages, 12), folder / "openvino")
    if "search" in given.only:
        found["search"] = search(embedder, folder / f"store-{given.size}", spans, given.size, given.questions)
    if "training" in given.only:
        found["training"] = training(embedder.folder.path, spans, given.steps, folder)
    sys.stdout.write(json.dumps(found, indent=1) + "\n" if given.json else table(found))


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

    from selfstudy.train.trainers import has_bf16

    kind = torch.bfloat16 if has_bf16() else torch.float32
    one, other = (torch.randn(3072, 3072).to(kind) for _ in range(2))
    best = 0.0
    for _ in range(8):
        began = time.perf_counter()
        one @ other
        best = max(best, 2 * 3072**3 / (time.perf_counter() - began) / 1e9)
    return best, str(kind).removeprefix("torch.")


def embedding(embedder: Any, passages: list[str], cache: Path) -> dict[str, Any]:
    """Passages/s of selfstudy, in int8 too, and of sentence-transformers, their ratios in alternating rounds, and the share of the peak."""
    from sentence_transformers import SentenceTransformer

    theirs: Any = SentenceTransformer(str(embedder.folder.path), device="cpu")
    quantise(embedder.folder.path, passages, cache / "int8", cache)
    small = Int8Embedder(cache / "int8")
    lengths = [len(ids) for ids in theirs.tokenizer(passages, truncation=True, max_length=theirs.max_seq_length)["input_ids"]]
    layers, width = 6, theirs.get_embedding_dimension() or 384
    operations = sum(layers * (24 * n * width**2 + 4 * n**2 * width) for n in lengths)
    ways: dict[str, Any] = {
        "ours": lambda: embedder.embed(passages),
        "int8": lambda: small.embed(passages),
        "theirs": lambda: theirs.encode(passages, normalize_embeddings=True, show_progress_bar=False),
    }
    took: dict[str, list[float]] = {name: [] for name in ways}
    made: dict[str, Any] = {}
    for turn in range(ROUNDS + 1):  # the first sets things up
        for name, way in ways.items():
            began = time.perf_counter()
            made[name] = way()
            if turn:
                took[name].append(time.perf_counter() - began)
    most, kind = peak()

    def ratio(name: str) -> float:
        return round(statistics.median(b / a for a, b in zip(took[name], took["theirs"], strict=True)), 2)

    def bytes_of(folder: str) -> int:
        return (cache / folder / "model.bin").stat().st_size

    return {
        "lossless_ratio": ratio("ours"),
        "lossless_cosine_min": round(float((made["ours"] * made["theirs"]).sum(axis=1).min()), 5),
        "int8_ratio": ratio("int8"),
        "int8_cosine_min": round(float((made["int8"] * made["theirs"]).sum(axis=1).min()), 5),
        "int8_memory": round(bytes_of("int8") / bytes_of(embedder.fingerprint), 3),
        **int8_loss(embedder, small),
        "passages": len(passages),
        "tokens": round(statistics.mean(lengths)),
        "selfstudy_per_s": round(len(passages) / min(took["ours"]), 1),
        "int8_per_s": round(len(passages) / min(took["int8"]), 1),
        "sentence_transformers_per_s": round(len(passages) / min(took["theirs"]), 1),
        "gflops": round(operations / min(took["ours"]) / 1e9, 1),
        "peak_gflops": round(most, 1),
        "peak_kind": kind,
        "share_of_peak": round(operations / min(took["ours"]) / 1e9 / most, 3),
    }


def int8_loss(embedder: Any, small: Any) -> dict[str, float]:
    """What int8 costs in nDCG@10 over the guard's questions, in points of 100, and the upper 95% bound."""
    before, after = (gains(guard.reciprocal_ranks(one, n=DISTRACTORS)) for one in (embedder, small))
    difference = compare(before, after)
    return {"int8_ndcg_loss": round(0.0 - 100 * difference.value, 3), "int8_ndcg_loss_upper": round(0.0 - 100 * difference.low, 3)}


# Search


def made(folder: Path, embedder: Any, spans: list[str], size: int) -> Store:
    """The store of this size, made once."""
    if (folder / "state.json").exists():
        return Store.open(folder)
    real = np.asarray(embedder.embed(texts(spans, 1000, 6)))
    noise = np.random.default_rng(0)
    bodies = dict.fromkeys(texts(spans, size, 6, seed=1))
    with Store.open(folder, create=True).writing("making the store") as writer:
        named = ((f"d{number:07d}", text) for number, text in enumerate(bodies))
        writer.put(
            (Document(name, text, name), [Passage(passage_id("", text), "", text, (Place(name, 0, len(text)),))], None)
            for name, text in named
        )
        ids = [passage_id("", text) for text in bodies]
        for start in range(0, len(ids), 10_000):
            part = ids[start : start + 10_000]
            vectors = real[noise.integers(0, len(real), len(part))] + 0.03 * noise.standard_normal((len(part), real.shape[1]))
            writer.add_vectors(embedder.fingerprint, part, (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32))
        writer.commit()
    Store.open(folder).compact()
    return Store.open(folder)


def search(embedder: Any, folder: Path, spans: list[str], size: int, count: int) -> dict[str, Any]:
    """The hybrid search of a service beside the store's; `with_embedding` asks questions that were never seen.

    `store_gib` is the most memory that the process held up to the store's being made, `peak_gib` up to the last search.
    """
    snapshot = made(folder, embedder, spans, size).snapshot()
    stored = peak_gib()
    asked = [pair.question for pair in guard.pairs()] + [" ".join(span.split()[:9]) for span in spans]
    asked = list(dict.fromkeys(asked))[:count]
    known = Remembering(embedder)
    known.embed(asked, "query")
    dense = Dense(snapshot, known)
    full = retrievers(snapshot, known, 0.5, dense)
    dense.search(asked[:1], 1)
    began = time.perf_counter()
    hot = Hot.of(snapshot, dense)
    built = time.perf_counter() - began
    fast = {name: times(Tiered(way, hot), asked) for name, way in full.items()}  # type: ignore[arg-type]
    plain = {name: times(way, asked[:60]) for name, way in full.items()}
    fresh = Dense(snapshot, embedder, dense.flat)
    with_embedding = times(Tiered(retrievers(snapshot, embedder, 0.5, fresh)["hybrid"], hot), asked)  # type: ignore[arg-type]
    tiered = Tiered(full["hybrid"], hot)  # type: ignore[arg-type]
    rates = {threads: rate(tiered, asked, threads) for threads in (1, CORES)}
    found = []
    for question in asked[:60]:
        exact, ours = ({hit.passage.id for hit in way.search([question], 10)[0]} for way in (full["hybrid"], tiered))
        found.append(len(exact & ours) / max(1, len(exact)))
    return {
        "p50_ms": fast["hybrid"]["p50_ms"],
        "p99_ms": fast["hybrid"]["p99_ms"],
        "p99_with_embedding_ms": with_embedding["p99_ms"],
        "qps": rates[CORES],
        "qps_by_threads": rates,
        "recall_at_10": round(float(np.mean(found)), 4),
        "passages": len(snapshot),
        "build_s": round(built, 1),
        "store_gib": stored,
        "peak_gib": peak_gib(),
        "hot": fast,
        "store": plain,
        "with_embedding": with_embedding,
    }


def peak_gib() -> float:
    """The most memory that this process has held so far."""
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2)


def rate(retriever: Any, asked: list[str], threads: int) -> float:
    """Questions a second that so many threads of a service answer, one after another each."""
    with ThreadPoolExecutor(threads) as pool:
        began = time.perf_counter()
        list(pool.map(lambda question: retriever.search([question], 10), asked))
        return round(len(asked) / (time.perf_counter() - began), 1)


def times(retriever: Any, asked: list[str]) -> dict[str, float]:
    for question in asked[:10]:
        retriever.search([question], 10)
    took = []
    for question in asked:
        began = time.perf_counter()
        retriever.search([question], 10)
        took.append(1000 * (time.perf_counter() - began))
    return {"p50_ms": round(float(np.percentile(took, 50)), 2), "p99_ms": round(float(np.percentile(took, 99)), 2)}


# Training


def training(base: Path, spans: list[str], steps: int, folder: Path) -> dict[str, Any]:
    """Seconds of a step by our trainer's settings and by sentence-transformers' defaults: the same pairs, the same in-batch softmax.

    Our loss also follows a teacher and the base's vectors, which cost next to nothing; here it is the softmax alone on both sides. The
    first step of each is left out.
    """
    from sentence_transformers import SentenceTransformerTrainingArguments as Arguments
    from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss

    from selfstudy.train.embedder import EmbedderTraining, prepared
    from selfstudy.train.fitting import arguments as ours
    from selfstudy.train.model import load

    config, size = EmbedderTraining(), 32
    pairs = {"anchor": [" ".join(text.split()[:9]) for text in spans], "positive": texts(spans, size * steps, 5)}
    pairs = {name: column[: size * steps] for name, column in pairs.items()}
    took = {}
    for name in ("ours", "theirs"):
        model = load(base)
        where = folder / f"training-{name}"
        if name == "ours":
            prepared(config, model)
            arguments = ours(
                where, size=size, steps=steps, save_steps=steps + 1, learning_rate=config.learning_rate, warmup_ratio=config.warmup_ratio,
                report_to="none", seed=config.seed,
            )  # fmt: skip
        else:
            arguments = Arguments(str(where), max_steps=steps, per_device_train_batch_size=size, report_to="none", disable_tqdm=True)
        arguments.save_strategy = "no"
        took[name] = steps_of(model, arguments, pairs, MultipleNegativesRankingLoss(model, scale=1 / config.temperature))
    return {
        "steps_ratio": round(took["theirs"] / took["ours"], 2),
        "selfstudy_s_per_step": round(took["ours"], 2),
        "sentence_transformers_s_per_step": round(took["theirs"], 2),
        "batch": size,
        "steps": steps,
    }


def steps_of(model: Any, arguments: Any, pairs: dict[str, list[str]], loss: Any) -> float:
    """The median seconds of a step."""
    from datasets import Dataset
    from sentence_transformers import SentenceTransformerTrainer
    from transformers import PrinterCallback, TrainerCallback

    ends = []

    class Watch(TrainerCallback):
        def on_step_end(self, *_: Any, **__: Any) -> None:
            ends.append(time.perf_counter())

    model.model_card_data.widget = [{}]
    model.model_card_data.local_files_only = True
    trainer = SentenceTransformerTrainer(
        model=model, args=arguments, train_dataset=Dataset.from_dict(pairs), loss=loss, callbacks=[Watch()]
    )
    trainer.remove_callback(PrinterCallback)
    trainer.train()
    return statistics.median(np.diff(ends))


def table(found: dict[str, Any]) -> str:
    """The same figures as lines, each ratio with what it is against."""
    lines = []
    if one := found.get("embedding"):
        lines += [
            f"embedding, {one['passages']} passages of {one['tokens']} tokens{'':<8}passages/s    ratio  least cosine",
            f"  sentence-transformers, torch fp32{one['sentence_transformers_per_s']:>24}{1:>9}",
            f"  selfstudy{one['selfstudy_per_s']:>48}{one['lossless_ratio']:>9}{one['lossless_cosine_min']:>14}",
            f"  selfstudy, int8{one['int8_per_s']:>42}{one['int8_ratio']:>9}{one['int8_cosine_min']:>14}",
            f"  int8 loses {one['int8_ndcg_loss']} of nDCG@10 (at most {one['int8_ndcg_loss_upper']}); its file: {one['int8_memory']:.0%}",
            f"  share of the measured peak ({one['peak_gflops']} GFLOP/s, {one['peak_kind']}): {one['share_of_peak']:.0%}\n",
        ]
    if two := found.get("search"):
        lines.append(f"search, {two['passages']} passages{'':<12}hot p50 ms   p99 ms   store p50 ms   p99 ms    ratio")
        for name, hot in two["hot"].items():
            store = two["store"][name]
            ratio = store["p50_ms"] / max(0.01, hot["p50_ms"])
            lines.append(f"  {name:<32}{hot['p50_ms']:>10}{hot['p99_ms']:>9}{store['p50_ms']:>15}{store['p99_ms']:>9}{ratio:>9.1f}")
        lines.append(f"  hybrid with embedding{two['with_embedding']['p50_ms']:>21}{two['with_embedding']['p99_ms']:>9}")
        lines.append(f"  {two['qps']} questions/s on all cores, recall@10 {two['recall_at_10']} of exact")
        lines.append(f"  the hot tier was built in {two['build_s']} s; at most {two['peak_gib']} GiB ({two['store_gib']} for the store)\n")
    if three := found.get("training"):
        lines += [
            f"training, {three['batch']} pairs a step{'':<22}s a step    ratio",
            f"  sentence-transformers, as it comes{three['sentence_transformers_s_per_step']:>14}{1:>9}",
            f"  selfstudy{three['selfstudy_s_per_step']:>39}{three['steps_ratio']:>9}",
        ]
    return "\n".join(lines).rstrip() + "\n"


if __name__ == "__main__":
    main()
