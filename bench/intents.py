"""Do the groups of `questions --intents` fall together with the question types that people gave? Accuracy and mutual information.

    python bench/intents.py [--data ../shared/data] [--most 600] [--home HOME]

Over the questions of medquad, whose types are labelled (they are templates: an easy case). As many clusters as types, and as many as the
silhouette likes; of whole questions and of their frames; by the base embedder and, with --home, by what serves in a home that studied.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from sklearn.metrics import normalized_mutual_info_score

from selfstudy.core.ports import Embedder
from selfstudy.evals.intents import clusters, frames
from selfstudy.recipes.engine import Engine
from selfstudy.recipes.system import load_embedder


def accuracy(labels: NDArray[np.int64], groups: NDArray[np.int64]) -> float:
    """The share of questions in the group that stands for their label, groups and labels matched one to one as well as they can be."""
    counts = np.zeros((groups.max() + 1, labels.max() + 1))
    np.add.at(counts, (groups, labels), 1)
    rows, columns = linear_sum_assignment(-counts)
    return float(counts[rows, columns].sum() / len(labels))


def told(name: str, texts: list[str], labels: NDArray[np.int64], embedder: Embedder) -> None:
    vectors = embedder.embed(texts, "query").astype(np.float64)
    for how, count in (("as many as labels", int(labels.max()) + 1), ("by silhouette", None)):
        groups = clusters(vectors, count=count)
        score = normalized_mutual_info_score(labels, groups)
        print(
            f"{name:<28}{how:<20}{len(set(groups.tolist())):>4} groups  accuracy {accuracy(labels, groups):.3f}  NMI {score:.3f}",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--most", type=int, default=600)
    parser.add_argument("--home", type=Path)
    given = parser.parse_args()
    rows = [json.loads(line) for line in (given.data / "medquad" / "medquad_pairs.jsonl").open(encoding="utf-8")]
    random.Random(0).shuffle(rows)
    rows = rows[: given.most]
    types = sorted({row["qtype"] for row in rows})
    labels = np.array([types.index(row["qtype"]) for row in rows], np.int64)
    questions = [row["question"] for row in rows]
    with tempfile.TemporaryDirectory() as folder:
        sides: dict[str, Embedder] = {"base": load_embedder("minilm:all-MiniLM-L6-v2", Path(folder))}
        if given.home is not None:
            sides["live"] = Engine.open(given.home).serving().embedder
        for side, embedder in sides.items():
            told(f"{side}, whole questions", questions, labels, embedder)
            told(f"{side}, frames", frames(questions), labels, embedder)


if __name__ == "__main__":
    main()
