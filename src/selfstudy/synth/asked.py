"""One passage on its way: what a model is asked about it, step by step, and what is taken of its replies."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from selfstudy.core.injection import aimed_at_models
from selfstudy.core.records import Example, Message, Passage, Record, Reply
from selfstudy.core.text import contains, normal, tokens
from selfstudy.synth.checks import fault_of
from selfstudy.synth.draft import draft
from selfstudy.synth.prompting import by_script, language, prompt, shown
from selfstudy.synth.round_trip import Dropped

Kind = Literal["short", "choice", "claim"]
_LONGEST_ANSWER = 12
_ADDRESSED = "it speaks to models"
_TYPES = ("entity", "term", "number", "date", "action")
_ONE = {"type": "object", "additionalProperties": False}
ANSWERS = _ONE | {
    "properties": {
        "answers": {
            "type": "array",
            "items": _ONE | {"properties": {"text": {"type": "string"}, "type": {"enum": list(_TYPES)}}, "required": ["text", "type"]},
        }
    },
    "required": ["answers"],
}
QUESTIONS = _ONE | {
    "properties": {
        "questions": {
            "type": "array",
            "items": _ONE
            | {"properties": {"answer": {"type": "string"}, "question": {"type": "string"}}, "required": ["answer", "question"]},
        }
    },
    "required": ["questions"],
}
CLAIMS = _ONE | {
    "properties": {
        "claims": {
            "type": "array",
            "items": _ONE
            | {
                "properties": {"claim": {"type": "string"}, "true": {"type": "boolean"}, "evidence": {"type": "string"}},
                "required": ["claim", "true", "evidence"],
            },
        }
    },
    "required": ["claims"],
}
CLOSED = _ONE | {"properties": {"answers": {"type": "array", "items": {"type": "string"}}}, "required": ["answers"]}


class Modelled(BaseModel):
    """What a model is asked to write."""

    model_config = ConfigDict(extra="forbid")

    kinds: tuple[Kind, ...] = Field(("short", "choice", "claim"), description="short answers, multiple choice, claims true and false")
    passages: int = Field(600, ge=1, description="most passages that a model is asked about")
    answers: int = Field(4, ge=1, description="candidate answers of a passage")
    claims: int = Field(2, ge=1, description="claims about a passage")
    per_document: int = Field(200, ge=1, description="most questions about one document")
    closed_book: bool = Field(True, description="drop what the model answers rightly without the passage")
    temperature: float = Field(0.3, ge=0)
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Written(Record):
    """What was made of one passage: examples, what was dropped, and the candidate answers by type."""

    examples: tuple[Example, ...]
    dropped: tuple[Dropped, ...]
    candidates: tuple[tuple[str, str], ...]
    calls: int
    tokens: int


class Draft:
    """A passage with what was taken so far: `missed` says why a call got no reply."""

    def __init__(self, passage: Passage, config: Modelled) -> None:
        self.passage = passage
        self.config = config
        self.language = language(passage)
        self.longest = (3 if by_script(passage.text) else 1) * _LONGEST_ANSWER
        self.candidates: list[tuple[str, str]] = []
        self.examples: list[Example] = []
        self.dropped: list[Dropped] = []
        self.calls = self.tokens = 0
        self.missed = ""

    def count(self, reply: Reply) -> None:
        self.calls += 1
        self.tokens += reply.prompt_tokens + reply.completion_tokens

    def drop(self, question: str, reason: str, writer: str = "model") -> None:
        self.dropped.append(Dropped(draft(self.passage, question, (), "", writer).id, question, writer, reason, self.passage.id))

    def ask_answers(self) -> list[Message]:
        return prompt("answers").messages(count=self.config.answers, longest=_LONGEST_ANSWER, passage=shown(self.passage))

    def take_answers(self, data: dict[str, Any]) -> None:
        inside = normal(self.passage.indexed)
        taken: list[str] = []
        for one in data["answers"][: 2 * self.config.answers]:
            answer = one["text"].strip()
            if not contains(inside, normal(answer)):
                self.drop(answer, "the answer is not in the passage")
            elif len(tokens(answer)) > self.longest:
                self.drop(answer, "the answer is too long")
            elif any(contains(normal(answer), normal(other)) or contains(normal(other), normal(answer)) for other in taken):
                self.drop(answer, "the answer is like another")
            else:
                taken.append(answer)
                self.candidates.append((answer, one["type"]))
        del self.candidates[self.config.answers :]

    def ask_questions(self) -> list[Message]:
        listed = "; ".join(f'"{answer}"' for answer, _ in self.candidates)
        return prompt("questions").messages(language=self.language, answers=listed, passage=shown(self.passage))

    def take_questions(self, data: dict[str, Any]) -> None:
        open_answers = {normal(answer): (answer, kind) for answer, kind in self.candidates}
        for one in data["questions"]:
            question = " ".join(one["question"].split())
            found = open_answers.pop(normal(one["answer"]), None)
            if found is None:
                self.drop(question, "it is about an answer that was not asked for", "model short")
                continue
            reason = (
                _ADDRESSED
                if aimed_at_models(question)
                else fault_of(question, (found[0],), self.passage.indexed, language=self.passage.language)
            )
            if reason:
                self.drop(question, reason, "model short")
            else:
                self.examples.append(draft(self.passage, question, (found[0],), _KIND_OF.get(found[1], "text"), "model short"))

    def ask_claims(self) -> list[Message]:
        return prompt("claims").messages(count=self.config.claims, language=self.language, passage=shown(self.passage))

    def take_claims(self, data: dict[str, Any]) -> None:
        inside = normal(self.passage.indexed)
        for one in data["claims"][: self.config.claims]:
            claim = " ".join(one["claim"].split())
            reason = (
                _ADDRESSED
                if aimed_at_models(claim)
                else fault_of(claim, (), self.passage.indexed, claim=True, language=self.passage.language)
            )
            if reason is None and not contains(inside, normal(one["evidence"])):
                reason = "its evidence is not in the passage"
            if reason:
                self.drop(claim, reason, "model claim")
            else:
                self.examples.append(draft(self.passage, claim, ("true" if one["true"] else "false",), "claim", "model claim"))

    @property
    def open_questions(self) -> list[Example]:
        """Those that could be answered without the passage; a claim is guessed right half the time, which says nothing."""
        return [example for example in self.examples if example.kind != "claim"]

    def ask_closed(self) -> list[Message]:
        asked = "\n".join(f"{place}. {example.question}" for place, example in enumerate(self.open_questions, 1))
        return prompt("closed").messages(questions=asked)

    def take_closed(self, data: dict[str, Any]) -> None:
        """Where a question went unanswered nobody knows which one: then any answer may be meant for any of them."""
        asked, said = self.open_questions, [normal(answer) for answer in data["answers"]]
        meant = [[one] for one in said] if len(said) == len(asked) else [said] * len(asked)
        known = {
            example.id for example, ones in zip(asked, meant, strict=True) if any(contains(one, normal(example.answers[0])) for one in ones)
        }
        for example in self.examples:
            if example.id in known:
                self.drop(example.question, "it is answered without the passage", example.writer)
        self.examples = [example for example in self.examples if example.id not in known]

    def written(self) -> Written:
        return Written(tuple(self.examples), tuple(self.dropped), tuple(self.candidates), self.calls, self.tokens)


STEPS: dict[str, tuple[dict[str, Any], Callable[[Draft], Any], Callable[[Draft], list[Message]], Callable[[Draft, Any], None]]] = {
    "answers": (ANSWERS, lambda one: True, Draft.ask_answers, Draft.take_answers),
    "questions": (QUESTIONS, lambda one: one.candidates, Draft.ask_questions, Draft.take_questions),
    "claims": (CLAIMS, lambda one: True, Draft.ask_claims, Draft.take_claims),
    "closed": (CLOSED, lambda one: one.open_questions, Draft.ask_closed, Draft.take_closed),
}
"""For each step the schema of a reply, whether there is something to ask, and how it is asked and taken."""
_KIND_OF = {"number": "number", "date": "date", "entity": "name", "term": "term"}


def steps(config: Modelled) -> tuple[str, ...]:
    """What is asked about a passage, one after the other, by the names of the prompts."""
    short = ("answers", "questions") if {"short", "choice"} & set(config.kinds) else ()
    claims = ("claims",) if "claim" in config.kinds else ()
    return (*short, *claims, *(("closed",) if short and config.closed_book else ()))
