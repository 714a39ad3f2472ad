"""Rerankers: order, what one learns on a tiny model made here, the starter's reader, the gate, and a home that serves one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from passages import passage
from training import WORDS, artifact

from selfstudy.core import config
from selfstudy.core.artifacts import write_records
from selfstudy.core.errors import BadConfig, BadModel
from selfstudy.core.ports import Reranker, Vectors
from selfstudy.core.records import Artifact, Document, Example, Hit
from selfstudy.core.run import Lazy, Run
from selfstudy.evals import guard
from selfstudy.evals.gate import Gate, Verdict, judge_reranker
from selfstudy.index.reranked import Reranked, order
from selfstudy.index.store import Store
from selfstudy.models.reranker import CrossReranker
from selfstudy.recipes import reranking
from selfstudy.recipes.engine import Engine
from selfstudy.recipes.reranking import Rerank, RerankerStudy, reciprocal_ranks
from selfstudy.recipes.settings import Settings
from selfstudy.recipes.system import Reranking, System, retrievers
from selfstudy.testing import FakeEmbedder
from selfstudy.train.reranker import RerankerTraining, cross_encoder, grown, reranker


class Fixed:
    """A retriever that always finds the same, and a reranker that likes what was given a number."""

    def __init__(self, texts: Sequence[str], liked: dict[str, float] | None = None) -> None:
        self.hits = [Hit(passage(text), 1.0 - 0.1 * place, "hybrid") for place, text in enumerate(texts)]
        self.liked = liked or {}
        self.read: list[tuple[str, str]] = []

    fingerprint = "fixed"

    def search(self, questions: Sequence[str], k: int, where: str | None = None) -> list[list[Hit]]:
        return [self.hits[:k] if where is None else self.hits[1:][:k] for _ in questions]

    def score(self, pairs: Sequence[tuple[str, str]]) -> Vectors:
        self.read += pairs
        return np.array([self.liked.get(text, 0.0) for _, text in pairs], np.float32)


def texts(hits: Sequence[Hit]) -> list[str]:
    return [hit.passage.text for hit in hits]


def test_the_order_mixes_both_and_breaks_no_tie() -> None:
    assert order([3, 2, 1], [0, 0, 9], 0.0).tolist() == [0, 1, 2]
    assert order([3, 2, 1], [0, 0, 9], 1.0).tolist() == [2, 0, 1]
    assert order([3, 2, 1], [5, 5, 5], 0.5).tolist() == [0, 1, 2], "one that likes all alike says nothing"
    assert order([3, 2, 1], [0.0, 0.1, 0.2], 0.5).tolist() == [0, 1, 2], "one that is hardly surer moves nothing"
    assert order([3.0, 2.9, 0.0], [0.0, 1.0, 2.0], 0.3).tolist() == [1, 0, 2], "a small lead is overcome, a large one is not"
    assert order([], [], 0.5).tolist() == []


def test_only_the_first_passages_are_read_and_moved() -> None:
    found = Fixed(["a", "b", "c", "d", "e"], {"c": 4.0, "e": 99.0})
    search = Reranked(found, found, 1.0, depth=3)
    (hits,) = search.search(["what?"], 5)
    assert texts(hits) == ["c", "a", "b", "d", "e"]
    assert [text for _, text in found.read] == ["a", "b", "c"]
    assert [hit.score for hit in hits] == [hit.score for hit in found.hits], "places keep the scores of the search"
    assert {hit.by for hit in hits[:3]} == {"reranked"}
    assert texts(search.search(["what?"], 1)[0]) == ["c"], "what is asked for is less than what is read"
    assert texts(search.search(["what?", "who?"], 2, "x = 1")[1]) == ["c", "b"]
    assert Reranked(Fixed([]), found, 1.0).search(["what?"], 3) == [[]]
    assert isinstance(found, Reranker)


def test_ranks_are_those_of_the_reranked_search() -> None:
    found = Fixed([f"t{place}" for place in range(14)], {"t4": 3.0, "t2": 1.0})
    for weight in (0.0, 0.3, 1.0):
        shown = texts(Reranked(found, found, weight, depth=6).search(["what?"], 10)[0])
        for own in (0, 2, 4, 7, 12):
            row = {"own": [own], "found": [hit.score for hit in found.hits], "read": found.score([("", f"t{n}") for n in range(6)])}
            expected = 1 / (1 + shown.index(f"t{own}")) if f"t{own}" in shown else 0.0
            assert reciprocal_ranks([row], weight).tolist() == pytest.approx([expected])
    assert reciprocal_ranks([{"own": [], "found": [1.0], "read": [1.0]}], 0.5).tolist() == [0.0]


def examples() -> list[Example]:
    """Questions whose evidence speaks of repair, and whose hard negatives speak of water."""
    things = WORDS[:8]
    right = {thing: passage(f"the green {thing} of the street is repaired by the owner") for thing in things}
    wrong = [Hit(passage(f"the green {thing} of the street is blue water"), 1.0, "dense") for thing in things]
    return [
        Example(f"{thing}{how}", f"{how} {thing}", (), (Hit(right[thing], 1.0, "w"),), tuple(wrong), split="train")
        for how in ("what", "how") for thing in things
    ]  # fmt: skip


def told_apart(folder: Path) -> float:
    """The share of questions whose evidence is scored above every negative."""
    model = CrossReranker(folder)
    right = 0
    for one in examples():
        scores = model.score([(one.question, hit.passage.indexed) for hit in (*one.evidence, *one.distractors)])
        right += int(scores.argmax() == 0)
    return right / len(examples())


def test_training_tells_evidence_from_its_negatives(tiny: Path, tmp_path: Path) -> None:
    run = Run(tmp_path / "run")
    mined = artifact(tmp_path / "mined", examples())
    begun = run.stage(grown, None, Lazy("base", lambda: tiny))
    settings = RerankerTraining(max_steps=40, learning_rate=3e-3, per_device_train_batch_size=32, start="embedder", tokens=64)
    start = Lazy(begun.key, lambda: begun.path / "model")
    trained = run.stage(reranker, settings, mined, start)
    assert told_apart(trained.path / "model") == 1.0
    turned = [replace(one, evidence=one.distractors[:1], distractors=one.evidence) for one in examples()]
    other = run.stage(reranker, settings, artifact(tmp_path / "turned", turned), start)
    assert told_apart(other.path / "model") == 0.0, "where the negatives are called evidence it learns the opposite"
    assert CrossReranker(trained.path / "model").fingerprint != CrossReranker(begun.path / "model").fingerprint
    assert not (trained.path / "checkpoints").exists()
    unmoved = run.stage(reranker, settings.model_copy(update={"max_steps": 0, "minutes": 0.0}), mined, start)
    pairs = [("what kettle", "the green kettle of the street")]
    assert np.allclose(CrossReranker(unmoved.path / "model").score(pairs), CrossReranker(begun.path / "model").score(pairs), atol=1e-6)
    timed = run.stage(reranker, settings.model_copy(update={"max_steps": 0, "minutes": 0.02}), mined, start)
    assert 1 <= run.result(timed)["steps"] <= 4 * 2, "four times through 64 rows is enough"
    assert cross_encoder(trained.path / "model", 32).max_seq_length == 32


def test_a_missing_model_is_told(tmp_path: Path) -> None:
    (tmp_path / "modules.json").write_text("[]")
    with pytest.raises(BadModel, match="cannot be loaded"):
        CrossReranker(tmp_path).score([("a", "b")])


def test_the_starters_reader_as_it_is_goes_by_relevance_and_says_nothing_of_chinese() -> None:
    from selfstudy.models.starter import load
    from selfstudy.models.starter.relevance import Relevance

    pairs = [("How tall is the tower?", "The tower is 30 m high."), ("How tall is the tower?", "Bananas are cheap in May.")]
    scores = Relevance().score(pairs)
    expected = [reading.relevant for reading in load.reader().read(pairs)]
    assert (1 / (1 + np.exp(-scores))).tolist() == pytest.approx(expected, abs=1e-4)
    assert scores[0] > scores[1]
    mixed = Relevance().score([pairs[1], ("塔有多高？", "塔高三十米。"), pairs[0]])
    assert mixed.tolist() == pytest.approx([scores[1], 0.0, scores[0]], abs=0.05)
    assert Relevance().score([]).shape == (0,)


def test_the_starters_judge_is_the_readers_relevance(tmp_path: Path) -> None:
    from selfstudy.models.starter import load
    from selfstudy.models.starter.relevance import cross_encoder as of_the_starter

    pairs = [("How tall is the tower?", "The tower is 30 m high."), ("How tall is the tower?", "Bananas are cheap in May.")]
    of_the_starter().save_pretrained(str(tmp_path / "judge"), create_model_card=False)
    scores = CrossReranker(tmp_path / "judge").score(pairs)
    expected = [reading.relevant for reading in load.reader().read(pairs)]
    assert (1 / (1 + np.exp(-scores))).tolist() == pytest.approx(expected, abs=1e-3)
    assert scores[0] > scores[1]


N = 120
BEFORE = np.tile([1.0, 0.5, 0.0, 0.25], N // 4)
NOISE = np.tile([0.1, -0.1, 0.05, -0.05], N // 4)


def verdict(**changes: Any) -> Any:
    inputs: dict[str, Any] = {
        "hybrid": (BEFORE, BEFORE + 0.05 + NOISE), "guard": (BEFORE, BEFORE + NOISE), "writers": ["a"] * 80 + ["terms"] * 40,
        "unseen": {"terms"}, **changes,
    }  # fmt: skip
    return judge_reranker(Gate(), **inputs)


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"hybrid": (BEFORE, BEFORE + NOISE)}, "reranked"),
        ({"guard": (BEFORE, BEFORE - 0.05)}, "guard"),
        ({"hybrid": (BEFORE, BEFORE + np.r_[np.full(80, 0.1), np.full(40, -0.01)])}, "unseen writers"),
        ({"own": (BEFORE, BEFORE - 0.05)}, "own questions"),
        ({"writers": ["terms"] * 9, "hybrid": (BEFORE[:9], BEFORE[:9])}, "exam size"),
    ],
)
def test_each_condition_alone_keeps_a_reranker_out(changes: dict[str, Any], name: str) -> None:
    assert verdict().promote
    refused = verdict(**changes)
    assert not refused.promote
    assert [check.name for check in refused.checks if not check.passed] == [name]
    assert refused.reason.startswith("Refused")


def test_one_that_was_not_trained_here_need_only_do_no_harm() -> None:
    same = {"hybrid": (BEFORE, BEFORE), "trained": False}
    assert not verdict(**same | {"trained": True}).promote
    assert verdict(**same).promote
    assert verdict(**same | {"hybrid": (BEFORE, BEFORE - 0.02)}).promote
    for changes, name in (({"hybrid": (BEFORE, BEFORE - 0.04)}, "reranked"), ({"guard": (BEFORE, BEFORE - 0.04)}, "guard")):
        assert [check.name for check in verdict(**same | changes).checks if not check.passed] == [name]


def test_systems_that_rank_otherwise_are_told_apart() -> None:
    plain = System("fake:64:0", "f", 0.5, "k")
    served = replace(plain, reranking=Reranking("r", 0.3, 20))
    assert System.load(served.json()) == served
    assert System.load({name: value for name, value in plain.json().items() if name != "reranking"}) == plain, "homes of before open"
    assert len({plain.ranks, served.ranks, replace(plain, reranking=Reranking("r", 0.2, 20)).ranks}) == 3


class Knowing:
    """A reranker that knows what is right in the home, and on everyday questions says as `everyday` tells it."""

    fingerprint = "knowing"

    def __init__(self, sure: float, everyday: float) -> None:
        self.sure, self.everyday = sure, everyday

    def score(self, pairs: Sequence[tuple[str, str]]) -> Vectors:
        own = {pair.question: pair.passage for pair in guard.pairs()}
        return np.array(
            [
                self.everyday * (own[q] == text) if q in own else self.sure * ({q.split()[-1], "valve"} <= set(text.split()))
                for q, text in pairs
            ],
            np.float32,
        )


@pytest.fixture
def small_guard(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = guard.texts(60)
    monkeypatch.setattr(guard, "texts", lambda n: whole)


def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, knowing: Knowing) -> RerankerStudy:
    """Over 60 passages, two about each pump, of which hybrid search cannot tell which one is meant."""
    embedder = FakeEmbedder(dim=32)
    told = [f"The {part} of pump n{n} is oiled by hand." for n in range(30) for part in ("valve", "wheel")]
    made = [passage(text, document=text) for text in told]
    with Store.open(tmp_path, create=True).writing() as writer:
        writer.put([(Document(one.text, one.text), [one], None) for one in made])
        writer.add_vectors(embedder.fingerprint, [one.id for one in made], embedder.embed([one.indexed for one in made]))
        writer.commit()
    snapshot = Store.open(tmp_path).snapshot()
    rows = [
        Example(f"{split}{writer}{n}", f"Is the pump oiled by hand in n{n}", (), (Hit(one, 1.0, "w"),), split=split, writer=writer)
        for split in ("tune", "exam") for writer in ("found", "terms") for n, one in enumerate(made[::2])
    ]  # fmt: skip
    folder = tmp_path / "mined"
    folder.mkdir()
    write_records(folder / "mined.jsonl", rows)
    monkeypatch.setattr(reranking, "reranker_of", lambda model, home: knowing)
    live = System("fake:32", embedder.fingerprint, 0.5)
    searched = Lazy("hybrid", lambda: retrievers(snapshot, embedder, 0.5)["hybrid"])
    return RerankerStudy(
        Run(tmp_path / "artifacts"), Rerank(), Artifact("mined", "mined", folder), searched,
        Lazy("embedder", lambda: embedder), Lazy("base", lambda: tmp_path), live,
        {"terms"}, lambda *_: None,
    )  # fmt: skip


def judged(made: RerankerStudy) -> Any:
    return made.judge(Gate(), 1)


def test_a_reranker_that_knows_more_is_weighed_and_promoted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small_guard: None) -> None:
    made = study(tmp_path, monkeypatch, Knowing(12.0, 1.0))
    verdict, outcome = judged(made)
    assert verdict.promote
    assert made.weight > 0
    assert outcome.differences["hybrid"].low > 0
    assert outcome.differences["hybrid"].n == 60
    assert outcome.metrics["guard"]["after"].value > outcome.metrics["guard"]["before"].value
    assert made.system().reranking == Reranking("starter:", made.weight, 5)


def test_the_starters_judge_is_the_same_candidate_however_training_is_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = study(tmp_path, monkeypatch, Knowing(12.0, 1.0))
    before = made.key
    made.config = Rerank(training=RerankerTraining(learning_rate=1e-3))
    assert made.key == before
    made.config = Rerank(depth=7)
    assert made.key != before


def test_the_starters_reader_is_not_trained_on_what_it_cannot_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = study(tmp_path, monkeypatch, Knowing(12.0, 1.0))
    rows = [Example(f"{n}", f"水泵{n}多久加油一次？", (), (Hit(passage("水泵"), 1.0, "w"),), split="train") for n in range(9)]
    made.mined, made.config = artifact(tmp_path / "chinese", rows), Rerank(training=RerankerTraining(max_steps=5))
    assert made.trained is None, "the starter's goes on as it is"
    assert "knows no Chinese" in made._outcome(Verdict(False, "Refused: a test.", ()), {}).note


def test_one_that_hardly_knows_more_counts_what_is_usual(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small_guard: None) -> None:
    made = study(tmp_path, monkeypatch, Knowing(0.02, 0.0))
    made.config = Rerank(weights=(), usual=0.15)
    monkeypatch.setattr(reranking, "reciprocal_ranks", lambda rows, weight: np.full(len(rows), 0.5) + (0.001 * weight))
    assert made.weight == 0.15


def test_one_that_forgot_everything_else_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small_guard: None) -> None:
    verdict, _ = judged(study(tmp_path, monkeypatch, Knowing(12.0, -40.0)))
    assert [check.name for check in verdict.checks if not check.passed] == ["guard"]


def test_one_that_knows_nothing_is_not_even_examined(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = study(tmp_path, monkeypatch, Knowing(0.0, 0.0))
    verdict, outcome = judged(made)
    assert not verdict.promote
    assert "no better at any weight" in outcome.reason
    assert len(list((tmp_path / "artifacts").glob("reread*"))) == 1, "only the tuning questions were read"


def test_a_promoted_reranker_orders_the_hybrid_search_until_it_is_rolled_back(
    plug: Path, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(plug))
    (tmp_path / "notes.md").write_text(
        "# Street\n\nThe green kettle of the street.\n\n# Water\n\nThe blue lamp is repaired by the owner.\n"
    )
    engine = Engine.open(tmp_path / "home", create=True, sets=["embedder=fake:64"])
    engine.add([tmp_path / "notes.md"])
    before = engine.search("what lamp")
    made = Run(engine.home / "artifacts").stage(grown, None, Lazy("base", lambda: tiny))
    scores = CrossReranker(made.path / "model").score([("what lamp", hit.passage.indexed) for hit in before])
    against = 1000.0 if scores.argmax() else -1000.0  # so that the last comes first
    system = replace(engine.live, key="1234", reranking=Reranking(f"artifact:{made.key}", against, 20))
    engine.history_of.add("judged", "1234", "better", system, promote=True)
    engine.promote("1234")
    assert [hit.passage.id for hit in engine.search("what lamp")] == [hit.passage.id for hit in reversed(before)]
    assert {hit.by for hit in engine.search("what lamp")} == {"reranked"}
    assert engine.search("what lamp", by="lexical") == Engine.open(engine.home, sets=["embedder=fake:64"]).search("what lamp", by="lexical")
    engine.rollback()
    assert engine.search("what lamp") == before


def test_more_effort_changes_only_what_was_not_set() -> None:
    def minutes(*sets: str) -> tuple[float, float, int, bool]:
        found, _ = config.load(Settings, None, sets)
        return found.training.minutes, found.reranker.training.minutes, found.rounds, found.reranker.on

    assert minutes() == (3.0, 0.0, 1, True)
    assert minutes("effort=high") == (9.0, 9.0, 2, True)
    assert minutes("effort=high", "reranker.training.minutes=4", "reranker.depth=7") == (9.0, 4.0, 2, True)
    assert minutes("effort=high", "training.minutes=2", "reranker.on=false", "rounds=1") == (2.0, 9.0, 1, False)
    with pytest.raises(BadConfig, match="expected 'normal' or 'high'"):
        minutes("effort=most")
