"""A small causal model grown from the starter, for benches that need a generator: it reads as the starter does, and copies.

Six layers over the 30,522 word pieces of all-MiniLM-L6-v2 and the reflection tokens. The words of a question see each other, those of a
paragraph too, and the question before it; whatever is written sees what came before it alone. So what was learned as an encoder still
holds, and no word is seen before it is written. A word is either chosen among all or copied out of a paragraph (See et al. 2017, arXiv
1704.04368); where a copy may begin is first what the starter's reader says of answers, and how it goes on is first the words behind the
one that was just written.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, BertConfig, BertModel, BertPreTrainedModel, GenerationMixin
from transformers.cache_utils import DynamicCache
from transformers.modeling_outputs import CausalLMOutputWithPast
from trl.trainer import sft_trainer
from trl.trainer.utils import FusedCausalLMOutput

from selfstudy.core.reflection import BEGIN, END, TOKENS
from selfstudy.models.minilm import folder as minilm
from selfstudy.models.starter import load

HIDDEN = -1e4
"""The score of what may not be seen."""


class GrownConfig(BertConfig):  # type: ignore[no-untyped-call]
    """BERT's, under a name of its own, and the ids of what begins and ends a paragraph, and a question."""

    model_type = "grown"
    begin_id: int = 0
    end_id: int = 0
    cls_id: int = 0
    sep_id: int = 0


class Grown(BertPreTrainedModel, GenerationMixin):  # type: ignore[no-untyped-call]
    """A causal language model; its `logits` are log-probabilities."""

    config_class = GrownConfig
    base_model_prefix = "bert"
    _tied_weights_keys = {"lm_head.weight": "bert.embeddings.word_embeddings.weight"}  # noqa: RUF012 (as transformers has it)

    def __init__(self, config: GrownConfig) -> None:
        config._attn_implementation = "eager"  # faster than torch's own in bf16 on a CPU, above all backwards
        super().__init__(config)
        width = config.hidden_size
        self.bert = BertModel(config, add_pooling_layer=False)
        self.transform = nn.Sequential(nn.Linear(width, width), nn.GELU(), nn.LayerNorm(width))
        self.lm_head = nn.Linear(width, config.vocab_size, bias=False)
        self.span = nn.Linear(width, 2)
        self.copies = nn.Linear(width, 1)
        self.starts = nn.Linear(width, 1)
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.going_on = nn.Parameter(torch.ones(()))
        self.post_init()  # type: ignore[no-untyped-call]

    def get_output_embeddings(self) -> Any:
        return self.lm_head

    def set_output_embeddings(self, new_embeddings: Any) -> None:
        self.lm_head = new_embeddings

    def forward(
        self, input_ids: Any = None, attention_mask: Any = None, position_ids: Any = None, past_key_values: Any = None,
        use_cache: bool | None = None, labels: Any = None, logits_to_keep: int = 0, fused_lm_head: bool = False, **_: Any,
    ) -> Any:  # fmt: skip
        past = past_key_values.get_seq_length() if past_key_values is not None else 0
        if attention_mask is None:
            attention_mask = torch.ones(len(input_ids), past + input_ids.shape[1], dtype=torch.long, device=input_ids.device)
        if position_ids is None:
            position_ids = (attention_mask.cumsum(1) - 1).clamp(min=0)[:, past:]
        if use_cache and past_key_values is None:
            past_key_values = DynamicCache()
        inside, block = blocks(input_ids, self.config)
        seen = block[:, None, :] <= block[:, :, None]
        seen = torch.cat([seen.new_ones(*seen.shape[:2], past), seen], dim=2) & attention_mask[:, None, :].bool()
        words = self.bert.embeddings(input_ids, inside.long(), position_ids.clamp(max=self.config.max_position_embeddings - 1))
        mask = torch.where(seen, 0.0, HIDDEN).to(words.dtype)[:, None]
        hidden = self.bert.encoder(words, mask, past_key_values=past_key_values).last_hidden_state
        context = self.context(input_ids, hidden, inside & (input_ids != self.config.begin_id) & (input_ids != self.config.end_id))
        if past_key_values is not None:
            context = tuple(one[:, 0] for one in past_key_values.update(*(one[:, None] for one in context), len(self.bert.encoder.layer)))
        if fused_lm_head:
            return self.scored(input_ids, hidden, context, seen, labels)
        kept = slice(-logits_to_keep, None)
        copied = self.copied(hidden[:, kept], input_ids[:, kept], context, seen[:, kept])
        rows = torch.arange(len(hidden), device=hidden.device)[:, None].expand(copied.shape[:2])
        said = self.said(hidden[:, kept].flatten(0, 1), copied.flatten(0, 1), context[1][rows.flatten()][..., 0])
        return CausalLMOutputWithPast(logits=said.view(*rows.shape, -1), past_key_values=past_key_values if use_cache else None)

    def context(self, ids: Tensor, hidden: Tensor, copied: Tensor) -> tuple[Tensor, Tensor]:
        """What may be copied: of each token its key, that of the word before it and how well an answer begins there; its id and whether."""
        before = torch.cat([ids[:, :1], ids[:, :-1]], dim=1)
        known = torch.nn.functional.normalize(self.lm_head.weight[before].float(), dim=-1)
        keys = torch.cat([self.key(hidden).float(), known, self.span(hidden)[..., :1].float()], dim=-1)
        return keys, torch.stack([ids.float(), copied.float()], dim=-1)

    def copied(self, hidden: Tensor, ids: Tensor, context: tuple[Tensor, Tensor], seen: Tensor) -> Tensor:
        """For each token what is copied behind it: the probabilities of the tokens of the context, 0 in all where nothing may be."""
        keys, values = context
        known = torch.nn.functional.normalize(self.lm_head.weight[ids].float(), dim=-1)
        by_meaning = self.query(hidden).float() / self.config.hidden_size**0.5
        asked = torch.cat([by_meaning, 10 * self.going_on * known, self.starts(hidden).float()], dim=-1)
        allowed = seen & (values[:, None, :, 1] > 0)
        scores = torch.bmm(asked, keys.transpose(1, 2)).masked_fill(~allowed, HIDDEN)
        return torch.softmax(scores, dim=-1) * allowed

    def said(self, hidden: Tensor, copied: Tensor, ids: Tensor) -> Tensor:
        """Log-probabilities of the word behind each token: (tokens, words); `ids` are those of the contexts that are copied from."""
        chosen = torch.softmax(self.lm_head(self.transform(hidden)).float(), dim=-1)
        copying = torch.sigmoid(self.copies(hidden).float()) * (copied.sum(dim=-1, keepdim=True) > 0)
        mixed = ((1 - copying) * chosen).scatter_add(1, ids.long(), copying * copied)
        return torch.log(mixed.clamp(min=1e-9))

    def scored(self, ids: Tensor, hidden: Tensor, context: tuple[Tensor, Tensor], seen: Tensor, labels: Tensor) -> FusedCausalLMOutput:
        """What TRL's trainer learns from: the words that have a label alone, one in ten."""
        mask = labels[:, 1:] != -100
        rows, places = mask.nonzero(as_tuple=True)
        copied = self.copied(hidden, ids, context, seen)[rows, places]
        said = self.said(hidden[rows, places], copied, context[1][rows][..., 0])
        wanted = labels[rows, places + 1]
        each = said.gather(1, wanted[:, None]).squeeze(1)
        entropy = -(said.exp() * said).sum(dim=-1)

        def laid(values: Tensor) -> Tensor:
            return values.new_zeros(mask.shape).masked_scatter(mask, values)

        first = laid((said.argmax(dim=-1) == wanted).float())
        return FusedCausalLMOutput(loss=-each.mean(), log_probs=laid(each), entropy=laid(entropy).detach(), is_top1=first, label_mask=mask)


def blocks(ids: Tensor, config: Any) -> tuple[Tensor, Tensor]:
    """Whether each token stands in a paragraph, and the number of its block: tokens see their own block and those before it."""
    begins, ends = ids == config.begin_id, ids == config.end_id
    inside = (begins.cumsum(1) - (ends.cumsum(1) - ends.long())) > 0
    asked = ((ids == config.cls_id).cumsum(1) > 0) & ((ids == config.sep_id).cumsum(1) == 0)
    together = torch.zeros_like(inside)
    together[:, 1:] = (inside[:, 1:] & inside[:, :-1] & ~begins[:, 1:]) | (asked[:, 1:] & asked[:, :-1])
    return inside, (~together).cumsum(1)


AutoConfig.register("grown", GrownConfig)
AutoModelForCausalLM.register(GrownConfig, Grown)
trainer: Any = sft_trainer
trainer.add_fused_lm_head = lambda *_, **__: None  # Grown has one; TRL's would multiply by the words' own vectors and never copy


def grown(folder: Path) -> Path:
    """The starter's encoder as a causal model, with a tokenizer whose template puts a question between the marks that BERT knows."""
    if (folder / "config.json").exists():
        return folder
    torch.manual_seed(0)
    tokenizer: Any = AutoTokenizer.from_pretrained(minilm())
    tokenizer.add_special_tokens({"additional_special_tokens": list(TOKENS)}, replace_extra_special_tokens=False)
    ids = tokenizer.convert_tokens_to_ids([BEGIN, END, "[CLS]", "[SEP]"])
    marks = dict(zip(("begin_id", "end_id", "cls_id", "sep_id"), ids, strict=True))
    about = BertConfig.from_pretrained(minilm()).to_dict() | {"model_type": "grown", "architectures": ["Grown"]} | marks
    model = Grown(GrownConfig(**about | {"attention_probs_dropout_prob": 0.0}))  # drawing what to drop takes half of a step
    starter = load.trained()
    state = {name: weight for name, weight in starter.encoder.state_dict().items() if not name.startswith("pooler.")}
    model.bert.load_state_dict(state)
    model.span.load_state_dict(starter.span.state_dict())
    nn.init.constant_(model.starts.bias, 1.0)
    model.resize_token_embeddings(len(tokenizer))
    model.tie_weights()
    tokenizer.model_max_length = model.config.max_position_embeddings
    tokenizer.eos_token = "[SEP]"
    tokenizer.chat_template = "[CLS] {% for message in messages %}{{ message['content'] }} [SEP] {% endfor %}"
    model.generation_config.eos_token_id = model.config.eos_token_id = tokenizer.eos_token_id
    model.generation_config.pad_token_id = tokenizer.pad_token_id
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
