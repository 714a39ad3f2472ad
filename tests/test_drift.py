"""What the questions of late say: how content people are, and when there is a reason to study again."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
from service import eventually, serving

from selfstudy.apps.server.job import looked
from selfstudy.apps.server.keys import Keys
from selfstudy.core.files import write_json
from selfstudy.core.records import Answer
from selfstudy.recipes import drift, ledger
from selfstudy.recipes.drift import Drift, distance, drifted, more_abstained, satisfaction
from selfstudy.recipes.engine import Engine
from selfstudy.recipes.ledger import Asked, Ledger, Sign, Vote

OLD = [
    "How is the pump reset?",
    "Who may reset the pump?",
    "When is the oil changed?",
    "Where is the valve?",
    "What does the red button do?",
]
NEW = [
    "How many holidays do I have?",
    "Who pays for travel?",
    "When is my salary paid?",
    "Where do I report ill?",
    "What is overtime?",
]


def asked(question: str, at: float = 1.0, abstained: bool = False) -> Asked:
    return Asked("a", at, "anna", "ask", question, "So.", abstained, 0.9, (), "base@1")


def votes(*cast: tuple[str, Sign, int]) -> list[Vote]:
    return [Vote(asked("?"), user, 2.0, verdict) for user, verdict, count in cast for _ in range(count)]


def test_satisfaction_counts_people_and_not_votes() -> None:
    assert satisfaction(votes(("anna", "up", 19), ("bert", "click", 9))) is None, "too few to say, and clicks are none"
    even = satisfaction(votes(("anna", "up", 15), ("bert", "down", 5)))
    assert even is not None
    assert even.value == pytest.approx(50.0)
    assert -100 <= even.low < 50 < even.high <= 100
    loud = satisfaction(votes(("eve", "down", 500), *((f"user{n}", "up", 2) for n in range(19))))
    assert loud is not None
    assert loud.value == pytest.approx(90.0), "one of twenty people is not content, however often he says so"
    assert loud.low < loud.value <= loud.high


def test_other_questions_are_seen_and_the_same_are_not() -> None:
    same = distance([asked(one) for one in OLD * 12], [asked(one) for one in OLD * 12])
    other = distance([asked(one) for one in NEW * 12], [asked(one) for one in OLD * 12])
    assert same < 0.1
    assert other > 0.5
    random = np.random.default_rng(0)
    rare = [asked(" ".join(f"word{chosen}" for chosen in random.integers(0, 300, 4))) for _ in range(120)]
    assert distance(rare[:60], rare[60:]) < 0.1, "few questions in many words: chance alone keeps their halves apart"


def test_more_abstentions_are_seen_beyond_chance() -> None:
    random = np.random.default_rng(0)
    rare, often = ([asked("?", abstained=bool(random.random() < share)) for _ in range(200)] for share in (0.1, 0.5))
    found = more_abstained(often, rare, 50)
    assert found is not None
    assert found.value == pytest.approx(0.4, abs=0.1)
    assert 0.25 < found.low < found.value < found.high
    assert found.p < 0.01
    alike = more_abstained(rare[:100], rare[100:], 50)
    assert alike is not None
    assert alike.low < 0 < alike.high
    assert more_abstained(often[:49], rare, 50) is None


def test_each_reason_to_study_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert drifted(tmp_path, Drift()).reasons == ()
    now = time.time()
    book = Ledger(tmp_path)

    def ask(questions: list[str], days_ago: float) -> list[str]:
        monkeypatch.setattr(ledger.time, "time", lambda: now - 86_400 * days_ago)
        return [book.asked("anna", "search", one, [], "base@1") for one in questions]

    ask(OLD * 12, 20)
    ask(OLD * 12, 1)
    assert drifted(tmp_path, Drift(), now=now).reasons == ()
    ask(NEW * 12, 0.5)
    monkeypatch.undo()
    (reason,) = drifted(tmp_path, Drift(words=0.2), now=now).reasons
    assert reason.startswith("People ask about other things than before")
    assert drifted(tmp_path, Drift(words=0.2, minimum=200), now=now).words is None


def test_a_busy_week_hides_nothing_of_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drift, "_READ", 60)
    now = time.time()
    book = Ledger(tmp_path)
    for questions, days_ago in ((OLD * 12, 20), (NEW * 24, 1)):
        monkeypatch.setattr(ledger.time, "time", lambda at=now - 86_400 * days_ago: at)
        for one in questions:
            book.asked("anna", "search", one, [], "base@1")
    monkeypatch.undo()
    monkeypatch.setattr(drift, "_READ", 60)
    (reason,) = drifted(tmp_path, Drift(words=0.2), now=now).reasons
    assert reason.startswith("People ask about other things than before")


def test_a_look_is_due_again_only_after_its_time(tmp_path: Path) -> None:
    Engine.open(tmp_path, create=True)
    assert looked(tmp_path, ())[0] == float("inf")
    assert looked(tmp_path, ("drift.every=2",)) == (7200.0, ())
    left, _ = looked(tmp_path, ("drift.every=2",))
    assert 7100 < left < 7200, "a service that is started again need not look again"
    write_json(tmp_path / "looked.json", {"at": time.time() - 7201})
    assert looked(tmp_path, ("drift.every=2",))[0] == 7200.0


def test_the_homes_of_tenants_are_looked_at_too(plug: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(plug))
    key = Keys(tmp_path / "home").add("anna", "admin", "north")
    sets = ("embedder=fake:64", "drift.every=0.0001", "drift.votes=1")
    with serving(tmp_path / "home", sets=sets) as server:
        assert server.get("/history", key).status == 200, "now there is a home"
        answer = Answer("Who may reset the pump?", "The engineer.", (), (), 0.9, False)
        (user,) = [one.user for one in Keys(server.home).all()]
        book = Ledger(server.home / "tenants" / "north")
        book.vote(book.asked(user, "ask", answer.question, [], "base@1", answer), user, "up")
        eventually(lambda: server.get("/adapt", key).json["state"] != "none")
        assert server.get("/adapt", key).json["state"] in ("running", "failed")
        server.call("DELETE", "/adapt", key=key)
        server.app.state.service.job("north")._started.wait(150)


def test_a_service_studies_again_by_itself_where_the_settings_want_it(plug: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(plug))
    sets = ("embedder=fake:64", "drift.every=0.0001", "drift.votes=1")
    with serving(tmp_path / "home", sets=sets) as server:
        assert server.get("/adapt").json["state"] == "none", "nobody voted yet"
        answer = Answer("Who may reset the pump?", "The engineer.", (), (), 0.9, False)
        given = Ledger(server.home).asked("owner", "ask", answer.question, [], "base@1", answer)
        assert server.get("/drift").json["reasons"] == []
        assert server.post("/feedback", {"answer": given, "verdict": "up"}).status == 200
        eventually(lambda: server.get("/adapt").json["state"] != "none")
        assert server.get("/adapt").json["state"] in ("running", "failed")
        assert server.get("/drift").json["new_votes"] == 1
        server.call("DELETE", "/adapt")
        server.app.state.service.job("")._started.wait(150)
