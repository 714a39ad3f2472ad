"""Token-level generation on tiny models made here: what a batch with a shared prefix gives is what each reply alone gives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from fakes import Found
from tiny import causal, encoder_decoder, tokenizer
from transformers import AutoModelForCausalLM, AutoModelForSeq2SeqLM, AutoTokenizer, GPT2Config, GPT2LMHeadModel

from selfstudy.answer.reflective import Reflect, reflect
from selfstudy.answer.speaking import NO_ROOM, Next, Proposal, Segment, Tuned
from selfstudy.core.errors import BadModel
from selfstudy.core.ports import Decoder
from selfstudy.core.prompts import prompt_ids
from selfstudy.core.records import Candidate, Critique, Hit, Message, Passage, Support
from selfstudy.core.reflection import BEGIN, RETRIEVE, TOKENS, USEFUL, evidence
from selfstudy.models import decoder as decoding
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
    told = Segment(Candidate(0, "by hand", shown[0].id, -1.0, 0.9, Support(0.9, 0.1, 0.0), None, 1.0), shown[0])
    found = speaker.propose("how often?", [*(Next((told,), one) for one in shown), Next((), None)], max_tokens=6)
    for one in found[:3]:
        if one.text:
            assert one.critique.relevant is not None
            assert one.critique.supported is None or sum(one.critique.supported.json().values()) == pytest.approx(1)
    assert found[3].critique.relevant is found[3].critique.supported is None, "there was no passage to judge"
    assert all(one.fault == "cut off at 6 tokens" or one.following is not None for one in found)


def gpt2(folder: Path) -> HFDecoder:
    """A tiny model that has learned 512 positions and no more."""
    words = tokenizer(folder)
    words.add_special_tokens({"additional_special_tokens": list(TOKENS)})
    words.save_pretrained(folder)
    torch.manual_seed(3)
    config = GPT2Config(
        vocab_size=len(words), n_embd=32, n_layer=2, n_head=4, n_positions=512,
        eos_token_id=words.eos_token_id, pad_token_id=words.pad_token_id,
    )  # fmt: skip
    GPT2LMHeadModel(config).save_pretrained(folder)
    return HFDecoder(HF(str(folder)))


LONG = Passage("1" * 32, "", "the pump is oiled by hand once a week and runs for ten years " * 6)


def after(count: int, same: bool = False) -> tuple[Segment, ...]:
    """So many sentences, each with the evidence that it was written from, or all with that of the first."""
    return tuple(
        Segment(Candidate(n, f"the pump is oiled {n}", LONG.id, -1.0, 0.9, Support(0.9, 0.1, 0.0), None, 1.0), LONG, None, same and n > 0)
        for n in range(count)
    )


@pytest.mark.parametrize("made", [gpt2, lambda folder: reflecting(folder, "causal")], ids=["learned positions", "rotated"])
def test_old_evidence_makes_room_and_the_question_never_does(tmp_path: Path, made: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    decoder = made(tmp_path)
    speaker, words = Tuned(decoder), AutoTokenizer.from_pretrained(tmp_path)
    read: list[str] = []
    _, truly = decoder.llm.parts(), decoding._read

    def watched(model: Any, tokens: Any, prompts: Any, which: Any, rest: Any, wanted: int) -> Any:
        read.extend(words.decode([*prompts[place], *end]) for place, end in zip(which, rest, strict=True))
        return truly(model, tokens, prompts, which, rest, wanted)

    monkeypatch.setattr(decoding, "_read", watched)
    question = "Which part of the pump is oiled by hand once a week?"
    for count in range(8):
        said = after(count)
        assert speaker.decide(question, [said])[0] is not None
        found = speaker.propose(question, [Next(said, LONG), Next(said, Passage("2" * 32, "", "by hand"))], max_tokens=20)
        assert all(one.fault != NO_ROOM for one in found)
    assert all(f"Question: {question}" in text for text in read)
    assert all(len(words(text)["input_ids"]) + 20 <= 512 + 1 for text in read)
    last = read[-2]
    assert last.count(LONG.text) < 8
    assert last.endswith(evidence(LONG.text)), "the newest is whole"
    assert "the pump is oiled 0" in last, "what was said stays"
    (kept,) = speaker.propose(question, [Next(after(7, True), LONG, True)], max_tokens=20)
    assert kept.fault != NO_ROOM
    assert LONG.text in read[-1], "the evidence that goes further stays"
    (huge,) = speaker.propose(question, [Next((), Passage("3" * 32, "", LONG.text * 9))], max_tokens=20)
    assert huge.fault != NO_ROOM
    assert question in read[-1], "a passage that is too long for the model is shortened"
    crowded = "the pump is oiled by hand " * 120
    assert speaker.propose(crowded, [Next((), LONG)], max_tokens=20)[0].fault == NO_ROOM
    assert speaker.decide(crowded, [()]) == [None]


def test_what_has_no_room_is_said_in_the_tree_and_what_is_finished_stays(tmp_path: Path) -> None:
    class Wordy(Tuned):
        """Finds words for every passage, and writes on."""

        def propose(self, question: str, wanted: Any, choices: Any = (), max_tokens: int = 100) -> list[Proposal]:
            found = super().propose(question, wanted, choices, max_tokens)
            said = [f"{'the pump is oiled by hand ' * 12} {len(one.said)}" for one in wanted]
            good = Critique(0.9, Support(0.9, 0.1, 0.0))
            return [one if one.fault == NO_ROOM else Proposal(text, good, -1.0) for one, text in zip(found, said, strict=True)]

    shelf = Found([Hit(LONG, 1.0, "x")])
    found = reflect("how often?", shelf, Wordy(gpt2(tmp_path)), Reflect(mode="always", max_tokens=20))
    assert found.tree is not None
    assert 1 <= len(found.tree.chosen) < 7
    assert f"the answer ended: {NO_ROOM}" in found.notes
    assert len(found.citations) == len(found.tree.chosen)
    nothing = reflect("the pump is oiled by hand " * 120, shelf, Wordy(gpt2(tmp_path)), Reflect(mode="always", max_tokens=20))
    assert nothing.abstained
    assert nothing.tree is not None
    assert f"the answer ended: {NO_ROOM}" in nothing.notes


def test_more_than_a_model_has_positions_for_is_its_fault_and_no_crash(tmp_path: Path) -> None:
    decoder = gpt2(tmp_path)
    begun = (ASKED, "", evidence(LONG.text) * 6)
    assert not decoder.fits(begun, 1)
    assert decoder.fits((ASKED, "", ""), 400)
    with pytest.raises(BadModel, match="failed"):
        decoder.write([begun], STOP, TOKENS, 4)
    apart = reflecting(tmp_path / "apart", "encoder-decoder")
    assert apart.fits(begun, 1), "a T5 has no last position"
    assert not apart.fits(([Message("user", LONG.text * 6)], "", ""), 1), "but its tokenizer names how much it reads"


def test_a_model_without_the_tokens_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadModel, match="has no reflection tokens"):
        Tuned(HFDecoder(HF(str(causal(tmp_path)))))
