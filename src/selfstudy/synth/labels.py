"""Labels for a critic from any LLM: the four tasks of Self-RAG (arXiv 2310.11511), asked for with one instruction each."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from selfstudy.core.artifacts import read_records, write_records
from selfstudy.core.critique import LABELS, TASKS, Task, asked, instruction
from selfstudy.core.errors import BadModel, Stopped
from selfstudy.core.injection import aimed_at_models
from selfstudy.core.ports import LLM
from selfstudy.core.records import Artifact, Conversation, Example, Message, Passage, Record, digest
from selfstudy.core.run import Work, stage
from selfstudy.core.text import contains, normal, sentences
from selfstudy.synth.reflections import Input

_BLOCK = 32
_ENOUGH = 8
_TOKENS = 60
_ONE_SIDED = 0.95


@dataclass(frozen=True, slots=True)
class Row(Record):
    """What a critic sees, and its label, "" where it has none yet."""

    task: Task
    question: str
    answer: str = ""
    passage: str = ""
    label: str = ""

    @property
    def id(self) -> str:
        return digest("critic", self.task, self.question, self.answer, self.passage)


class Labels(BaseModel):
    """How rows are labelled."""

    model_config = ConfigDict(extra="forbid")

    most: int = Field(4000, ge=1, description="most rows of one task")
    sample: int = Field(20, ge=0, description="rows of each task that are set aside for a person to read")
    seed: int = 0


@stage("synth.labels", version=2)
def labels(work: Work, config: Labels, rows: Artifact, prompts: dict[str, Any], llm: LLM) -> dict[str, Any]:
    """`labels.jsonl` (Rows) of the rows in `rows.jsonl`, `conversations.jsonl` to tune a critic on, `sample.jsonl` to read. Resumes by row.

    The result has the shares of the labels, and those tasks that are `one_sided`. `prompts` are those of `versions`, which the stage's key
    must hold. Raises Stopped at the limit of a budget, BadModel where no reply
    can be used; what was asked is kept.
    """
    wanted = _within(config, read_records(rows.path / "rows.jsonl", Row))
    dropped: Counter[str] = Counter()
    missed = ""
    with work.log("labelled") as log:
        for start in range(0, len(wanted), _BLOCK):
            block = [row for row in wanted[start : start + _BLOCK] if row.id not in log]
            found, missed_now = _ask(llm, block)
            log.extend(found)
            missed = missed_now or missed
            work.progress(min(start + _BLOCK, len(wanted)), len(wanted))
        if missed:
            raise Stopped(f"{len(wanted) - len(log)} of {len(wanted)} rows got no reply: {missed}.", "Run the same command again to go on.")
        told = [replace(row, label=log[row.id]["label"]) for row in wanted]
        dropped.update(log[row.id]["fault"] for row in wanted if log[row.id]["fault"])
    labelled = [row for row in told if row.label]
    write_records(work.folder / "labels.jsonl", labelled)
    write_records(work.folder / "conversations.jsonl", map(conversation, labelled))
    write_records(work.folder / "sample.jsonl", sample(labelled, config.sample, config.seed))
    counted = shares(labelled)
    return {"shares": counted, "one-sided": one_sided(counted), "dropped": dict(dropped)}


def versions() -> dict[str, Any]:
    """The four instructions with their versions."""
    return {task: instruction(task) for task in TASKS}


def _within(config: Labels, rows: Iterable[Row]) -> list[Row]:
    """At most `most` rows of a task, each once; what speaks to models is not shown to one."""
    kept: dict[str, Row] = {}
    counts: Counter[str] = Counter()
    for row in rows:
        if row.id not in kept and counts[row.task] < config.most and not aimed_at_models(f"{row.question} {row.passage}"):
            kept[row.id] = row
            counts[row.task] += 1
    return list(kept.values())


def _ask(llm: LLM, rows: Sequence[Row]) -> tuple[dict[str, Any], str]:
    """The label or the fault of each row that was answered, by id; and why others were not."""
    found: dict[str, Any] = {}
    missed = ""
    for task in TASKS:
        ones = [row for row in rows if row.task == task]
        schema = {
            "type": "object", "additionalProperties": False, "properties": {"label": {"enum": list(LABELS[task])}}, "required": ["label"],
        }  # fmt: skip
        conversations = [asked(task, row.question, row.answer, row.passage) for row in ones]
        replies = llm.chat(conversations, schema=schema, max_tokens=_TOKENS) if ones else []
        if len(replies) >= _ENOUGH and all(reply.fault for reply in replies):
            raise BadModel(f"{llm.name} gave {len(replies)} replies of which none can be used: {replies[-1].fault}", "Try another model.")
        for row, reply in zip(ones, replies, strict=True):
            if reply.transient:
                missed = reply.fault
            else:
                fault = reply.fault.split(":")[0]
                found[row.id] = {"label": "" if fault else reply.data["label"], "fault": fault}
    return found, missed


def rows_of(examples: Iterable[Example], found: Iterable[Sequence[Passage]]) -> Iterator[Row]:
    """What a critic is to be asked about examples beside what a search found for each: all four tasks, of right answers and of wrong ones.

    A wrong answer is another example's. Beside passages it is shown with the first one alone.
    """
    asked_about = list(examples)
    answers = [one.answers[0] if one.answers else "" for one in asked_about]
    strangers = _strangers(answers, [one.id for one in asked_about])
    for example, answer, stranger, passages in zip(asked_about, answers, strangers, found, strict=True):
        yield from _alone(example.question, answer, stranger)
        for passage in passages:
            yield Row("relevant", example.question, "", passage.indexed)
            if answer:
                yield Row("supported", example.question, answer, passage.indexed)
        if stranger and passages:
            yield Row("supported", example.question, stranger, passages[0].indexed)


def general_rows(inputs: Sequence[Input]) -> Iterator[Row]:
    """What a critic is to be asked about conversations that no document holds: whether to search, and of what use an answer is."""
    strangers = _strangers([one.answer for one in inputs], [one.id for one in inputs])
    for one, stranger in zip(inputs, strangers, strict=True):
        yield from _alone(one.question, one.answer, stranger)


def _alone(question: str, answer: str, stranger: str) -> Iterator[Row]:
    """Rows without a passage: whether to search before and behind the first sentence, and the use of both answers."""
    yield Row("retrieve", question)
    if answer:
        yield Row("retrieve", question, answer[slice(*next(iter(sentences(answer)), (0, len(answer))))])
    yield from (Row("useful", question, said) for said in (answer, stranger) if said)


def _strangers(answers: Sequence[str], seeds: Sequence[str]) -> list[str]:
    """For each answer one of the others, by lot: none that it holds or that holds it. "" where there is none, or no answer."""
    known = [normal(answer) for answer in answers]
    found = []
    for own, seed in zip(known, seeds, strict=True):
        others = random.Random(seed).sample(range(len(known)), len(known)) if own.strip() else []
        fit = (at for at in others if known[at].strip() and not contains(known[at], own) and not contains(own, known[at]))
        found.append(next((answers[at] for at in fit), ""))
    return found


def expected(config: Labels, examples: int, passages: int, general: int) -> tuple[int, int]:
    """Of how many rows a label is asked for, at most, about `examples` beside so many passages each and `general` conversations: with a
    passage, and with none.
    """
    beside = min(config.most, examples * passages) + min(config.most, examples * (passages + 1))
    return beside, 2 * min(config.most, 2 * (examples + general))


def conversation(row: Row) -> Conversation:
    """A labelled row as a critic learns it."""
    return Conversation((*asked(row.task, row.question, row.answer, row.passage), Message("assistant", row.label)), row.task, "critic")


def sample(rows: Sequence[Row], count: int, seed: int = 0) -> list[Row]:
    """`count` rows of each task, every label among them where there are so many, for a person to read."""
    chooser = random.Random(seed)
    taken: list[Row] = []
    for task in TASKS:
        by_label = {label: [row for row in rows if row.task == task and row.label == label] for label in LABELS[task]}
        for ones in by_label.values():
            chooser.shuffle(ones)
        turn = [row for place in range(count) for ones in by_label.values() for row in ones[place : place + 1]]
        taken += turn[:count]
    return taken


def shares(rows: Iterable[Row]) -> dict[str, dict[str, float]]:
    """For each task the share of each label."""
    counts = Counter((row.task, row.label) for row in rows)
    totals = {task: sum(counts[task, label] for label in LABELS[task]) for task in TASKS}
    return {task: {label: round(counts[task, label] / totals[task], 4) for label in LABELS[task]} for task in TASKS if totals[task]}


def one_sided(counted: Mapping[str, Mapping[str, float]]) -> dict[str, str]:
    """The tasks of which nearly all rows have one label, with that label: who always says it has learned them, and judges nothing."""
    return {task: label for task, ones in counted.items() for label, share in ones.items() if share > _ONE_SIDED}
