"""A small causal model grown from the starter's encoder, for benches that need a generator and have no large one.

Six layers over the 30,522 word pieces of all-MiniLM-L6-v2, of which each sees those before it alone; words are chosen by their own vectors,
with no layer between, which is how TRL computes the loss of every causal model.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, BertConfig, BertModel, BertPreTrainedModel, GenerationMixin
from transformers.modeling_outputs import CausalLMOutputWithPast

from selfstudy.models.minilm import folder as minilm
from selfstudy.models.starter import load


class GrownConfig(BertConfig):  # type: ignore[no-untyped-call]
    """BERT's, under a name of its own."""

    model_type = "grown"


class Grown(BertPreTrainedModel, GenerationMixin):  # type: ignore[no-untyped-call]
    """A causal language model whose words are those vectors that it reads them by."""

    config_class = GrownConfig
    base_model_prefix = "bert"
    _tied_weights_keys = {"lm_head.weight": "bert.embeddings.word_embeddings.weight"}  # noqa: RUF012 (as transformers has it)

    def __init__(self, config: GrownConfig) -> None:
        config._attn_implementation = "eager"  # faster than torch's own in bf16 on a CPU, above all backwards
        super().__init__(config)
        self.bert = BertModel(config, add_pooling_layer=False)
        self.lm_head = nn.Linear(config.hidden_size, config.vocab_size, bias=False)
        self.post_init()  # type: ignore[no-untyped-call]

    def get_output_embeddings(self) -> Any:
        return self.lm_head

    def set_output_embeddings(self, new_embeddings: Any) -> None:
        self.lm_head = new_embeddings

    def forward(
        self, input_ids: Any = None, attention_mask: Any = None, position_ids: Any = None, past_key_values: Any = None,
        use_cache: bool | None = None, labels: Any = None, logits_to_keep: int = 0, **_: Any,
    ) -> CausalLMOutputWithPast:  # fmt: skip
        out = self.bert(
            input_ids, attention_mask, position_ids=position_ids, past_key_values=past_key_values, use_cache=use_cache, return_dict=True
        )
        logits = self.lm_head(out.last_hidden_state[:, -logits_to_keep:])
        loss = None
        if labels is not None:
            loss = nn.functional.cross_entropy(logits[:, :-1].flatten(0, 1).float(), labels[:, 1:].flatten(), ignore_index=-100)
        return CausalLMOutputWithPast(loss=loss, logits=logits, past_key_values=out.past_key_values)


AutoConfig.register("grown", GrownConfig)
AutoModelForCausalLM.register(GrownConfig, Grown)


def grown(folder: Path) -> Path:
    """The starter's encoder as a causal model, with a tokenizer whose template puts a question between the marks that BERT knows."""
    if (folder / "config.json").exists():
        return folder
    torch.manual_seed(0)
    about = BertConfig.from_pretrained(minilm()).to_dict() | {"model_type": "grown", "architectures": ["Grown"]}
    config = GrownConfig(**about | {"is_decoder": True, "attention_probs_dropout_prob": 0.0})  # drawing what to drop takes half of a step
    model = Grown(config)
    state = load.trained().encoder.state_dict()
    model.bert.load_state_dict({name: weight for name, weight in state.items() if not name.startswith("pooler.")})
    model.tie_weights()
    tokenizer: Any = AutoTokenizer.from_pretrained(minilm())
    tokenizer.model_max_length = config.max_position_embeddings
    tokenizer.eos_token = "[SEP]"
    tokenizer.chat_template = "[CLS] {% for message in messages %}{{ message['content'] }} [SEP] {% endfor %}"
    model.generation_config.eos_token_id = model.config.eos_token_id = tokenizer.eos_token_id
    model.generation_config.pad_token_id = tokenizer.pad_token_id
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def labelled_words_alone() -> None:
    """Have TRL score on a CPU, as it does on a GPU, those words alone that are learned from: here one in ten."""
    from trl.trainer import utils

    hidden: Any = utils
    assert hidden._use_triton, "TRL decides it elsewhere now"
    hidden._use_triton = lambda device: True  # decides whether the others are left out; the kernel itself asks elsewhere
