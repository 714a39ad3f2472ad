"""Questions put in other words by a model: a follow-up so that it stands alone, and one that found nothing so that it may."""

from __future__ import annotations

import json
from collections.abc import Sequence

from selfstudy.answer.prompts import prompt
from selfstudy.core.errors import BadModel
from selfstudy.core.ports import LLM
from selfstudy.core.records import Message

_LONGEST = 6000


def standalone(llm: LLM, conversation: Sequence[Message], question: str) -> str:
    """`question` as it reads without the turns before it, of which the last few thousand characters are shown. Raises BadModel."""
    turns: list[dict[str, str]] = []
    room = _LONGEST
    for message in reversed(conversation):
        room -= len(message.content)
        if room < 0 and turns:
            break
        turns.insert(0, {"role": message.role, "content": message.content[-_LONGEST:]})
    return _asked(llm, "follow_up", question, {"conversation": turns}) if turns else question


def reworded(llm: LLM, question: str) -> str:
    """`question` in other words. Raises BadModel."""
    return _asked(llm, "again", question)


def _asked(llm: LLM, task: str, question: str, given: dict[str, object] | None = None) -> str:
    shown = json.dumps({**(given or {}), "question": question}, ensure_ascii=False, indent=1)
    (reply,) = llm.chat([[Message("system", prompt(task).text), Message("user", shown)]], max_tokens=120)
    if reply.fault:
        raise BadModel(f"{llm.name} did not reword the question: {reply.fault}", "Ask again, with a question that stands alone.")
    if reply.cut:  # half a question asks for something else
        return question
    return " ".join(reply.text.split()).strip("\"'“”„«»「」『』") or question
