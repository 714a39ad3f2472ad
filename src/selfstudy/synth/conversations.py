"""Examples as conversations for a generator: answered over retrieved passages, the evidence among distractors or missing."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from pydantic import BaseModel, ConfigDict, Field

from selfstudy.core.artifacts import write_records
from selfstudy.core.ports import Retriever
from selfstudy.core.prompts import NOT_HERE, grounded
from selfstudy.core.records import Artifact, Conversation, Example, Message, Passage
from selfstudy.core.run import Work, stage
from selfstudy.core.studied import conversations_of, examples_of
from selfstudy.core.text import contains, normal, sentences
from selfstudy.synth.draft import pick

_BLOCK = 64


class Mix(BaseModel):
    """What a generator learns from in its second stage."""

    model_config = ConfigDict(extra="forbid")

    passages: int = Field(4, ge=1, description="passages that a question is shown with")
    absent: float = Field(0.15, ge=0, le=1, description="share of questions whose evidence is left out: the answer is that it is not there")
    reasoned: float = Field(0.2, ge=0, le=1, description="share of answers that first quote the sentence that they rest on")
    reversed: float = Field(0.1, ge=0, le=1, description="share of examples that ask for the question to an answer instead")
    general: float = Field(1.0, ge=0, description="general conversations for each one of the documents', so that nothing is forgotten")
    most: int = Field(4000, ge=1, description="most conversations about the documents")
    seed: int = 0


@stage("synth.conversations", version=2)
def conversations(work: Work, config: Mix, mined: Artifact, retriever: Retriever, general: Artifact | None) -> dict[str, int]:
    """`conversations.jsonl`: the train examples that have an answer, each over what `retriever` finds, mixed with general ones."""
    examples = [one for one in examples_of(mined, "train") if one.answers]
    examples = pick(examples, config.most, f"conversations{config.seed}")
    written: list[Conversation] = []
    for start in range(0, len(examples), _BLOCK):
        block = examples[start : start + _BLOCK]
        found = retriever.search([example.question for example in block], config.passages + 1)
        for example, hits in zip(block, found, strict=True):
            written.append(conversation(config, example, [hit.passage for hit in hits]))
        work.progress(min(start + _BLOCK, len(examples)), len(examples))
    more = conversations_of(general)
    wanted = round(config.general * len(written))
    whole, rest = divmod(wanted, len(more)) if more else (0, 0)
    mixed = written + more * whole + pick(more, rest, f"general{config.seed}")
    random.Random(config.seed).shuffle(mixed)
    write_records(work.folder / "conversations.jsonl", mixed)
    return dict(Counter(one.kind for one in mixed))


def conversation(config: Mix, example: Example, found: Sequence[Passage]) -> Conversation:
    """One example over passages: the evidence at a place that chance decides, sometimes absent; or the question asked for."""
    rng = random.Random(f"{example.id}{config.seed}")
    source = example.evidence[0].passage
    if example.kind not in ("claim", "choice") and rng.random() < config.reversed:
        asked = f"Write a question about this passage whose answer is: {example.answers[0]}\n\n{source.indexed}"
        return Conversation((Message("user", asked), Message("assistant", example.question)), "question", example.writer)
    others = strangers(example, found)
    here = rng.random() >= config.absent or not others
    shown = [*others[: config.passages - 1], source] if here else others[: config.passages]
    rng.shuffle(shown)
    asked_for = grounded(example.question, shown, example.choices, example.kind == "claim")
    if not here:
        return Conversation((*asked_for, Message("assistant", NOT_HERE)), "absent", example.writer)
    number = 1 + shown.index(source)
    said = f"{example.answers[0]} [{number}]"
    quote = _quote(source, example.answers[0]) if rng.random() < config.reasoned else ""
    if quote:
        said = f'Passage [{number}] says: "{quote}" So the answer is: {said}'
    return Conversation((*asked_for, Message("assistant", said)), example.kind, example.writer)


def strangers(example: Example, found: Iterable[Passage]) -> list[Passage]:
    """The passages of `found` that hold neither the evidence of `example` nor, unless it is a claim, the words of its answer."""
    source, answer = example.evidence[0].passage, normal(example.answers[0])
    others = [one for one in found if not one.shares(source)]
    return [one for one in others if example.kind == "claim" or not contains(normal(one.indexed), answer)]


def _quote(passage: Passage, answer: str) -> str:
    """The sentence of the passage that holds the answer; "" where none does."""
    wanted = normal(answer)
    spans = (passage.text[start:end] for start, end in sentences(passage.text))
    return next((text for text in spans if contains(normal(text), wanted)), "")


def general(rows: Iterable[Example]) -> Iterator[Conversation]:
    """Labelled questions with their passages (and distractors) as general conversations; one without an answer is one that is not there."""
    for row in rows:
        shown = [hit.passage for hit in (*row.evidence, *row.distractors)]
        random.Random(row.id).shuffle(shown)
        asked = grounded(row.question, shown, row.choices, row.kind == "claim")
        source = row.evidence[0].passage if row.evidence else None
        said = f"{row.answers[0]} [{1 + shown.index(source)}]" if row.answers and source is not None else NOT_HERE
        yield Conversation((*asked, Message("assistant", said)), "general", row.writer)


def held_out(rows: Sequence[Conversation], share: float, seed: int = 0) -> tuple[list[Conversation], list[Conversation]]:
    """Conversations to learn from, and those to see afterwards that nothing was forgotten."""
    kept = {id(one) for one in pick(rows, round(share * len(rows)), f"held{seed}")}
    return [one for one in rows if id(one) not in kept], [replace(one, kind="held out") for one in rows if id(one) in kept]
