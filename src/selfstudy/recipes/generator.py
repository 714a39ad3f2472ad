"""The generator's loop: general conversations, then those about the documents, an exam of answers, promote or refuse."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from selfstudy.core.artifacts import manifest, read_records, write_records
from selfstudy.core.errors import BadInput
from selfstudy.core.files import read_json, write_json
from selfstudy.core.ports import LLM, Retriever
from selfstudy.core.prompts import grounded
from selfstudy.core.records import Artifact, Conversation, Example, Message, digest
from selfstudy.core.run import Lazy, Planned, Run, Work, stage
from selfstudy.evals.answers import score, token_f1
from selfstudy.evals.gate import Verdict, judge_answers
from selfstudy.evals.paired import compare
from selfstudy.evals.ranking import summary
from selfstudy.models.hf import HF
from selfstudy.recipes.candidate import examples_of
from selfstudy.recipes.outcome import Outcome
from selfstudy.recipes.system import System
from selfstudy.synth.conversations import Mix, conversations, held_out
from selfstudy.synth.draft import pick
from selfstudy.train.generator import Generator, needed
from selfstudy.train.generator import generator as train

SCHEME = "hf:"
ARTIFACT = "hf:artifact:"


class Tuning(BaseModel):
    """A generator that is tuned in two stages, on general conversations and then on those about the documents."""

    model_config = ConfigDict(extra="forbid")

    base: str | None = Field(None, description="the generator to be tuned: hf:<folder or name>")
    general: tuple[Path, ...] = Field(
        (), description="general conversations, JSON lines of messages: learned first, and never to be forgotten"
    )
    stage1: Generator | None = Field(default_factory=Generator, description="general tuning; null leaves it out")
    stage2: Generator = Field(default_factory=lambda: Generator(learning_rate=2e-7), description="tuning on the documents")
    mix: Mix = Field(default_factory=Mix)
    exam: int = Field(200, ge=1, exclude=True, description="exam questions that are answered")
    held: int = Field(100, ge=2, description="general conversations that are kept out of training, to see that nothing is forgotten")
    max_tokens: int = Field(64, ge=1, description="tokens of an answer in the exam")


@stage("study.general", version=1)
def general(work: Work, config: None, held: int, files: dict[str, Path]) -> dict[str, int]:
    """`conversations.jsonl` to learn from and `held.jsonl` to measure on, out of the user's files."""
    rows = [row for path in files.values() for row in read_conversations(path)]
    learned, kept = held_out(rows, min(0.5, held / max(1, len(rows))))
    write_records(work.folder / "conversations.jsonl", learned)
    write_records(work.folder / "held.jsonl", kept)
    return {"learned": len(learned), "held out": len(kept)}


def read_conversations(path: Path) -> Iterator[Conversation]:
    """The conversations of a file of JSON lines {"messages": [{"role", "content"}, ...]}. Raises BadInput with the line of a fault."""
    if not path.is_file():
        raise BadInput(
            f"{path} is not a file of conversations.", 'Each line is one: {"messages": [{"role": "user", "content": "..."}, ...]}'
        )
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                messages = tuple(Message.load(one) for one in json.loads(line)["messages"])
            except (ValueError, KeyError, TypeError) as error:
                raise BadInput(
                    f"{path}, line {number} is no conversation: {str(error).splitlines()[0]}", "Mend or drop that line."
                ) from error
            if any(message.role == "assistant" for message in messages):
                yield Conversation(messages, "general", path.name)


@stage("study.answers", version=1)
def answers(
    work: Work, config: None, mined: Artifact, kept: Artifact, most: int, passages: int, tokens: int, searched: Retriever, llm: LLM
) -> Any:
    """`scores.json`: how right this generator's answers to exam questions are, and those to general conversations."""
    examples = pick([one for one in examples_of(mined, "exam") if one.answers and one.kind != "section"], most, "answers")
    hits = searched.search([example.question for example in examples], passages) if examples else []
    asked = [
        grounded(example.question, [hit.passage for hit in found], example.choices, example.kind == "claim")
        for example, found in zip(examples, hits, strict=True)
    ]
    held = list(read_records(kept.path / "held.jsonl", Conversation))
    said = llm.chat([*asked, *(one.messages[:-1] for one in held)], max_tokens=tokens, progress=work.progress)
    of_exam = [score(reply.text, example) for reply, example in zip(said, examples, strict=False)]
    of_held = [token_f1(reply.text, [one.messages[-1].content]) for reply, one in zip(said[len(asked) :], held, strict=True)]
    write_json(work.folder / "scores.json", {"answers": of_exam, "general": of_held})
    rows = [_row(example, reply.text) for example, reply in zip(examples, said, strict=False)]
    write_json(work.folder / "rows.json", rows)
    return {"answers": float(np.mean(of_exam or [0])), "general": float(np.mean(of_held or [0]))}


def _row(example: Example, said: str) -> dict[str, Any]:
    return {"question": example.question, "kind": example.kind, "right": example.answers[0], "said": said}


def checked(tuning: Tuning) -> str:
    """The folder or name of the generator to be tuned. Raises BadInput where that cannot be done."""
    if tuning.base is None or not tuning.base.startswith(SCHEME):
        raise BadInput(f"The generator {tuning.base!r} cannot be tuned: only a model of transformers can.", "Name one as hf:<folder>.")
    if not tuning.general:
        raise BadInput(
            "A generator is tuned with general conversations beside those about the documents, and there are none.",
            'Give some hundred: --set tuning.general=["general.jsonl"], lines of {"messages": [...]}.',
        )
    for path in tuning.general:
        next(read_conversations(path), None)
    return tuning.base.removeprefix(SCHEME)


class GeneratorStudy:
    """The stages of one tuning over the examples of an embedder's study; `searched` is the hybrid search that serves."""

    def __init__(self, run: Run, tuning: Tuning, mined: Artifact, searched: Lazy, live: System) -> None:
        self.run, self.tuning, self.mined, self.searched, self.live = run, tuning, mined, searched, live
        self.base = checked(tuning)

    @cached_property
    def general(self) -> Artifact:
        files = {path.name: path for path in self.tuning.general}
        key = digest("general", *(path.read_text(encoding="utf-8") if path.is_file() else "" for path in files.values()))
        return self.run.stage(general, None, self.tuning.held, Lazy(key, lambda: files))

    @cached_property
    def first(self) -> Artifact | None:
        """After stage I; None where it is left out."""
        if self.tuning.stage1 is None:
            return None
        return self.run.stage(train, self.tuning.stage1, self.general, self._named(None))

    @cached_property
    def written(self) -> Artifact:
        return self.run.stage(conversations, self.tuning.mix, self.mined, self.searched, self.general)

    @cached_property
    def second(self) -> Artifact:
        return self.run.stage(train, self.tuning.stage2, self.written, self._named(self.first))

    def plan(self, passages: int) -> list[Planned]:
        """The stages, with the memory and the time that training takes, roughly: some questions are written about each of `passages`."""
        _ = self.second
        rows = min(self.tuning.mix.most, 3 * passages)
        return [self._costed(one, rows) if one.stage == train.name else one for one in self.run.planned]

    def _costed(self, planned: Planned, rows: int) -> Planned:
        if planned.state == "kept":
            return planned
        second = planned.key == self.second.key
        config = self.tuning.stage2 if second or self.tuning.stage1 is None else self.tuning.stage1
        need = needed(config, self.base, rows * (1 + self.tuning.mix.general))
        return replace(planned, seconds=planned.seconds if planned.seconds is not None else need.seconds, memory_gib=need.memory_gib)

    def _named(self, made: Artifact | None) -> Lazy:
        """The folder or name of a model, told apart by its weights."""
        if made is not None:
            return Lazy(made.key, lambda: str(made.path / "model"))
        return Lazy(HF(self.base).fingerprint, lambda: self.base)

    def _scores(self, llm: HF) -> dict[str, NDArray[np.float64]]:
        tuning = self.tuning
        made = self.run.stage(
            answers, None, self.mined, self.general, tuning.exam, tuning.mix.passages, tuning.max_tokens, self.searched, llm
        )
        return {name: np.array(values) for name, values in read_json(made.path / "scores.json").items()}

    @property
    def key(self) -> str:
        return digest("generator", self.second.key, self.live.fingerprint)

    def system(self) -> System:
        """What serves now, with the tuned generator."""
        return replace(self.live, key=self.key, generator=f"{ARTIFACT}{self.second.key}")

    def judge(self, before: HF, gate: Any, candidates: int) -> tuple[Verdict, Outcome]:
        """The verdict on the tuned generator beside the one that serves, over the same passages."""
        was, now = self._scores(before), self._scores(HF(str(self.second.path / "model")))
        verdict = judge_answers(
            gate, answers=(was["answers"], now["answers"]), general=(was["general"], now["general"]), candidates=candidates
        )
        outcome = Outcome(
            key=self.key,
            promoted=verdict.promote,
            reason=verdict.reason,
            verdict=verdict,
            metrics={name: {"before": summary(was[name]), "after": summary(now[name])} for name in was},
            differences={name: compare(was[name], now[name]) for name in was},
            writers={},
            questions={"conversations": manifest(self.written).result},
            round_trip={},
            negatives={},
            weight=self.live.weight,
            seconds=0.0,
            report="",
            note="The generator: the score of answers is token F1, or right and wrong for choices and claims.",
        )
        return verdict, outcome


def folder_of(name: str, home_artifacts: Path) -> str:
    """What `hf:` loads for the name of a generator: the folder of one that was tuned here, else the name itself."""
    from selfstudy.core.artifacts import find

    if name.startswith(ARTIFACT):
        return str(find(home_artifacts, name.removeprefix(ARTIFACT)).path / "model")
    return name.removeprefix(SCHEME)
