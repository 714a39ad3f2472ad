"""What the stages of a study leave, read: no one else needs to know what the files are called."""

from __future__ import annotations

from selfstudy.core.artifacts import read_records
from selfstudy.core.records import Artifact, Conversation, Example, Passage


def passages_of(corpus: Artifact) -> list[Passage]:
    """The passages that are studied, in their order."""
    return list(read_records(corpus.path / "passages.jsonl", Passage))


def texts_of(corpus: Artifact) -> list[str]:
    """Those passages as they are indexed, title and all."""
    return [passage.indexed for passage in passages_of(corpus)]


def kept_of(kept: Artifact) -> list[Example]:
    """The questions that are learned from, as they came back, without negatives."""
    return list(read_records(kept.path / "kept.jsonl", Example))


def examples_of(mined: Artifact, split: str | None = None) -> list[Example]:
    """The examples with their negatives, in their order: of one split, or all."""
    return [example for example in read_records(mined.path / "mined.jsonl", Example) if split in (None, example.split)]


def conversations_of(made: Artifact | None) -> list[Conversation]:
    """The conversations that a stage wrote to be learned from; none where it was left out."""
    return list(read_records(made.path / "conversations.jsonl", Conversation)) if made is not None else []
