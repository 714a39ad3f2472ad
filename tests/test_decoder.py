"""Token-level generation on tiny models made here: what a batch with a shared prefix gives is what each reply alone gives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from tiny import causal, encoder_decoder
from transformers import AutoModelForCausalLM, AutoModelForSeq2SeqLM, AutoTokenizer

from selfstudy.answer.speaking import Next, Told, Tuned
from selfstudy.core.errors import BadModel
from selfstudy.core.ports import Decoder
from selfstudy.core.prompts import prompt_ids
from selfstudy.core.records import Candidate, Message, Passage, Support
from selfstudy.core.reflection import BEGIN, RETRIEVE, TOKENS, USEFUL, evidence
from selfstudy.models.decoder import HFDecoder
from selfstudy.models.hf import HF

ASKED = [Message("user", "how often is the pump oiled?")]
STOP = (*RETRIEVE, *USEFUL, BEGIN)
PASSAGES = ("the pump is oiled once a week", "by hand", "and runs for ten years and is oiled by hand once a week")


def reflecting(folder: Path, kind: str) -> HFDecoder:
    """A tiny model whose vocabulary has the reflection tokens, untrained."""
    made = encoder_decoder(folder) if kind == "encoder-decoder" else causal(folder)
    tokenizer = AutoTokenizer.from_pretrained(made)
    tokenizer.add_special_tokens({"additional_special_tokens": list(TOKENS)})
    tokenizer.save_pretrained(made)
    load: Any = AutoModelForSeq2SeqLM if kind == "encoder-decoder" else AutoModelForCausalLM
    model = load.from_pretrained(made)
    torch.manual_seed(3)
    model.resize_token_embeddings(len(tokenizer), mean_resizing=False)
    model.save_pretrained(made)
    return HFDecoder(HF(str(made)))


@pytest.mark.parametrize("kind", ["causal", "encoder-decoder"])
def test_a_batch_with_a_shared_prefix_is_what_each_reply_alone_is(tmp_path: Path, kind: str) -> None:
    decoder = reflecting(tmp_path, kind)
    assert isinstance(decoder, Decoder)
    other = [Message("user", "Which part runs for ten years?")]
    begun = [(ASKED, "", evidence(text)) for text in PASSAGES]
    begun += [(ASKED, evidence(PASSAGES[1]) + "by hand", RETRIEVE[1]), (other, "", ""), (other, "", evidence(PASSAGES[0]))]
    together = decoder.write(begun, STOP, TOKENS, 8)
    for one, reply in zip(begun, together, strict=True):
        (alone,) = decoder.write([one], STOP, TOKENS, 8)
        assert [token.text for token in alone.tokens] == [token.text for token in reply.tokens]
        assert alone.text == reply.text
        for first, second in zip(alone.tokens, reply.tokens, strict=True):
            assert first.logprob == pytest.approx(second.logprob, abs=1e-3)
            assert first.top == pytest.approx(second.top, abs=1e-3)
    weighed = decoder.weigh(begun, RETRIEVE)
    alone_weighed = [decoder.weigh([one], RETRIEVE)[0] for one in begun]
    for first, second in zip(weighed, alone_weighed, strict=True):
        assert first == pytest.approx(second, abs=1e-3)


def test_probabilities_are_the_models_own(tmp_path: Path) -> None:
    decoder = reflecting(tmp_path, "causal")
    tokenizer, model = AutoTokenizer.from_pretrained(tmp_path), AutoModelForCausalLM.from_pretrained(tmp_path).eval()
    begun = evidence(PASSAGES[0])
    ids = prompt_ids(tokenizer, ASKED, 400) + tokenizer(begun, add_special_tokens=False)["input_ids"]
    (reply,) = decoder.write([(ASKED, "", begun)], STOP, TOKENS, 5)
    for token in reply.tokens:
        with torch.inference_mode():
            scores = torch.log_softmax(model(torch.tensor([ids])).logits[0, -1], dim=-1)
        best = int(scores.argmax())
        assert token.logprob == pytest.approx(float(scores[best]), abs=1e-4)
        for mark, value in token.top.items():
            assert value == pytest.approx(float(scores[tokenizer.convert_tokens_to_ids(mark)]), abs=1e-4)
        ids.append(best)
    texts = ["the pump", "by hand once"]
    (weighed,) = decoder.weigh([(ASKED, "", begun)], texts)
    for text in texts:
        added = tokenizer(text, add_special_tokens=False)["input_ids"]
        whole = prompt_ids(tokenizer, ASKED, 400) + tokenizer(begun, add_special_tokens=False)["input_ids"] + added
        with torch.inference_mode():
            logits = torch.log_softmax(model(torch.tensor([whole])).logits[0], dim=-1)
        expected = sum(float(logits[len(whole) - len(added) - 1 + n, id]) for n, id in enumerate(added))
        assert weighed[text] == pytest.approx(expected, abs=1e-3)


def test_a_prefix_that_many_share_is_read_once(tmp_path: Path) -> None:
    decoder = reflecting(tmp_path, "causal")
    model, _ = decoder.llm.parts()
    read: list[int] = []
    model.register_forward_pre_hook(lambda _, args, given: read.append(given["input_ids"].numel()), with_kwargs=True)
    long = [Message("user", "the pump is oiled by hand once a week " * 12)]
    decoder.write([(long, "", evidence(text)) for text in PASSAGES], STOP, TOKENS, 1)
    together = sum(read)
    read.clear()
    for text in PASSAGES:
        decoder.write([(long, "", evidence(text))], STOP, TOKENS, 1)
    assert together < 0.6 * sum(read)


def test_probabilities_are_asked_for_some_at_a_time_and_the_last_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    decoder = reflecting(tmp_path, "causal")
    model, _ = decoder.llm.parts()
    shapes: list[tuple[int, ...]] = []
    model.register_forward_hook(lambda _, args, out: shapes.append(tuple(out.logits.shape[:2])))
    begun = [([Message("user", f"which part {n}? " + "the pump is oiled by hand " * (n % 5))], "", "") for n in range(20)]
    whole = HFDecoder(decoder.llm, 20).weigh(begun, RETRIEVE)
    shapes.clear()
    some = decoder.weigh(begun, RETRIEVE)
    assert {rows for rows, _ in shapes} == {8, 4}
    assert {read for _, read in shapes} == {1}, "of a prompt's logits the last alone"
    assert some == [pytest.approx(one, abs=1e-3) for one in whole]
    started, most = HFDecoder._started, 5

    def scarce(self: HFDecoder, begun: Any, *given: Any) -> Any:
        if len(begun) > most:
            raise RuntimeError("CUDA out of memory. Tried to allocate 2.9 GiB")
        return started(self, begun, *given)

    monkeypatch.setattr(HFDecoder, "_started", scarce)
    assert decoder.weigh(begun, RETRIEVE) == [pytest.approx(one, abs=1e-3) for one in whole], "fewer at a time, where memory is short"
    most = 0
    with pytest.raises(BadModel, match="out of memory"):
        decoder.weigh(begun, RETRIEVE)


@pytest.mark.parametrize("kind", ["causal", "encoder-decoder"])
def test_a_generator_judges_itself_even_where_it_writes_no_such_token(tmp_path: Path, kind: str) -> None:
    speaker = Tuned(reflecting(tmp_path, kind))
    shown = [Passage(f"{n:032x}", "", text) for n, text in enumerate(PASSAGES)]
    decision = speaker.decide("how often?", [()])[0]
    assert decision is not None
    assert sum(decision) == pytest.approx(1)
    told = Told(Candidate(0, "by hand", shown[0].id, -1.0, 0.9, Support(0.9, 0.1, 0.0), None, 1.0), shown[0])
    found = speaker.propose("how often?", [*(Next((told,), one) for one in shown), Next((), None)], max_tokens=6)
    for one in found[:3]:
        if one.text:
            assert one.verdict.relevant is not None
            assert one.verdict.supported is None or sum(one.verdict.supported.json().values()) == pytest.approx(1)
    assert found[3].verdict.relevant is found[3].verdict.supported is None, "there was no passage to judge"
    assert all(one.fault == "cut off at 6 tokens" or one.following is not None for one in found)


def test_a_model_without_the_tokens_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadModel, match="has no reflection tokens"):
        Tuned(HFDecoder(HF(str(causal(tmp_path)))))
