"""Lexical, dense and hybrid search over real stores."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from selfstudy.core.errors import BadInput, ForeignVector, HomeError
from selfstudy.core.fold import fold
from selfstudy.core.ports import Retriever
from selfstudy.core.records import Document, Hit, Passage, Place, passage_id
from selfstudy.index.analyze import body
from selfstudy.index.dense import Dense, Flat
from selfstudy.index.hybrid import Hybrid
from selfstudy.index.lexical import Lexical
from selfstudy.index.question import check_question
from selfstudy.index.snapshot import Snapshot
from selfstudy.index.store import Store
from selfstudy.testing import FakeEmbedder

EMBEDDER = FakeEmbedder(dim=32)
TEXTS = [
    ("Pumps", "The pump runs at 60 Hz and pumping stops when the tank is empty."),
    ("Pumps > Safety", "Never open the valve while a pump is running."),
    ("Tank", "Empty the tank once a year; cleaning it takes an hour."),
    ("C++ (notes)", 'Operators: AND OR NOT + - "quoted" ^2 ~3 field:value [a TO b] {x} \\ * ?'),
    ("café", "Naïve users drink coffee in a café."),
    ("抚养费", "被告张x6每月支付生活费800元，直到孩子成年。"),
    ("合同", "双方签订房屋租赁合同，租金每月2000元。"),
    ("Mixed 混合", "The API 接口 returns JSON 数据 with 404 错误码."),
    ("Short", "x"),
    ("Long word", "a" * 100 + " sha 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"),
]


def make(folder: Path, texts: Sequence[tuple[str, str]]) -> Snapshot:
    store = Store.open(folder, create=True)
    with store.writing() as writer:
        for n, (title, text) in enumerate(texts):
            passage = Passage(passage_id(title, text), title, text, (Place(f"d{n}", 0, len(text)),))
            writer.put([(Document(f"d{n}", text, title, meta={"n": n, "even": n % 2 == 0}), [passage], None)])
        passages = writer.snapshot().passages
        writer.add_vectors(EMBEDDER.fingerprint, [p.id for p in passages], EMBEDDER.embed([p.indexed for p in passages]))
        writer.commit()
    return store.snapshot()


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    return make(tmp_path_factory.mktemp("home"), TEXTS)


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    return Store.open(tmp_path_factory.mktemp("empty"), create=True).snapshot()


def retrievers(snapshot: Snapshot, weight: float = 0.5) -> list[Retriever]:
    lexical, dense = Lexical(snapshot), Dense(snapshot, EMBEDDER)
    return [lexical, dense, Hybrid(lexical, dense, weight)]


def titles(hits: Sequence[Hit]) -> list[str]:
    return [hit.passage.title for hit in hits]


def lexical(snapshot: Snapshot, question: str, k: int = 10) -> list[str]:
    return titles(Lexical(snapshot).search([question], k)[0])


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("How do pumps run?", {"Pumps", "Pumps > Safety"}),
        ("RUNNING", {"Pumps", "Pumps > Safety"}),
        ("cleaned tanks", {"Tank", "Pumps"}),
        ("safety", {"Pumps > Safety"}),
        ("cafe naive", {"café"}),
        ("ＪＳＯＮ", {"Mixed 混合"}),
        ("生活费是多少？", {"抚养费"}),
        ("张x6", {"抚养费"}),
        ("800元", {"抚养费"}),
        ("800", {"抚养费"}),
        ("租赁合同的租金", {"合同"}),
        ("每月", {"抚养费", "合同"}),
        ("接口", {"Mixed 混合"}),
        ("错误码 404", {"Mixed 混合"}),
        ("9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", {"Long word"}),
        ("the of and is", set()),
        ("Привет мир", set()),
        ("🙂 !!! ---", set()),
        ("的", set()),
    ],
)
def test_words_are_found_in_any_script(snapshot: Snapshot, question: str, expected: set[str]) -> None:
    assert set(lexical(snapshot, question)) == expected


@pytest.mark.parametrize(
    "question",
    ['"', "pump AND", "tank OR NOT valve", "field:", "tank^9 (pump", "pump*", "~", "\\", "'; drop table", "tank\x00pump", "{[<>]}"],
)
def test_no_sign_in_a_question_is_syntax(snapshot: Snapshot, question: str) -> None:
    plain = "".join(char if char.isalnum() else " " for char in question)
    expected = lexical(snapshot, plain) if plain.strip() else []
    assert lexical(snapshot, question) == expected


def test_segmented_text_keeps_what_it_can() -> None:
    assert body("plain English, untouched  text") == "plain English, untouched  text"
    assert body("an infor-\n  mation desk").split() == ["an", "information", "infor-mation", "desk"]
    assert body("Ａ1 ﬁle, 10-\n20, well-known") == "A1 file, 10-\n20, well-known"
    assert body("生活费800元").split() == ["生活", "活费", "费800", "800元", "800"]
    assert body("我的猫").split() == ["我", "猫"]
    assert body("用API调用").split() == ["用API", "API调", "调用", "API"]


def test_dense_is_the_inner_product(snapshot: Snapshot) -> None:
    question = "cleaning the empty tank"
    (hits,) = Dense(snapshot, EMBEDDER).search([question], 100)
    vector = EMBEDDER.embed([question], "query")[0]
    assert len(hits) == len(TEXTS)
    assert hits[0].passage.title == "Tank"
    for hit in hits:
        assert hit.score == pytest.approx(float(vector @ EMBEDDER.embed([hit.passage.indexed])[0]), abs=1e-5)
        assert hit.by == "dense"
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)


def test_vectors_that_are_not_stored_can_be_searched(snapshot: Snapshot) -> None:
    other = FakeEmbedder(dim=48, seed=3)
    matrix = other.embed([passage.indexed for passage in snapshot.passages])
    dense = Dense(snapshot, other, Flat(matrix, other.fingerprint))
    assert titles(dense.search(["cleaning the empty tank"], 1)[0]) == ["Tank"]
    with pytest.raises(ValueError, match="do not belong"):
        Dense(snapshot, other, Flat(matrix[1:], other.fingerprint))


def test_vectors_of_another_embedder_are_refused(snapshot: Snapshot) -> None:
    flat = Dense(snapshot, EMBEDDER).flat
    other = FakeEmbedder(dim=32, seed=1)
    for dense in (Dense(snapshot, other, flat), Hybrid(Lexical(snapshot), Dense(snapshot, other, flat))):
        with pytest.raises(ForeignVector) as caught:
            dense.search(["tank"], 3)
        assert len(str(caught.value).splitlines()) == 2
    with pytest.raises(ForeignVector, match="32 dimensions"):
        flat.scores(np.ones((1, 31), np.float32), EMBEDDER.fingerprint)
    with pytest.raises(HomeError, match="no vector of the embedder"):
        Dense(snapshot, other).search(["tank"], 3)


def test_hybrid_standardises_over_all_passages(snapshot: Snapshot) -> None:
    """One question worked out by hand from the hits of the two sides."""
    question, weight = "empty the tank", 0.3
    words = {hit.passage.id: hit.score for hit in Lexical(snapshot).search([question], 100)[0]}
    meaning = {hit.passage.id: hit.score for hit in Dense(snapshot, EMBEDDER).search([question], 100)[0]}
    assert 0 < len(words) < len(meaning) == len(TEXTS)
    by_words = np.array([words.get(id, 0.0) for id in snapshot.ids])
    by_meaning = np.array([meaning[id] for id in snapshot.ids])
    expected = 0.3 * (by_meaning - by_meaning.mean()) / by_meaning.std() + 0.7 * (by_words - by_words.mean()) / by_words.std()
    (hits,) = Hybrid(Lexical(snapshot), Dense(snapshot, EMBEDDER), weight).search([question], 100)
    assert len(hits) == len(TEXTS)
    for hit in hits:
        assert hit.score == pytest.approx(expected[snapshot.row(hit.passage.id)], abs=1e-5)
    assert [hit.passage.id for hit in hits] == [snapshot.ids[row] for row in np.argsort(-expected, kind="stable")]


def test_the_ends_of_the_weight_are_the_two_sides(snapshot: Snapshot) -> None:
    words, meaning, _ = retrievers(snapshot)
    for question in ("empty the tank", "生活费", "a running pump"):
        (by_words,), (by_meaning,) = words.search([question], 100), meaning.search([question], 100)
        assert titles(retrievers(snapshot, 0.0)[2].search([question], len(by_words))[0]) == titles(by_words)
        assert titles(retrievers(snapshot, 1.0)[2].search([question], 100)[0]) == titles(by_meaning)


def test_hybrid_without_a_common_word_is_dense(snapshot: Snapshot) -> None:
    _, dense, hybrid = retrievers(snapshot)
    question = "is the of and"
    assert titles(hybrid.search([question], 4)[0]) == titles(dense.search([question], 4)[0])


def test_candidates_mix_at_any_weight_as_the_search_does(snapshot: Snapshot) -> None:
    questions = ["empty the tank", "每月租金", "unheard"]
    by_words, dense = Lexical(snapshot), Dense(snapshot, EMBEDDER)
    for weight in (0.0, 0.25, 1.0):
        hybrid = Hybrid(by_words, dense, weight)
        for candidates, hits in zip(hybrid.candidates(questions, len(TEXTS)), hybrid.search(questions, 5), strict=True):
            rows, scores = candidates.top(weight, 5)
            assert [snapshot.ids[row] for row in rows] == [hit.passage.id for hit in hits]
            assert scores.tolist() == [hit.score for hit in hits]


def test_candidates_are_the_best_of_either_side(snapshot: Snapshot) -> None:
    by_words, dense, hybrid = retrievers(snapshot)
    assert isinstance(hybrid, Hybrid)
    question = "a running pump in the tank"
    (candidates,) = hybrid.candidates([question], 2)
    expected = {hit.passage.id for retriever in (by_words, dense) for hit in retriever.search([question], 2)[0]}
    assert {snapshot.ids[row] for row in candidates.rows} == expected
    (none,) = hybrid.candidates(["unheard"], 2)
    assert len(none.rows) == 2
    assert none.lexical.tolist() == [0, 0]


def test_filters_choose_but_do_not_change_scores(snapshot: Snapshot) -> None:
    for retriever in retrievers(snapshot):
        (everything,) = retriever.search(["the running pump of the tank"], 100)
        (some,) = retriever.search(["the running pump of the tank"], 100, "even = true")
        assert some == [hit for hit in everything if int(hit.passage.places[0].document[1:]) % 2 == 0]
        assert 0 < len(some) < len(everything)


def test_equal_scores_go_by_passage_id(tmp_path: Path) -> None:
    snapshot = make(tmp_path / "home", [(f"title {n}", "equal words here") for n in range(300)])
    lexical, dense = Lexical(snapshot), Dense(snapshot, EMBEDDER, Flat(np.ones((300, 32), np.float32), EMBEDDER.fingerprint))
    for retriever in (lexical, dense, Hybrid(lexical, dense)):
        (few,) = retriever.search(["equal words"], 7)
        assert [hit.passage.id for hit in few] == snapshot.ids[:7]
        (late,) = retriever.search(["equal words"], 5, "n >= 290")
        assert [hit.passage.id for hit in late] == sorted(passage_id(f"title {n}", "equal words here") for n in range(290, 300))[:5]


def test_a_narrow_filter_is_searched_to_the_end(tmp_path: Path) -> None:
    """The only passage that matches the filter holds the word least often of all."""
    snapshot = make(
        tmp_path / "home", [("", f"{'pump ' * 20} {n}") for n in range(800)] + [("", "a pump " + "among many other words " * 20)]
    )
    for retriever in retrievers(snapshot):
        (hits,) = retriever.search(["pump"], 3, "n = 800")
        assert [hit.passage.places[0].document for hit in hits] == ["d800"]


def test_questions_asked_together_or_alone(snapshot: Snapshot) -> None:
    questions = ["empty the tank", "生活费", "pump", "of the", "unheard", "coffee", "empty the tank"] * 3
    for retriever in retrievers(snapshot):
        together = retriever.search(questions, 4)
        assert len(together) == len(questions)
        for question, hits in zip(questions, together, strict=True):
            (alone,) = retriever.search([question], 4)
            assert [hit.score for hit in hits] == pytest.approx([hit.score for hit in alone], abs=1e-5)
            assert titles(hits)[:1] == titles(alone)[:1]
        assert retriever.search([], 4) == []


def test_new_passages_are_found_before_the_text_index_holds_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("selfstudy.index.writer.ALWAYS_FOLDED", 0)
    monkeypatch.setattr("selfstudy.index.writer.FOLDED_AT", 1.0)
    make(tmp_path / "home", [("", f"pump {n}") for n in range(20)])
    store = Store.open(tmp_path / "home")
    text = "a fresh 生活费 text"
    with store.writing() as writer:
        writer.put([(Document("new", text), [Passage(passage_id("", text), "", text, (Place("new", 0, len(text)),))], None)])
        writer.commit()
    assert store.snapshot()._passages.index_stats("body_idx").num_unindexed_rows > 0
    assert titles(Lexical(store.snapshot()).search(["fresh"], 5)[0]) == [""]
    assert len(Lexical(store.snapshot()).search(["生活"], 5)[0]) == 1
    assert len(Lexical(store.snapshot()).search(["pump"], 50)[0]) == 20


@pytest.mark.parametrize("k", [0, -1, True, 2.5])
def test_a_k_that_is_no_number_of_passages(snapshot: Snapshot, k: int) -> None:
    for retriever in retrievers(snapshot):
        with pytest.raises(BadInput, match="k is") as caught:
            retriever.search(["tank"], k)
        assert len(str(caught.value).splitlines()) == 2


def test_a_k_beyond_the_corpus_gives_all_of_it(snapshot: Snapshot, empty: Snapshot) -> None:
    _, dense, hybrid = retrievers(snapshot)
    for retriever in (dense, hybrid):
        assert len(retriever.search(["tank"], 1_000_000)[0]) == len(TEXTS)
    assert len(Lexical(snapshot).search(["tank"], 1_000_000)[0]) == 2
    for retriever in retrievers(empty):
        assert retriever.search(["tank", "pump"], 1_000_000) == [[], []]


@pytest.mark.parametrize(
    ("question", "told"), [("", "empty"), (" \n\t", "empty"), ("x" * 100_000, "100,000 characters"), ("a " * 5001, "10,001")]
)
def test_questions_that_cannot_be_asked(snapshot: Snapshot, question: str, told: str) -> None:
    for retriever in retrievers(snapshot):
        with pytest.raises(BadInput, match=told) as caught:
            retriever.search(["tank", question], 3)
        assert len(str(caught.value).splitlines()) == 2


def test_a_question_of_ten_thousand_characters(snapshot: Snapshot) -> None:
    question = "tank " * 1999 + "tank!"
    assert len(check_question(question)) == 10_000
    for retriever in retrievers(snapshot):
        assert "Tank" in titles(retriever.search([question], 2)[0])
    with pytest.raises(TypeError):
        Lexical(snapshot).search("tank", 3)


@pytest.mark.parametrize("weight", [-0.1, 1.1, float("nan")])
def test_weights_that_are_no_share(snapshot: Snapshot, weight: float) -> None:
    with pytest.raises(BadInput, match="weight"):
        Hybrid(Lexical(snapshot), Dense(snapshot, EMBEDDER), weight)


def test_near_duplicates_fold_at_display_only() -> None:
    def hit(id: str, near: str | None, score: float) -> Hit:
        return Hit(Passage(id, "", id, (), near), score, "lexical")

    hits = [hit("b", "a", 9), hit("x", None, 8), hit("a", None, 7), hit("c", "a", 6), hit("y", None, 5)]
    assert [found.passage.id for found in fold(hits)] == ["b", "x", "y"]
    assert [found.passage.id for found in fold(hits, 2)] == ["b", "x"]


def test_parts_give_way_to_what_holds_them_whole() -> None:
    def hit(id: str, score: float, *within: str, near: str | None = None) -> Hit:
        return Hit(Passage(id, "", id, (), near, within), score, "lexical")

    def folded(*hits: Hit) -> list[tuple[str, float]]:
        return [(found.passage.id, found.score) for found in fold(hits)]

    assert folded(hit("part", 9, "whole"), hit("x", 8), hit("whole", 7)) == [("whole", 9), ("x", 8)]
    assert folded(hit("whole", 9), hit("part", 8, "whole")) == [("whole", 9)]
    assert folded(hit("part", 9, "whole"), hit("other part", 8, "whole")) == [("part", 9), ("other part", 8)], "neither says the other"
    assert folded(hit("part", 9, "whole"), hit("copy", 8, near="whole")) == [("copy", 9)]
    half = [hit("across", 9, "first", "second"), hit("first", 8)]
    assert folded(*half) == [("across", 9), ("first", 8)]
    assert folded(*half, hit("second", 7)) == [("first", 9), ("second", 9)]


def test_all_fit_the_port(snapshot: Snapshot) -> None:
    for retriever in retrievers(snapshot):
        assert isinstance(retriever, Retriever)
