"""The round trip of SimRAG (arXiv 2410.17952, section 3.2): a question stays if retrieval answers it back from the corpus."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field

from selfstudy.core.artifacts import read_records, write_records
from selfstudy.core.ports import Retriever
from selfstudy.core.records import Artifact, Example, Hit, Record
from selfstudy.core.run import Work, stage
from selfstudy.core.text import contains, content_words, normal

_BLOCK = 64


class RoundTrip(BaseModel):
    """When a question counts as answered back."""

    model_config = ConfigDict(extra="forbid")

    on: bool = Field(True, description="False keeps every question (to measure what the round trip brings)")
    k: int = Field(10, ge=1, description="in how many passages the answer must stand")


@dataclass(frozen=True, slots=True)
class Dropped(Record):
    """A question that did not come back, or was not taken from a model, and why; of the latter the id of its passage."""

    id: str
    question: str
    writer: str
    reason: str
    passage: str = ""


@stage("synth.round_trip", version=2)
def round_trip(
    work: Work, config: RoundTrip, asked: Artifact, retriever: Retriever, wanted: Sequence[str] = ()
) -> dict[str, dict[str, int]]:
    """Search the whole corpus with every question; write `kept.jsonl` and `dropped.jsonl`. `wanted` are ids that a person wants to stay.

    Returns for each writer how many were kept, and how many dropped by reason.
    """
    examples = list(read_records(asked.path / "questions.jsonl", Example))
    always = set(wanted)
    kept: list[Example] = []
    dropped: list[Dropped] = []
    for start in range(0, len(examples), _BLOCK):
        block = examples[start : start + _BLOCK]
        found = retriever.search([example.question for example in block], config.k) if config.on else [[]] * len(block)
        for example, hits in zip(block, found, strict=True):
            reason = why_dropped(example, hits) if config.on and example.id not in always else None
            if reason is None:
                kept.append(example)
            else:
                dropped.append(Dropped(example.id, example.question, example.writer, reason))
        work.progress(min(start + _BLOCK, len(examples)), len(examples))
    write_records(work.folder / "kept.jsonl", kept)
    write_records(work.folder / "dropped.jsonl", dropped)
    counts: dict[str, Counter[str]] = {example.writer: Counter() for example in examples}
    for example in kept:
        counts[example.writer]["kept"] += 1
    for one in dropped:
        counts[one.writer][one.reason] += 1
    return {writer: dict(count) for writer, count in counts.items()}


def why_dropped(example: Example, hits: list[Hit]) -> str | None:
    """None if the question came back: its answer stands in a hit or, where the answer says too little, its own passage is one."""
    answers = [answer for answer in example.answers if tells(answer, example.kind)]
    if answers:
        texts = [normal(hit.passage.indexed) for hit in hits]
        back = any(contains(text, normal(answer)) for answer in answers for text in texts)
        return None if back else "the answer is in none of the passages found"
    source = {hit.passage.id for hit in example.evidence}
    return None if any(hit.passage.id in source for hit in hits) else "its passage was not found"


def tells(answer: str, kind: str) -> bool:
    """Whether finding `answer` in a passage says anything: at least two content words, or a number of its own type."""
    return len(content_words(answer)) >= 2 or (kind in {"number", "date"} and any(char.isdigit() for char in answer))
