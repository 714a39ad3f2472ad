"""A critic that asks a model: does this passage support that answer, is it about the question, is the answer of use?"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from selfstudy.answer.prompts import prompt
from selfstudy.core.errors import BadModel, Stopped
from selfstudy.core.ports import LLM, SUPPORT, Triple, Vectors
from selfstudy.core.records import Critique, Message, Reply, Support, digest

SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "properties": {"support": {"enum": list(SUPPORT)}},
    "required": ["support"],
}
_OBJECT: dict[str, Any] = {"type": "object", "additionalProperties": False}
_USEFUL = {"type": "integer", "minimum": 1, "maximum": 5}
CRITIQUE = _OBJECT | {
    "properties": {"relevant": {"type": "boolean"}, "supported": {"enum": list(SUPPORT)}, "useful": _USEFUL},
    "required": ["relevant", "supported", "useful"],
}
USEFUL = _OBJECT | {"properties": {"useful": _USEFUL}, "required": ["useful"]}
SEARCH: dict[str, Any] = _OBJECT | {"properties": {"search": {"enum": ["yes", "no", "at hand"]}}, "required": ["search"]}
_LONGEST = 4000
_TOKENS = 200
_ENOUGH = 8
"""Replies that say something about the model when none of them can be used."""


class PromptedCritic:
    """`llm` as a Critic and an Entailment: one call for each triple, a level each, so the probabilities are 0 and 1.

    Of what it refuses to judge, or judges in no form that can be read, nothing is told.
    """

    def __init__(self, llm: LLM) -> None:
        self.llm = llm

    @property
    def fingerprint(self) -> str:
        """Equal where equal triples have equal critiques: the model, and what it is told."""
        told = (prompt(name) for name in ("critique", "useful", "search"))
        return digest("judging", self.llm.fingerprint, *(f"{one.version} {one.text}" for one in told))

    def supported(self, triples: Sequence[tuple[str, str, str]]) -> Vectors:
        """As `core.ports.Entailment.supported`; where nothing is told, no level is likelier than another."""
        shown = [_shown(question=question, sentence=said, passage=passage[:_LONGEST]) for question, said, passage in triples]
        replies = self._replies("support", shown, SCHEMA)
        told = [_told(reply) for reply in replies]
        missed = [reply.fault for reply in replies if reply.transient] or [reply.fault for reply in replies if not any(told)]
        if missed:
            raise BadModel(
                f"{self.llm.name} did not judge its answer: {missed[0]}",
                "Try again, or audit without --judge.",
            )
        levels = np.eye(len(SUPPORT), dtype=np.float32)
        unknown = np.full(len(SUPPORT), 1 / len(SUPPORT), np.float32)
        rows = [unknown if data is None else levels[SUPPORT.index(data["support"])] for data in told]
        return np.array(rows, np.float32).reshape(len(rows), len(SUPPORT))

    def critiques(self, triples: Sequence[Triple]) -> list[Critique]:
        """As `core.ports.Critic.critiques`; where nothing is told, an empty one. Raises Stopped where asking again later may help."""
        beside = [_shown(question=one[0], sentence=one[1], passage=one[2][:_LONGEST]) for one in triples if one[2]]
        alone = [_shown(question=one[0], sentence=one[1]) for one in triples if not one[2]]
        judged, marked = iter(self._asked("critique", beside, CRITIQUE)), iter(self._asked("useful", alone, USEFUL))
        return [_critique(next(judged if passage else marked)) for _, _, passage in triples]

    def retrieve(self, begun: Sequence[tuple[str, str]]) -> list[tuple[float, float, float]]:
        """As `core.ports.Critic.retrieve`; where nothing is told, that a search is needed. Raises Stopped as `critiques` does."""
        levels = SEARCH["properties"]["search"]["enum"]
        shown = [_shown(question=question, said=said) for question, said in begun]
        told = [0 if data is None else levels.index(data["search"]) for data in self._asked("search", shown, SEARCH)]
        return [(float(level == 0), float(level == 1), float(level == 2)) for level in told]

    def _asked(self, task: str, shown: Sequence[str], schema: dict[str, Any]) -> list[dict[str, Any] | None]:
        """What was told of each, None where nothing was."""
        replies = self._replies(task, shown, schema)
        missed = [reply.fault for reply in replies if reply.transient]
        if missed:
            raise Stopped(
                f"{self.llm.name} did not judge {len(missed)} of {len(shown)} sentences: {missed[0]}.",
                "What was answered is kept; run the same command again to go on.",
            )
        told = [_told(reply) for reply in replies]
        if len(told) >= _ENOUGH and not any(told):
            raise BadModel(f"{self.llm.name} did not judge any of {len(told)} sentences: {replies[-1].fault}", "Try another model.")
        return told

    def _replies(self, task: str, shown: Sequence[str], schema: dict[str, Any]) -> list[Reply]:
        asked = [[Message("system", prompt(task).text), Message("user", one)] for one in shown]
        return self.llm.chat(asked, schema=schema, max_tokens=_TOKENS) if asked else []


def _told(reply: Reply) -> dict[str, Any] | None:
    return reply.data if not reply.fault and isinstance(reply.data, dict) else None


def _critique(data: dict[str, Any] | None) -> Critique:
    if data is None:
        return Critique()
    mark = data["useful"]
    useful = (float(mark == 1), float(mark == 2), float(mark == 3), float(mark == 4), float(mark == 5))
    if "supported" not in data:
        return Critique(useful=useful)
    level = data["supported"]
    return Critique(float(data["relevant"]), Support(float(level == "fully"), float(level == "partly"), float(level == "no")), useful)


def _shown(**parts: str) -> str:
    """Strings of JSON, so that no text can pass for another part."""
    return json.dumps(parts, ensure_ascii=False, indent=1)
