"""The calls of a model for one answer: counted, bounded, and none after a wish to stop."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from selfstudy.core.errors import Stopped
from selfstudy.core.ports import LLM, Progress, silent
from selfstudy.core.records import Message, Reply
from selfstudy.core.run import Stop


class Ended(Stopped):
    """Nothing more may be asked for this answer; what is finished of it may be given, with `note`."""

    def __init__(self, note: str, mend: str) -> None:
        super().__init__(f"{note.capitalize()}.", mend)
        self.note = note


class Calls:
    """How many calls were `made` for one answer, and whether there may be more."""

    def __init__(self, most: int | None = None, stop: Stop | None = None) -> None:
        self.most = most
        self.stop = stop or Stop()
        self.made = 0

    def check(self) -> None:
        """Raise Ended after a wish to stop."""
        if self.stop.requested:
            raise Ended("stopped before the end", "No sentence was finished yet; ask again.")

    def take(self, count: int) -> None:
        """Count so many calls that are to be made together. Raises Ended where they may not be."""
        self.check()
        if self.most is not None and self.made + count > self.most:
            raise Ended(f"ended after {self.made} calls of the model: {self.most} are allowed", "Raise reflect.calls for more.")
        self.made += count


class Bounded:
    """`llm` as a `core.ports.LLM` whose calls are counted in `calls`, those included that are answered from what was kept."""

    def __init__(self, llm: LLM, calls: Calls) -> None:
        self.llm = llm
        self.calls = calls

    @property
    def name(self) -> str:
        return self.llm.name

    @property
    def fingerprint(self) -> str:
        return self.llm.fingerprint

    def chat(
        self,
        batch: Sequence[Sequence[Message]],
        schema: dict[str, Any] | None = None,
        logprobs: int = 0,
        max_tokens: int = 512,
        temperature: float = 0.0,
        progress: Progress = silent,
    ) -> list[Reply]:
        """As `core.ports.LLM.chat`; equal conversations count once. Raises Ended where so many may not be asked any more."""
        self.calls.take(len({tuple(messages) for messages in batch}))
        return self.llm.chat(batch, schema, logprobs, max_tokens, temperature, progress)
