"""What reflective answering costs, in ratios within one run: against plain answering, and against one call for each passage.

    python bench/reflect.py [--layers 4] [--width 256] [--passages 5] [--words 90] [--tokens 24] [--segments 3] [--rounds 3]

The model is a Llama of random weights made here, so nothing stops early and every way writes exactly as many tokens; what it says means
nothing. Plain: all passages in one prompt, one reply of tokens * segments. Reflective: a candidate for each passage and path (one path,
then two), in one batch with the shared prefix read once. Naive: the same candidates, each by a call of its own.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from selfstudy.core.ports import Begun
from selfstudy.core.prompts import grounded
from selfstudy.core.records import Passage
from selfstudy.core.reflection import RETRIEVE, TOKENS, asked, evidence
from selfstudy.models.decoder import HFDecoder
from selfstudy.models.hf import HF

WORDS = "the pump is oiled by hand once a week and runs for ten years which part what how often question answer passage".split()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, value in (("layers", 4), ("width", 256), ("passages", 5), ("words", 90), ("tokens", 24), ("segments", 3), ("rounds", 3)):
        parser.add_argument(f"--{name}", type=int, default=value)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        llm = HF(str(made(Path(folder), given.layers, given.width)))
        llm.parts()
        chooser = random.Random(0)
        texts = [" ".join(chooser.choices(WORDS, k=given.words)) for _ in range(given.passages)]
        ways: dict[str, list[float]] = {name: [] for name in ("plain", "reflective", "naive")}
        for _ in range(given.rounds):
            ways["plain"].append(timed(lambda: plain(llm, texts, given.tokens * given.segments)))
            ways["reflective"].append(timed(lambda: reflective(HFDecoder(llm), texts, given.tokens, given.segments, apart=False)))
            ways["naive"].append(timed(lambda: reflective(HFDecoder(llm), texts, given.tokens, given.segments, apart=True)))
    seconds = {name: round(statistics.median(times), 3) for name, times in ways.items()}
    ratios = {
        "reflective / plain": round(seconds["reflective"] / seconds["plain"], 2),
        "naive / reflective": round(seconds["naive"] / seconds["reflective"], 2),
    }
    sys.stdout.write(json.dumps({"CPU seconds": seconds, "ratios": ratios, "given": vars(given)}, indent=1) + "\n")


def timed(work: Callable[[], None]) -> float:
    """Seconds of this process's CPU time, since other work runs beside it; on a GPU, where the CPU waits, the wall clock says as much."""
    began = time.process_time()
    work()
    return time.process_time() - began


def plain(llm: HF, texts: list[str], tokens: int) -> None:
    passages = [Passage(str(place), "", text) for place, text in enumerate(texts)]
    (reply,) = llm.chat([grounded("how often is the pump oiled?", passages)], max_tokens=tokens)
    assert reply.completion_tokens == tokens, reply.completion_tokens


def reflective(decoder: HFDecoder, texts: list[str], tokens: int, segments: int, apart: bool) -> None:
    question = asked("how often is the pump oiled?")
    paths = [""]
    for _ in range(segments):
        begun: list[Begun] = [(question, path, evidence(text)) for path in paths for text in texts]
        replies = [decoder.write([one], (), TOKENS, tokens)[0] for one in begun] if apart else decoder.write(begun, (), TOKENS, tokens)
        decoder.weigh([(question, path, "") for path in paths], RETRIEVE)
        assert all(len(reply.tokens) == tokens for reply in replies)
        paths = [one[1] + one[2] + reply.text for one, reply in list(zip(begun, replies, strict=True))[:2]]


def made(folder: Path, layers: int, width: int) -> Path:
    """A Llama of random weights that never ends a reply, with the reflection tokens in its vocabulary."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    words = Tokenizer(models.BPE())
    words.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    words.decoder = decoders.ByteLevel()
    special = ["<pad>", "<eos>", *TOKENS]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=800, special_tokens=special, initial_alphabet=alphabet, show_progress=False)
    words.train_from_iterator([" ".join(WORDS)] * 4, trainer)
    fast: Any = PreTrainedTokenizerFast
    tokenizer = fast(tokenizer_object=words, pad_token="<pad>", eos_token="<eos>")
    tokenizer.model_max_length = 4096
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=width, intermediate_size=4 * width, num_hidden_layers=layers, num_attention_heads=4,
        max_position_embeddings=4096, pad_token_id=0, eos_token_id=1, tie_word_embeddings=False,
    )  # fmt: skip
    model = LlamaForCausalLM(config)
    with torch.no_grad():
        model.lm_head.weight[: len(special)] = 0.0  # no such token is ever the likeliest
    model.save_pretrained(folder)
    return folder


if __name__ == "__main__":
    main()
