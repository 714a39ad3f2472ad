"""What the reading model learns from: rows of labelled sets, in one shape, split by document."""

from __future__ import annotations

import hashlib
import json
import random
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from selfstudy.core.ports import Embedder
from selfstudy.core.records import Record
from selfstudy.core.text import normal, sentences

SETS = ("squad_dev", "pubmedqa", "medquad")
"""Sets whose licence allows redistributing what is trained on them, but for those on which the whole loop or its answers are measured."""
SUPPORT = ("begin", "wice")
"""Sources of the support labels of which the same is true."""
RANKED = {"squad_dev": 6000, "boolq": 3000, "medquad": 2000, "pubmedqa": 500}
"""Sets, and how many of their questions at most, that putting passages in order is learned from."""
_MOST = {"medquad": 1000}
_LEVEL = {"supported": 2, "partial": 1, "not_supported": 0, "contradicted": 0}


@dataclass(frozen=True, slots=True)
class Row(Record):
    """A question (with an answer whose support is asked for, or none) and a passage, with what is known of the two.

    `span`: the answer's characters in `passage`; (0, 0) where it holds none; None where nobody knows. `relevant`: 0 or 1, `support`: 0 no,
    1 partly, 2 fully; None where nobody knows.
    """

    source: str
    group: str
    question: str
    passage: str
    answer: str | None = None
    span: tuple[int, int] | None = None
    relevant: int | None = None
    support: int | None = None
    answers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Listed(Record):
    """A question with its own passage, and passages that are near and wrong."""

    row: Row
    wrong: tuple[str, ...] = ()

    def rows(self) -> list[Row]:
        """The question beside each passage, its own first."""
        return [self.row, *(beside(self.row, passage) for passage in self.wrong)]


def held_out(group: str) -> bool:
    """Whether a document is kept for measuring: one in eight, by name alone."""
    return _number(group) % 8 == 0


def sets_threshold(group: str) -> bool:
    """Whether a document that is kept for measuring serves to set thresholds; the others are for the figures alone."""
    return _number(group) % 16 == 8


def _number(group: str) -> int:
    """A number that is the same on every machine."""
    return int(hashlib.sha256(group.encode()).hexdigest()[:8], 16)


def labelled(data: Path, name: str, embedder: Embedder, seed: int = 0) -> list[Row]:
    """The rows of the set `name`: its questions with their passages, and a third as often with a passage that is near and wrong."""
    corpus = _corpus(data, name)
    asked = list(_asked(data, name, corpus))
    rng = random.Random(seed)
    if name in _MOST:
        asked = rng.sample(asked, min(_MOST[name], len(asked)))
    wrong = [row for row in asked if row.span != (0, 0)]
    wrong = rng.sample(wrong, len(wrong) // 3)
    return asked + _near_and_wrong(name, corpus, asked, wrong, embedder, rng)


def listed(data: Path, name: str, embedder: Embedder, wrong: int = 4, seed: int = 0) -> list[Listed]:
    """Questions of the set `name`, each with its own passage and `wrong` of the thirty nearest others, nearer ones more often."""
    corpus = _corpus(data, name)
    asked = list(_asked(data, name, corpus))
    rng = random.Random(seed)
    chosen = [row for row in asked if row.relevant and row.span != (0, 0)]
    chosen = rng.sample(chosen, min(RANKED[name], len(chosen)))
    found = []
    for row, near in zip(chosen, near_and_wrong(name, corpus, asked, chosen, embedder), strict=True):
        ordered = sorted(range(len(near)), key=lambda place: rng.expovariate(1 / (place + 3)))
        found.append(Listed(row, tuple(near[place] for place in ordered[:wrong])))
    return found


def support(data: Path) -> list[Row]:
    """Judged answers of people: does the passage support them? Every second question is left out, as it is in one of the sources.

    Passages that share a sentence are one group.
    """
    found: list[Row] = []
    groups: dict[str, str] = {}
    for place, row in enumerate(_lines(data / "critic_support" / "critic.jsonl")):
        if row["source"] not in SUPPORT:
            continue
        said = [row["passage"][start:end] for start, end in sentences(row["passage"]) if end - start > 40] or [row["passage"]]
        group = next((groups[one] for one in said if one in groups), f"{row['source']}:{place}")
        groups |= dict.fromkeys(said, group)
        question = row["question"] if place % 2 else ""
        found.append(Row(row["source"], group, question, row["passage"], answer=row["response"], support=_LEVEL[row["label"]]))
    return found


def from_answers(rows: Sequence[Row], most: int, seed: int = 0) -> list[Row]:
    """Support learned from question answering: the right answer is supported, that of another question about the passage is not."""
    by_passage: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        if row.span not in (None, (0, 0)):
            by_passage[row.passage].append(row)
    rng = random.Random(seed)
    found = []
    for together in by_passage.values():
        for row in together:
            others = [one.answers[0] for one in together if not _alike(one.answers[0], row.answers)]
            right = not others or rng.random() < 0.5
            answer = row.answers[0] if right else rng.choice(others)
            found.append(replace(row, answer=answer, span=None, relevant=None, support=2 if right else 0))
    return rng.sample(found, min(most, len(found)))


def _asked(data: Path, name: str, corpus: dict[str, dict[str, Any]]) -> Iterator[Row]:
    if name == "medquad":
        for pair in _lines(data / name / "medquad_pairs.jsonl"):
            document = corpus.get(pair["doc_id"])
            if document is not None:
                yield Row(name, _group(name, document, pair["doc_id"]), pair["question"], _text(document), relevant=1)
        return
    relevant = _relevant(data / name / "qrels.tsv")
    for query in _lines(data / name / "queries.jsonl"):
        answers = tuple(query["answers"])
        if query["type"] == "unanswerable":
            document = corpus.get(query.get("context_id", ""))
            if document is not None:
                yield Row(name, _group(name, document, document["id"]), query["text"], _text(document), span=(0, 0))
            continue
        for id in [id for id in relevant.get(query["id"], []) if id in corpus][:2]:
            document = corpus[id]
            span = _span(_text(document), answers) if query["type"] == "extractive" else None
            yield Row(name, _group(name, document, id), query["text"], _text(document), span=span, relevant=1, answers=answers)


def _near_and_wrong(
    name: str, corpus: dict[str, dict[str, Any]], asked: Sequence[Row], chosen: Sequence[Row], embedder: Embedder, rng: random.Random
) -> list[Row]:
    """For each row one of the passages that the embedder takes for its own: not relevant, and without an answer."""
    found = []
    for row, near in zip(chosen, near_and_wrong(name, corpus, asked, chosen, embedder), strict=True):
        if near:
            found.append(beside(row, near[min(int(rng.expovariate(1 / 6)), len(near) - 1)]))
    return found


def beside(row: Row, wrong: str) -> Row:
    """The same question beside a passage that is wrong for it."""
    return replace(row, passage=wrong, span=(0, 0) if row.span is not None else None, relevant=0, answers=())


def near_and_wrong(
    name: str, corpus: dict[str, dict[str, Any]], asked: Sequence[Row], chosen: Sequence[Row], embedder: Embedder
) -> Iterator[list[str]]:
    """For each of `chosen` up to 30 passages that the embedder takes for its own, the nearest first, which hold none of its answers.

    They are of the same side of the split.
    """
    sides = {_text(document): held_out(_group(name, document, id)) for id, document in corpus.items()}
    texts = list(sides)
    right: dict[str, set[str]] = defaultdict(set)
    for row in asked:
        right[row.question].add(row.passage)
    passages = embedder.embed(texts, "passage")
    questions = embedder.embed([row.question for row in chosen], "query")
    for row, vector in zip(chosen, questions, strict=True):
        near = [texts[place] for place in (-(passages @ vector)).argsort()[:60] if sides[texts[place]] == held_out(row.group)][:30]
        words = row.answers if row.span is not None else ()  # "yes" and "no" stand anywhere
        yield [text for text in near if text not in right[row.question] and not _alike(text, words, inside=True)]


def _alike(text: str, answers: Sequence[str], inside: bool = False) -> bool:
    """Whether `text` is one of the answers, or (inside) holds one."""
    given = normal(text)
    return any(normal(answer) in given if inside else normal(answer) == given for answer in answers)


def _span(text: str, answers: Sequence[str]) -> tuple[int, int] | None:
    for answer in answers:
        start = text.find(answer)
        if start >= 0 and answer.strip():
            return start, start + len(answer)
    return None


def _corpus(data: Path, name: str) -> dict[str, dict[str, Any]]:
    """Documents by id; of the large sets only some groups."""
    documents = {row["id"]: row for row in _lines(data / name / "corpus.jsonl")}
    share = 4 if name == "medquad" else 1
    return {id: row for place, (id, row) in enumerate(documents.items()) if place % share == 0}


def _relevant(path: Path) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for line in path.read_text(encoding="utf-8").splitlines():
        question, document, score = line.split("\t")
        if question != "query-id" and float(score) > 0:
            found[question].append(document)
    return found


def _group(name: str, document: dict[str, Any], id: str) -> str:
    """What is kept together in a split: the article where several passages are of one, else the document."""
    return f"{name}:{document['title'] if name == 'squad_dev' else id}"


def _text(document: dict[str, Any]) -> str:
    title = document.get("title", "")
    return f"{title}\n{document['text']}" if title else str(document["text"])


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    parse: Callable[[str], dict[str, Any]] = json.loads
    with path.open(encoding="utf-8") as lines:
        yield from map(parse, lines)
