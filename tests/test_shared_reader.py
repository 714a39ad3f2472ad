"""The starter's reader in use: loaded once and before the first question, and a question's passages read once, whoever wants it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from service import filled, serving

from selfstudy.core.records import Reading
from selfstudy.models.starter.shared import Shared
from selfstudy.recipes import loaded
from selfstudy.recipes import system as system_module
from selfstudy.recipes.engine import Engine
from selfstudy.recipes.system import Reranking, reranker_of

SETS = ["embedder=fake:64"]


class Counting:
    """A reader that notes what it is given; the longer a text, the surer it is."""

    def __init__(self) -> None:
        self.loaded = 0
        self.read_pairs: list[tuple[str, str]] = []

    def load(self, cache: Path | None) -> Counting:
        self.loaded += 1
        return self

    def read(self, pairs: Sequence[tuple[str, str]]) -> list[Reading]:
        self.read_pairs += pairs
        return [Reading(0, 3, sure, sure) for _, passage in pairs for sure in [min(0.9, len(passage) / 200)]]


@pytest.fixture
def reader(monkeypatch: pytest.MonkeyPatch) -> Counting:
    """In place of the shipped reader, for answers and for the order of passages."""
    made = Counting()
    stands_in = Shared(made.load)
    monkeypatch.setattr(loaded, "SHIPPED", stands_in)
    monkeypatch.setattr(system_module, "SHIPPED", stands_in)
    reranker_of.cache_clear()
    return made


def test_what_was_read_of_late_is_not_read_again() -> None:
    made = Counting()
    reader = Shared(made.load, most=3)
    assert (reader.read([]), made.loaded) == ([], 0)
    first = reader.read([("q", "long text"), ("q", "text"), ("q", "long text")])
    assert [one.answered for one in first] == pytest.approx([9 / 200, 4 / 200, 9 / 200])
    assert reader.read([("q", "text"), ("r", "text"), ("q", "long text")])[::2] == first[1::-1]
    assert made.read_pairs == [("q", "long text"), ("q", "text"), ("r", "text")]
    assert made.loaded == 1
    reader.read([("s", "text")])
    assert made.read_pairs[-1] == ("s", "text")
    reader.read([("q", "text"), ("q", "long text")])
    assert len(made.read_pairs) == 5, "one of three is forgotten for the fourth"


def reranked_home(home: Path) -> Engine:
    """Its hybrid search is put in order by the starter's reader."""
    engine = Engine.open(home, sets=SETS)
    system = replace(engine.live, key="ab" * 16, reranking=Reranking("starter:", 0.3, 5))
    engine.history_of.add("judged", system.key, "Promoted: for this test.", system, promote=True)
    engine.promote(str(system.key))
    return engine


def test_order_and_answer_share_one_reading(home: Path, plug: Path, monkeypatch: pytest.MonkeyPatch, reader: Counting) -> None:
    monkeypatch.syspath_prepend(str(plug))
    engine = reranked_home(home)
    found = engine.ask("How is green tea brewed?")
    assert {hit.by for hit in found.hits} == {"reranked"}
    assert reader.loaded == 1
    assert sorted(reader.read_pairs) == sorted({("How is green tea brewed?", hit.passage.indexed) for hit in found.hits})


def test_a_service_is_ready_when_its_reader_is(plug: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reader: Counting) -> None:
    monkeypatch.syspath_prepend(str(plug))
    with serving(tmp_path / "without", sets=(*SETS, "reader.on=false")):
        assert reader.loaded == 0
    with serving(tmp_path / "model", sets=(*SETS, "llm=openai:m")):
        assert reader.loaded == 0
    with serving(tmp_path / "home") as server:
        assert reader.loaded == 1
        filled(server)
        assert server.post("/rerank", {"query": "tea", "documents": ["green tea", "tea"]}).json["by"] == "cosine"
        system = reranked_home(server.home).live
        before = len(reader.read_pairs)
        found = server.post("/ask", {"question": "Who may reset the pump?"}).json
        assert found["version"].partition("@")[0] == system.key
        read = reader.read_pairs[before:]
        assert len(read) == len(set(read))
        assert {question for question, _ in read} == {"warm", "Who may reset the pump?"}, "what serves anew is warm before it serves"
        ranked = server.post("/rerank", {"query": "tea", "documents": ["tea", "green tea with milk", "green tea"]}).json
        assert ranked["by"] == "reranker"
        assert [one["index"] for one in ranked["results"]] == [1, 2, 0]
        foreign = server.post("/rerank", {"query": "绿茶", "documents": ["绿茶", "tea"]}).json
        assert foreign["by"] == "cosine", "the starter reads no Chinese"
        assert reader.loaded == 1


def test_a_reranker_is_the_same_for_all_who_ask_for_it(tmp_path: Path) -> None:
    assert reranker_of("starter:", tmp_path) is reranker_of("starter:", tmp_path)
