"""Short questions turned into the other kinds: multiple choice, and claims true and false (SimRAG, arXiv 2410.17952, section 3.2)."""

from __future__ import annotations

import random
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace

from selfstudy.core.records import Example, Passage
from selfstudy.core.text import contains, normal, sentences
from selfstudy.synth.draft import draft

_DISTRACTORS = 3


def choices(examples: Sequence[Example]) -> Iterator[Example]:
    """Each example that has enough rivals as a multiple choice: wrong answers of its type, asked for elsewhere, not true of its passage."""
    rivals = _by_kind(examples)
    for example in examples:
        if example.answers and (found := choices_for(example, rivals[example.kind])):
            yield replace(example, id=f"{example.id}c", kind="choice", writer=f"{example.writer} choice", choices=found)


def claims(examples: Sequence[Example]) -> Iterator[Example]:
    """The sentence that holds an example's answer as a true claim or, as often, with a rival in the answer's place as a false one.

    A sentence without rivals for its answer makes no claim, since it could only make a true one.
    """
    rivals = _by_kind(examples)
    seen: set[tuple[str, str]] = set()
    for example in examples:
        passage, false = example.evidence[0].passage, _wrong(example, rivals[example.kind])
        said, found = _sentence(passage, example.answers)
        if found is None or not false or (passage.id, said) in seen:
            continue
        seen.add((passage.id, said))
        rng = random.Random(example.id)
        true, wrong = rng.random() < 0.5, rng.choice(false)
        claim = said if true else f"{said[: found.start()]}{wrong}{said[found.end() :]}"
        made = draft(passage, claim, ("true" if true else "false",), "claim", f"{example.writer} claim")
        yield replace(made, group=example.group, split=example.split)


def _sentence(passage: Passage, answers: Sequence[str]) -> tuple[str, re.Match[str] | None]:
    """The first sentence in which the answer stands as words of its own (9, not the 9 of 1908), and where in it."""
    stands = re.compile(rf"(?<!\w){re.escape(answers[0])}(?!\w)") if answers else None
    for start, end in sentences(passage.text):
        if stands is not None and (found := stands.search(passage.text[start:end])):
            return passage.text[start:end], found
    return "", None


def choices_for(example: Example, others: Sequence[str]) -> tuple[str, ...]:
    """The right answer among three of `others` that are wrong, in a random order; () where there are too few."""
    near = _wrong(example, others)
    if len(near) < _DISTRACTORS:
        return ()
    rng = random.Random(example.id)
    chosen = [example.answers[0], *rng.sample(near, _DISTRACTORS)]
    return tuple(rng.sample(chosen, len(chosen)))


def _wrong(example: Example, others: Sequence[str]) -> list[str]:
    """Those of `others` that share no words in a row with an answer and do not stand in the passage, the most alike in length.

    "6 weeks" is right where "6 weeks or less" is, and the other way round.
    """
    inside, right = normal(example.evidence[0].passage.indexed), [normal(answer) for answer in example.answers]
    known = {normal(one): one for one in reversed(others)}  # one answer however it is spelled, as it was written first
    fit = [
        one
        for said, one in known.items()
        if not contains(inside, said) and not any(said in answer or contains(said, answer) for answer in right)
    ]
    return sorted(fit, key=lambda one: (abs(len(one) - len(example.answers[0])), one))[: 4 * _DISTRACTORS]


def _by_kind(examples: Sequence[Example]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for example in examples:
        found[example.kind].extend(example.answers[:1])
    return found
