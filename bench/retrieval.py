"""What other recipes make of the same pairs: dense search by each, beside the base, BM25 and what `adapt` made of them.

    python bench/adapt.py --data ../shared/data --most 800 --out homes -- policyqa emanual_tv
    python bench/retrieval.py --homes homes --steps 70 -- policyqa emanual_tv

The first command leaves homes that have studied; this one takes their training questions (those that came back, with their mined
negatives), trains the base embedder on them in two more ways, and asks the set's own questions:

    default   sentence-transformers' own recipe: MultipleNegativesRankingLoss over pairs, its trainer's defaults (5e-5; batches of 32)
    gpl       GPL (arXiv 2112.07577): a cross-encoder's margins between positive and mined negative, MarginMSE, 2e-5. The cross-encoder is
              the starter's judge of relevance, since no other can be had here, and cosines are multiplied by 20 to have its logits' range

Both see as many rows as `--steps` of 32 hold, in an order by the seed, with passages cut as the base cuts them. Prints a row for each set
and recipe with the 95% interval of the paired difference from the base, and macro means.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from selfstudy.core.artifacts import artifacts
from selfstudy.core.quiet import quiet
from selfstudy.core.records import Example
from selfstudy.core.studied import examples_of
from selfstudy.evals.paired import compare
from selfstudy.index.dense import Dense, Flat
from selfstudy.models.sentence import SentenceEmbedder
from selfstudy.models.starter.relevance import cross_encoder
from selfstudy.recipes import evaluate
from selfstudy.recipes.engine import Engine
from selfstudy.train.trainers import precision

BATCH = 32
RANGE = 20.0
"""What cosines are multiplied by where they are to have the range of a cross-encoder's logits."""
METRICS = ("mrr@10", "ndcg@10")


def rows_of(home: Path, most: int, seed: int) -> list[Example]:
    """Training questions of the last study of a home, `most` of them; those that have a mined negative."""
    mined = [artifact for artifact in artifacts(home / "artifacts") if artifact.kind == "negatives"][-1]
    examples = [one for one in examples_of(mined, "train") if one.distractors]
    random.Random(seed).shuffle(examples)
    return (examples * -(-most // max(1, len(examples))))[:most]


def trained(base: Path, examples: Sequence[Example], recipe: str, into: Path, seed: int) -> float:
    """Train `base` by `recipe` and save it in `into`. Returns the seconds of training."""
    from datasets import Dataset
    from sentence_transformers import SentenceTransformer, SentenceTransformerTrainer, SentenceTransformerTrainingArguments, util
    from sentence_transformers.sentence_transformer import losses

    model = SentenceTransformer(str(base), device="cpu")
    columns: dict[str, list[Any]] = {
        "anchor": [one.question for one in examples],
        "positive": [one.evidence[0].passage.indexed for one in examples],
    }
    loss: Any = losses.MultipleNegativesRankingLoss(model)
    rate = 5e-5
    if recipe == "gpl":
        columns["negative"] = [one.distractors[0].passage.indexed for one in examples]
        teacher = cross_encoder()
        scores = [teacher.predict(list(zip(columns["anchor"], columns[name], strict=True))) for name in ("positive", "negative")]
        columns["label"] = (np.asarray(scores[0]) - np.asarray(scores[1])).ravel().tolist()
        loss = losses.MarginMSELoss(model, similarity_fct=lambda a, b: RANGE * util.pairwise_cos_sim(a, b))
        rate = 2e-5
    arguments = SentenceTransformerTrainingArguments(
        output_dir=str(into / "trainer"), num_train_epochs=1, per_device_train_batch_size=BATCH, learning_rate=rate, seed=seed,
        save_strategy="no", logging_strategy="no", report_to=[], disable_tqdm=True, **precision(),
    )  # fmt: skip
    began = time.monotonic()
    with quiet():
        SentenceTransformerTrainer(model=model, args=arguments, train_dataset=Dataset.from_dict(columns), loss=loss).train()
    seconds = time.monotonic() - began
    model.save_pretrained(str(into / "model"))
    return seconds


def measured(name: str, homes: Path, steps: int, recipes: Sequence[str], seed: int, told: Callable[[str], None]) -> dict[str, Any]:
    """Every way to search one set by its own questions: {way: {metric: values}}."""
    home, data = homes / name / "home", homes / name / "set"
    engine = Engine.open(home)
    snapshot, base = engine.store.snapshot(), engine.loaded.embedder(engine.base.embedder)
    questions = evaluate.labelled(snapshot, data / "queries.jsonl", data / "qrels.tsv", None)
    ways: dict[str, Any] = {"lexical": engine.loaded.retrievers(snapshot, engine.base)["lexical"], "base": Dense(snapshot, base)}
    ways["adapt"] = Dense(snapshot, engine.loaded.embedder(engine.live.embedder))
    ways["adapt + words"] = engine.loaded.retrievers(snapshot, engine.live)["dense"]
    found = evaluate.measure(ways, questions)
    texts = [passage.indexed for passage in snapshot.passages]
    examples = rows_of(home, steps * BATCH, seed)
    folder = base.model_folder
    assert folder is not None, "the weights of the base are not here"
    for recipe in recipes:
        with tempfile.TemporaryDirectory() as into:
            seconds = trained(folder, examples, recipe, Path(into), seed)
            told(f"{name} {recipe}: {len(examples)} rows in {seconds:.0f} s")
            embedder = SentenceEmbedder(Path(into) / "model", cache=Path(into) / "cache")
            tuned = Dense(snapshot, embedder, Flat(embedder.embed(texts), embedder.fingerprint))
            found |= evaluate.measure({recipe: tuned}, questions)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="+")
    parser.add_argument("--homes", type=Path, required=True, help="the folder that bench/adapt.py --out left")
    parser.add_argument("--steps", type=int, default=70, help=f"of {BATCH} rows each")
    parser.add_argument("--recipes", nargs="*", choices=("default", "gpl"), default=("default", "gpl"))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    results: dict[str, Any] = {}
    for name in arguments.names:
        found = measured(
            name, arguments.homes, arguments.steps, arguments.recipes, arguments.seed, lambda line: print(line, file=sys.stderr)
        )
        results[name] = found
        if not arguments.json:
            for way, values in found.items():
                cells = []
                for metric in METRICS:
                    change = compare(found["base"][metric], values[metric])
                    cells.append(f"{metric} {np.mean(values[metric]):.3f} [{change.low:+.3f}, {change.high:+.3f}]")
                print(f"{name:<12} {way:<14} {'   '.join(cells)}", flush=True)
    macro = {way: {m: float(np.mean([np.mean(found[way][m]) for found in results.values()])) for m in METRICS} for way in found}
    if arguments.json:
        print(json.dumps({"sets": list(results), "macro": macro}))
        return
    for way, values in macro.items():
        cells = [f"{metric} {value:.3f} ({value / macro['base'][metric] - 1:+.1%})" for metric, value in values.items()]
        print(f"{'macro':<12} {way:<14} {'   '.join(cells)}")


if __name__ == "__main__":
    main()
