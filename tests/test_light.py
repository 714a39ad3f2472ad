"""The light user from the command line: a model behind an API writes questions and answers, within a budget; nothing is tuned here."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import tiny
from conftest import Run
from endpoint import Body, serving
from pupil import pupil

from selfstudy.apps import output, tables
from selfstudy.core.run import Planned, Stage
from selfstudy.recipes import bysentence, candidate, examples, imitation, rounds, study
from selfstudy.recipes.costs import guessed
from selfstudy.recipes.settings import Settings
from selfstudy.train.embedder import EmbedderTraining

pytestmark = pytest.mark.usefixtures("small_guard")  # what the guard finds is of no interest here
SETS = (
    "training.minutes=0",
    "head.on=false",
    "sentences.on=false",
    "reranker.on=false",
    "modelled.passages=32",
    "round_trip.k=1",
    "api.retries=0",
    "api.prices={m={input=1000,output=2000}}",
)


@pytest.fixture
def light(run: Run, pumps: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """`light(url, verb, ...)`: a command line of a user whose settings name a model behind `url`."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test-only-1234")
    assert run("--set", "embedder=fake:64", "add", "docs")[0] == 0

    def command(url: str, *arguments: str) -> tuple[int, Any, str]:
        monkeypatch.setenv("OPENAI_BASE_URL", url)
        sets = [part for said in ("embedder=fake:64", "llm=openai:m", *SETS) for part in ("--set", said)]
        code, out, err = run(*sets, *arguments, "--json")
        return code, json.loads(out) if out.strip() else None, err

    return command


def test_a_plan_names_calls_tokens_and_money_and_asks_nothing(light: Any) -> None:
    with serving(pupil) as endpoint:
        _, planned, _ = light(endpoint.url, "adapt", "--plan")
        assert endpoint.bodies == []
    (written,) = [stage for stage in planned if stage["stage"] == "synth.modelled"]
    assert written["calls"] == 128
    assert written["tokens"] > 128 * 100
    assert written["money"] > written["tokens"] / 1e6 * 1000
    assert written["seconds"] > 0


def test_a_budget_stops_cleanly_and_the_next_adapt_goes_on(light: Any, capsys: pytest.CaptureFixture[str]) -> None:
    with serving(pupil) as endpoint:
        code, said, _ = light(endpoint.url, "adapt", "--budget", "calls=50")
        assert code == 130
        assert "budget of 50 calls" in json.dumps(said)
        assert len(endpoint.bodies) == 50
        assert light(endpoint.url, "status")[1]["live"]["key"] is None
        code, outcome, err = light(endpoint.url, "adapt")
        assert code == 0, err
        assert len(endpoint.bodies) == 128
        assert {"model short", "model choice", "model claim"} <= set(outcome["questions"])
        told = outcome["paid"]
        assert (told["calls"], told["models"], told["prompt_tokens"]) == (78, {"test-model": 78}, 78 * 7)
        assert told["money"] == pytest.approx(78 * (7 * 1000 + 3 * 2000) / 1e6)
        output.show(tables.outcome(outcome))
        said = " ".join(capsys.readouterr().out.split())
        assert "Asked of test-model: 78 calls, 780 tokens, 1.0140 in money; 50 replies were kept from before." in said
        code, again, _ = light(endpoint.url, "adapt")
        assert (code, len(endpoint.bodies)) == (0, 128), "the second adapt asks nothing"
        assert again["paid"] is None
        assert light(endpoint.url, "adapt", "--plan")[1][1]["calls"] == 0


def test_a_plan_of_a_begun_stage_counts_what_is_left(light: Any) -> None:
    more = ("--set", "modelled.passages=40")
    with serving(pupil) as endpoint:
        assert (
            light(endpoint.url, "adapt", "--budget", "calls=135", *more)[0] == 130
        )  # the first 20 passages take 80 calls, and the next ones are begun
        (begun,) = [stage for stage in light(endpoint.url, "adapt", "--plan", *more)[1] if stage["stage"] == "synth.modelled"]
    assert (begun["state"], begun["done"], begun["calls"]) == ("resume", 20, 4 * 40 - 135)


def test_a_plan_over_a_model_that_runs_here_takes_its_time_from_its_size(run: Run, pumps: Path, tmp_path: Path) -> None:
    assert run("--set", "embedder=fake:64", "add", "docs")[0] == 0

    def seconds(name: str, concurrency: int) -> float | None:
        sets = ("embedder=fake:64", f"llm=hf:{name}", f"api.concurrency={concurrency}")
        code, out, err = run(*(part for said in sets for part in ("--set", said)), "adapt", "--plan", "--json")
        assert code == 0, err
        (written,) = [stage for stage in json.loads(out) if stage["stage"] == "synth.modelled"]
        assert written["calls"] == 44 * 4
        return float(written["seconds"]) if written["seconds"] is not None else None

    (tmp_path / "model").mkdir()
    here = str(tiny.causal(tmp_path / "model"))
    assert 0 < (seconds(here, 8) or 0) < 44 * 4 * 3 / 8, "a model of a few thousand weights takes no three seconds a call"
    assert seconds(str(tmp_path / "nowhere"), 8) is None, "of what cannot be read nobody knows"


def test_a_budget_in_money_needs_a_price(light: Any) -> None:
    with serving(pupil) as endpoint:
        code, said, err = light(endpoint.url, "adapt", "--budget", "money=2", "--set", "llm=openai:other")
        assert code == 2
        assert "no price of 'other'" in json.dumps(said) + err
        code, said, err = light(endpoint.url, "adapt", "--budget", "money=2", "--set", "llm=hf:x", "--set", "embedder=openai:vectors")
        assert code == 2
        assert "no price of 'vectors'" in json.dumps(said) + err
        assert endpoint.bodies == []


def test_a_budget_is_for_a_model_behind_an_api(run: Run, pumps: Path) -> None:
    assert run("--set", "embedder=fake:64", "add", "docs")[0] == 0
    code, _, err = run("--set", "embedder=fake:64", "--set", "llm=hf:x", "adapt", "--plan", "--budget", "calls=5")
    assert (code, "there is none here" in err) == (2, True)


def test_a_budget_that_says_no_limit_is_an_error(run: Run) -> None:
    code, _, err = run("adapt", "--budget", "5")
    assert code == 2
    assert "calls=N, tokens=N or money=N" in err


def test_a_person_reads_strikes_and_keeps(light: Any) -> None:
    with serving(pupil) as endpoint:
        assert light(endpoint.url, "questions")[0] == 2, "none were written yet"
        light(endpoint.url, "adapt")
        _, shown, _ = light(endpoint.url, "questions", "--sample", "5", "--writer", "model short")
        assert len(shown) == 5
        assert {row["writer"] for row in shown} == {"model short"}
        bad = shown[0]["id"]
        all_dropped = light(endpoint.url, "questions", "--dropped", "--sample", "10000")[1]
        dropped = next(row for row in all_dropped if "found" in row["dropped"])
        code, rows, _ = light(endpoint.url, "questions", "--strike", bad[:10], "--keep", dropped["id"], "--sample", "10000")
        assert code == 0
        assert {row["id"]: row["said"] for row in rows}[bad] == "strike"
        assert light(endpoint.url, "questions", "--strike", "")[0] == 2
        before = len(endpoint.bodies)
        assert light(endpoint.url, "adapt")[0] == 0
        assert len(endpoint.bodies) == before
        ids = {row["id"] for row in light(endpoint.url, "questions", "--sample", "10000")[1]}
        assert bad not in ids
        assert dropped["id"] in ids


def test_what_was_not_taken_from_the_model_is_told_with_its_reasons(light: Any, capsys: pytest.CaptureFixture[str]) -> None:
    def script(body: Body, place: int) -> str:
        return pupil(body, place).replace("Which engineer", "According to this passage, which engineer")

    with serving(script) as endpoint:
        code, told, err = light(endpoint.url, "adapt")
        assert code == 0, err
        assert told["round_trip"]["model short"]["it speaks of the passage"] == 32
        capsys.readouterr()
        output.show(tables.outcome(told))
        assert "it speaks of the" in capsys.readouterr().out
        _, rows, _ = light(endpoint.url, "questions", "--dropped", "--writer", "model short", "--sample", "10000")
        untaken = [row for row in rows if row["dropped"] == "it speaks of the passage"]
        assert len(untaken) == 32
        assert all(row["question"].startswith("According") and "is oiled every" in row["text"] for row in untaken)
        code, _, err = light(endpoint.url, "questions", "--keep", untaken[0]["id"])
        assert (code, "was not taken from the model" in err) == (2, True)


def test_a_table_of_questions_marks_the_right_choice_and_says_what_it_was_written_from(capsys: pytest.CaptureFixture[str]) -> None:
    row = {
        "id": "1234567890", "question": "Who?", "answers": ["Ann"], "choices": ["Bob", "Ann"], "kind": "choice", "writer": "model choice",
        "split": "train", "passage": "Pumps", "text": "Ann oils\nthe pump.", "dropped": "", "said": "",
    }  # fmt: skip
    output.show(tables.questions([row]))
    shown = " ".join(capsys.readouterr().out.split())
    assert "Bob / *Ann" in shown
    assert "Pumps: Ann oils" in shown


@pytest.mark.parametrize(("support", "calls"), [("fully", 2), ("no", 2), ("fully", 1)])
def test_ask_answers_in_the_models_words_and_lets_it_judge_them(light: Any, support: str, calls: int) -> None:
    asked: list[str] = []

    def script(body: Body, place: int) -> str:
        asked.append(body["messages"][-1]["content"])
        assert "pump 7 is oiled" in asked[-1]
        return json.dumps({"support": support}) if '"sentence"' in asked[-1] else "Engineer Number7 oils it every 9 weeks [1]."

    off = () if calls == 2 else ("--set", "judged.on=false")
    with serving(script) as endpoint:
        code, answer, err = light(endpoint.url, *off, "ask", "How often is the wheel of pump 7 oiled by engineer Number7?")
    assert code == 0, err
    assert len(asked) == calls
    assert '"sentence": "Engineer Number7 oils it every 9 weeks."' in asked[-1] or calls == 1
    assert answer["abstained"] is (support == "no")
    if support == "fully":
        assert answer["text"].startswith("Engineer Number7 oils it every 9 weeks.")
        assert answer["citations"][0]["document"] == "p7.txt"


def test_a_plan_guesses_what_never_ran_here_and_keeps_what_is_known() -> None:
    settings = Settings(training=EmbedderTraining(minutes=7.0))

    def seconds(stage: str, passages: int, known: float | None = None) -> float | None:
        return guessed(Planned(stage, "key", "run", known), passages, settings).seconds

    assert seconds("train.embedder", 500) == 420
    assert seconds("synth.round_trip", 500, 3.0) == 3.0
    few, many = seconds("synth.round_trip", 500), seconds("synth.round_trip", 2000)
    assert few is not None
    assert many is not None
    assert 10 < few < many < 200
    assert seconds("nobody.knows", 500) is None
    parts = [vars(module).values() for module in (examples, rounds, candidate, study, bysentence, imitation)]
    stages = {one.name for part in parts for one in part if isinstance(one, Stage)}
    seldom = {"synth.modelled", "train.adapted", "train.pretrained", "study.voted", "study.votes_proof"}
    assert {name for name in stages - seldom if seconds(name, 500) is None} == set(), "a new stage wants a guess"
