"""Models of a few thousand random weights, made on the spot: real architectures of transformers with a real tokenizer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

WORDS = "the pump is oiled by hand once a week and runs for ten years Which part what how often question answer passage".split()
TEMPLATE = (
    "{% for m in messages %}<|{{ m.role }}|>{% if m.role == 'assistant' %}{% generation %}{{ m.content }}<|end|>{% endgeneration %}"
    "{% else %}{{ m.content }}<|end|>{% endif %}{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


def tokenizer(folder: Path, template: bool = False, texts: Sequence[str] = ()) -> Any:
    """A byte-level BPE tokenizer that was trained on a few words, saved in `folder`."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    special = ["<pad>", "<eos>", "<bos>", "<|end|>", "<|system|>", "<|user|>", "<|assistant|>"]
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400, special_tokens=special, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    made.train_from_iterator([" ".join(WORDS), *texts] * 4, trainer)
    found = PreTrainedTokenizerFast(tokenizer_object=made, pad_token="<pad>", eos_token="<eos>", bos_token="<bos>")
    found.model_max_length = 512
    if template:
        found.chat_template = TEMPLATE
    found.save_pretrained(folder)
    return found


def causal(folder: Path, template: bool = False, seed: int = 0, texts: Sequence[str] = ()) -> Path:
    """A Llama of two layers in `folder`."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    words = tokenizer(folder, template, texts)
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=len(words), hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
        max_position_embeddings=512, pad_token_id=words.pad_token_id, eos_token_id=words.eos_token_id, bos_token_id=words.bos_token_id,
    )  # fmt: skip
    LlamaForCausalLM(config).save_pretrained(folder)
    return folder


def encoder_decoder(folder: Path, seed: int = 0, texts: Sequence[str] = ()) -> Path:
    """A T5 of two and two layers in `folder`."""
    import torch
    from transformers import T5Config, T5ForConditionalGeneration

    words = tokenizer(folder, texts=texts)
    torch.manual_seed(seed)
    config = T5Config(
        vocab_size=len(words), d_model=32, d_kv=8, d_ff=64, num_layers=2, num_heads=4,
        pad_token_id=words.pad_token_id, eos_token_id=words.eos_token_id, decoder_start_token_id=words.pad_token_id,
    )  # fmt: skip
    T5ForConditionalGeneration(config).save_pretrained(folder)
    return folder
