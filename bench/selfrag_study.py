"""Self-RAG's open questions with numbers: how large a critic must be, what wrong labels cost, and what a critic is worth when answering.

    python bench/selfrag_study.py [--data ../shared/data] [--rows 2560] [--epochs 2] [--layers 2 4 6]
        [--flips 0.1 0.2 0.4] [--questions 300] [--out DIR] [--plots bench/plots]

Critics are the first layers of the starter's encoder under a new classifier (sentence-transformers' CrossEncoder), word vectors frozen,
trained on the same rows of people's judgements: relevance (critic_relevance, squad_dev's) and support (critic_support: begin, healthver,
wice). What is told is measured on judgements of texts that neither the critics nor the starter saw: relevance on clapnq's, support on
healthver's passages on one side. (From all-MiniLM-L6-v2 itself so few rows teach nothing: LOG.md.) For `flips` the middle critic learns
from labels of which that share is another one, drawn at random.

When answering (clapnq, half of whose questions the corpus cannot answer): the five passages that hybrid search finds are judged for
relevance, and a question whose best passage stays below a threshold is not answered. Beside it the score of the search itself, and the
starter's judge of relevance, which was grown from ten times as many rows. Thresholds come from one half of the questions, figures from
the other; `right` is an answered question whose own passage was found. What each group of tokens brings, and a generator's own judgement
beside that of the critic which taught it, is in closed_loop.py. A large critic's weights cannot be had here; the code for one is the same.
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
from beir import relevant, rows_in
from figures import lines as lines_of

from selfstudy.core.quiet import quiet
from selfstudy.core.records import Hit, digest
from selfstudy.evals.answers import abstention, auc
from selfstudy.evals.bootstrap import interval
from selfstudy.models.minilm import folder as minilm
from selfstudy.models.starter import load
from selfstudy.models.starter.relevance import cross_encoder
from selfstudy.recipes.engine import Engine
from selfstudy.train.trainers import precision

LEVELS = {"supported": 2, "partial": 1, "not_supported": 0, "contradicted": 0}
PASSAGES = 5
Rows = list[tuple[str, str, int]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--rows", type=int, default=2560, help="that a critic learns from")
    parser.add_argument("--epochs", type=float, default=2.0, help="how often it reads them")
    parser.add_argument("--layers", type=int, nargs="+", default=[2, 4, 6])
    parser.add_argument("--flips", type=float, nargs="*", default=[0.1, 0.2, 0.4])
    parser.add_argument("--questions", type=int, default=300)
    parser.add_argument("--out", type=Path, default=Path("selfrag-study"))
    parser.add_argument("--plots", type=Path, help="folder for pictures (needs matplotlib)")
    given = parser.parse_args()
    asked, hits = found(given)
    critics: dict[str, Any] = {}
    by_size: dict[str, list[tuple[float, float]]] = {}
    by_flips: dict[str, list[tuple[float, float]]] = {}
    for task, (learned, held) in {"relevance": relevance(given.data), "support": support(given.data)}.items():
        learned = random.Random(0).sample(learned, min(given.rows, len(learned)))
        right = np.array([label for _, _, label in held])
        common = float(np.bincount(right).max() / len(right))
        print(f"{task}: {len(learned)} rows learned from, {len(held)} held out, commonest label {common:.3f}", flush=True)
        middle = given.layers[len(given.layers) // 2]
        for layers, flipped in [*((one, 0.0) for one in given.layers), *((middle, share) for share in given.flips)]:
            model, seconds = trained(given.out, task, learned, layers, flipped, given.epochs)
            began = time.perf_counter()
            said = probabilities(model, [(one, other) for one, other, _ in held])
            each = 1000 * (time.perf_counter() - began) / len(held)
            hit = (said.argmax(axis=1) == right).astype(float)
            low, high = interval(hit, 2000, 0)
            area = auc(said[:, -1], right == right.max())
            told = f"accuracy {hit.mean():.3f} [{low:.3f}, {high:.3f}], AUC {area:.3f}"
            if not flipped:
                by_size.setdefault(task, []).append((layers, area))
            if layers == middle:
                by_flips.setdefault(task, []).append((flipped, area))
            print(f"  {layers} layers, {flipped:.0%} flipped: {told}, {each:.1f} ms a pair, {seconds:.0f} s to learn", flush=True)
            if task == "relevance":
                critics[f"critic, {layers} layers, {flipped:.0%} flipped"] = model
    curves = answering(asked, hits, critics | {"the starter's judge": cross_encoder()})
    if given.plots:
        lines_of(given.plots / "critics-size.svg", "Critics by size", {"AUC on held-out rows": by_size}, "layers")
        lines_of(
            given.plots / "critics-flips.svg", "Critics by wrong labels", {"AUC on held-out rows": by_flips}, "share of labels flipped"
        )
        lines_of(
            given.plots / "critics-answering.svg", "Critics when answering", {"answered rightly, of those answered": curves}, "answered"
        )


def relevance(data: Path) -> tuple[Rows, Rows]:
    """(question, passage, whether people say that it answers): what is learned from, and what is told of."""
    rows: dict[str, Rows] = {source: [] for source in ("squad_dev", "clapnq")}
    for one in rows_in(data / "critic_relevance" / "critic.jsonl"):
        rows[one["source"]].append((one["question"], one["passage"], int(2 * one["relevance"] >= one["max"])))
    return rows["squad_dev"], rows["clapnq"]


def support(data: Path) -> tuple[Rows, Rows]:
    """(statement, passage, 0 no, 1 partly, 2 fully): what is learned from, and what is told of; no passage is on both sides."""
    learned: Rows = []
    held: Rows = []
    for one in rows_in(data / "critic_support" / "critic.jsonl"):
        told = one["source"] == "healthver" and int(digest("side", one["passage"])[:8], 16) % 3 == 0
        (held if told else learned).append((one["response"], one["passage"], LEVELS[one["label"]]))
    return learned, held


def trained(out: Path, task: str, rows: Rows, layers: int, flipped: float, epochs: float) -> tuple[Any, float]:
    """A critic of so many layers, and the seconds it took; kept in `out`."""
    import torch
    from datasets import Dataset
    from sentence_transformers import CrossEncoder, CrossEncoderTrainer, CrossEncoderTrainingArguments
    from sentence_transformers.cross_encoder.losses import CrossEntropyLoss

    kept = out / f"{task}-{layers}-{flipped:g}-{len(rows)}-{epochs:g}-grown"
    if (kept / "seconds.json").exists():
        return CrossEncoder(str(kept), device="cpu"), json.loads((kept / "seconds.json").read_text())
    torch.manual_seed(0)
    classes = 1 + max(label for _, _, label in rows)
    chooser = random.Random(1)
    labels = [chooser.choice([c for c in range(classes) if c != label]) if chooser.random() < flipped else label for _, _, label in rows]
    about, fast = {"num_hidden_layers": layers, "attention_probs_dropout_prob": 0.0}, {"attn_implementation": "eager"}
    with quiet():
        model = CrossEncoder(str(minilm()), num_labels=classes, max_length=192, device="cpu", config_kwargs=about, model_kwargs=fast)
    read: Any = model.model.bert
    grown = load.trained().encoder.state_dict()
    read.load_state_dict({name: grown.get(name, weight) for name, weight in read.state_dict().items()})
    read.embeddings.requires_grad_(False)
    data = Dataset.from_dict({"one": [row[0] for row in rows], "other": [row[1] for row in rows], "label": labels})
    arguments = CrossEncoderTrainingArguments(
        str(out / "training"), num_train_epochs=epochs, per_device_train_batch_size=32, learning_rate=1e-4, warmup_steps=10,
        report_to="none", save_strategy="no", disable_tqdm=True, seed=0, dataloader_pin_memory=False, **precision(),
    )  # fmt: skip
    began = time.perf_counter()
    CrossEncoderTrainer(model=model, args=arguments, train_dataset=data, loss=CrossEntropyLoss(model)).train()
    seconds = time.perf_counter() - began
    model.save_pretrained(str(kept))
    (kept / "seconds.json").write_text(json.dumps(seconds))
    return model, seconds


def probabilities(model: Any, pairs: Sequence[tuple[str, str]]) -> Any:
    """(pairs, classes), rows that sum to 1; a model of one output says yes or no."""
    import torch

    said = torch.from_numpy(model.predict(list(pairs), activation_fn=torch.nn.Identity(), show_progress_bar=False, batch_size=32))
    if said.ndim == 1:
        said = torch.stack([torch.zeros_like(said), said], dim=1)
    return torch.softmax(said, dim=1).numpy()


def found(given: argparse.Namespace) -> tuple[list[dict[str, Any]], list[list[Hit]]]:
    """Questions of clapnq, each with its `relevant` documents, and what hybrid search finds for them."""
    folder = given.data / "clapnq"
    engine = Engine.open(given.out / "home", create=True)
    engine.add([folder / "corpus.jsonl"])
    right = relevant(folder)
    asked = random.Random(0).sample(rows_in(folder / "queries.jsonl"), given.questions)
    asked = [one | {"relevant": set(right.get(one["id"], ())) if one["type"] != "unanswerable" else set()} for one in asked]
    return asked, [engine.search(one["text"], PASSAGES) for one in asked]


def answering(asked: list[dict[str, Any]], hits: list[list[Hit]], critics: dict[str, Any]) -> dict[str, list[tuple[float, float]]]:
    """What each way of abstaining brings, at its best threshold and at others: the curves of being right over being answered."""
    there = np.array([bool(one["relevant"]) for one in asked])
    documents = [{place.document for hit in own for place in hit.passage.places} for own in hits]
    right = np.array([bool(own & one["relevant"]) for one, own in zip(asked, documents, strict=True)])
    setting = np.arange(len(asked)) % 2 == 0
    told = ~setting
    share = right[there].mean()
    print(f"answering: {len(asked)} questions, {int(there.sum())} of which can be answered, own passage among five for {share:.3f}")
    ways = {"score of the search": (np.array([own[0].score for own in hits]), 0.0)}
    for name, model in critics.items():
        began = time.perf_counter()
        said = probabilities(model, [(one["text"], hit.passage.indexed) for one, own in zip(asked, hits, strict=True) for hit in own])
        each = 1000 * (time.perf_counter() - began) / len(asked)
        ways[name] = (said[:, -1].reshape(len(asked), PASSAGES).max(axis=1), each)
    curves: dict[str, list[tuple[float, float]]] = {}
    for name, (sure, each) in ways.items():
        best = max(np.unique(sure[setting]), key=lambda cut: abstention(sure[setting] < cut, there[setting]).f1)
        one = abstention(sure[told] < best, there[told])
        line = f"  {name:<36} AUC {auc(sure[told], there[told]):.3f}  abstention F1 {one.f1:.3f}  {each:6.1f} ms a question"
        for share in (0.1, 0.3, 0.5, 0.7):
            cut = np.quantile(sure[setting], share)
            spoken = sure[told] >= cut
            curves.setdefault(name, []).append((float(spoken.mean()), float(right[told][spoken].mean())))
        shown = "  ".join(f"{spoken:.2f}: {good:.3f}" for spoken, good in curves[name])
        print(f"{line}  answered: right of these  {shown}", flush=True)
    return curves


if __name__ == "__main__":
    main()
