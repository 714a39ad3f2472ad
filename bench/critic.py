"""How often critics agree with people: support (critic_support) and relevance (critic_relevance), accuracy and balanced accuracy per task.

    python bench/critic.py --data DIR [--most 600] [--critic starter|hf:FOLDER] [--llm openai:MODEL]

`words` compares words, numbers and denials, and needs no model; `majority` says the commonest label of the rows; `--critic` is the starter
(support by the words, relevance by its reader) or a causal model that was tuned for the four tasks; `--llm` any model that is asked.
Labels: supported = fully, partial = partly, not supported and contradicted = no. Rows of split "train" are left out.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from selfstudy.answer.critics import EntailmentCritic, TunedCritic, Worded
from selfstudy.answer.prompted_critic import PromptedCritic
from selfstudy.answer.terms import terms
from selfstudy.answer.written import bears_out
from selfstudy.core.plugs import LLMS, resolve
from selfstudy.core.ports import Critic
from selfstudy.core.records import Passage
from selfstudy.models.decoder import HFDecoder
from selfstudy.models.hf import HF
from selfstudy.models.starter.relevance import Relevance

LEVELS = {"supported": "fully", "partial": "partly", "not_supported": "no", "contradicted": "no"}
Rows = list[tuple[str, str, str, str]]
Says = Callable[[Rows], list[str]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--most", type=int, default=600, help="rows of each task")
    parser.add_argument("--critic", help="starter, or hf:FOLDER of a tuned critic")
    parser.add_argument("--llm", help="a model that is asked")
    given = parser.parse_args()
    critics: dict[str, Critic] = {}
    if given.critic == "starter":
        critics[given.critic] = EntailmentCritic(Worded(), Relevance().probabilities)
    elif given.critic:
        critics[given.critic] = TunedCritic(HFDecoder(HF(given.critic.removeprefix("hf:"))))
    if given.llm:
        critics[given.llm] = PromptedCritic(resolve(given.llm, LLMS))
    tasks: dict[str, tuple[Rows, dict[str, Says]]] = {
        "support": (support_rows(given.data, given.most), {"words": words_support} | {n: by_support(c) for n, c in critics.items()}),
        "relevance": (
            relevance_rows(given.data, given.most),
            {"words": words_relevance} | {n: by_relevance(c) for n, c in critics.items()},
        ),
    }
    found = {}
    for task, (rows, ways) in tasks.items():
        right = [row[3] for row in rows]
        common = Counter(right).most_common(1)[0][0]
        found[task] = {"rows": len(rows), "majority": measured(right, [common] * len(rows))}
        found[task] |= {name: measured(right, says(rows)) for name, says in ways.items()}
    sys.stdout.write(json.dumps(found, indent=1) + "\n")


def measured(right: Sequence[str], said: Sequence[str]) -> dict[str, float | list[float]]:
    """Accuracy with its 95% bootstrap interval, and the mean over the labels of the share found."""
    hits = np.array([one == other for one, other in zip(right, said, strict=True)], float)
    means = np.random.default_rng(0).choice(hits, (1000, len(hits))).mean(axis=1)
    labels = sorted(set(right))
    balanced = float(np.mean([hits[[place for place, one in enumerate(right) if one == label]].mean() for label in labels]))
    return {
        "accuracy": round(float(hits.mean()), 3), "interval": [round(float(np.quantile(means, q)), 3) for q in (0.025, 0.975)],
        "balanced": round(balanced, 3),
    }  # fmt: skip


def support_rows(data: Path, most: int) -> Rows:
    """(question, answer, passage, label) of people."""
    rows = read(data / "critic_support" / "critic.jsonl")
    return drawn([(row["question"] or "", row["response"], row["passage"], LEVELS[row["label"]]) for row in rows], most)


def relevance_rows(data: Path, most: int) -> Rows:
    """(question, "", passage, yes or no) of people."""
    rows = read(data / "critic_relevance" / "critic.jsonl")
    return drawn([(row["question"], "", row["passage"], "yes" if 2 * row["relevance"] >= row["max"] else "no") for row in rows], most)


def read(path: Path) -> list[dict[str, Any]]:
    lines = path.read_text(encoding="utf-8").splitlines()
    return [row for line in lines if (row := json.loads(line)).get("split") != "train"]


def drawn(rows: Rows, most: int) -> Rows:
    return random.Random(0).sample(rows, min(most, len(rows)))


def words_support(rows: Rows) -> list[str]:
    """What can be told from words, numbers and denials alone."""
    return ["fully" if bears_out(answer, Passage("", "", passage)) else "no" for _, answer, passage, _ in rows]


def words_relevance(rows: Rows) -> list[str]:
    """Whether half of the question's terms stand in the passage."""
    shares = [len(set(terms(row[0])) & set(terms(row[2]))) / max(1, len(set(terms(row[0])))) for row in rows]
    return ["yes" if share >= 0.5 else "no" for share in shares]


def by_support(critic: Critic) -> Says:
    def says(rows: Rows) -> list[str]:
        critiques = critic.critiques([(question, answer, passage) for question, answer, passage, _ in rows])
        levels = [one.supported.json() if one.supported is not None else {"no": 1.0} for one in critiques]
        return [max(level, key=lambda name: level[name]) for level in levels]

    return says


def by_relevance(critic: Critic) -> Says:
    def says(rows: Rows) -> list[str]:
        critiques = critic.critiques([(question, answer or question, passage) for question, answer, passage, _ in rows])
        return ["yes" if (one.relevant or 0.0) >= 0.5 else "no" for one in critiques]

    return says


if __name__ == "__main__":
    main()
