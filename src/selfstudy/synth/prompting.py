"""Prompts of this room, and how a passage stands in them."""

from __future__ import annotations

from selfstudy.core.prompts import Prompt, prompt_of
from selfstudy.core.records import Passage
from selfstudy.core.text import cjk_share

_MOST_CHARACTERS = 6000
_LINE = "=" * 20


def prompt(name: str) -> Prompt:
    """The prompt called `name`."""
    return prompt_of("selfstudy.synth.prompts", name)


def shown(passage: Passage) -> str:
    """A passage as a model sees it: fenced, and cut where it is very long."""
    return f"{_LINE}\n{passage.indexed[:_MOST_CHARACTERS]}\n{_LINE}"


def language(text: str) -> str:
    """The language that questions about `text` are written in."""
    return "Chinese" if cjk_share(text) > 0.3 else "English"
