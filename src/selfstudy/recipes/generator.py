"""The generator's loop: general conversations, then those about the documents, an exam of answers, promote or refuse."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from selfstudy.answer.reflective import Reflect, reflect
from selfstudy.answer.speaking import Decision, Next, Proposal, Speaker, Told
from selfstudy.core.artifacts import manifest, read_records, write_records
from selfstudy.core.errors import BadConfig, BadInput, NotEnough, Stopped
from selfstudy.core.files import read_json, write_json
from selfstudy.core.ports import LLM, Retriever
from selfstudy.core.prompts import grounded
from selfstudy.core.records import Answer, Artifact, Conversation, Example, Message, digest
from selfstudy.core.run import Lazy, Planned, Run, Work, stage
from selfstudy.evals.answers import score, token_f1
from selfstudy.evals.gate import Gate, Verdict, judge_answers
from selfstudy.models.hf import HF
from selfstudy.recipes.candidate import examples_of
from selfstudy.recipes.outcome import Outcome
from selfstudy.recipes.reflected import plainly, reflects, speaker_of
from selfstudy.recipes.reflection import Reflection, audited, labelled, woven
from selfstudy.recipes.system import System
from selfstudy.synth.conversations import Mix, conversations, held_out
from selfstudy.synth.draft import pick
from selfstudy.train.generator import Generator, check_adapter, needed
from selfstudy.train.generator import check as check_training
from selfstudy.train.generator import generator as train
from selfstudy.train.trainers import free_memory

SCHEME = "hf:"
ARTIFACT = "hf:artifact:"
ABOUT_A_PASSAGE = 3
"""Questions with an answer in words that training may count on, about."""
BLOCK = 16
"""Conversations that are answered at once."""
_LONG = "the answer would be longer than it may be"
_KEPT_OUT = 0.5
"""The most of the general conversations that is kept out of training."""
_SHAPE = '{"messages": [{"role": "user", "content": "..."}, {"role": "assistant", "content": "..."}]}'


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
    reflection: Reflection = Field(default_factory=Reflection)
    exam: int = Field(200, ge=1, description="exam questions that are answered")
    held: int = Field(100, ge=2, description="general conversations that are kept out of training, to see that nothing is forgotten")
    max_tokens: int = Field(64, ge=1, description="tokens of an answer in the exam")


@stage("study.general", version=1)
def general(work: Work, config: None, held: int, files: tuple[Path, ...]) -> dict[str, int]:
    """`conversations.jsonl` to learn from and `held.jsonl` to measure on, out of the user's files; what stands there twice counts once."""
    rows = _different(files)
    learned, kept = held_out(rows, min(_KEPT_OUT, held / max(1, len(rows))))
    write_records(work.folder / "conversations.jsonl", learned)
    write_records(work.folder / "held.jsonl", kept)
    return {"learned": len(learned), "held out": len(kept)}


def _different(files: Sequence[Path]) -> list[Conversation]:
    """The conversations of all files, each once."""
    return list({digest(*(one.content for one in row.messages)): row for path in files for row in read_conversations(path)}.values())


def read_conversations(path: Path) -> Iterator[Conversation]:
    """The conversations of a file of JSON lines {"messages": [{"role", "content"}, ...]}, each up to its last answer.

    One in which nobody is answered is passed over. Raises BadInput with the line of a fault.
    """
    if not path.is_file():
        raise BadInput(f"{path} is not a file of conversations.", f"Each line is one: {_SHAPE}")
    with path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                messages = [Message.load(one) for one in json.loads(line)["messages"]]
            except (ValueError, KeyError, TypeError) as error:
                raise BadInput(
                    f"{path}, line {number} is no conversation of system, user and assistant.", f"It should be {_SHAPE}"
                ) from error
            answered = [at for at, one in enumerate(messages) if one.role == "assistant" and any(m.role == "user" for m in messages[:at])]
            if answered:
                yield Conversation(tuple(messages[: answered[-1] + 1]), "general", str(path))


@stage("study.answers", version=3)
def answers(
    work: Work,
    config: Reflect,
    mined: Artifact,
    kept: Artifact | None,
    most: int,
    passages: int,
    tokens: int,
    searched: Retriever,
    llm: LLM,
) -> dict[str, float]:
    """`scores.json`: how right this generator's answers to exam questions are, and those to general conversations; `rows.json`: both.

    One that was tuned with reflection tokens answers through them, as `config` says, and has as many `tokens` for a whole answer as any
    other. What an endpoint never answers has no score. A kill loses one block of replies. Raises Stopped where an endpoint is out of order.
    """
    examples = pick(answerable(mined), most, "answers")
    held = list(read_records(kept.path / "held.jsonl", Conversation)) if kept is not None else []
    blocks = [*_blocks(examples), *_blocks(held)]
    cfg = config.model_copy(update={"mode": plainly(config.mode), "passages": passages, "max_tokens": max(8, tokens)})
    speaker = _Brief(speaker_of(llm, cfg), llm, tokens) if reflects(llm) else None
    with work.log("said") as log:
        for done, block in enumerate(blocks):
            if str(done) in log:
                continue
            if isinstance(block[0], Conversation):
                said = _replies(llm, [one.messages[:-1] for one in block], tokens)
            elif speaker is not None:
                said = [_own_words(reflect(one.question, searched, speaker, cfg, choices=one.choices)) for one in block]
            else:
                said = _grounded(block, searched, passages, llm, tokens)
            log.append(str(done), said)
            work.progress(done + 1, len(blocks))
        said = [text for texts in log.values() for text in texts]
    of_exam = [score(text, example) if text is not None else None for text, example in zip(said, examples, strict=False)]
    of_held = [
        token_f1(text, [one.messages[-1].content]) if text is not None else None
        for text, one in zip(said[len(examples) :], held, strict=True)
    ]
    scores = {"answers": of_exam, "general": of_held}
    write_json(work.folder / "scores.json", scores)
    write_json(work.folder / "rows.json", [_row(example, text) for example, text in zip(examples, said, strict=False)])
    return {name: fmean([one for one in scored if one is not None] or [0.0]) for name, scored in scores.items()}


def _blocks(rows: Sequence[Any]) -> list[Sequence[Any]]:
    return [rows[start : start + BLOCK] for start in range(0, len(rows), BLOCK)]


class _Brief:
    """`speaker` with so many tokens of `llm` for all that it says; a sentence beyond them is not said."""

    def __init__(self, speaker: Speaker, llm: HF, tokens: int) -> None:
        self.speaker, self.llm, self.tokens = speaker, llm, tokens

    def decide(self, question: str, said: Sequence[tuple[Told, ...]]) -> list[Decision | None]:
        """As `Speaker.decide`."""
        return self.speaker.decide(question, said)

    def propose(self, question: str, wanted: Sequence[Next], choices: Sequence[str] = (), max_tokens: int = 100) -> list[Proposal]:
        """As `Speaker.propose`."""
        left = [self.tokens - sum(self._size(told.candidate.text) for told in one.said) for one in wanted]
        if max(left, default=0) <= 0:
            return [Proposal("", fault=_LONG) for _ in wanted]
        made = zip(self.speaker.propose(question, wanted, choices, max_tokens), left, strict=True)
        return [one if self._size(one.text) <= most else replace(one, fault=one.fault or _LONG) for one, most in made]

    def _size(self, text: str) -> int:
        return len(self.llm.parts()[1](f" {text}", add_special_tokens=False)["input_ids"])


def _own_words(found: Answer) -> str:
    """The sentences that were chosen, without marks and what is put between them; an abstention as it stands."""
    if found.abstained or found.tree is None:
        return found.text
    texts = {one.id: one.text for step in found.tree.steps for one in step.candidates}
    return " ".join(texts[id] for id in found.tree.chosen)


def _grounded(examples: Sequence[Example], searched: Retriever, passages: int, llm: LLM, tokens: int) -> list[str | None]:
    """What the model says to each question over the passages that are found for it."""
    hits = searched.search([example.question for example in examples], passages)
    asked = [
        grounded(example.question, [hit.passage for hit in found], example.choices, example.kind == "claim")
        for example, found in zip(examples, hits, strict=True)
    ]
    return _replies(llm, asked, tokens)


def _replies(llm: LLM, asked: Sequence[Sequence[Message]], tokens: int) -> list[str | None]:
    """What the model says to each conversation; None where its endpoint failed. Raises Stopped where that is so of more than half."""
    replies = llm.chat(asked, max_tokens=tokens)
    failed = [reply.fault for reply in replies if reply.transient]
    if 2 * len(failed) > len(replies) > 1:
        raise Stopped(
            f"{llm.name} was asked what the tuned generator is compared with, and gave no answer: {failed[0]}.",
            "What was answered is kept; run the same command again to go on.",
        )
    return [None if reply.transient else reply.text for reply in replies]


def answerable(mined: Artifact) -> list[Example]:
    """The exam questions whose answer is known in words."""
    return [one for one in examples_of(mined, "exam") if one.answers and one.kind != "section"]


def _row(example: Example, said: str | None) -> dict[str, Any]:
    return {"question": example.question, "kind": example.kind, "right": example.answers[0], "said": said}


def checked(tuning: Tuning, gate: Gate, llm: LLM | None = None) -> str:
    """The folder or name of the generator to be tuned; `llm` judges what it learns to judge. Raises BadInput where that cannot be done, and
    BadConfig or NotEnough where `gate` could never let it through.
    """
    if tuning.base is None or not tuning.base.startswith(SCHEME):
        raise BadInput(f"The generator {tuning.base!r} cannot be tuned: only a model of transformers can.", "Name one as hf:<folder>.")
    if not tuning.general:
        raise BadInput(
            "A generator is tuned with general conversations beside those about the documents, and there are none.",
            'Give some hundred: --set tuning.general=["general.jsonl"], lines of {"messages": [...]}.',
        )
    _check_sizes(tuning, gate)
    if tuning.reflection.on:
        critic = tuning.reflection.critic.base
        if llm is None:
            raise BadInput("A generator learns to judge itself from a model that judges, and there is none.", "--set llm=openai:<model>")
        if critic is not None and not critic.startswith(SCHEME):
            raise BadInput(f"The critic {critic!r} cannot be tuned: only a model of transformers can.", "Name one as hf:<folder>.")
    base = tuning.base.removeprefix(SCHEME)
    for config in filter(None, (tuning.stage1, tuning.stage2)):
        check_training(_training(tuning, config), base)
    judge = tuning.reflection.critic
    if tuning.reflection.on and judge.base is not None:
        check_training(judge.training, judge.base.removeprefix(SCHEME))
    _check_adapters(tuning, base)
    return base


def _check_sizes(tuning: Tuning, gate: Gate) -> None:
    """Raise BadConfig or NotEnough where the exam, or what is kept out of training, would be too small to prove anything."""
    sizes = (("held", tuning.held, "minimum_general", gate.minimum_general), ("exam", tuning.exam, "minimum_exam", gate.minimum_exam))
    for name, size, least, fewest in sizes:
        if size < fewest:
            raise BadConfig(
                f"tuning.{name} is {size}, and fewer than {fewest} prove nothing (gate.{least}): no generator could be promoted.",
                f"Set tuning.{name} to {fewest} or more.",
            )
    if (rows := len(_different(tuning.general))) * _KEPT_OUT < gate.minimum_general:
        raise NotEnough(
            f"There are {rows} different general conversations: too few to see that nothing is forgotten.",
            f"Give {round(gate.minimum_general / _KEPT_OUT)} or more: half of them at most are kept out of training.",
        )


def _check_adapters(tuning: Tuning, base: str) -> None:
    """Raise BadConfig where an adapter, that of the base, of the critic's or of stage I, cannot learn on as it should."""
    check_adapter(_training(tuning, tuning.stage1 or tuning.stage2), base)
    critic = tuning.reflection.critic
    if tuning.reflection.on and critic.base is not None:
        check_adapter(critic.training, critic.base.removeprefix(SCHEME))
    first, second = tuning.stage1 and tuning.stage1.lora, tuning.stage2.lora
    if first and second and first.model_copy(update={"load_in_4bit": second.load_in_4bit}) != second:
        raise BadConfig(
            "Stage II goes on with the LoRA adapter of stage I, and tuning.stage2.lora asks for another one than tuning.stage1.lora.",
            "Say the same in both (load_in_4bit may differ), or leave stage I out: --set tuning.stage1=null.",
        )


def _training(tuning: Tuning, config: Generator) -> Generator:
    """With reflection tokens in both stages: an adapter of the first one learns on in the second, and its tokens with it."""
    return config.model_copy(update={"reflection": True}) if tuning.reflection.on else config


class GeneratorStudy:
    """The stages of one tuning over the examples of an embedder's study; `searched` is the hybrid search that serves, `llm` the model of
    the settings, which may judge.
    """

    def __init__(
        self, run: Run, tuning: Tuning, reflect: Reflect, mined: Artifact, searched: Lazy, live: System, content: str, llm: LLM | None
    ) -> None:
        self.run, self.tuning, self.reflect, self.mined, self.searched = run, tuning, reflect, mined, searched
        self.live, self.content, self.llm = live, content, llm
        self.base = str(tuning.base).removeprefix(SCHEME)

    def check(self, minimum: int) -> None:
        """Raise NotEnough, before any training, where too few exam questions have an answer in words."""
        if (there := len(answerable(self.mined))) < minimum:
            raise NotEnough(
                f"Only {there} exam questions have an answer in words: too few to see what a generator learns; {minimum} are needed.",
                "Add documents, or let a model write questions: --set llm=openai:<model>.",
            )

    @cached_property
    def general(self) -> Artifact:
        files = self.tuning.general
        key = digest("general", *(path.read_text(encoding="utf-8", errors="replace") for path in files))
        return self.run.stage(general, None, self.tuning.held, Lazy(key, lambda: files))

    @cached_property
    def first(self) -> Artifact | None:
        """After stage I; None where it is left out."""
        if self.tuning.stage1 is None:
            return None
        return _alone(self.run.stage(train, _training(self.tuning, self.tuning.stage1), self.general, self._named(None)))

    @cached_property
    def written(self) -> Artifact:
        if self.tuning.reflection.on and self.llm is not None:
            return _alone(woven(self.run, self.tuning.reflection, self.mined, self.searched, self.llm, self.general))
        return self.run.stage(conversations, self.tuning.mix, self.mined, self.searched, self.general)

    @cached_property
    def second(self) -> Artifact:
        return _alone(self.run.stage(train, _training(self.tuning, self.tuning.stage2), self.written, self._named(self.first)))

    def plan(self) -> None:
        """Ask for the stages of the training, and for what a model behind an API is asked in the exam."""
        _ = self.second
        if not self.before.startswith(SCHEME):
            self._answered(self.before, self.tuning.exam, None)

    def costed(self, planned: Planned, passages: int) -> Planned:
        """`planned` with the memory and the time that training takes, roughly: some questions are written about each of `passages`."""
        if planned.state == "kept" or planned.stage != train.name:
            return planned
        tuning, examples = self.tuning, ABOUT_A_PASSAGE * passages
        critic = tuning.reflection.critic
        if planned.key == self.second.key:
            need = needed(_training(tuning, tuning.stage2), self.base, min(tuning.mix.most, examples) * (1 + tuning.mix.general))
        elif tuning.stage1 is not None and self.first is not None and planned.key == self.first.key:
            need = needed(_training(tuning, tuning.stage1), self.base, len(_different(tuning.general)))
        else:
            need = needed(critic.training, str(critic.base).removeprefix(SCHEME), sum(critic.asked(examples)))
        return replace(planned, seconds=planned.seconds if planned.seconds is not None else need.seconds, memory_gib=need.memory_gib)

    def _named(self, made: Artifact | None) -> Lazy:
        """The folder or name of a model, told apart by its weights."""
        if made is not None:
            return Lazy(made.key, lambda: str(made.path / "model"))
        return Lazy(HF(self.base).fingerprint, lambda: self.base)

    @property
    def before(self) -> str:
        """The name of what answers as long as nothing is promoted: a generator that was, the model of the settings, else the base."""
        return self.live.generator or (self.llm.name if self.llm is not None else f"{SCHEME}{self.base}")

    def _model(self, name: str) -> Lazy:
        """The model called `name`, loaded only where its answers are not known."""
        if self.llm is not None and name == self.llm.name and not name.startswith(SCHEME):
            return Lazy(self.llm.fingerprint, lambda: self.llm)
        folder = folder_of(name, self.run.folder)
        return Lazy(HF(folder).fingerprint, lambda: HF(folder))

    def _answered(self, name: str, most: int, kept: Artifact | None) -> Artifact:
        """What the model called `name` answers to so many exam questions, and to general ones of `kept`; it is gone afterwards."""
        tuning = self.tuning
        limits = (most, tuning.mix.passages, tuning.max_tokens)
        return _alone(self.run.stage(answers, self.reflect, self.mined, kept, *limits, self.searched, self._model(name)))

    def _scores(self, name: str, most: int, kept: Artifact | None) -> dict[str, NDArray[np.float64]]:
        """The scores of what the model called `name` answers, nan where it never did."""
        read = read_json(self._answered(name, most, kept).path / "scores.json")
        return {name: np.array(values, dtype=np.float64) for name, values in read.items()}

    def _before(self) -> dict[str, NDArray[np.float64]]:
        """The scores of what answers now, and beside them what must not be forgotten: the general answers of the model that was tuned."""
        beneath = self.live.generator or f"{SCHEME}{self.base}"
        if self.before == beneath:
            return self._scores(beneath, self.tuning.exam, self.general)
        return {**self._scores(self.before, self.tuning.exam, None), "general": self._scores(beneath, 0, self.general)["general"]}

    @property
    def key(self) -> str:
        compared = [self.llm.name] if self.llm is not None else []
        return digest("generator", self.second.key, self.live.fingerprint, *compared)

    def system(self) -> System:
        """What serves now, with the tuned generator."""
        return replace(self.live, key=self.key, generator=f"{ARTIFACT}{self.second.key}")

    @cached_property
    def labels(self) -> Artifact | None:
        """What a critic was tuned on; None where none was."""
        reflection = self.tuning.reflection
        if not reflection.on or reflection.critic.base is None or self.llm is None:
            return None
        return labelled(self.run, reflection.critic, self.mined, self.searched, self.llm, self.general)

    def _compared(self) -> str:
        """What the verdict rests upon."""
        base = f"{SCHEME}{self.base}"
        if self.before == base:
            return f"It was compared with its base, {base}."
        beneath = "" if self.live.generator else f", and its general conversations with those of its base, {base}"
        return f"Its answers were compared with those of {self.before}, which answered so far{beneath}."

    def _warnings(self) -> Iterator[str]:
        """What was learned from less than it seems."""
        results = [manifest(made).result for made in (self.first, self.second) if made is not None]
        if dropped := sum(one["too long"] for one in results):
            rows = dropped + sum(one["rows"] for one in results)
            yield f"{dropped} of {rows} answers were too long to be learned (max_length)."
        if self.labels is not None:
            for task, label in manifest(self.labels).result["one-sided"].items():
                yield f"Nearly all labels of the task {task!r} are {label!r}: the critic has learned to say so, and hardly to judge."

    def judge(self, gate: Gate, candidates: int) -> tuple[Verdict, Outcome]:
        """The verdict on the tuned generator beside what answers now, over the same passages."""
        was, now = self._before(), self._scores(f"{ARTIFACT}{self.second.key}", self.tuning.exam, self.general)
        pairs = {name: _both(was[name], now[name]) for name in was}
        verdict = judge_answers(gate, answers=pairs["answers"], general=pairs["general"], candidates=candidates)
        verdict = replace(verdict, reason=f"{verdict.reason} {self._compared()}")
        scored = "The generator. An answer scores 1 where it begins with the right words, choice or verdict, else the F1 of its words."
        note = " ".join([scored, *self._warnings()])
        written = {"conversations": manifest(self.written).result}
        critic = None if self.labels is None else audited(self.labels)
        more = {"questions": written, "note": note, "metric": "score", "critic": critic}
        return verdict, Outcome.of(self.key, verdict, pairs, weight=self.live.weight, **more)


def _both(was: NDArray[np.float64], now: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The scores of what both answered."""
    there = np.isfinite(was) & np.isfinite(now)
    return was[there], now[there]


def _alone(made: Artifact) -> Artifact:
    """What a stage made, once the model that it loaded has gone: the next one needs the room."""
    free_memory()
    return made


def folder_of(name: str, home_artifacts: Path) -> str:
    """What `hf:` loads for the name of a generator: the folder of one that was tuned here, else the name itself."""
    from selfstudy.core.artifacts import find

    if name.startswith(ARTIFACT):
        return str(find(home_artifacts, name.removeprefix(ARTIFACT)).path / "model")
    return name.removeprefix(SCHEME)
