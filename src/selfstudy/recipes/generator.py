"""The generator's loop: general conversations, then those about the documents, an exam of answers, promote or refuse."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from selfstudy.answer.reflective import Reflect
from selfstudy.core.artifacts import find, manifest
from selfstudy.core.errors import NotEnough
from selfstudy.core.files import read_json
from selfstudy.core.ports import LLM
from selfstudy.core.records import Artifact, digest
from selfstudy.core.run import Lazy, Planned, Run
from selfstudy.evals.gate import Gate, Verdict, judge_answers
from selfstudy.models.hf import HF
from selfstudy.recipes.general import different, general
from selfstudy.recipes.generator_exam import answerable, answers
from selfstudy.recipes.outcome import Outcome
from selfstudy.recipes.reflection import audited, labelled, woven
from selfstudy.recipes.system import System
from selfstudy.recipes.tuning import SCHEME, Tuning, training_of
from selfstudy.synth.conversations import conversations
from selfstudy.train.generator import generator as train
from selfstudy.train.generator import needed
from selfstudy.train.trainers import free_memory

ARTIFACT = "hf:artifact:"
ABOUT_A_PASSAGE = 3
"""Questions with an answer in words that training may count on, about."""


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
        return _alone(self.run.stage(train, training_of(self.tuning, self.tuning.stage1), self.general, self._named(None)))

    @cached_property
    def written(self) -> Artifact:
        if self.tuning.reflection.on and self.llm is not None:
            return _alone(woven(self.run, self.tuning.reflection, self.mined, self.searched, self.llm, self.general))
        return self.run.stage(conversations, self.tuning.mix, self.mined, self.searched, self.general)

    @cached_property
    def second(self) -> Artifact:
        return _alone(self.run.stage(train, training_of(self.tuning, self.tuning.stage2), self.written, self._named(self.first)))

    def plan(self) -> None:
        """Ask for the stages of the training, and for what a model behind an API is asked in the exam."""
        _ = self.second
        if not self.before.startswith(SCHEME):
            self._answered(self.before, None)

    def costed(self, planned: Planned, passages: int) -> Planned:
        """`planned` with the memory and the time that training takes, roughly: some questions are written about each of `passages`."""
        if planned.state == "kept" or planned.stage != train.name:
            return planned
        tuning, examples = self.tuning, ABOUT_A_PASSAGE * passages
        critic = tuning.reflection.critic
        if planned.key == self.second.key:
            need = needed(training_of(tuning, tuning.stage2), self.base, min(tuning.mix.most, examples) * (1 + tuning.mix.general))
        elif tuning.stage1 is not None and self.first is not None and planned.key == self.first.key:
            need = needed(training_of(tuning, tuning.stage1), self.base, len(different(tuning.general)))
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

    def _answered(self, name: str, kept: Artifact | None, documents: bool = True) -> Artifact:
        """What the model called `name` answers about the documents, unless they are left out, and to general conversations of `kept`; it is
        gone afterwards.
        """
        tuning = self.tuning
        sizes = (tuning.exam, tuning.unanswerable) if documents else (0, 0)
        limits = (*sizes, tuning.mix.passages, tuning.max_tokens)
        return _alone(self.run.stage(answers, self.reflect, self.mined, kept, *limits, self.searched, self._model(name)))

    def _scores(self, name: str, kept: Artifact | None, documents: bool = True) -> dict[str, NDArray[np.float64]]:
        """The scores of what the model called `name` answers, nan where it never did."""
        read = read_json(self._answered(name, kept, documents).path / "scores.json")
        return {name: np.array(values, dtype=np.float64) for name, values in read.items()}

    def _before(self) -> dict[str, NDArray[np.float64]]:
        """The scores of what answers now, and beside them what must not be forgotten: the general answers of the model that was tuned."""
        beneath = self.live.generator or f"{SCHEME}{self.base}"
        if self.before == beneath:
            return self._scores(beneath, self.general)
        return {**self._scores(self.before, None), "general": self._scores(beneath, self.general, documents=False)["general"]}

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
        was, now = self._before(), self._scores(f"{ARTIFACT}{self.second.key}", self.general)
        pairs = {name: _both(was[name], now[name]) for name in was}
        verdict = judge_answers(
            gate, answers=pairs["answers"], unanswerable=pairs["unanswerable"], general=pairs["general"], candidates=candidates
        )
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
    if name.startswith(ARTIFACT):
        return str(find(home_artifacts, name.removeprefix(ARTIFACT)).path / "model")
    return name.removeprefix(SCHEME)
