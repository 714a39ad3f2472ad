"""Votes to examples: what people said is used, nobody alone decides, the exam stays clean, and votes that teach nothing change nothing."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from selfstudy.core.artifacts import read_records, write_records
from selfstudy.core.errors import BadInput
from selfstudy.core.files import write_json
from selfstudy.core.records import Answer, Artifact, Citation, Example, Hit, Passage, Place
from selfstudy.core.run import Lazy, Run
from selfstudy.evals.gate import Gate, Verdict, judge, judge_votes
from selfstudy.recipes import ledger as ledger_module
from selfstudy.recipes.engine import Engine
from selfstudy.recipes.examples import Examples
from selfstudy.recipes.ledger import Asked, Ledger, Sign, Vote
from selfstudy.recipes.votes import Votes, judged, near_copies, voted
from selfstudy.recipes.votes_proof import beyond_chance, folds_of, places_of, votes_proof
from selfstudy.testing import FakeEmbedder
from selfstudy.train.head import Head
from selfstudy.train.rows import weighed

DOCUMENTS = [f"d{number}" for number in range(20)]
PASSAGES = {
    f"{document}-{part}": Passage(f"{document}-{part}", document, f"{document} says {part}.", (Place(document, 0, 9),))
    for document in DOCUMENTS
    for part in ("tea", "oil", "tax")
}
GROUPS = {id: id.partition("-")[0] for id in PASSAGES}


def vote(question: str, verdict: Sign = "up", user: str = "anna", **more: Any) -> Vote:
    found = more.pop("found", ("d0-tea", "d0-oil", "d0-tax"))
    asked = Asked(
        question, 1.0, user, "ask", question, more.pop("answer", "Tea. [1]"), False, 0.9, found, "base@1", more.pop("cited", found[:1])
    )
    return Vote(asked, user, 2.0, verdict, **more)


def by_question(votes: list[Vote], **settings: Any) -> tuple[dict[str, Example], dict[str, int]]:
    found = judged(votes, PASSAGES, GROUPS, Votes(**settings))
    return {one.question: one for one in found.examples}, found.report


def test_each_kind_of_vote_says_its_own() -> None:
    found, report = by_question(
        [
            vote("liked?"),
            vote("named?", "down", passage="d0-oil"),
            vote("corrected?", "down", corrected="d0 says tax"),
            vote("only disliked?", "down"),
            vote("corrected elsewhere?", "down", corrected="nobody says that"),
        ]
    )
    right = {question: one.evidence[0].passage.id for question, one in found.items()}
    assert right == {"liked?": "d0-tea", "named?": "d0-oil", "corrected?": "d0-tax"}
    assert {question: one.weight for question, one in found.items()} == {"liked?": 1, "named?": 2, "corrected?": 2}
    assert [hit.passage.id for hit in found["named?"].distractors] == ["d0-tea"], "what was cited and voted down"
    assert (found["liked?"].answers, found["corrected?"].answers) == (("Tea.",), ("d0 says tax",))
    assert {(one.writer, one.group) for one in found.values()} == {("people", "d0")}
    assert report["left out: no passage was voted for"] == 2


def test_people_are_added_up_and_where_they_disagree_nothing_is_learned() -> None:
    found, report = by_question(
        [
            *(vote("Which?", "down", user, passage="d0-oil") for user in ("anna", "bert", "carl")),
            vote("Which?", "up", "dora"),
            vote("Tied?", "down", "anna", passage="d0-oil"),
            vote("tied", "down", "bert", passage="d0-tax"),
        ]
    )
    assert [(one.evidence[0].passage.id, one.weight) for one in found.values()] == [("d0-oil", 3)]
    assert report["left out: people disagree"] == 1


def test_nobody_alone_decides() -> None:
    many = [vote(f"question {number}?", user="eve") for number in range(9)]
    found, report = by_question(many, per_user=4)
    assert sorted(found) == [f"question {number}?" for number in range(5, 9)], "the newest count"
    assert report["left out: too many by one user"] == 5
    pushed = [vote(f"question {number}?", "down", "eve", passage="d0-oil") for number in range(9)]
    found, report = by_question(pushed, per_passage=2)
    assert len(found) == 2
    assert report["left out: one passage too often by one user"] == 7


def test_asking_again_gives_no_second_vote() -> None:
    others = [vote("Which?", "down", f"user{number}", passage="d0-oil") for number in range(3)]
    again = [vote("which", "down", "eve", passage="d0-tea"), *(vote("which", "down", "eve", corrected="d0 says tax") for _ in range(9))]
    found, report = by_question([*others, *again])
    assert {one.evidence[0].passage.id for one in found.values()} == {"d0-oil"}
    assert report["left out: the same user judged this question again later"] == 9
    found, _ = by_question([vote("Which?", "down", "eve", passage="d0-oil"), vote("which", "down", "eve", passage="d0-tax")])
    assert {one.evidence[0].passage.id for one in found.values()} == {"d0-tax"}, "the newest counts"
    found, _ = by_question([click("Which?", "d0-oil", "eve"), vote("which", "down", "eve", passage="d0-tax")])
    assert found["which"].weight == 2, "a click beside a vote counts no more where the question was asked again"
    assert [one.evidence[0].passage.id for one in found.values()] == ["d0-tax"]
    clicks = [click("Which?", "d0-tax", "eve") for _ in range(5)]
    found, _ = by_question([*clicks, click("Which?", "d0-oil", "anna"), click("Which?", "d0-oil", "bert")])
    assert {one.evidence[0].passage.id for one in found.values()} == {"d0-oil"}


def test_a_passage_is_pushed_by_its_words_no_more_than_by_its_name() -> None:
    pushed = [vote(f"question {number}?", "down", "eve", corrected="d0 says tax") for number in range(9)]
    found, report = by_question(pushed, per_passage=2)
    assert sorted(found) == ["question 7?", "question 8?"]
    assert report["left out: one passage too often by one user"] == 7


def test_who_contradicts_most_others_is_left_out() -> None:
    honest = [vote(f"question {number}?", "up", user) for number in range(6) for user in ("anna", "bert")]
    liar = [vote(f"question {number}?", "down", "eve", passage="d0-oil") for number in range(6)]
    alone = [vote("only eve asked?", "down", "eve", passage="d0-oil")]
    found, report = by_question([*honest, *liar, *alone])
    assert {one.evidence[0].passage.id for one in found.values()} == {"d0-tea"}
    assert report["left out: by a user who contradicts most others"] == 7
    found, _ = by_question([*honest[:8], *liar[:4], *alone])
    assert "only eve asked?" in found, "four questions say too little about anybody"


def click(question: str, passage: str, user: str = "anna") -> Vote:
    return vote(question, "click", user, passage=passage)


def test_a_click_says_less_than_a_vote() -> None:
    found, report = by_question([click("Both?", "d0-oil"), vote("Both?", "down", "bert", passage="d0-tea"), click("Clicks?", "d0-tax")])
    assert {question: (one.evidence[0].passage.id, one.weight) for question, one in found.items()} == {
        "Both?": ("d0-tea", 2),
        "Clicks?": ("d0-tax", 1),
    }
    assert (report["learned from"] + report.get("about a document of the exam", 0), report["from clicks alone"]) == (2, 1)
    assert all(one.answers == () for one in found.values()), "nobody said that the answer was right"


def test_clicks_are_bounded_like_votes_and_crowd_none_out() -> None:
    clicks = [click(f"clicked {number}?", f"d{number}-tea") for number in range(6)]
    votes = [vote(f"voted {number}?", found=(f"d{number}-oil",)) for number in range(4)]
    found, report = by_question([*clicks, *votes], per_user=4)
    assert set(found) == {*(f"clicked {number}?" for number in range(2, 6)), *(f"voted {number}?" for number in range(4))}
    assert report["left out: too many by one user"] == 2
    pushed = [*(click(f"clicked {number}?", "d0-oil") for number in range(4)), vote("voted?", "down", passage="d0-oil")]
    found, report = by_question(pushed, per_passage=3)
    assert len(found) == 3
    assert "voted?" in found
    found, report = by_question([click("Which?", "d0-oil"), vote("Which?", "down", passage="d0-tax"), click("Which?", "d0-tea", "bert")])
    assert found["Which?"].evidence[0].passage.id == "d0-tax"
    assert report["left out: a click on an answer that the same user judged"] == 1
    honest = [vote(f"question {number}?", "up", user) for number in range(6) for user in ("anna", "bert")]
    liar = [vote(f"question {number}?", "down", "eve", passage="d0-oil") for number in range(6)]
    assert "only eve?" not in by_question([click("only eve?", "d0-oil", "eve"), *honest, *liar])[0]
    clicks = [click(f"question {number}?", "d0-oil", "carl") for number in range(6)]
    assert "only carl?" in by_question([click("only carl?", "d0-tax", "carl"), *clicks, *honest])[0], "a click contradicts nobody"


def test_a_passage_that_is_gone_teaches_nothing() -> None:
    found, report = by_question([vote("gone?", found=("old-1", "d0-tea"), cited=("old-1",))])
    assert found == {}
    assert report == {"left out: no passage was voted for": 1}


def test_near_copies_are_seen_and_other_questions_are_not() -> None:
    asked = ["How do I reset the pump?", "Who pays the tax of the house?"]
    copies = ["how do I reset the pump", "How do you reset pumps?", "Who pays taxes for the house?"]
    others = ["How do I oil the pump?", "How do I reset the old pump?", "Who owns the house?", "What is tea?", "?"]
    assert near_copies([*copies, *others], asked) == set(copies)


def of(number: int, document: str, question: str, split: Any) -> Example:
    return Example(
        f"{number:032x}", question, (), (Hit(PASSAGES[f"{document}-tea"], 1.0, "x"),), writer="cloze", group=document, split=split
    )


def test_the_exam_holds_nothing_that_was_voted_on(tmp_path: Path) -> None:
    splits = {
        one.group: one.split for d in DOCUMENTS for one in judged([vote("q", found=(f"{d}-tea",))], PASSAGES, GROUPS, Votes()).examples
    }
    examined = next(d for d in DOCUMENTS if splits[d] == "exam")
    trained = next(d for d in DOCUMENTS if splits[d] == "train")
    kept, studied = (Artifact(name, name, tmp_path / name) for name in ("kept", "corpus"))
    for made in (kept, studied):
        made.path.mkdir()
    written = [
        of(1, examined, "How is the tea brewed?", "exam"),
        of(2, examined, "Where is oil kept?", "exam"),
        of(4, examined, "Who keeps the oil in the cellars?", "exam"),
        of(3, trained, "Why?", "train"),
    ]
    write_records(kept.path / "kept.jsonl", written)
    write_records(studied.path / "passages.jsonl", PASSAGES.values())
    write_json(studied.path / "groups.json", GROUPS)
    votes = [
        vote("How was the tea brewed?", "down", found=(f"{trained}-tea",), cited=()),  # no example comes of it, and yet it was voted on
        vote("What about the exam's document?", found=(f"{examined}-tea",)),
        vote("What about the other?", found=(f"{trained}-oil",)),
        click("Who keeps oil in the cellar?", f"{trained}-oil"),
        click("What of a click in the exam?", f"{examined}-oil"),
    ]
    made = Run(tmp_path / "artifacts").stage(voted, Votes(), kept, studied, 0, Lazy("votes", lambda: votes))
    together = list(read_records(made.path / "kept.jsonl", Example))
    learned = {"What about the other?", "Who keeps oil in the cellar?"}
    assert [one.question for one in together if one.question not in learned] == ["Where is oil kept?", "Why?"]
    assert learned <= {one.question for one in together}
    assert {one.question for one in read_records(made.path / "exam.jsonl", Example)} == {
        "What about the exam's document?",
        "What of a click in the exam?",
    }
    assert Run(tmp_path / "artifacts").result(made)["taken out of the exam"] == 2


def test_an_example_trains_as_often_as_it_weighs() -> None:
    light, heavy = of(1, "d0", "light", "train"), of(2, "d1", "heavy", "train")
    heavy = Example.load(heavy.json() | {"weight": 3})
    assert [one.question for one in weighed([light, heavy])] == ["light", "heavy", "heavy", "heavy"]


# What votes teach one another: documents of eight topics each; people have a word of their own for every topic.

TOPICS = [f"{name}word" for name in ("red", "blue", "tall", "cold", "warm", "soft", "loud", "dark")]


def taught(tmp_path: Path, choosing: Callable[[np.random.Generator, str], str]) -> dict[str, Any]:
    random = np.random.default_rng(0)
    documents = [f"doc{number}" for number in range(30)]
    fillers = ["", "again", "again more", "again more words"]
    passages = [Passage(f"{d}-{t}", "", f"{d} {t} {random.choice(fillers)}", (Place(d, 0, 5),)) for d in documents for t in TOPICS]
    kept, studied = (Artifact(name, name, tmp_path / name) for name in ("kept", "corpus"))
    for made in (kept, studied):
        made.path.mkdir(parents=True)
    write_records(studied.path / "passages.jsonl", passages)
    write_json(studied.path / "groups.json", {one.id: one.id.partition("-")[0] for one in passages})
    write_records(kept.path / "kept.jsonl", [])
    votes = []
    for document in documents:
        for place, topic in enumerate(TOPICS):
            said = choosing(random, topic)
            found = tuple(f"{document}-{t}" for t in TOPICS)
            votes.append(
                vote(f"{document} people{place}", "down", found=found, cited=(), passage=f"{document}-{said}", user=f"u{document}")
            )
    embedder = FakeEmbedder(dim=96)
    searched = embedder.embed([one.indexed for one in passages])
    fitting = Head(steps=40, batch=64, hidden=64, anchor=0.5, learning_rate=3e-3)
    made = Run(tmp_path / "artifacts").stage(
        votes_proof, Votes(), fitting, kept, studied, 0, Lazy("votes", lambda: votes), [], embedder, Lazy("s", lambda: searched)
    )
    found: dict[str, Any] = json.loads((made.path / "choices.json").read_text())
    return found


def test_votes_that_agree_are_proven_and_those_at_random_or_by_place_are_not(tmp_path: Path) -> None:
    right = taught(tmp_path / "right", lambda random, topic: topic if random.random() > 0.15 else str(random.choice(TOPICS)))
    assert len(right["ids"]) == len(right["after"]) == 240
    assert verdict_on(right).promote
    assert np.mean(right["after"]) > np.mean(right["before"]) + 0.1
    noise = taught(tmp_path / "noise", lambda random, topic: str(random.choice(TOPICS)))
    place = taught(tmp_path / "place", lambda random, topic: TOPICS[min(int(random.exponential(2)), 7)])
    for chance in (noise, place):
        assert abs(np.mean(chance["after"])) < 0.05
        refused = verdict_on(chance)
        assert not refused.promote
        assert refused.reason.startswith("Votes are kept and not learned from: The share of passages shown that the chosen one outranks")
    few = verdict_on({name: values[:39] for name, values in right.items()})
    assert not few.promote
    assert "at least 40 questions that people agree on are needed, and there are 39" in few.reason


def verdict_on(found: dict[str, Any]) -> Verdict:
    return judge_votes(Gate(), (found["before"], found["after"]), 40)


def test_votes_must_help_others_and_stand_above_chance() -> None:
    random = np.random.default_rng(2)
    apart, noise = np.full(200, 0.2), random.normal(0, 0.1, 200)
    assert judge_votes(Gate(), (apart + noise, apart + noise + 0.05 + random.normal(0, 0.1, 200)), 40).promote
    useless = judge_votes(Gate(), (apart + noise, apart + random.normal(0, 0.1, 200)), 40)
    assert [(check.name, check.passed) for check in useless.checks] == [("votes size", True), ("votes", False), ("choices", True)]
    perverse = judge_votes(Gate(), (noise - 0.3, noise - 0.2 + random.normal(0, 0.05, 200)), 40)
    assert [(check.name, check.passed) for check in perverse.checks] == [("votes size", True), ("votes", True), ("choices", False)]
    assert not perverse.promote, "who is wrong in the same way as others agrees with them"


def test_chance_is_a_choice_by_place_however_passages_are_ranked() -> None:
    assert beyond_chance([0.9, 0.1, 0.5], 0, [1, 1, 1]) == pytest.approx(0.5)
    assert beyond_chance([0.9, 0.1, 0.5], 1, [1, 1, 1]) == pytest.approx(-0.5)
    assert beyond_chance([0.9, 0.1, 0.5], 0, [4, 0, 0]) == 0.0, "everybody always takes the first"
    assert beyond_chance([0.9, 0.1, 0.5], 0, [3, 1]) == pytest.approx(0.25), "nobody ever took the third"
    assert beyond_chance([0.9, 0.1], 1, [2, 1, 1]) == pytest.approx(-2 / 3), "a shorter list"
    often, scores = [5, 3, 2], [0.2, 0.8, 0.4]
    assert sum(share * beyond_chance(scores, place, often) for place, share in enumerate(often)) == pytest.approx(0.0)


def test_folds_are_of_people_where_there_are_enough() -> None:
    few = judged([vote(f"question {n}?", user=f"user{n % 3}") for n in range(60)], PASSAGES, GROUPS, Votes())
    assert set(folds_of(few, 4).tolist()) == {0, 1, 2, 3}, "three people: by question"
    many = judged([vote(f"question {n}?", user=f"user{n % 9}", found=(f"d{n % 20}-tea",)) for n in range(180)], PASSAGES, GROUPS, Votes())
    of: dict[str, set[int]] = {}
    for one, fold in zip(many.examples, folds_of(many, 4).tolist(), strict=True):
        of.setdefault(many.voters[one.id], set()).add(fold)
    assert {len(folds) for folds in of.values()} == {1}
    assert set().union(*of.values()) == {0, 1, 2, 3}


def test_what_was_shown_is_known_in_its_order_and_to_whom() -> None:
    found = judged(
        [
            vote("Which?", user="anna", found=("d0-tea", "d0-tax"), cited=("d0-tea",)),
            vote("Which?", "down", "bert", found=("d1-oil", "d0-oil", "gone", "d0-tea"), cited=(), passage="d0-oil"),
            vote("Which?", "down", "carl", found=("d0-oil", "d2-oil"), cited=(), passage="d0-oil"),
        ],
        PASSAGES, GROUPS, Votes(),
    )  # fmt: skip
    (one,) = found.examples
    assert one.evidence[0].passage.id == "d0-oil"
    assert found.shown[one.id] == ("d1-oil", "d0-oil", "d0-tea")
    assert found.voters[one.id] == "bert"
    assert places_of(found).tolist() == [0, 1]


def test_where_people_prove_the_gain_the_exam_need_only_hold() -> None:
    random = np.random.default_rng(1)
    level = random.uniform(0.2, 0.8, 400)
    still, worse, people = (
        level + random.normal(0, 0.05, 400),
        level - 0.2,
        (np.zeros(200), np.full(200, 0.1) + random.normal(0, 0.02, 200)),
    )
    common: Any = {"hybrid": (level, level), "writers": ["terms"] * 200 + ["cloze"] * 200, "unseen": {"terms"}, "guard": (level, level)}
    assert not judge(Gate(), dense=(level, still), **common).promote
    verdict = judge(Gate(), dense=(level, still), votes=people, **common)
    assert verdict.promote
    assert verdict.reason.startswith("Promoted: on 200 questions of people")
    assert not judge(Gate(), dense=(level, worse), votes=people, **common).promote
    assert not judge(Gate(), dense=(level, still), votes=(people[1], people[0]), **common).promote


# A home


def cast(home: Path, count: int) -> None:
    ledger, snapshot = Ledger(home), Engine.open(home, sets=["embedder=fake:64"]).store.snapshot()
    hits = [Hit(one, 1.0, "x") for one in snapshot.passages]
    for number in range(count):
        answer = Answer(f"question {number}?", "So.", (), tuple(hits), 0.9, False)
        ledger.vote(ledger.asked("anna", "ask", answer.question, hits, "base@1", answer), "anna", "down", passage=hits[0].passage.id)


@pytest.fixture
def fake_home(home: Path, plug: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(str(plug))
    return home


def keys(home: Path, *sets: str) -> dict[str, str]:
    return {stage.stage: stage.key for stage in Engine.open(home, sets=["embedder=fake:64", *sets]).plan()}


def test_without_enough_votes_a_study_is_what_it_was(fake_home: Path) -> None:
    before = keys(fake_home)
    cast(fake_home, 3)
    assert keys(fake_home) == before
    few = "votes.minimum=3"
    with_votes = keys(fake_home, few)
    assert set(with_votes) - set(before) == {"study.voted", "study.votes_proof"}
    assert with_votes["synth.round_trip"] == before["synth.round_trip"]
    assert with_votes["synth.negatives"] != before["synth.negatives"]
    assert keys(fake_home, few) == with_votes
    assert keys(fake_home, few, "votes.on=false") == before
    cast(fake_home, 1)
    assert keys(fake_home, few)["synth.negatives"] != with_votes["synth.negatives"], "other votes, another study"


def test_clicks_are_learned_from_only_where_the_settings_want_it(fake_home: Path) -> None:
    before = keys(fake_home)
    ledger, snapshot = Ledger(fake_home), Engine.open(fake_home, sets=["embedder=fake:64"]).store.snapshot()
    hits = [Hit(one, 1.0, "x") for one in snapshot.passages]
    for number in range(3):
        ledger.click(ledger.asked("anna", "search", f"question {number}?", hits, "base@1"), "anna", hits[0].passage.id)
    few = "votes.minimum=3"
    assert keys(fake_home, few) == before
    assert set(keys(fake_home, few, "votes.clicks=true")) - set(before) == {"study.voted", "study.votes_proof"}
    people = Engine.open(fake_home, sets=["embedder=fake:64"]).status()["people"]
    assert (people["asked"], people["voted"], people["clicked"], people["new_votes"]) == (3, 0, 3, 0)


def test_a_click_is_kept_once_and_only_for_what_was_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = Ledger(tmp_path)
    hits = [Hit(PASSAGES["d0-tea"], 1.0, "x"), Hit(PASSAGES["d0-oil"], 0.5, "x")]
    asked = ledger.asked("anna", "search", "Tea?", hits, "base@1")
    for _ in range(2):
        assert ledger.click(asked, "anna", "d0-oil").verdict == "click"
    ledger.click(asked, "anna", "d0-tea")
    assert [(one.verdict, one.passage, one.asked.question) for one in ledger.clicks()] == [
        ("click", "d0-oil", "Tea?"),
        ("click", "d0-tea", "Tea?"),
    ]
    assert ledger.votes() == []
    for wrong in ((asked, "bert", "d0-tea"), (asked, "anna", "d1-tea"), ("x" * 32, "anna", "d0-tea")):
        with pytest.raises(BadInput):
            ledger.click(*wrong)
    monkeypatch.setattr(ledger_module, "CLICKS_A_DAY", 3)
    other = ledger.asked("anna", "search", "Oil?", hits, "base@1")
    ledger.click(other, "anna", "d0-tea")
    with pytest.raises(BadInput, match="enough"):
        ledger.click(other, "anna", "d0-oil")


def test_votes_that_are_refused_change_nothing(fake_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = keys(fake_home)
    cast(fake_home, 3)
    monkeypatch.setattr(Examples, "_votes_found", {"ids": ["1", "2", "3"], "before": [0.5, 0.5, 0.5], "after": [0.5, 0.1, 0.5]})
    assert keys(fake_home, "votes.minimum=3")["synth.negatives"] == before["synth.negatives"]


def test_the_ledger_knows_what_was_cited_and_opens_older_ones(tmp_path: Path) -> None:
    old = sqlite3.connect(tmp_path / "ledger.db")
    old.execute(
        "create table asked (id text primary key, at real not null, user text not null, kind text not null, question text not null, "
        "answer text not null, abstained integer, confidence real, passages text not null, system text not null) strict"
    )
    old.execute("insert into asked values ('x', 1.0, 'anna', 'ask', 'Old?', 'Yes.', 0, 0.9, '[\"p\"]', 'base@1')")
    old.commit()
    old.close()
    ledger = Ledger(tmp_path)
    cited = Citation(1, "d0-oil", "d0", "", "", 0, 2, "So")
    answer = Answer("New?", "So [1]", (cited,), (Hit(PASSAGES["d0-tea"], 1.0, "x"), Hit(PASSAGES["d0-oil"], 0.5, "x")), 0.9, False)
    ledger.vote(ledger.asked("anna", "ask", "New?", answer.hits, "base@1", answer), "anna", "up")
    ledger.vote("x", "anna", "down")
    assert [(one.asked.question, one.asked.cited) for one in ledger.votes()] == [("New?", ("d0-oil",)), ("Old?", ())]
