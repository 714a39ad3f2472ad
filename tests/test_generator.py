"""Tuning a generator: what is learned from, with which labels, on tiny models made here; the gate; what serves afterwards."""

from __future__ import annotations

import json
import weakref
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import Run as Command
from endpoint import Answer, serving
from endpoint import llm as api_model
from fakes import Found
from passages import passage
from pupil import pupil
from tiny import causal, encoder_decoder, tokenizer
from transformers import AutoModelForCausalLM

from selfstudy.answer.reflective import Reflect, reflect
from selfstudy.answer.speaking import Proposal
from selfstudy.core.artifacts import manifest, read_records, write_records
from selfstudy.core.errors import BadConfig, BadInput, Busy, Stopped
from selfstudy.core.prompts import NOT_HERE, grounded, prompt_ids, rendered
from selfstudy.core.quiet import quiet
from selfstudy.core.records import Artifact, Conversation, Example, Hit, Message, Passage
from selfstudy.core.run import Lazy, Run
from selfstudy.evals.answers import score
from selfstudy.evals.gate import Gate, judge_answers
from selfstudy.models.hf import HF
from selfstudy.recipes import generator as generator_loop
from selfstudy.recipes import generator_exam
from selfstudy.recipes.general import general, read_conversations
from selfstudy.recipes.pointer import Pointer
from selfstudy.synth.conversations import Mix, conversation
from selfstudy.synth.draft import draft
from selfstudy.train import generator as training
from selfstudy.train.generator import IGNORED, Generator, Lora, generator, needed, tokens, turns

pytestmark = pytest.mark.usefixtures("small_guard")
TEXTS = [f"The pump number {n} is oiled by hand every {n} weeks." for n in range(2, 8)]
FAST = {"per_device_train_batch_size": 4, "gradient_accumulation_steps": 1, "learning_rate": 1e-2, "max_length": 256}


PASSAGES = [passage(text) for text in TEXTS]


@pytest.mark.parametrize("template", [False, True], ids=["plain", "template"])
def test_only_the_answer_is_learned_and_the_prompt_is_that_of_answer_time(tmp_path: Path, template: bool) -> None:
    words = tokenizer(tmp_path, template)
    asked = grounded("How often is pump number 4 oiled?", PASSAGES[:4])
    row = tokens(words, asked, "every 4 weeks [3]", 512)
    assert row is not None
    learned = [id for id, label in zip(row["input_ids"], row["labels"], strict=True) if label != IGNORED]
    assert all(label in (IGNORED, id) for id, label in zip(row["input_ids"], row["labels"], strict=True))
    assert words.decode(learned) == ("every 4 weeks [3]<eos>" if template else " every 4 weeks [3]<eos>")
    prompt = row["input_ids"][: len(row["input_ids"]) - len(learned)]
    assert prompt == prompt_ids(words, asked, 512)
    model = HF(str(causal(tmp_path, template)))
    assert words.decode(prompt) == model.prompt(asked) == rendered(words, asked)
    assert model.chat([asked], max_tokens=2)[0].prompt_tokens == len(prompt)


def test_every_turn_of_the_assistant_is_a_row_and_a_long_prompt_loses_its_middle(tmp_path: Path) -> None:
    words = tokenizer(tmp_path)
    said = [Message("user", "once a week " + "the pump " * 300 + "Which part?"), Message("assistant", "the hand"), Message("user", "how?"),
            Message("assistant", "once a week")]  # fmt: skip
    pairs = turns(Conversation(tuple(said)))
    assert [(len(before), answer) for before, answer in pairs] == [(1, "the hand"), (3, "once a week")]
    row = tokens(words, *pairs[0], 64)
    assert row is not None
    assert len(row["input_ids"]) == 64
    assert words.decode(row["input_ids"]).startswith("Question: once a week the pump the pump")
    assert words.decode(row["input_ids"]).endswith(" the pump Which part?\n\nAnswer: the hand<eos>")
    assert tokens(words, said[:1], "hand " * 60, 64) is None, "an answer that leaves no room for its question teaches nothing"
    apart = tokens(words, *pairs[0], 64, reads_apart=True)
    assert apart is not None
    assert words.decode(apart["labels"]) == "the hand<eos>"


def test_evidence_stands_anywhere_among_distractors_or_is_missing() -> None:
    example = draft(PASSAGES[2], "How often is pump number 4 oiled?", ("4 weeks",), "number", "w")
    examples = [Example(**{**{name: getattr(example, name) for name in example.__slots__}, "id": f"{n:032x}"}) for n in range(300)]
    spoiled = passage("Some say 4 weeks, others do not.")
    made = [conversation(Mix(reversed=0.1, absent=0.2, reasoned=0.3), one, [spoiled, *PASSAGES]) for one in examples]
    asked = [one for one in made if one.kind == "question"]
    absent = [one for one in made if one.kind == "absent"]
    answered = [one for one in made if one.kind == "number"]
    assert 15 <= len(asked) <= 50
    assert all(one.messages[-1].content == example.question for one in asked)
    assert 35 <= len(absent) <= 80
    assert all(one.messages[-1].content == NOT_HERE and TEXTS[2] not in one.messages[1].content for one in absent)
    places = []
    for one in answered:
        prompt, said = one.messages[1].content, one.messages[-1].content
        assert spoiled.text not in prompt, "a distractor does not hold the answer"
        place = next(n for n in range(1, 5) if f"[{n}] {TEXTS[2]}" in prompt)
        assert said.endswith(f"4 weeks [{place}]")
        places.append(place)
    assert {places.count(n) > len(places) / 8 for n in (1, 2, 3, 4)} == {True}
    assert 0.2 < sum(TEXTS[2] in one.messages[-1].content for one in answered) / len(answered) < 0.4


def rows(folder: Path, count: int = 24) -> Artifact:
    made = Artifact("1" * 32, "conversations", folder)
    folder.mkdir(parents=True, exist_ok=True)
    texts = [("Which part?", "the hand"), ("how often", "once a week"), ("what runs", "the pump")]
    asked = [Conversation((Message("user", texts[n % 3][0]), Message("assistant", texts[n % 3][1]))) for n in range(count)]
    write_records(folder / "conversations.jsonl", asked)
    return made


@pytest.mark.parametrize("kind", ["causal", pytest.param("template", marks=pytest.mark.slow), "encoder-decoder", "lora"])
def test_a_model_learns_what_it_is_shown_and_says_it(tmp_path: Path, kind: str) -> None:
    folder = encoder_decoder(tmp_path / "base") if kind == "encoder-decoder" else causal(tmp_path / "base", kind == "template")
    lora = Lora(r=16, lora_alpha=64, lora_dropout=0.0) if kind == "lora" else None
    config = Generator(num_train_epochs=18, lora=lora, **FAST)
    made = Run(tmp_path / "artifacts").stage(generator, config, rows(tmp_path / "rows"), str(folder))
    losses = json.loads((made.path / "losses.json").read_text())
    assert losses[-1] < (losses[0] - 0.3 if lora else 0.5 * losses[0]), "sixteen ranks over random weights learn less"
    said = HF(str(made.path / "model")).chat([[Message("user", text)] for text in ("Which part?", "how often", "what runs")], max_tokens=8)
    if lora is None:
        assert [reply.text for reply in said] == ["the hand", "once a week", "the pump"]
    assert (made.path / "model" / "adapter_config.json").is_file() == (kind == "lora")


def test_the_second_stage_goes_on_from_the_first_ones_adapter(tmp_path: Path) -> None:
    base, given, run = causal(tmp_path / "base"), rows(tmp_path / "rows", 8), Run(tmp_path / "artifacts")
    config = Generator(num_train_epochs=2, lora=Lora(r=4), **FAST)
    first = run.stage(generator, config, given, str(base))
    second = run.stage(generator, config, given, str(first.path / "model"))
    about, weights = "adapter_config.json", "adapter_model.safetensors"
    bases = [json.loads((made.path / "model" / about).read_text())["base_model_name_or_path"] for made in (first, second)]
    assert bases == [str(base.resolve())] * 2
    assert (first.path / "model" / weights).read_bytes() != (second.path / "model" / weights).read_bytes()
    whole = run.stage(generator, Generator(num_train_epochs=1, **FAST), given, str(first.path / "model"))
    assert (whole.path / "model" / "model.safetensors").is_file()
    assert HF(str(second.path / "model")).chat([[Message("user", "Which part?")]], max_tokens=3)[0].completion_tokens


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"lora": Lora(r=32)}, "with r=4, and something else"),
        ({"lora": Lora(r=4, lora_alpha=64)}, "lora_alpha=32"),
        ({"lora": Lora(r=4), "reflection": True}, "knows no reflection tokens"),
    ],
)
def test_an_adapter_that_cannot_learn_on_as_it_should_is_refused(tmp_path: Path, asked: dict[str, Any], told: str) -> None:
    adapter = adapter_of(causal(tmp_path / "base"), tmp_path / "adapter")
    with pytest.raises(BadConfig, match=told) as fault:
        training._load(Generator(**asked), str(adapter))
    assert "Merge it into its base" in str(fault.value.mend) or "Or merge it" in str(fault.value.mend)
    with quiet():
        training._load(Generator(lora=Lora(r=4)), str(adapter))
        whole, words = training._load(Generator(reflection=True), str(adapter))
    assert all(weight.requires_grad for weight in whole.parameters()), "merged, all of it learns, the new tokens too"
    assert "[Relevant]" in words.get_vocab()


def adapter_of(base: Path, folder: Path) -> Path:
    with quiet():
        for part in training._load(Generator(lora=Lora(r=4)), str(base)):
            part.save_pretrained(folder)
    return folder


def test_weights_of_sixteen_bits_learn_in_thirty_two(tmp_path: Path) -> None:
    base = causal(tmp_path / "base")
    AutoModelForCausalLM.from_pretrained(base, dtype=torch.bfloat16).save_pretrained(base)
    config = Generator(num_train_epochs=2, per_device_train_batch_size=4, gradient_accumulation_steps=1, learning_rate=5e-7)
    made = Run(tmp_path / "artifacts").stage(generator, config, rows(tmp_path / "rows", 8), str(base))
    before, after = (AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32) for folder in (base, made.path / "model"))
    moved = [(one != other).float().mean() for one, other in zip(before.parameters(), after.parameters(), strict=True)]
    assert float(torch.stack(moved).mean()) > 0.5, "steps of 5e-7 vanish in bf16"


def test_an_adapter_holds_from_every_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    causal(tmp_path / "base")
    config = Generator(num_train_epochs=1, lora=Lora(r=2), **FAST)
    made = Run(tmp_path / "artifacts").stage(generator, config, rows(tmp_path / "rows", 8), "base")
    monkeypatch.chdir(made.path)
    was = HF("model").fingerprint
    assert HF("model").chat([[Message("user", "Which part?")]], max_tokens=2)[0].completion_tokens
    causal(tmp_path / "base", seed=5)
    assert HF("model").fingerprint != was, "other weights beneath it make another model"


def test_a_stopped_training_goes_on_from_its_checkpoint(tmp_path: Path) -> None:
    folder, given = causal(tmp_path / "base"), rows(tmp_path / "rows")
    config = Generator(num_train_epochs=4, save_steps=5, **FAST)
    seen: list[int] = []

    class Watch:
        def stage_started(self, name: str, resumed: bool) -> None: ...
        def progress(self, name: str, done: int, total: int) -> None:
            seen.append(done)
            if len(seen) == 12:
                run.stop.requested = True

        def stage_finished(self, name: str, seconds: float, kept: bool) -> None: ...

    run = Run(tmp_path / "artifacts", Watch())
    with pytest.raises(Stopped):
        run.stage(generator, config, given, str(folder))
    run = Run(tmp_path / "artifacts", Watch())
    made = run.stage(generator, config, given, str(folder))
    assert seen[:12] == list(range(1, 13))
    assert seen[12:] == list(range(11, 25)), "ten steps were kept"
    assert manifest(made).result["steps"] == 24
    whole = Run(tmp_path / "other").stage(generator, config, given, str(folder))
    names = ("model.safetensors",)
    assert all((made.path / "model" / name).read_bytes() == (whole.path / "model" / name).read_bytes() for name in names)


def test_what_tuning_needs_is_said_before_any_weight_is_loaded(tmp_path: Path) -> None:
    folder = causal(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    config = json.loads((folder / "config.json").read_text())
    weights = 2 * config["vocab_size"] * 32  # the same in and out, and some in between
    short = {"per_device_train_batch_size": 1, "max_length": 16}
    whole = needed(Generator(**short), str(folder), 1000)
    assert whole.memory_gib == pytest.approx(16 * weights / 2**30, abs=0.01)
    assert needed(Generator(lora=Lora(r=1), **short), str(folder), 1000).memory_gib <= whole.memory_gib
    assert needed(Generator(), str(folder), 100_000_000).seconds > needed(Generator(), str(folder), 1_000_000).seconds > 0


def test_what_a_batch_needs_grows_with_its_rows_and_lengths(tmp_path: Path) -> None:
    folder = str(causal(tmp_path))

    def memory(**config: Any) -> float:
        return needed(Generator(**{"lora": Lora(r=4)} | config), folder, 1000).memory_gib

    once = memory()
    assert memory(per_device_train_batch_size=64, max_length=8192) == pytest.approx(64 * once, rel=0.05), "the model itself is tiny"
    assert memory(activation_checkpointing=True) < once
    assert memory(reflection=True, per_device_train_batch_size=1, max_length=16) >= memory(per_device_train_batch_size=1, max_length=16)


def test_half_a_byte_is_counted_for_linear_layers_alone(tmp_path: Path) -> None:
    folder = causal(tmp_path)
    shape = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(shape | {"vocab_size": 32000, "hidden_size": 512, "intermediate_size": 8192}))
    short = {"per_device_train_batch_size": 1, "max_length": 16}
    four, half = (needed(Generator(lora=Lora(r=1, load_in_4bit=small), **short), str(folder), 1).memory_gib for small in (True, False))
    assert 32000 * 512 * 2 / 2**30 < four < half, "the vectors of words stay as they are"


def test_further_arguments_are_those_of_the_trainer(tmp_path: Path) -> None:
    folder = str(causal(tmp_path))
    training.check(Generator(arguments={"dataset_num_proc": 2, "max_steps": 3}), folder)
    with pytest.raises(BadConfig, match="unexpected keyword"):
        training.check(Generator(arguments={"dataset_num_prok": 2}), folder)
    with pytest.raises(BadConfig, match="loss_type"):
        training.check(Generator(arguments={"loss_type": "nonsense"}), folder)
    apart = str(encoder_decoder(tmp_path / "apart"))
    training.check(Generator(arguments={"max_steps": 3}), apart)
    with pytest.raises(BadConfig, match="unexpected keyword"):
        training.check(Generator(arguments={"dataset_num_proc": 2}), apart)


def test_answers_are_scored_by_their_kind() -> None:
    def example(answer: str, kind: str = "text", choices: tuple[str, ...] = ()) -> Example:
        return Example("e", "?", (answer,), (), kind=kind, choices=choices)

    assert score("True [1].", example("true", "claim")) == 1
    assert score("False, since it is true that", example("true", "claim")) == 0
    assert score("It is 4 weeks [2].", example("4 weeks", "choice", ("4 weeks", "9 days"))) == 1
    assert score("4 weeks or 9 days", example("4 weeks", "choice", ("4 weeks", "9 days"))) == 0
    assert score("(A)", example("4 weeks", "choice", ("4 weeks", "9 days"))) == 1
    assert score("B [1].", example("4 weeks", "choice", ("4 weeks", "9 days"))) == 0
    assert score("The claim is false [1].", example("false", "claim")) == 1
    assert score("It is oiled every 4 weeks [2].", example("4 weeks")) == score("4 weeks", example("4 weeks")) == 1
    assert score("every 4 days [2]", example("4 weeks")) == pytest.approx(0.4)


def test_a_verdict_or_choice_counts_in_other_words_and_never_by_chance() -> None:
    def example(answer: str, kind: str = "text", choices: tuple[str, ...] = ()) -> Example:
        return Example("e", "?", (answer,), (), kind=kind, choices=choices)

    assert score("It is not safe [1].", example("not safe", "choice", ("safe", "not safe"))) == 1
    assert score("It is not safe [1].", example("safe", "choice", ("safe", "not safe"))) == 0
    assert score("10 mg daily", example("10 mg daily", "choice", ("10 mg", "10 mg daily"))) == 1
    assert score("b)", example("9 days", "choice", ("4 weeks", "9 days"))) == 1
    assert score("B [4].", example("9", "choice", ("4", "9"))) == 1, "a mark names no choice"
    assert [score(said, example("true", "claim")) for said in ("对", "是的 [1]", "正确。", "错误")] == [1, 1, 1, 0]
    assert score("It is not true.", example("false", "claim")) == 1
    assert score("No contradiction is found, so the claim is true.", example("true", "claim")) == 1
    assert score("Who knows?", example("perhaps", "claim")) == 0, "what nobody can read is not right"


def test_who_talks_longer_does_not_score_higher() -> None:
    right = Example("e", "?", ("4 weeks",), ())
    more = " ".join(f"It may be {n} days." for n in range(20))
    assert score("It is oiled every 4 weeks.", right) == score(f"It is oiled every 4 weeks. {more}", right) == 1
    assert score(f"{more} Or 4 weeks.", right) < 0.1
    words = "水泵由夜班工人加油，" * 8
    assert score(f"每四周加油。{words}", Example("e", "?", ("四周",), ())) == 1
    assert score(f"{words}每四周一次。", Example("e", "?", ("四周",), ())) < 0.2


def test_an_answer_in_sentences_has_no_more_tokens_in_the_exam_than_any_other(tmp_path: Path) -> None:
    class Talks:
        """Says a sentence of some six tokens for ever."""

        def decide(self, question: str, said: Any) -> list[None]:
            return [None for _ in said]

        def propose(self, question: str, wanted: Any, choices: Any = (), max_tokens: int = 100) -> list[Proposal]:
            return [Proposal(f"the pump is oiled {'by hand ' * len(one.said)}.") for one in wanted]

    shelf = Found([Hit(one, 1.0, "x") for one in PASSAGES[:2]])
    llm, words = HF(str(causal(tmp_path))), tokenizer(tmp_path)
    found = [
        reflect("How?", shelf, generator_exam._Brief(Talks(), llm, tokens), Reflect(mode="always", max_tokens=tokens))
        for tokens in (10, 26, 300)
    ]
    sizes = [len(words(generator_exam._own_words(one), add_special_tokens=False)["input_ids"]) for one in found]
    assert sizes[0] <= 10 < sizes[1] <= 26 < sizes[2], "whole sentences, and all of them together"
    assert found[1].tree is not None
    assert "longer than it may be" in found[1].tree.steps[-1].candidates[0].left_out
    assert "[1]" not in generator_exam._own_words(found[2])


def test_general_conversations_are_read_once_and_in_part_kept_out(tmp_path: Path) -> None:
    def said(text: str, *more: tuple[str, str]) -> str:
        turns = [("user", text), ("assistant", f"{text}!"), *more]
        return json.dumps({"messages": [{"role": role, "content": content} for role, content in turns]})

    for name in "ab":
        (tmp_path / name).mkdir()
        lines = [said(f"{name}{n}") for n in range(20)] + [said("twice"), said("ends", ("user", "and?"))]
        (tmp_path / name / "g.jsonl").write_text("\n".join(lines))
    files = (tmp_path / "a" / "g.jsonl", tmp_path / "b" / "g.jsonl")
    made = Run(tmp_path / "artifacts").stage(general, None, 10, Lazy("k", lambda: files))
    learned, held = (list(read_records(made.path / f"{name}.jsonl", Conversation)) for name in ("conversations", "held"))
    assert (len(learned), len(held)) == (32, 10)
    questions = [one.messages[0].content for one in learned + held]
    assert sorted(questions) == sorted({*questions}), "none stands on both sides"
    assert all(one.messages[-1].role == "assistant" for one in learned + held)


def test_a_plan_names_what_a_judge_is_asked_and_the_training_of_a_critic(full: Any, tmp_path: Path) -> None:
    shape = json.loads((tmp_path / "tiny" / "config.json").read_text())
    (tmp_path / "large").mkdir()
    (tmp_path / "large" / "config.json").write_text(json.dumps(shape | {"hidden_size": 512}))
    judging = ("llm=openai:m", "api.prices={m={input=10, output=10}}", "modelled.passages=1", "tuning.reflection.on=true",
               "tuning.reflection.data.passages=4", "tuning.reflection.data.general=0.5", "tuning.reflection.data.most=10",
               "tuning.reflection.critic.passages=2", "tuning.reflection.critic.most=10")  # fmt: skip
    command = ("adapt", "--generator", "hf:tiny", "--plan", *(part for one in judging for part in ("--set", one)))
    _, judged, _ = full(*command)
    (woven,) = [one for one in judged if one["stage"] == "synth.reflections"]
    assert woven["calls"] == 10 * 4 + 2 * 10 + 4 * 5, "of each sentence beside each passage; whether to search, and of what use it is"
    assert woven["tokens"] > 80 * 200
    assert woven["money"] == pytest.approx(woven["tokens"] / 1e5)
    assert woven["seconds"] > 0
    _, planned, _ = full(*command, "--set", "tuning.reflection.critic.base=hf:large")
    calls = {one["stage"]: one["calls"] for one in planned}
    assert calls["synth.labels"] == 10 * 2 + 10 * 3 + 2 * 2 * (10 + 5), (
        "relevance and support of two passages, a wrong answer beside one; whether to search and what use it is, twice, of general ones too"
    )
    assert calls["synth.reflections"] == 0, "the critic judges, not the model behind the API"
    trained = [one["memory_gib"] for one in planned if one["stage"] == "train.generator"]
    limits = (("tiny", 128), ("large", 1536), ("tiny", 256))
    assert sorted(trained) == sorted(needed(Generator(max_length=most), str(tmp_path / name), 1).memory_gib for name, most in limits)


def test_too_few_general_conversations_prove_nothing() -> None:
    gain, same = ([0.0] * 60, [1.0] * 60), ([1.0] * 40, [1.0] * 40)
    assert judge_answers(Gate(), answers=gain, unanswerable=same, general=same).promote
    few = judge_answers(Gate(), answers=gain, unanswerable=same, general=([1.0], [1.0]))
    assert not few.promote
    assert "general conversations can prove nothing" in few.reason
    assert not judge_answers(Gate(), answers=gain, unanswerable=same, general=([1.0] * 40, [0.9] * 40)).promote
    assert not judge_answers(Gate(), answers=(gain[0], gain[0]), unanswerable=same, general=same).promote


def test_a_generator_that_forgot_to_abstain_is_refused() -> None:
    gain, same = ([0.0] * 100, [1.0] * 100), ([1.0] * 40, [1.0] * 40)
    bold = judge_answers(Gate(), answers=gain, unanswerable=([1.0] * 100, [1.0] * 75 + [0.0] * 25), general=same)
    assert not bold.promote
    assert "on questions whose answer was withheld by -0.250" in bold.reason
    assert judge_answers(Gate(), answers=gain, unanswerable=([0.0] * 75 + [1.0] * 25, [1.0] * 100), general=same).promote


def test_passages_that_hold_the_answer_are_kept_from_a_question_that_is_to_have_none() -> None:
    texts = ["The pump is oiled every six weeks.", "Every six weeks the fan is cleaned.", "The pump is red.", "The fan hums."]
    passages = [Passage(str(n), str(n), text) for n, text in enumerate(texts)]
    example = Example("q", "How often is the pump oiled?", ("every six weeks",), (Hit(passages[0], 1.0, "test"),))

    every = Found([Hit(passage, 1.0, "test") for passage in passages])
    (found,) = generator_exam._Withheld(every, example).search([example.question], 1)
    assert [hit.passage.text for hit in found] == ["The pump is red."]


def test_a_file_that_is_no_conversation_is_named_by_line(tmp_path: Path) -> None:
    path = tmp_path / "general.jsonl"
    path.write_text('{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}\n{"messages": 3}\n')
    with pytest.raises(BadInput, match="line 2"):
        list(read_conversations(path))
    with pytest.raises(BadInput, match="not a file"):
        list(read_conversations(tmp_path / "none.jsonl"))


@pytest.fixture
def full(run: Command, pumps: Path, tmp_path: Path) -> Any:
    """`full(verb, ...)`: a command line of a user who tunes a tiny generator."""
    lines = [{"messages": [{"role": "user", "content": f"Say {n}."}, {"role": "assistant", "content": str(n)}]} for n in range(44)]
    (tmp_path / "general.jsonl").write_text("\n".join(map(json.dumps, lines)))
    causal(tmp_path / "tiny", texts=[path.read_text() for path in pumps.iterdir()])
    sets = ["embedder=fake:64", "training.minutes=0", "head.on=false", "sentences.on=false", "reranker.on=false",
            'tuning.general=["general.jsonl"]', "tuning.exam=40", "tuning.unanswerable=20",
            "gate.minimum_exam=5", "gate.minimum_general=5",
            "tuning.held=10", "tuning.max_tokens=4", "tuning.mix.most=20", "tuning.stage1.max_length=128",
            "tuning.stage2.max_length=256"]  # fmt: skip
    assert run("--set", "embedder=fake:64", "add", "docs")[0] == 0

    def command(*arguments: str) -> tuple[int, Any, str]:
        code, out, err = run(*(part for said in sets for part in ("--set", said)), *arguments, "--json")
        return code, json.loads(out) if out.strip() else None, err

    return command


@pytest.fixture
def alive(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """For each model that is loaded, to be tuned or to answer, how many others are in memory then."""
    loaded: list[weakref.ref[Any]] = []
    counts: list[int] = []

    def watched(truly: Any) -> Any:
        def load(*args: Any, **kwargs: Any) -> Any:
            before = sum(one() is not None for one in loaded)
            made = truly(*args, **kwargs)
            if all(one() is not made[0] for one in loaded):
                counts.append(before)
                loaded.append(weakref.ref(made[0]))
            return made

        return load

    monkeypatch.setattr(training, "_load", watched(training._load))
    monkeypatch.setattr(HF, "parts", watched(HF.parts))
    return counts


def test_a_generator_that_learned_nothing_is_refused_and_one_that_is_promoted_answers(
    full: Any, monkeypatch: pytest.MonkeyPatch, alive: list[int]
) -> None:
    with Path("general.jsonl").open("a") as lines:
        for n in range(3):
            turns = [{"role": "user", "content": f"Count {n}."}, {"role": "assistant", "content": "one two three " * 50}]
            lines.write(f"\n{json.dumps({'messages': turns})}")
    _, planned, _ = full("adapt", "--generator", "hf:tiny", "--plan")
    tuned = [stage for stage in planned if stage["stage"] == "train.generator"]
    assert len(tuned) == 2
    assert all(stage["seconds"] > 0 and stage["memory_gib"] is not None for stage in tuned)
    code, outcome, err = full("adapt", "--generator", "hf:tiny")
    assert code == 0, err
    refused = outcome["generator"]
    assert refused["promoted"] is False
    assert "The score of answers changes" in refused["reason"]
    assert "answers were too long to be learned" in refused["note"]
    assert refused["metrics"]["unanswerable"]["before"]["value"] == 0, "the tiny model never says that there is no answer"
    assert alive == [0, 0, 0, 0], "two stages of training, then the answers of the base and of the tuned model, each alone in memory"
    assert full("status")[1]["live"]["generator"] is None
    key = refused["key"]
    assert full("promote", key)[0] == 2, "it was refused"
    assert full("promote", key, "--force")[0] == 0
    live = full("status")[1]["live"]
    assert live["generator"].startswith("hf:artifact:")
    heard: list[str] = []
    truly = HF.chat

    def chat(self: HF, batch: Any, **options: Any) -> Any:
        heard.append(self.name)
        return truly(self, batch, **options)

    monkeypatch.setattr(HF, "chat", chat)
    code, _, err = full("ask", "How often is the wheel of pump 7 oiled by engineer Number7?")
    assert code == 0, err
    assert heard
    assert live["generator"].removeprefix("hf:artifact:") in heard[0]
    assert full("rollback")[0] == 0
    assert full("status")[1]["live"]["generator"] is None


def test_a_tuned_generator_is_compared_with_the_model_that_answers_now(full: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test-only-1234")
    sets = [part for one in ("llm=openai:m", "modelled.passages=2", "api.retries=0", "api.prices={m={input=10, output=10}}")
            for part in ("--set", one)]  # fmt: skip
    answered: list[str] = []

    def script(body: Any, place: int) -> str:
        asked = body["messages"][-1]["content"]
        if "[1]" not in asked:
            return pupil(body, place)
        answered.append(asked)
        return "It is engineer Number7 [1]."

    with serving(script) as endpoint:
        monkeypatch.setenv("OPENAI_BASE_URL", endpoint.url)
        _, planned, _ = full(*sets, "adapt", "--generator", "hf:tiny", "--plan")
        (exam,) = [one for one in planned if one["stage"] == "study.answers"]
        assert exam["calls"] == 40 + 20, "each exam question, and some without what answers them"
        assert exam["money"] == pytest.approx(exam["tokens"] / 1e5)
        code, outcome, err = full(*sets, "adapt", "--generator", "hf:tiny")
        assert code == 0, err
        tuned = outcome["generator"]
        assert "compared with those of openai:m, which answered so far" in tuned["reason"]
        assert "general conversations with those of its base, hf:tiny" in tuned["reason"]
        asked = len(answered)
        assert asked >= 5
        assert full(*sets, "adapt", "--generator", "hf:tiny")[1]["generator"]["key"] == tuned["key"]
        assert len(answered) == asked, "what was judged is not asked again"
    assert full("adapt", "--generator", "hf:tiny")[1]["generator"]["reason"].endswith("It was compared with its base, hf:tiny.")


def test_an_endpoint_that_is_down_gets_no_score(tmp_path: Path) -> None:
    def script(body: Any, place: int) -> Answer | str:
        return Answer({"error": {"message": "down"}}, 500) if body["messages"][-1]["content"] in down else "Number7"

    down = {"q2"}
    with serving(script) as endpoint:

        def said(*questions: str) -> list[str | None]:
            return generator_exam._replies(api_model(endpoint.url), [[Message("user", one)] for one in questions], 8)

        assert said("q0", "q1", "q2") == ["Number7", "Number7", None]
        down |= {"q3", "q4"}
        with pytest.raises(Stopped, match="openai:m was asked"):
            said("q1", "q2", "q3", "q4")
    was, now = generator_loop._both(np.array([1.0, np.nan, 0.5]), np.array([0.0, 1.0, 0.25]))
    assert (was.tolist(), now.tolist()) == ([1.0, 0.5], [0.0, 0.25])


def test_a_promotion_that_was_cut_off_is_made_up_for(full: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    truly, serve = generator_loop.judge_answers, Pointer.serve
    monkeypatch.setattr(generator_loop, "judge_answers", lambda *args, **kwargs: replace(truly(*args, **kwargs), promote=True))
    cut: list[str] = []

    def once(self: Pointer, event: str, *args: Any, **kwargs: Any) -> Any:
        if event == "promoted" and not cut:
            cut.append(event)
            raise Busy("Another process writes.", "Wait.")
        return serve(self, event, *args, **kwargs)

    monkeypatch.setattr(Pointer, "serve", once)
    assert full("adapt", "--generator", "hf:tiny")[0] == 3
    assert full("status")[1]["live"]["generator"] is None
    assert full("adapt", "--generator", "hf:tiny")[0] == 0
    assert full("status")[1]["live"]["generator"].startswith("hf:artifact:")


def test_an_exam_without_answers_ends_before_the_training(full: Any) -> None:
    code, said, err = full("adapt", "--generator", "hf:tiny", "--set", "gate.minimum_exam=30", "--set", "tuning.unanswerable=30")
    assert code == 4
    assert "exam questions have an answer in words" in json.dumps(said) + err
    assert not list(Path("home", "artifacts").glob("generator-*"))


@pytest.mark.parametrize(
    ("sets", "told"),
    [
        (["tuning.base=openai:x"], "cannot be tuned"),
        (["tuning.base=hf:tiny", "tuning.general=[]"], "general conversations"),
        (["tuning.base=hf:tiny", 'tuning.general=["none.jsonl"]'], "not a file"),
        (["tuning.base=hf:tinny"], "cannot be read"),
        (["tuning.base=hf:tiny", "tuning.reflection.on=true"], "a model that judges"),
        (["tuning.base=hf:tiny", "tuning.reflection.on=true", "tuning.reflection.critic.base=openai:x", "llm=hf:tiny"], "cannot be tuned"),
        (["tuning.base=hf:tiny", "tuning.stage2.lr_scheduler_type=cosin"], "cannot be set up"),
        (["tuning.base=hf:tiny", "tuning.stage2.report_to=nonsense"], "nonsense is not supported"),
        (["tuning.base=hf:tiny", 'tuning.stage2.arguments={"eval_strategy"="steps"}'], "cannot be set up"),
        (["tuning.base=hf:tiny", 'tuning.stage1.arguments={"gradient_checkpointing"=true}'], "Set activation_checkpointing"),
        (["tuning.base=hf:tiny", 'tuning.stage1.arguments={"learning_rate"=1}'], "has a setting of its own"),
        (["tuning.base=hf:tiny", 'tuning.stage1.arguments={"packing"=true}'], "cannot be set"),
        (["tuning.base=hf:tiny", "tuning.stage1.lora.target_modules=nothing"], "Target modules nothing not found"),
        (["tuning.base=hf:tiny", "tuning.held=4"], "tuning.held is 4, and fewer than 5 prove nothing"),
        (["tuning.base=hf:tiny", "tuning.exam=3"], "tuning.exam is 3, and fewer than 5 prove nothing"),
        (["tuning.base=hf:tiny", 'tuning.general=["same.jsonl"]'], "There are 3 different general conversations"),
        (["tuning.base=hf:tiny", "tuning.stage2.lora.load_in_4bit=true"], "pip install bitsandbytes"),
        (["tuning.base=hf:tiny", "tuning.stage1.lora.r=4", "tuning.stage2.lora.r=32"], "asks for another one than tuning.stage1.lora"),
        (["tuning.base=hf:adapter", "tuning.stage1.lora.r=8"], "with r=4, and something else"),
        (["tuning.base=hf:adapter", "tuning.stage1.lora.r=4", "tuning.reflection.on=true", "llm=hf:tiny"], "knows no reflection tokens"),
    ],
)
def test_what_cannot_be_tuned_is_said_before_any_work(full: Any, sets: list[str], told: str) -> None:
    if "hf:adapter" in sets[0]:
        adapter_of(Path("tiny"), Path("adapter"))
    general = Path("general.jsonl").read_text().splitlines()
    Path("same.jsonl").write_text("\n".join(general[:3] * 20))
    code, said, err = full("adapt", *(part for one in sets for part in ("--set", one)))
    assert code == (4 if "different" in told else 5 if "bitsandbytes" in told or "read" in told else 2), said
    assert told in json.dumps(said) + err
    assert not Path("home", "artifacts").exists()
