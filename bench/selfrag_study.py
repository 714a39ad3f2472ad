"""Self-RAG's open questions with numbers: how large a critic must be, what wrong labels cost, and what a critic is worth when answering.

    python bench/selfrag_study.py [--data ../shared/data] [--rows 9600] [--epochs 2 4] [--layers 2 4 6]
        [--flips 0.1 0.2 0.4] [--questions 300] [--out DIR] [--plots bench/plots]

Critics are the first layers of all-MiniLM-L6-v2 under a classifier (sentence-transformers' CrossEncoder), trained on the same rows:
relevance is learned from people's judgements (critic_relevance), and from people's questions beside the passage that answers them and the
nearest one that does not (squad_dev, boolq); support from people's judgements alone (critic_support: begin, healthver, wice). What is told
is measured on people's judgements of passages that no critic saw. For `flips` the middle critic learns from labels of which that share is
another one, drawn at random.

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
from figures import lines as lines_of

from selfstudy.core.quiet import quiet
from selfstudy.core.records import Hit, digest
from selfstudy.evals.answers import abstention, auc
from selfstudy.evals.bootstrap import interval
from selfstudy.models.minilm import folder as minilm
from selfstudy.models.starter.judge import cross_encoder
from selfstudy.recipes.engine import Engine
from selfstudy.train.trainers import precision

LEVELS = {"supported": 2, "partial": 1, "not_supported": 0, "contradicted": 0}
PASSAGES = 5
Rows = list[tuple[str, str, int]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--rows", type=int, default=9600, help="that a critic learns from, as far as there are so many")
    parser.add_argument("--epochs", type=float, nargs=2, default=[2.0, 4.0], help="how often it reads them: of relevance, of support")
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
    more = [row for name in ("squad_dev", "boolq") for row in asked_about(given.data, name, given.out / "homes" / name)]
    tasks = {"relevance": (relevance(given.data), more), "support": (support(given.data), [])}
    for (task, (judged, beside)), epochs in zip(tasks.items(), given.epochs, strict=True):
        learned, held = parted(judged, beside, given.rows)
        right = np.array([label for _, _, label in held])
        common = float(np.bincount(right).max() / len(right))
        print(f"{task}: {len(learned)} rows learned from, {len(held)} held out, commonest label {common:.3f}", flush=True)
        middle = given.layers[len(given.layers) // 2]
        for layers, flipped in [*((one, 0.0) for one in given.layers), *((middle, share) for share in given.flips)]:
            model, seconds = trained(given.out, task, learned, layers, flipped, epochs)
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


def relevance(data: Path) -> Rows:
    """(question, passage, whether people say that it answers)."""
    judged = lines(data / "critic_relevance" / "critic.jsonl")
    return [(one["question"], one["passage"], int(2 * one["relevance"] >= one["max"])) for one in judged]


def support(data: Path) -> Rows:
    """(statement, passage, 0 no, 1 partly, 2 fully)."""
    return [(one["response"], one["passage"], LEVELS[one["label"]]) for one in lines(data / "critic_support" / "critic.jsonl")]


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.open(encoding="utf-8")]


def asked_about(data: Path, name: str, home: Path) -> Rows:
    """People's questions, each beside its own passage (1) and the nearest one that is not (0), where both may be learned from; kept."""
    kept = home.parent / f"{name}.json"
    if kept.exists():
        return [tuple(row) for row in json.loads(kept.read_text(encoding="utf-8"))]
    engine = Engine.open(home, create=True)
    engine.add([data / name / "corpus.jsonl"])
    texts = {one["id"]: one["text"] for one in lines(data / name / "corpus.jsonl")}
    relevant = relevant_to(data / name)
    rows: Rows = []
    for one in lines(data / name / "queries.jsonl"):
        own = next((texts[document] for document in relevant.get(one["id"], ()) if one["type"] != "unanswerable"), None)
        if own is None or held_out(own):
            continue
        found = [place.document for hit in engine.search(one["text"], PASSAGES) for place in hit.passage.places]
        wrong = next((texts[document] for document in found if document not in relevant[one["id"]]), None)
        rows.append((one["text"], own, 1))
        if wrong is not None and not held_out(wrong):
            rows.append((one["text"], wrong, 0))
    kept.write_text(json.dumps(rows), encoding="utf-8")
    return rows


def relevant_to(folder: Path) -> dict[str, set[str]]:
    """The documents that hold the answer, by question."""
    relevant: dict[str, set[str]] = {}
    for line in (folder / "qrels.tsv").read_text(encoding="utf-8").splitlines()[1:]:
        question, document, _ = line.split("\t")
        relevant.setdefault(question, set()).add(document)
    return relevant


def held_out(passage: str) -> bool:
    """Whether no critic learns from a passage."""
    return int(digest("side", passage)[:8], 16) % 4 == 0


def parted(judged: Rows, beside: Rows, most: int) -> tuple[Rows, Rows]:
    """What is learned from and what is told of: no passage is on both sides, and what is told of was judged by people."""
    mixed = random.Random(0).sample(judged, len(judged))
    held = [row for row in mixed if held_out(row[1])][:600]
    learned = [row for row in mixed if not held_out(row[1])]
    learned += random.Random(1).sample(beside, min(len(beside), max(0, most - len(learned))))
    return random.Random(2).sample(learned, min(most, len(learned))), held


def trained(out: Path, task: str, rows: Rows, layers: int, flipped: float, epochs: float) -> tuple[Any, float]:
    """A critic of so many layers, and the seconds it took; kept in `out`."""
    import torch
    from datasets import Dataset
    from sentence_transformers import CrossEncoder, CrossEncoderTrainer, CrossEncoderTrainingArguments
    from sentence_transformers.cross_encoder.losses import CrossEntropyLoss

    kept = out / f"{task}-{layers}-{flipped:g}-{len(rows)}-{epochs:g}-eager"
    if (kept / "seconds.json").exists():
        return CrossEncoder(str(kept), device="cpu"), json.loads((kept / "seconds.json").read_text())
    torch.manual_seed(0)
    classes = 1 + max(label for _, _, label in rows)
    chooser = random.Random(1)
    labels = [chooser.choice([c for c in range(classes) if c != label]) if chooser.random() < flipped else label for _, _, label in rows]
    about, fast = {"num_hidden_layers": layers, "attention_probs_dropout_prob": 0.0}, {"attn_implementation": "eager"}
    with quiet():
        model = CrossEncoder(str(minilm()), num_labels=classes, max_length=192, device="cpu", config_kwargs=about, model_kwargs=fast)
    data = Dataset.from_dict({"one": [row[0] for row in rows], "other": [row[1] for row in rows], "label": labels})
    arguments = CrossEncoderTrainingArguments(
        str(out / "training"), num_train_epochs=epochs, per_device_train_batch_size=32, learning_rate=1e-4, warmup_steps=20,
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
    relevant = relevant_to(folder)
    asked = random.Random(0).sample(lines(folder / "queries.jsonl"), given.questions)
    asked = [one | {"relevant": relevant.get(one["id"], set()) if one["type"] != "unanswerable" else set()} for one in asked]
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
