"""LLMs of transformers, on tiny models made here: batches, probabilities, templates, encoder-decoders, LoRA, faults."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from tiny import causal, encoder_decoder, tokenizer
from transformers import AutoModelForCausalLM, AutoTokenizer, GPT2Config, GPT2LMHeadModel

from selfstudy.core.errors import BadModel, Stopped
from selfstudy.core.plugs import resolve
from selfstudy.core.ports import LLM
from selfstudy.core.prompts import rendered
from selfstudy.core.quiet import quiet
from selfstudy.core.records import Message, Reply
from selfstudy.models.hf import HF
from selfstudy.models.replies import Replies

ASKED = [
    [Message("user", "Which part?")],
    [Message("system", "the pump is oiled by hand once a week and runs for ten years"), Message("user", "how often is the pump oiled?")],
    [Message("user", "what runs")],
]


@pytest.mark.parametrize("template", [False, True], ids=["plain", "template"])
def test_a_batch_is_answered_as_each_conversation_alone(tmp_path: Path, template: bool) -> None:
    model = HF(str(causal(tmp_path, template)))
    assert isinstance(model, LLM)
    together = model.chat(ASKED, max_tokens=12, logprobs=3)
    alone = [model.chat([messages], max_tokens=12, logprobs=3)[0] for messages in ASKED]
    assert [reply.text for reply in together] == [reply.text for reply in alone], "padding changes nothing"
    for one, other in zip(together, alone, strict=True):
        assert [token.text for token in one.tokens] == [token.text for token in other.tokens]
        assert [token.logprob for token in one.tokens] == pytest.approx([token.logprob for token in other.tokens], abs=1e-3)
        assert one.prompt_tokens == other.prompt_tokens
    prompt = model.prompt(ASKED[1])
    if template:
        assert prompt.startswith("<|system|>")
        assert prompt.endswith("<|assistant|>")
    else:
        assert prompt.endswith("Question: how often is the pump oiled?\n\nAnswer:")


def test_a_template_without_a_system_turn_gets_it_in_the_first_question(tmp_path: Path) -> None:
    words = tokenizer(tmp_path, template=True)
    words.chat_template = "{% if messages[0].role == 'system' %}{{ raise_exception('no system') }}{% endif %}" + words.chat_template
    assert rendered(words, ASKED[1]).startswith("<|user|>the pump is oiled by hand once a week and runs for ten years\n\nhow often")


def test_tokens_carry_the_models_own_probabilities(tmp_path: Path) -> None:
    folder = causal(tmp_path)
    (reply,) = HF(str(folder)).chat(ASKED[:1], max_tokens=6, logprobs=4)
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModelForCausalLM.from_pretrained(folder).eval()
    ids = tokenizer(rendered(tokenizer, ASKED[0]), return_tensors="pt")["input_ids"]
    assert len(reply.tokens) == 6
    for token in reply.tokens:
        with torch.inference_mode():
            scores = torch.log_softmax(model(ids).logits[0, -1], dim=-1)
        best = int(scores.argmax())
        assert token.logprob == pytest.approx(float(scores[best]), abs=1e-4), "greedy takes the likeliest"
        assert token.text == tokenizer.decode([best])
        assert len(token.top) <= 4
        assert max(token.top.values()) == pytest.approx(token.logprob, abs=1e-4)
        ids = torch.cat([ids, torch.tensor([[best]])], dim=1)


def test_an_encoder_decoder_answers_too(tmp_path: Path) -> None:
    model = HF(str(encoder_decoder(tmp_path)))
    assert model.is_encoder_decoder
    together = model.chat(ASKED, max_tokens=8, logprobs=1)
    alone = [model.chat([messages], max_tokens=8, logprobs=1)[0] for messages in ASKED]
    assert [reply.text for reply in together] == [reply.text for reply in alone]
    assert all(1 <= reply.completion_tokens <= 8 for reply in together)


def test_a_lora_adapter_is_loaded_over_its_base(tmp_path: Path) -> None:
    from peft import LoraConfig, get_peft_model

    base = causal(tmp_path / "base")
    with quiet():  # peft asks transformers for something deprecated
        tuned = get_peft_model(AutoModelForCausalLM.from_pretrained(base), LoraConfig(r=4, target_modules=["q_proj", "v_proj"]))
    torch.manual_seed(1)
    for name, weight in tuned.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight)
    tuned.save_pretrained(tmp_path / "adapter")
    before, after = (HF(str(tmp_path / name)) for name in ("base", "adapter"))
    assert before.fingerprint != after.fingerprint
    replies = [model.chat(ASKED[:1], max_tokens=8, logprobs=1)[0] for model in (before, after)]
    assert [t.logprob for t in replies[0].tokens] != pytest.approx([t.logprob for t in replies[1].tokens], abs=1e-3)


def test_sampling_differs_and_a_long_prompt_keeps_its_end(tmp_path: Path) -> None:
    model = HF(str(causal(tmp_path)))
    torch.manual_seed(0)
    assert len({model.chat(ASKED[:1], max_tokens=8, temperature=1.5)[0].text for _ in range(4)}) > 1
    (reply,) = model.chat([[Message("user", "the pump " * 2000 + "Which part?")]], max_tokens=8)
    assert reply.prompt_tokens == 512 - 8


def test_json_is_asked_for_in_words_and_its_absence_is_a_fault(tmp_path: Path) -> None:
    model = HF(str(causal(tmp_path)))
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    plainly = model.chat(ASKED[:1], max_tokens=5)[0]
    reply = model.chat(ASKED[:1], schema=schema, max_tokens=5)[0]
    assert reply.fault
    assert reply.data is None
    assert reply.completion_tokens == 10, "two tries, both counted"
    assert reply.prompt_tokens > 2 * plainly.prompt_tokens, "the schema was part of what was asked"


def learned(folder: Path) -> HF:
    """A GPT-2 of 64 learned positions that never ends by itself."""
    words = tokenizer(folder)
    torch.manual_seed(0)
    config = GPT2Config(vocab_size=len(words), n_positions=64, n_embd=32, n_layer=1, n_head=4, eos_token_id=None, bos_token_id=None)
    GPT2LMHeadModel(config).save_pretrained(folder)
    return HF(str(folder))


def test_a_reply_leaves_three_quarters_of_the_positions_to_a_long_prompt(tmp_path: Path) -> None:
    model = learned(tmp_path)
    (long,) = model.chat([[Message("user", "the pump " * 200)]], max_tokens=800)
    assert (long.prompt_tokens, long.completion_tokens) == (48, 16)
    (short,) = model.chat(ASKED[:1], max_tokens=800)
    assert short.prompt_tokens < 40
    assert short.prompt_tokens + short.completion_tokens == 64, "a short prompt leaves more"


def test_a_reply_that_was_cut_off_says_so(tmp_path: Path) -> None:
    model = HF(str(causal(tmp_path)))
    (whole,) = model.chat(ASKED[:1], max_tokens=6)
    assert whole.cut
    assert model.chat(ASKED[:1], schema={"type": "object"}, max_tokens=6)[0].cut
    written = model.parts()[1](whole.text, add_special_tokens=False)["input_ids"]
    model.parts()[0].generation_config.eos_token_id = written[-1]
    assert not model.chat(ASKED[:1], max_tokens=6)[0].cut


@pytest.mark.parametrize("made", [causal, encoder_decoder])
def test_a_model_that_ships_with_beams_tells_the_probabilities_of_what_it_wrote(tmp_path: Path, made: Callable[[Path], Path]) -> None:
    greedy, beams = HF(str(made(tmp_path))), HF(str(tmp_path))
    beams.parts()[0].generation_config.num_beams = 4
    for one, other in zip(greedy.chat(ASKED, max_tokens=8, logprobs=2), beams.chat(ASKED, max_tokens=8, logprobs=2), strict=True):
        assert (one.text, [token.text for token in one.tokens]) == (other.text, [token.text for token in other.tokens])
        assert [token.logprob for token in one.tokens] == pytest.approx([token.logprob for token in other.tokens], abs=1e-4)


def test_what_was_answered_before_a_stop_is_kept(tmp_path: Path) -> None:
    folder, asked = str(causal(tmp_path / "model")), [[Message("user", f"which part {n}")] for n in range(6)]

    def stopping(done: int, total: int) -> None:
        if done >= 4:
            raise Stopped("Stopped.", "")

    first = HF(folder, batch_size=2, replies=Replies(tmp_path / "paid"))
    with pytest.raises(Stopped):
        first.chat(asked, max_tokens=4, progress=stopping)
    second = HF(folder, batch_size=2, replies=Replies(tmp_path / "paid"))
    told = second.remembered()
    assert told is not None
    assert sum(not reply.fault for reply in told.chat(asked, max_tokens=4)) == 4
    asked_again: list[int] = []
    replies = second.chat(asked, max_tokens=4, progress=lambda done, total: asked_again.append(done))
    assert asked_again == [6], "one group of the two that were left"
    assert [reply.text for reply in replies] == [reply.text for reply in HF(folder).chat(asked, max_tokens=4)]
    assert all(reply.transient for reply in told.chat(asked, max_tokens=5)), "other parameters were never asked"


def test_a_template_that_refuses_the_turns_is_told(tmp_path: Path) -> None:
    model = HF(str(causal(tmp_path, template=True)))
    model.parts()[1].chat_template = "{{ raise_exception('roles must alternate') }}"
    with pytest.raises(BadModel, match=r"chat template of hf:.* roles must alternate"):
        model.chat(ASKED)
    with pytest.raises(BadModel, match="roles must alternate"):
        model.prompt(ASKED[0])


@pytest.mark.parametrize("told", ["CUDA out of memory.", "bad allocation", "DefaultCPUAllocator: could not allocate 8 bytes"])
def test_where_memory_runs_out_fewer_are_answered_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: str) -> None:
    model = HF(str(causal(tmp_path)))
    whole = model._generate
    sizes: list[int] = []

    def tight(words: object, letters: object, conversations: list[list[Message]], *rest: object) -> list[Reply]:
        sizes.append(len(conversations))
        if len(conversations) > 1:
            raise RuntimeError(told)
        return whole(words, letters, conversations, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(model, "_generate", tight)
    assert len(model.chat(ASKED, max_tokens=2)) == 3
    assert sizes == [3, 1, 1, 1]


def test_what_a_model_thought_is_not_what_it_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = HF(str(causal(tmp_path)))
    monkeypatch.setattr(model.parts()[1], "decode", lambda ids, **_: "<think>by hand?</think> once a week")
    assert model.chat(ASKED[:1], max_tokens=2)[0].text == "once a week"


@pytest.mark.parametrize(("name", "told"), [("hf:", "names no model"), ("hf:/nowhere/at/all", "cannot be loaded")])
def test_what_cannot_be_loaded_is_named(name: str, told: str) -> None:
    with pytest.raises(BadModel, match=told):
        resolve(name, "selfstudy.llms").chat(ASKED[:1])
