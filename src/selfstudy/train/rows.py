"""Examples as training rows: what stands in the question word for word is taken out of the passage that answers it."""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from selfstudy.core.records import Example, Passage


def weighed(examples: Iterable[Example]) -> list[Example]:
    """Each example as often as its weight says."""
    return [example for example in examples for _ in range(example.weight)]


def batched(examples: Sequence[Example], size: int, batches: int, mates: int, seed: int = 0) -> list[list[Example]]:
    """`batches` lists of `size` examples, no two of one list with the same evidence; each example comes once before any comes again.

    In-batch training takes the passages of a batch as the negatives of all its questions. So each example brings up to `mates` others
    along whose evidence is one of its mined hard negatives: then these cost nothing more (as in the topic-aware batches of
    arXiv 2104.06967, with mined negatives in place of clusters). A list is shorter where there are too few passages.
    """
    chooser = random.Random(seed)
    about: dict[str, list[Example]] = {}
    for example in examples:
        about.setdefault(example.evidence[0].passage.id, []).append(example)
    size = min(size, len(about))
    waiting: list[Example] = []
    made = []
    for _ in range(batches):
        batch: list[Example] = []
        inside: set[str] = set()
        passed: list[Example] = []
        while len(batch) < size:
            if not waiting:
                waiting = chooser.sample(list(examples), len(examples))
            example = waiting.pop()
            if example.evidence[0].passage.id in inside:
                passed.append(example)
                continue
            hard = [hit.passage.id for hit in chooser.sample(example.distractors, len(example.distractors))]
            company = [chooser.choice(about[id]) for id in dict.fromkeys(hard) if id in about and id not in inside][:mates]
            for one in [example, *company][: size - len(batch)]:
                batch.append(one)
                inside.add(one.evidence[0].passage.id)
        waiting += passed
        made.append(batch)
    return made


@dataclass(frozen=True, slots=True)
class Rows:
    """What the trainer reads, batch after batch: columns of texts, and the ids of the passages that stand in them.

    `passages[b]` are the passages of batch b in the order in which the loss sees them: every positive, then every first negative, ...
    """

    columns: dict[str, list[str]]
    passages: list[list[str]]


def contrastive(batches: Sequence[Sequence[Example]], negatives: int, seed: int = 0, typos: float = 0.0) -> Rows:
    """Columns anchor, positive, negative_1 ... with `negatives` mined hard negatives of the row's own question.

    An example that has fewer borrows from the others of its batch; where a batch has none at all, there is no such column.
    `typos` is the share of questions that are mistyped.
    """
    chooser, hand = random.Random(seed), random.Random(seed)
    negatives = negatives if all(any(example.distractors for example in batch) for batch in batches) else 0
    names = ["positive", *(f"negative_{place + 1}" for place in range(negatives))]
    columns: dict[str, list[str]] = {name: [] for name in ["anchor", *names]}
    passages = []
    for batch in batches:
        others = [hit.passage for example in batch for hit in example.distractors]
        ids: dict[str, list[str]] = {name: [] for name in names}
        for example in batch:
            columns["anchor"].append(mistyped(example.question, hand) if hand.random() < typos else example.question)
            columns["positive"].append(evidence_text(example, chooser))
            ids["positive"].append(example.evidence[0].passage.id)
            own = [hit.passage for hit in chooser.sample(example.distractors, len(example.distractors))]
            for place, name in enumerate(names[1:]):
                passage = own[place] if place < len(own) else chooser.choice(others)
                columns[name].append(passage.indexed)
                ids[name].append(passage.id)
        passages.append([id for name in names for id in ids[name]])
    return Rows(columns, passages)


def mistyped(question: str, chooser: random.Random) -> str:
    """The question as people type it: all small or all capitals, or one of its longer words with two neighbouring letters swapped, one
    lost or one doubled (the commonest slips; arXiv 2108.12139 trains dense retrievers on them). Of scripts without spaces a run of
    characters counts as a word, and they know no capitals.
    """
    how = chooser.choice(("lower", "upper", "slip", "slip"))
    if how != "slip" and question.lower() != question.upper():
        return question.lower() if how == "lower" else question.upper()
    words = list(re.finditer(r"[^\W\d_]{5,}", question))
    if not words:
        return question
    word = chooser.choice(words)
    at = chooser.randrange(word.start() + 1, word.end() - 2)  # the first and the last letter are what readers go by
    pair = question[at : at + 2]
    slip = chooser.choice((pair[::-1], pair[0], pair[0] + pair))
    return question[:at] + slip + question[at + 2 :]


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
