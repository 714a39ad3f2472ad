"""Examples as training rows: what stands in the question word for word is taken out of the passage that answers it."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence

from selfstudy.core.records import Example, Passage


def contrastive(examples: Sequence[Example], rounds: int, seed: int = 0) -> dict[str, list[str]]:
    """Columns anchor, positive and (where there are distractors) negative, each example `rounds` times with another negative."""
    chooser = random.Random(seed)
    with_negatives = any(example.distractors for example in examples)
    rows: dict[str, list[str]] = {"anchor": [], "positive": []}
    if with_negatives:
        rows["negative"] = []
    for _ in range(rounds):
        for example in chooser.sample(list(examples), len(examples)):
            if with_negatives and not example.distractors:
                continue
            rows["anchor"].append(example.question)
            rows["positive"].append(evidence_text(example, chooser))
            if with_negatives:
                rows["negative"].append(chooser.choice(example.distractors).passage.indexed)
    return rows


def evidence_text(example: Example, chooser: random.Random) -> str:
    """The evidence as indexed; nine times in ten without the sentence or heading that was made the question (arXiv 1906.00300)."""
    passage = example.evidence[0].passage
    if chooser.random() < 0.1:
        return passage.indexed
    if example.writer == "headings":
        return passage.text
    if example.writer in {"sentence", "chinese_clauses"}:
        asked = example.question.removeprefix(f"{passage.title.split(' > ')[0].strip()}: ")
        return _without(passage, asked)
    return passage.indexed


def _without(passage: Passage, sentence: str) -> str:
    pattern = r"\s+".join(re.escape(word) for word in sentence.split())
    rest = re.sub(pattern, " ", passage.text, count=1).strip()
    return f"{passage.title}\n{rest}" if rest and passage.title else rest or passage.indexed
