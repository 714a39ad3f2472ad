"""Prompts out of files: filled before they are sent, and part of the key of what a model judged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from importlib.resources import files
from typing import Any

import pytest

from selfstudy.answer import prompted_critic
from selfstudy.answer.prompted_critic import PromptedCritic
from selfstudy.answer.prompts import prompt
from selfstudy.answer.speaking import DONE, Chatting, Next
from selfstudy.answer.standalone import reworded, standalone
from selfstudy.core.prompts import NOT_HERE, grounded
from selfstudy.core.records import Message, Passage, Reply


class Echo:
    """A model that keeps what it is told and says nothing of use."""

    name = fingerprint = "echo"

    def __init__(self) -> None:
        self.told: list[str] = []

    def chat(self, batch: Sequence[Sequence[Message]], **options: Any) -> list[Reply]:
        self.told += [messages[0].content for messages in batch]
        return [Reply(DONE) for _ in batch]


def test_what_a_model_is_told_has_no_gap_left() -> None:
    model = Echo()
    Chatting(model, PromptedCritic(model)).propose("What?", [Next((), None), Next((), Passage("p", "", "It turns."))])
    assert [text.count(DONE) for text in model.told] == [text.count(NOT_HERE) for text in model.told] == [1, 1]
    reworded(model, "What?")
    standalone(model, [Message("user", "Who?")], "What?")
    model.told.append(grounded("What?", [])[0].content)
    assert NOT_HERE in model.told[-1]
    assert not any("{" in text for text in model.told)


def test_every_prompt_of_the_room_can_be_read() -> None:
    names = [path.name.removesuffix(".md") for path in files("selfstudy.answer.prompts").iterdir() if path.name.endswith(".md")]
    assert len(names) == 8
    assert all(prompt(name).version >= 1 and prompt(name).text for name in names)


@pytest.mark.parametrize("changed", ["critique", "useful", "search"])
def test_a_new_wording_is_another_critic(changed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    critic = PromptedCritic(Echo())
    before = critic.fingerprint
    assert PromptedCritic(Echo()).fingerprint == before
    other = replace(prompt(changed), text="Judge.")
    monkeypatch.setattr(prompted_critic, "prompt", lambda name: other if name == changed else prompt(name))
    assert critic.fingerprint != before
