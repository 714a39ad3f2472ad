"""Prompts are files with a version; a stage's key holds both, so that a new wording asks anew."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from selfstudy.core.records import Message, Passage, Record
from selfstudy.core.text import cjk_share

_MOST_CHARACTERS = 6000
_LINE = "=" * 20


@dataclass(frozen=True, slots=True)
class Prompt(Record):
    """The text of `prompts/<name>.md` with its version."""

    name: str
    version: int
    text: str

    def messages(self, **values: str | int) -> list[Message]:
        """The conversation that asks for it."""
        text = self.text
        for name, value in values.items():  # not str.format: passages hold braces
            text = text.replace("{" + name + "}", str(value), 1)
        return [Message("user", text)]


@cache
def prompt(name: str) -> Prompt:
    """The prompt called `name`."""
    said = files("selfstudy.synth").joinpath(f"prompts/{name}.md").read_text(encoding="utf-8")
    head, _, text = said.partition("\n---\n")
    return Prompt(name, int(head.removeprefix("version:")), text.strip())


def shown(passage: Passage) -> str:
    """A passage as a model sees it: fenced, and cut where it is very long."""
    return f"{_LINE}\n{passage.indexed[:_MOST_CHARACTERS]}\n{_LINE}"


def language(text: str) -> str:
    """The language that questions about `text` are written in."""
    return "Chinese" if cjk_share(text) > 0.3 else "English"
