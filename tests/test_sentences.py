"""Sentences: how passages are cut, what the nearest one is worth, and when it may count."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from selfstudy.core.records import Document, Passage, Place, passage_id
from selfstudy.core.run import Lazy, Run
from selfstudy.evals.gate import Gate, judge_sentences
from selfstudy.index.dense import Dense
from selfstudy.index.reranked import Reranked
from selfstudy.index.sentences import Sentences, parts
from selfstudy.index.store import Store
from selfstudy.recipes.bysentence import guarded
from selfstudy.testing import FakeEmbedder

MANUAL = "The lid is made of steel. The cord is long. It boils water in a minute. Never put it into the dishwasher. Its feet are rubber."


def test_each_sentence_stands_under_the_title() -> None:
    assert parts("Kettle\nIt is red. It holds a litre.") == ["Kettle\nIt is red.", "Kettle\nIt holds a litre."]
    assert parts("It is red. It holds a litre.") == ["It is red.", "It holds a litre."]
    assert parts("水壶\n它是红色的。它能装一升水。") == ["水壶\n它是红色的。", "水壶\n它能装一升水。"]
    long = "A first line of so many words that nobody would take it for a title, " + "since it goes on and on, " * 3 + "and ends."
    assert parts(f"{long}\nIt is red.") == [long, "It is red."]
    assert parts("Title\n ") == ["Title\n "], "what has no sentence is one"
    assert parts("") == [""]
    wrapped = "The warranty covers all parts that\nbreak within two years. It covers no water."
    assert parts(wrapped) == ["The warranty covers all parts that\nbreak within two years.", "It covers no water."], "no title"


def test_a_passage_is_as_near_as_its_nearest_sentence() -> None:
    embedder = FakeEmbedder(dim=256)
    pairs = [("is the lid made of steel", MANUAL), ("is the lid made of steel", "Bees like gardens."), ("bees", "Bees like gardens.")]
    scores = Sentences(embedder).score(pairs)
    question, sentence, whole = embedder.embed(["is the lid made of steel", "The lid is made of steel.", MANUAL])
    assert scores[0] == pytest.approx(float(question @ sentence), abs=1e-6)
    assert scores[0] > float(question @ whole) + 0.2, "the rest of the passage does not blur it"
    bees, gardens = embedder.embed(["bees", "Bees like gardens."])
    assert scores[2] == pytest.approx(float(bees @ gardens), abs=1e-6)
    assert Sentences(embedder).score([]).shape == (0,)
    assert Sentences(embedder).fingerprint != Sentences(FakeEmbedder(dim=128)).fingerprint


def test_one_sentence_of_a_long_passage_beats_a_short_one_that_is_roughly_near(tmp_path: Path) -> None:
    embedder = FakeEmbedder(dim=256)
    texts = [MANUAL, "The lid is it.", "Bees like gardens in May.", "Snow fell all night."]
    made = [Passage(passage_id("", text), "", text, (Place(text, 0, len(text)),)) for text in texts]
    with Store.open(tmp_path, create=True).writing() as writer:
        writer.put([(Document(one.text, one.text), [one], None) for one in made])
        writer.add_vectors(embedder.fingerprint, [one.id for one in made], embedder.embed([one.indexed for one in made]))
        writer.commit()
    dense = Dense(Store.open(tmp_path).snapshot(), embedder)
    question = "Of what is the lid made?"
    before = dense.search([question], 4)[0]
    after = Reranked(dense, Sentences(embedder), 2.0, 3, "dense").search([question], 4)[0]
    assert [hit.passage.text for hit in before[:2]] == texts[1::-1]
    assert [hit.passage.text for hit in after[:2]] == texts[:2]
    assert {hit.by for hit in after} == {"dense"}, "it is the same way to search"
    assert [hit.score for hit in after] == [hit.score for hit in before], "places keep their scores"
    assert after[3] == before[3], "what lies deeper stays"


def test_everyday_questions_are_asked_of_what_serves_with_the_words_beside_the_meaning(tmp_path: Path, small_guard: None) -> None:
    run, meaning = Run(tmp_path), Lazy("meaning", lambda: FakeEmbedder())

    def ranks(words: Lazy | None) -> list[Any]:
        made = run.stage(guarded, None, 60, 20, 2.0, meaning, words)
        return [np.load(made.path / f"{side}.npy") for side in ("before", "after")]

    alone, same, other = ranks(None), ranks(meaning), ranks(Lazy("words", lambda: FakeEmbedder(seed=1)))
    assert [one.tolist() for one in alone] == [one.tolist() for one in same], "the mean of two equal scores"
    assert 0 < np.mean(alone[0]) < 1
    assert alone[0].tolist() != other[0].tolist()


RANKS = np.tile([1.0, 0.5, 0.25, 0.0], 50)


def verdict(**changes: Any) -> Any:
    return judge_sentences(Gate(), **({"dense": (RANKS, RANKS), "hybrid": (RANKS, RANKS), "guard": (RANKS, RANKS)} | changes))


@pytest.mark.parametrize("name", ["dense", "hybrid", "guard"])
def test_what_does_no_harm_may_serve_and_harm_in_one_place_is_enough(name: str) -> None:
    assert verdict().promote
    assert verdict(**{name: (RANKS, RANKS - 0.02)}).promote
    refused = verdict(**{name: (RANKS, RANKS - 0.04)})
    assert not refused.promote
    assert [check.name for check in refused.checks if not check.passed] == [name]
    few = dict.fromkeys(("dense", "hybrid", "guard"), (RANKS[:9], RANKS[:9]))
    assert [check.name for check in verdict(**few).checks] == ["exam size"]
