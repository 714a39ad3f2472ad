"""The four tasks of a critic (Self-RAG, arXiv 2310.11511, section 3.2): how each is asked for, and what may be answered.

Each is a file with a version. Here since labelling, training and judging must ask alike and may not import each other.
"""

from __future__ import annotations

import json
from typing import Literal, get_args

from selfstudy.core.prompts import Prompt, prompt_of
from selfstudy.core.records import Message

Task = Literal["retrieve", "relevant", "supported", "useful"]
TASKS: tuple[Task, ...] = get_args(Task)
LABELS: dict[Task, tuple[str, ...]] = {
    "retrieve": ("yes", "no", "continue"),
    "relevant": ("yes", "no"),
    "supported": ("fully", "partly", "no"),
    "useful": ("1", "2", "3", "4", "5"),
}
_LONGEST = 3000


def instruction(task: Task) -> Prompt:
    """What a critic is told for `task`."""
    return prompt_of("selfstudy.core.critique", task)


def asked(task: Task, question: str, answer: str = "", passage: str = "") -> list[Message]:
    """The conversation that a critic ends with one of LABELS[task]; what is empty is not shown."""
    parts = {"question": question, "answer": answer, "passage": passage[:_LONGEST]}
    shown = json.dumps({name: text for name, text in parts.items() if text}, ensure_ascii=False, indent=1)
    return [Message("system", instruction(task).text), Message("user", shown)]
