"""Intents: questions grouped by what they want, whatever they are about"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from selfstudy.core.ports import Progress, Role, Vectors, silent
from selfstudy.evals.intents import FEWEST, clusters, frames, intents, telling
from selfstudy.testing import FakeEmbedder

THINGS = "asthma gout measles rabies lupus angina anthrax cholera mumps polio".split()
WAYS = {"symptoms": "What are the symptoms of {}?", "treat": "How do I treat {} at home?", "inherited": "Is {} inherited from parents?"}
ASKED = [way.format(thing) for thing in THINGS for way in WAYS.values()]


def test_a_frame_leaves_out_what_a_question_is_about() -> None:
    assert set(frames(ASKED)) == {"what are the symptoms of", "how do i treat at home", "is inherited from parents"}
    assert frames(["Anna?", *ASKED])[0] == "Anna?", "whole where nothing is left"


def test_questions_are_grouped_by_what_they_want() -> None:
    found = intents(ASKED, FakeEmbedder(256))
    assert [intent.questions for intent in found] == [10, 10, 10]
    assert {next(word for word in WAYS if word in intent.words) for intent in found} == set(WAYS)
    for intent in found:
        assert len({example.split()[0] for example in intent.examples}) == 1
        assert set(intent.examples) <= set(ASKED)
    assert intents(ASKED, FakeEmbedder(256)) == found, "the same every time"


class Placed(FakeEmbedder):
    """Vectors by a word of the question; "gently" leads a little away."""

    def embed(self, texts: Sequence[str], role: Role = "passage", progress: Progress = silent) -> Vectors:
        found = [[float(word in text.lower()) for word in ("symptoms", "treat", "inherited")] for text in texts]
        led = np.array([[*at, 0.3 * ("gently" in text)] for at, text in zip(found, texts, strict=True)], np.float32)
        return led / np.linalg.norm(led, axis=1, keepdims=True)


def test_the_largest_group_comes_first_and_in_it_the_most_typical() -> None:
    odd = [f"How do I gently treat {thing}?" for thing in THINGS[:5]]
    found = intents([*odd, *ASKED], Placed(), most=3)
    assert [intent.questions for intent in found] == [15, 10, 10]
    assert set(found[0].examples) <= {WAYS["treat"].format(thing) for thing in THINGS}


def test_chance_decides_alike_every_time() -> None:
    points = np.random.default_rng(1).normal(0, 1, (120, 8))
    assert clusters(points, count=7).tolist() == clusters(points, count=7).tolist()


def test_few_or_equal_questions() -> None:
    assert intents(ASKED[: FEWEST - 1], FakeEmbedder()) == []
    (one,) = intents(["What is it?"] * FEWEST, FakeEmbedder())
    assert one.questions == FEWEST


def test_as_many_groups_as_the_points_have() -> None:
    random = np.random.default_rng(0)
    for count in (2, 4):
        centres = np.eye(8)[:count]
        points = np.repeat(centres, 12, axis=0) + random.normal(0, 0.02, (12 * count, 8))
        labels = clusters(points)
        assert len(set(labels.tolist())) == count
        assert all(len(set(labels[at : at + 12].tolist())) == 1 for at in range(0, 12 * count, 12))
    assert len(set(clusters(points, count=3).tolist())) == 3


def test_telling_words_are_those_that_others_lack() -> None:
    texts = ["how much is rent", "how much is tax", "where is the key", "where is the door"]
    words = telling(texts, np.array([0, 0, 1, 1]), most=3)
    assert words[0][:2] == ["much", "how"], "of equals that which carries meaning"
    assert words[1][:2] == ["the", "where"]
    assert "is" not in words[0] + words[1]
