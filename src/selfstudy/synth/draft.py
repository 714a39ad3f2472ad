"""What all writers share: how a question becomes an Example, and choices that fall alike on every machine."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from typing import TypeVar

from selfstudy.core.files import read_json
from selfstudy.core.records import Artifact, Example, Hit, Passage, digest

T = TypeVar("T")


def draft(passage: Passage, question: str, answers: tuple[str, ...], kind: str, writer: str) -> Example:
    """An Example whose only evidence is the passage that it was written from; its group is the passage's first document."""
    group = passage.places[0].document if passage.places else passage.id
    return Example(
        id=digest(writer, question, passage.id),
        question=question,
        answers=answers,
        evidence=(Hit(passage, 1.0, writer),),
        kind=kind,
        writer=writer,
        group=group,
    )


def pick(items: Sequence[T], most: int, seed: str) -> list[T]:
    """At most `most` of `items`, chosen by `seed` alone, in their own order."""
    if len(items) <= most:
        return list(items)
    chooser = random.Random(hashlib.sha256(seed.encode()).digest())
    return [items[index] for index in sorted(chooser.sample(range(len(items)), most))]


def weights_of(corpus: Artifact) -> dict[str, float]:
    """How much is asked about each passage, 0 to 1: nothing about what is superseded, repeated or noisy. Passages without one have 1."""
    path = corpus.path / "weights.json"
    found: dict[str, float] = read_json(path) if path.is_file() else {}
    return found
