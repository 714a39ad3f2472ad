"""What a segment is worth: hand-computed values, every source alike, and a test for each fault of the method's public reference code."""

from __future__ import annotations

import itertools
import json
import math
import random
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from endpoint import Answer, Body, completion, llm, serving

from selfstudy.answer import beam
from selfstudy.answer.critics import EntailmentCritic
from selfstudy.answer.prompted_critic import PromptedCritic
from selfstudy.answer.scoring import (
    Weights,
    closed,
    critique_of,
    decision_of,
    needs_search,
    score,
    support,
    supports,
    usefulness,
    within,
)
from selfstudy.core.errors import BadInput, BadModel, Stopped
from selfstudy.core.ports import Critic
from selfstudy.core.records import Critique, Message, Support, Token, Tree
from selfstudy.core.reflection import RELEVANT, RETRIEVE, SUPPORTED, USEFUL
from selfstudy.recipes.loaded import Loaded
from selfstudy.recipes.settings import Settings

SURE = Critique(0.8, Support(0.5, 0.3, 0.2), (0.0, 0.1, 0.2, 0.3, 0.4))


def logs(group: tuple[str, ...], *shares: float) -> dict[str, float]:
    return {token: math.log(share) for token, share in zip(group, shares, strict=False)}


def test_the_formula_by_hand() -> None:
    # exp(ln 0.5) = 0.5; s_rel = 0.8; s_sup = 0.5 + 0.15 = 0.65; s_use = -0.05 + 0 + 0.15 + 0.4 = 0.5
    assert score(math.log(0.5), SURE, Weights()) == pytest.approx(0.5 + 0.8 + 0.65 + 0.25)
    assert score(math.log(0.5), SURE, Weights(relevant=2, supported=0, useful=1)) == pytest.approx(0.5 + 1.6 + 0.5)
    assert score(None, Critique(), Weights()) == 0, "what nobody told counts nothing"
    assert support(Support(0.0, 1.0, 0.0)) == 0.5
    assert [usefulness([float(n == m) for n in range(5)]) for m in range(5)] == [-1.0, -0.5, 0.0, 0.5, 1.0]


def test_ratios_are_taken_over_probabilities_and_not_over_their_logarithms() -> None:
    decision = decision_of(logs(RETRIEVE, 0.9, 0.1))
    assert decision is not None
    assert needs_search(decision) == pytest.approx(0.9), "over logarithms it would be 0.044"
    found = within(logs(RELEVANT, 0.09, 0.01), RELEVANT)
    assert found == pytest.approx([0.9, 0.1]), "normalised within the group, however little of all probability it holds"
    assert needs_search((0.2, 0.2, 0.6)) == pytest.approx(0.5), "going on with the evidence is neither"


def test_a_constant_shift_of_the_logits_changes_nothing() -> None:
    chooser = random.Random(0)
    for _ in range(200):
        logits = {token: chooser.uniform(-9, 9) for token in (*RETRIEVE, *SUPPORTED, *USEFUL)}
        shift = chooser.choice([-2000.0, -3.0, 5.0, 2000.0])
        moved = {token: value + shift for token, value in logits.items()}
        for group in (RETRIEVE, SUPPORTED, USEFUL):
            before, after = within(logits, group), within(moved, group)
            assert before is not None
            assert before == pytest.approx(after)
            assert sum(before) == pytest.approx(1)
            assert sorted(group, key=lambda token: logits[token]) == sorted(group, key=lambda token: before[group.index(token)])


def test_a_decision_is_read_whatever_stands_around_its_token() -> None:
    listed = {" [Retrieval]": math.log(0.6), "[Retrieval]": math.log(0.1), "[No Retrieval] ": math.log(0.2)}
    found = decision_of(listed)
    assert found is not None
    assert needs_search(found) == pytest.approx(0.75)


def test_a_token_that_an_endpoint_does_not_list_is_bounded_by_the_smallest_that_it_lists() -> None:
    listed = {"[Relevant]": math.log(0.6), "The": math.log(0.2), "A": math.log(0.15)}
    assert within(listed, RELEVANT) == pytest.approx([0.8, 0.2]), "with -100 it would be as good as certain"
    assert within({"The": -0.1}, RELEVANT) is None, "of a group that is not listed at all nothing is known"
    assert within({"[Relevant]": -math.inf, "[Irrelevant]": -math.inf}, RELEVANT) is None


def levels(found: Support | None) -> tuple[float, float, float]:
    assert found is not None
    return found.fully, found.partly, found.no


def spoken(text: str, top: dict[str, float]) -> Token:
    return Token(text, top.get(text, -1.0), top)


def segment() -> list[Token]:
    return [
        spoken("[Relevant]", logs(RELEVANT, 0.6, 0.2)),
        Token("The", math.log(0.5)),
        Token(" pump", math.log(0.125)),
        spoken("[Fully supported]", logs(SUPPORTED, 0.6, 0.3, 0.1) | logs(USEFUL, 0.2, 0.2, 0.2, 0.2, 0.2)),
        spoken("[Utility:5]", logs(USEFUL, 0.01, 0.01, 0.02, 0.06, 0.4) | logs(SUPPORTED, 0.1, 0.1, 0.8)),
    ]


def test_a_segments_own_tokens_judge_it_each_group_in_its_own_place() -> None:
    critique, mean = critique_of(segment())
    assert critique.relevant == pytest.approx(0.75)
    assert critique.supported is not None
    assert critique.supported.json() == pytest.approx({"fully": 0.6, "partly": 0.3, "no": 0.1})
    assert critique.useful == pytest.approx((0.02, 0.02, 0.04, 0.12, 0.8))
    assert usefulness(critique.useful) == pytest.approx(-0.02 - 0.01 + 0.06 + 0.8), "the reference reads support here: always 0"
    assert mean == pytest.approx(math.log(0.25)), "the words alone, and their mean"


def test_a_missing_or_early_judgement_is_read_where_it_should_stand() -> None:
    whole = segment()
    silent = [
        spoken("The", logs(RELEVANT, 0.3, 0.1)),
        whole[2],
        spoken("", logs(SUPPORTED, 0.2, 0.1, 0.1) | logs(USEFUL, 0.1, 0.1, 0.1, 0.1, 0.6)),
    ]
    critique, _ = critique_of(silent)
    assert critique.relevant == pytest.approx(0.75)
    assert levels(critique.supported) == pytest.approx((0.5, 0.25, 0.25))
    assert critique.useful == pytest.approx((0.1, 0.1, 0.1, 0.1, 0.6))
    early = spoken("[Fully supported]", logs(SUPPORTED, 0.98, 0.01, 0.01))
    end = spoken("[No support / Contradictory]", logs(SUPPORTED, 0.1, 0.1, 0.8))
    assert levels(critique_of([early, *whole[:3], end])[0].supported) == pytest.approx((0.1, 0.1, 0.8)), "it was no judgement yet"
    plain = [Token("The", -1.0, {"The": -1.0, "A": -2.0}), Token(" pump", -2.0)]
    assert critique_of(plain) == (Critique(), -1.5), "a model without such tokens judges nothing"
    assert critique_of(whole[:1]) == (Critique(), None), "no words, nothing to judge"
    assert critique_of([]) == (Critique(), None)


def test_equal_answers_of_a_closed_task_are_summed_over_passages() -> None:
    sums = closed([("true", 1.0), ("false", 1.5), ("true", 0.75)])
    assert list(sums.items()) == [("true", 1.75), ("false", 1.5)]


@dataclass(frozen=True)
class Piece:
    name: str
    score: float
    done: bool = False


def tree_of(seed: int, negative: bool) -> dict[tuple[str, ...], list[Piece]]:
    """A random tree of at most three levels and three branches, as the segments that follow each path."""
    chooser = random.Random(seed)
    grown: dict[tuple[str, ...], list[Piece]] = {}

    def grow(path: tuple[str, ...]) -> None:
        grown[path] = [
            Piece(f"{n}", chooser.uniform(-2, 0 if negative else 2), len(path) == 2 or chooser.random() < 0.2)
            for n in range(chooser.randint(0, 3) if path else 3)
        ]
        for piece in grown[path]:
            if not piece.done:
                grow((*path, piece.name))

    grow(())
    return grown


def every_path(tree: dict[tuple[str, ...], list[Piece]], path: tuple[Piece, ...] = ()) -> list[tuple[Piece, ...]]:
    following = [] if path and path[-1].done else tree[tuple(piece.name for piece in path)]
    return [one for piece in following for one in every_path(tree, (*path, piece))] or [path]


@pytest.mark.parametrize("negative", [False, True])
def test_a_wide_beam_finds_what_trying_every_path_finds(negative: bool) -> None:
    for seed in range(60):
        tree = tree_of(seed, negative)
        best = max(every_path(tree), key=lambda path: sum(piece.score for piece in path))
        found = beam.search(lambda paths, t=tree: [t[tuple(p.name for p in path.segments)] for path in paths], width=100, most=9)
        assert found.segments == best


def test_a_narrow_beam_keeps_the_best_of_each_level() -> None:
    for seed in range(60):
        tree = tree_of(seed, negative=False)
        level: list[tuple[Piece, ...]] = [()]
        while any(not (path and path[-1].done) and tree[tuple(p.name for p in path)] for path in level):
            grown = []
            for path in level:
                following = [] if path and path[-1].done else tree[tuple(p.name for p in path)]
                grown += [(*path, piece) for piece in following] or [path]
            level = sorted(grown, key=lambda path: sum(piece.score for piece in path), reverse=True)[:2]
        found = beam.search(lambda paths, t=tree: [t[tuple(p.name for p in path.segments)] for path in paths], width=2, most=9)
        assert found.segments == level[0]


def test_two_bad_segments_are_not_a_good_path() -> None:
    tree = {(): [Piece("bad", -2.0), Piece("fair", 0.5)], ("bad",): [Piece("bad", -2.0, True)], ("fair",): [Piece("fair", 0.5, True)]}
    found = beam.search(lambda paths: [tree[tuple(p.name for p in path.segments)] for path in paths], width=2, most=5)
    assert [piece.name for piece in found.segments] == ["fair", "fair"], "a product would take -2 * -2 = 4"


def test_what_was_finished_before_nothing_followed_is_kept() -> None:
    calls = itertools.count()
    endless = beam.search(lambda paths, ended=calls: [[Piece("x", 1.0)] * (next(ended) < 3) for _ in paths], width=2, most=50)
    assert len(endless.segments) == 3
    assert beam.search(lambda paths: [[] for _ in paths], width=2, most=5).segments == ()


class FakeEntailment:
    def supported(self, triples: object) -> np.ndarray:
        return np.array([[0.1, 0.2, 0.7], [0.8, 0.1, 0.1]], np.float32)


def test_entailment_is_a_source_of_the_same_probabilities() -> None:
    critic = EntailmentCritic(FakeEntailment(), lambda pairs: [0.9 for _ in pairs])
    assert isinstance(critic, Critic)
    first, second = critic.critiques([("q", "a", "p"), ("q", "b", "p")])
    assert first.relevant == 0.9
    assert levels(first.supported) == pytest.approx((0.7, 0.2, 0.1))
    assert first.useful is None
    assert score(None, first, Weights()) == pytest.approx(0.9 + 0.8)
    assert score(None, second, Weights()) == pytest.approx(0.9 + 0.15)
    assert critic.critiques([("q", "a", "")]) == [Critique()]
    assert critic.retrieve([("q", "")]) == [(1.0, 0.0, 0.0)], "who cannot tell searches"
    assert supports(np.zeros((0, 3), np.float32)) == []


def test_the_starter_is_a_critic_words_tell_support_and_its_reader_relevance(tmp_path: Path) -> None:
    critic = Loaded(tmp_path, Settings(critic="starter")).critic
    assert critic is not None
    question, passage = "How often is the pump oiled?", "The pump of the northern plant is oiled every 6 weeks by the night shift."
    brass, yes, no = "Green tea is brewed at eighty degrees.", (1.0, 0.0, 0.0), (0.0, 0.0, 1.0)
    asked = [
        (question, "The pump is oiled every 6 weeks.", passage),
        (question, "The pump is oiled every 9 weeks.", passage),
        (question, "The pump is oiled every 6 weeks.", brass),
        ("Is the pump oiled by the night shift?", "Yes.", passage),
        ("泵多久加油一次？", "泵每6周加油一次。", "泵每6周加油一次，由夜班负责。"),
        (question, "Somebody does it.", ""),
    ]
    found = critic.critiques(asked)
    assert [levels(one.supported) for one in found[:5]] == [yes, no, no, yes, yes]
    assert found[0].relevant is not None
    assert found[2].relevant is not None
    assert found[0].relevant > 0.5 > found[2].relevant
    assert found[4].relevant == 0.5, "a reader that knows no Chinese says nothing"
    assert found[5] == Critique()
    assert critic.critiques([]) == []
    assert critic.retrieve([(question, "")]) == [(1.0, 0.0, 0.0)]
    with pytest.raises(BadInput, match="no critic 'openai:m'"):
        _ = Loaded(tmp_path, Settings(critic="openai:m")).critic


def test_a_prompted_model_is_a_source_too_and_its_faults_are_told() -> None:
    asked: list[Body] = []

    def script(body: Body, place: int) -> Answer | str:
        asked.append(body)
        shown = json.loads(body["messages"][-1]["content"])
        fields = body["response_format"]["json_schema"]["schema"]["required"]
        if fields == ["search"]:
            return json.dumps({"search": "no" if shown["said"] else "yes"})
        if "rusts" in shown["sentence"]:
            return Answer({"error": {"message": "no"}}, 500)
        if fields == ["useful"]:
            return json.dumps({"useful": 4})
        return json.dumps({"relevant": True, "supported": "partly", "useful": 4})

    with serving(script) as endpoint:
        critic = PromptedCritic(llm(endpoint.url))
        assert isinstance(critic, Critic)
        assert critic.critiques([("What?", "It turns.", "A passage."), ("What?", "It turns.", "")]) == [
            Critique(1.0, Support(0.0, 1.0, 0.0), (0.0, 0.0, 0.0, 1.0, 0.0)),
            Critique(None, None, (0.0, 0.0, 0.0, 1.0, 0.0)),
        ]
        assert critic.retrieve([("What?", ""), ("What?", "It turns.")]) == [(1.0, 0.0, 0.0), (0.0, 1.0, 0.0)]
        with pytest.raises(Stopped, match="did not judge 1 of 1 sentences"):
            critic.critiques([("What?", "It rusts.", "A passage.")])
    assert critic.critiques([]) == []


def test_of_what_a_model_refuses_to_judge_nothing_is_told() -> None:
    refusal = Answer(completion(None, message={"role": "assistant", "content": None, "refusal": "Not about that."}))

    def script(body: Body, place: int) -> Answer | str:
        return refusal if "gun" in body["messages"][-1]["content"] else json.dumps({"support": "fully"})

    with serving(script) as endpoint:
        critic, gun = PromptedCritic(llm(endpoint.url)), ("What?", "The gun is clean.", "A passage.")
        assert critic.critiques([gun, ("What?", "The gun is clean.", "")]) == [Critique(), Critique()]
        assert critic.retrieve([("Which gun?", "")]) == [(1.0, 0.0, 0.0)], "it is searched for then"
        assert critic.supported([gun, ("What?", "It turns.", "A passage.")]).tolist() == [pytest.approx([1 / 3] * 3), [0, 0, 1]]
        with pytest.raises(BadModel, match="did not judge its answer: "):
            critic.supported([gun])
        with pytest.raises(BadModel, match="did not judge any of 8 sentences"):
            critic.critiques([(f"{n}?", "The gun is clean.", "A passage.") for n in range(8)])


def test_the_probabilities_of_an_endpoint_are_read_from_its_top_logprobs() -> None:
    content = [
        {"token": "[Relevant]", "logprob": math.log(0.6), "bytes": None, "top_logprobs": [
            {"token": "[Relevant]", "logprob": math.log(0.6), "bytes": None}, {"token": "The", "logprob": math.log(0.2), "bytes": None}]},
        {"token": "Yes", "logprob": math.log(0.25), "bytes": None, "top_logprobs": []},
        {"token": "[Fully supported]", "logprob": math.log(0.5), "bytes": None, "top_logprobs": [
            {"token": "[Fully supported]", "logprob": math.log(0.5), "bytes": None},
            {"token": "[Partially supported]", "logprob": math.log(0.25), "bytes": None}]},
    ]  # fmt: skip

    def script(body: Body, place: int) -> Answer:
        return Answer(completion("[Relevant]Yes[Fully supported]", logprobs={"content": content, "refusal": None}))

    with serving(script) as endpoint:
        (reply,) = llm(endpoint.url).chat([[Message("user", "q")]], logprobs=20)
    critique, mean = critique_of(reply.tokens)
    assert critique.relevant == pytest.approx(0.75), "[Irrelevant] has at most the 0.2 of the smallest listed"
    assert levels(critique.supported) == pytest.approx((0.5, 0.25, 0.25))
    assert critique.useful is None
    assert mean == pytest.approx(math.log(0.25))


def test_a_tree_survives_json() -> None:
    tree = Tree("always", "q", {"relevant": 1.0}, 0.2, 2, (), ())
    assert Tree.load(json.loads(json.dumps(tree.json()))) == tree
