"""The hot tier finds what the store finds, score by score, and is never that of another moment."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from selfstudy.core.errors import BadInput, ForeignVector
from selfstudy.core.ports import Retriever, Vectors
from selfstudy.core.records import Document, Hit, Passage, Place, passage_id
from selfstudy.index import tiered as tiered_file
from selfstudy.index import words as words_file
from selfstudy.index.dense import Dense, Flat
from selfstudy.index.hybrid import Hybrid, Spread
from selfstudy.index.lexical import Lexical
from selfstudy.index.near import Near
from selfstudy.index.snapshot import Snapshot
from selfstudy.index.store import Store
from selfstudy.index.tiered import Hot, Tiered
from selfstudy.index.words import Words
from selfstudy.recipes.remembering import Remembering
from selfstudy.recipes.serving import Opening
from selfstudy.recipes.system import System
from selfstudy.testing import FakeEmbedder

EMBEDDER = FakeEmbedder(dim=96)
NONE: dict[str, Any] = {"rankings_of": lambda: None, "expansion_of": lambda: None}
"""No rankings are kept, no question is widened."""
QUESTIONS = [
    "How do I set the formatter class of the help?",
    "set set set the help formatter class twice",
    "naïve CAFÉ users, ﬁne ＪＳＯＮ",
    "租金每月800元",
    "others because themselves doing it",
    "running_fast don't subprocess.Popen",
    "qqqq zzzzq",
]
ODD = [
    "Popen is running fast.", "The naïve user of a café.", "ﬁne JSON 数据 for users", "双方签订房屋租赁合同，租金每月800元。",
    "x", "a " * 30, "z" * 200, "- - -",
]  # fmt: skip


def put(store: Store, texts: Sequence[str], begin: int = 0, embedder: FakeEmbedder = EMBEDDER) -> None:
    with store.writing() as writer:
        items = []
        for n, text in enumerate(texts, start=begin):
            passage = Passage(passage_id("", text), "", text, (Place(f"d{n}", 0, len(text)),))
            items.append((Document(f"d{n}", text, meta={"n": n}), [passage], None))
        writer.put(items)
        passages = writer.snapshot().passages
        writer.add_vectors(embedder.fingerprint, [p.id for p in passages], embedder.embed([p.indexed for p in passages]))
        writer.commit()


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    source = Path(str(argparse.__file__)).read_text().split("\n\n")
    texts = dict.fromkeys([part for part in source if part.strip()][:150] + ODD + list(words_file._STOP_WORDS))
    made = Store.open(tmp_path_factory.mktemp("home"), create=True)
    put(made, list(texts))
    return made


@pytest.fixture(scope="module")
def snapshot(store: Store) -> Snapshot:
    return store.snapshot()


def full(snapshot: Snapshot, weight: float = 0.5) -> list[Lexical | Dense | Hybrid]:
    lexical, dense = Lexical(snapshot), Dense(snapshot, EMBEDDER)
    return [lexical, dense, Hybrid(lexical, dense, weight)]


def hot_of(snapshot: Snapshot, dense: Dense | Lexical | Hybrid, before: Hot | None = None) -> Hot:
    assert isinstance(dense, Dense)
    return Hot.of(snapshot, dense, before)


def same(found: Sequence[Sequence[Hit]], expected: Sequence[Sequence[Hit]]) -> None:
    for ours, theirs in zip(found, expected, strict=True):
        assert [hit.by for hit in ours] == [hit.by for hit in theirs]
        np.testing.assert_allclose([hit.score for hit in ours], [hit.score for hit in theirs], atol=2e-4)
        scores = {hit.passage.id: hit.score for hit in theirs}
        assert all(abs(scores.get(hit.passage.id, theirs[-1].score) - hit.score) < 2e-4 for hit in ours)


@pytest.mark.parametrize("at_a_time", [words_file._BLOCK, 7])
@pytest.mark.parametrize("question", [*QUESTIONS, " ".join(words_file._STOP_WORDS)])
def test_words_score_as_the_store_scores_them(snapshot: Snapshot, question: str, at_a_time: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(words_file, "_BLOCK", at_a_time)
    words = Words.of(snapshot.ids, [p.indexed for p in snapshot.passages])
    expected = next(Lexical(snapshot).scores([question]))[0]
    np.testing.assert_allclose(words.scores(question), expected, atol=1e-4)
    assert (expected > 0).any() == (not question.startswith("qqqq"))


def test_all_ways_find_what_the_full_search_finds(snapshot: Snapshot) -> None:
    ways = full(snapshot, 0.4)
    hot = hot_of(snapshot, ways[1])
    for way in ways:
        tiered = Tiered(way, hot, depth=len(snapshot))
        assert isinstance(tiered, Retriever)
        for where in (None, "n < 400", "n = 3"):
            same(tiered.search(QUESTIONS, 10, where), way.search(QUESTIONS, 10, where))
        same(tiered.search(QUESTIONS[:1], len(snapshot)), way.search(QUESTIONS[:1], len(snapshot)))


def test_more_is_compared_where_there_is_more(snapshot: Snapshot, monkeypatch: pytest.MonkeyPatch) -> None:
    ways = full(snapshot)
    hot = hot_of(snapshot, ways[1])
    assert Tiered(ways[2], hot).depth == tiered_file.DEPTH
    monkeypatch.setattr(tiered_file, "_SHARE", 2.0)
    assert Tiered(ways[2], hot).depth == 2 * len(snapshot)
    assert Tiered(ways[2], hot, depth=7).depth == 7


def test_a_question_is_widened_in_memory_as_in_the_store(snapshot: Snapshot) -> None:
    dense = full(snapshot)[1]
    lexical = Lexical(snapshot, lambda question: QUESTIONS[5])
    hot = hot_of(snapshot, dense)
    plain = full(snapshot)
    for way, narrow in ((lexical, plain[0]), (Hybrid(lexical, dense, 0.3), Hybrid(plain[0], dense, 0.3))):
        found = Tiered(way, hot, depth=len(snapshot)).search(QUESTIONS[:1], 10)
        same(found, way.search(QUESTIONS[:1], 10))
        assert [hit.score for hit in found[0]] != [hit.score for hit in narrow.search(QUESTIONS[:1], 10)[0]]


def test_bits_lead_to_the_nearest_vectors() -> None:
    draw = np.random.default_rng(0)
    centres = draw.standard_normal((50, 100))
    matrix = centres[draw.integers(0, 50, 5000)] + 0.8 * draw.standard_normal((5000, 100)) + 0.5
    matrix /= np.linalg.norm(matrix, axis=1, keepdims=True)
    near = Near.of(Flat(matrix.astype(np.float32), "f"))
    found = []
    for vector in near.flat.matrix[:40] + 0.05 * draw.standard_normal((40, 100)).astype(np.float32):
        exact = near.flat.matrix @ vector
        rows = near.worth(vector, 250)
        assert 250 <= len(rows) < 500
        np.testing.assert_allclose(near.scores(vector, rows), exact[rows], atol=1e-5)
        found.append(len(set(rows) & set(np.argsort(-exact)[:10])) / 10)
        spread = Spread.of(exact)
        np.testing.assert_allclose(near.moments(vector), (spread.mean, spread.deviation), rtol=1e-3)
        mask = np.zeros(5000, bool)
        mask[1000:2000] = True
        some = near.worth(vector, 250, mask)
        assert 250 <= len(some) < 500
        assert mask[some].all()
        mask[1100:] = False
        assert list(near.worth(vector, 250, mask)) == list(range(1000, 1100))
    assert np.mean(found) > 0.95


def test_what_is_known_is_not_read_again(snapshot: Snapshot, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [p.indexed for p in snapshot.passages]
    half = Words.of(snapshot.ids[::2], texts[::2])
    read: list[str] = []
    plain = words_file.words_of
    monkeypatch.setattr(words_file, "words_of", lambda text: read.append(text) or plain(text))
    grown = Words.of(snapshot.ids, texts, half)
    assert read == texts[1::2]
    monkeypatch.undo()
    anew = Words.of(snapshot.ids, texts)
    shrunk = Words.of(snapshot.ids[::2], texts[::2], grown)
    for question in QUESTIONS:
        np.testing.assert_allclose(grown.scores(question), anew.scores(question), atol=1e-5)
        np.testing.assert_allclose(shrunk.scores(question), half.scores(question), atol=1e-5)


def test_a_hot_tier_of_something_else_is_refused(snapshot: Snapshot, tmp_path: Path) -> None:
    other = Store.open(tmp_path / "other", create=True)
    put(other, ["one text", "another text"])
    ways = full(snapshot)
    with pytest.raises(ValueError, match="another snapshot"):
        Tiered(ways[1], hot_of(other.snapshot(), full(other.snapshot())[1]))
    with pytest.raises(ValueError, match="other vectors"):
        Tiered(ways[1], hot_of(snapshot, Dense(snapshot, EMBEDDER)))
    tiered = Tiered(ways[1], hot_of(snapshot, ways[1]))
    ways[1].embedder = FakeEmbedder(dim=96, seed=1)
    with pytest.raises(ForeignVector):
        tiered.search(["what"], 3)
    with pytest.raises(BadInput):
        tiered.search([" "], 3)


def test_it_is_never_stale(tmp_path: Path) -> None:
    """After documents came and went, after a promotion and a rollback, the service finds what a search of the store alone finds."""
    store = Store.open(tmp_path / "home", create=True)
    put(store, [f"The pump number {n} runs at {n} hertz." for n in range(40)])
    embedders = {"base": FakeEmbedder(dim=64), "tuned": FakeEmbedder(dim=64, seed=3)}
    systems = {name: System(name, one.fingerprint, 0.5) for name, one in embedders.items()}
    live = ["base"]
    opening = Opening(store, lambda snapshot: systems[live[0]], lambda name: Remembering(embedders[name]), **NONE, eager=True, hot=20)

    def embedded() -> None:
        with store.writing() as writer:
            passages = writer.snapshot().passages
            for one in embedders.values():
                writer.add_vectors(one.fingerprint, [p.id for p in passages], one.embed([p.indexed for p in passages]))
            writer.set_live({"embedder": live[0]})
            writer.commit()

    def check() -> list[str]:
        """As a store that was made in one go; the first store's own BM25 depends a little on how it came about."""
        now = opening.now()
        fresh = Store.open(tmp_path / f"fresh-{next(numbers)}", create=True)
        put(fresh, [p.text for p in now.snapshot.passages], embedder=embedders[live[0]])
        snapshot = fresh.snapshot()
        lexical, dense = Lexical(snapshot), Dense(snapshot, embedders[live[0]])
        questions = ["Which pump runs at 7 hertz?", "zebra"]
        for name, way in (("lexical", lexical), ("dense", dense), ("hybrid", Hybrid(lexical, dense))):
            same(now.retrievers[name].search(questions, 5), way.search(questions, 5))
        assert opening._hot is not None
        return [hit.passage.text for hit in now.retrievers["lexical"].search(["zebra"], 5)[0]]

    numbers = count()
    embedded()
    assert check() == []
    put(store, ["A zebra is no pump."], begin=40)
    embedded()
    assert check() == ["A zebra is no pump."]
    for name in ("tuned", "base"):
        live[0] = name
        embedded()
        assert check() == ["A zebra is no pump."]
    with store.writing() as writer:
        writer.remove(["d40"])
        writer.commit()
    assert check() == []


def test_small_indexes_and_commands_do_without(tmp_path: Path) -> None:
    store = Store.open(tmp_path / "home", create=True)
    put(store, [f"The pump number {n} runs." for n in range(20)])
    system = System("base", EMBEDDER.fingerprint, 0.5)
    for eager, hot, expected in ((True, 20, True), (True, 21, False), (True, 0, False), (False, 20, False)):
        opening = Opening(store, lambda _: system, lambda _: Remembering(EMBEDDER), **NONE, eager=eager, hot=hot)
        assert opening.now().retrievers["hybrid"].search(["pump 3"], 1)
        assert (opening._hot is not None) == expected


def test_passages_without_words_and_without_vectors(tmp_path: Path) -> None:
    assert Words.of([], []).scores("pump").shape == (0,)
    near = Near.of(Flat(np.zeros((0, 8), np.float32), "f"))
    assert len(near.worth(np.ones(8, np.float32), 5)) == 0
    store = Store.open(tmp_path / "home", create=True)
    put(store, ["- - -", "+ +"])
    ways = full(store.snapshot())
    hot = hot_of(store.snapshot(), ways[1])
    assert Tiered(ways[0], hot).search(["pump"], 3) == [[]]
    assert len(Tiered(ways[2], hot).search(["pump"], 3)[0]) == 2


def test_equal_vectors_stay_in_the_order_of_their_ids() -> None:
    vectors: Vectors = np.tile(np.eye(1, 70, dtype=np.float32), (300, 1))
    assert list(Near.of(Flat(vectors, "f")).worth(vectors[0], 10)) == list(range(300))
    assert replace(Spread(0.0, 0.0)).standard(vectors[0]).sum() == 0
