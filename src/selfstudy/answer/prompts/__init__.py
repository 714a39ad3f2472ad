"""What a model is told when it answers, judges an answer or rewords a question: each a file with a version."""

from __future__ import annotations

from selfstudy.core.prompts import Prompt, prompt_of


def prompt(name: str) -> Prompt:
    """The prompt called `name`."""
    return prompt_of("selfstudy.answer.prompts", name)
