"""Tuning a generator on conversations, with loss on the assistant's tokens only: TRL's trainer, all weights or LoRA."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from selfstudy.core.adapters import about_adapter, beneath
from selfstudy.core.errors import BadConfig, BadModel, MissingExtra, NotEnough, first_line
from selfstudy.core.files import write_json
from selfstudy.core.padding import padded
from selfstudy.core.plugs import extra
from selfstudy.core.prompts import opening, prompt_ids
from selfstudy.core.quiet import quiet
from selfstudy.core.records import Artifact, Conversation, Message, Record
from selfstudy.core.reflection import BEGIN, END, TOKENS, WOVEN, harmless
from selfstudy.core.run import Work, stage
from selfstudy.core.studied import conversations_of
from selfstudy.train.trainers import LENGTHS, has_bf16, shared_arguments, trained

IGNORED = -100
"""The label of a token that nothing is learned from."""
_SHAPE = ("r", "lora_alpha", "lora_dropout")
"""What an adapter keeps of its beginning."""
_PASSED = ("num_train_epochs", "per_device_train_batch_size", "gradient_accumulation_steps", "learning_rate", "lr_scheduler_type",
           "weight_decay", "activation_checkpointing", "save_steps", "report_to", "seed")  # fmt: skip
_FIXED = {"output_dir", "packing", "assistant_only_loss", "completion_only_loss"}
"""Arguments that may not be others: rows are made here, with their labels, and a killed training goes on where its checkpoints are."""


class Lora(BaseModel):
    """Low-rank adapters (arXiv 2106.09685) in place of all weights; the names are PEFT's."""

    model_config = ConfigDict(extra="forbid")

    r: int = Field(16, ge=1)
    lora_alpha: int = Field(32, ge=1)
    lora_dropout: float = Field(0.05, ge=0, lt=1)
    target_modules: str | tuple[str, ...] = Field("all-linear", description="which layers get an adapter")
    load_in_4bit: bool = Field(False, description="QLoRA: the base in four bits (needs a GPU and bitsandbytes)")


class Generator(BaseModel):
    """One stage of tuning; the names are transformers' and TRL's. Defaults are the paper's for an 8B model."""

    model_config = ConfigDict(extra="forbid")

    num_train_epochs: float = Field(1.0, gt=0)
    per_device_train_batch_size: int = Field(4, ge=1)
    gradient_accumulation_steps: int = Field(16, ge=1)
    learning_rate: float = Field(5e-7, gt=0)
    lr_scheduler_type: str = "cosine"
    warmup_ratio: float = Field(0.05, ge=0, lt=1)
    weight_decay: float = Field(0.0, ge=0)
    max_length: int = Field(2048, ge=16, description="tokens of prompt and answer; what is beyond is cut out of the prompt's middle")
    activation_checkpointing: bool = False
    lora: Lora | None = None
    reflection: bool = Field(False, description="add the reflection tokens, and let their vectors learn")
    save_steps: int = Field(200, ge=1, exclude=True, description="steps between checkpoints")
    report_to: str = Field("none", exclude=True)
    seed: int = 0
    arguments: dict[str, Any] = Field(default_factory=dict, description="further arguments of TRL's SFTConfig, by name")


@stage("train.generator", version=5)
def generator(work: Work, config: Generator, rows: Artifact, base: str) -> dict[str, Any]:
    """Tune the model `base` (a folder or a hub's name) on `conversations.jsonl` of `rows`; `model/` is what transformers or PEFT load.

    The result counts the answers that were "too long" and are not learned. Resumes from its last checkpoint after a kill. Raises
    NotEnough where there is no row to learn from, BadModel, MissingExtra.
    """
    trl = extra("trl", "full")
    with quiet():
        model, tokenizer = _load(config, base)
    marks = not set(TOKENS).isdisjoint(tokenizer.get_vocab())
    read = conversations_of(rows)
    pairs = [pair for one in read for pair in turns(_plain(one) if marks and one.kind != WOVEN else one)]
    made = [tokens(tokenizer, messages, answer, config.max_length, _reads_apart(model)) for messages, answer in pairs]
    learned = [row for row in made if row is not None]
    if not learned:
        raise NotEnough(
            f"There is no conversation to tune a generator on{f': {len(made)} answers are too long' if made else ''}.",
            "Add documents, let more questions through, or allow more tokens (max_length).",
        )
    if _reads_apart(model):
        start = model.config.decoder_start_token_id
        learned = [row | {"decoder_input_ids": [start, *row.pop("reply")[:-1]]} for row in learned]
    checkpoints = work.folder / "checkpoints"
    with quiet():
        trainer = _trainer(trl, config, model, tokenizer, learned, checkpoints)
        losses = trained(trainer, work)
        shutil.rmtree(work.folder / "model", ignore_errors=True)
        trainer.model.save_pretrained(str(work.folder / "model"))
        tokenizer.save_pretrained(str(work.folder / "model"))
    write_json(work.folder / "losses.json", losses)
    shutil.rmtree(checkpoints, ignore_errors=True)
    ends = [losses[0], losses[-1]] if losses else []
    return {"rows": len(learned), "too long": len(made) - len(learned), "steps": trainer.state.global_step, "losses": ends}


def check(config: Generator, base: str) -> None:
    """Raise what would stop the training of `base` before any work is done for it: MissingExtra, BadModel, BadConfig.

    The libraries themselves say it: the very trainer is set up over a toy, and the adapters over a model without weights.
    """
    trl = extra("trl", "full")
    if config.lora is not None:
        extra("peft", "full")
        if config.lora.load_in_4bit:
            try:
                extra("bitsandbytes")
            except MissingExtra as error:
                raise MissingExtra(
                    "The module 'bitsandbytes' is not installed, which load_in_4bit needs.", "pip install bitsandbytes"
                ) from error
    if "gradient_checkpointing" in config.arguments:
        raise BadConfig("The argument 'gradient_checkpointing' has another name here.", "Set activation_checkpointing beside `arguments`.")
    if own := sorted(Generator.model_fields.keys() & config.arguments.keys()):
        raise BadConfig(f"The argument {own[0]!r} has a setting of its own.", f"Set {own[0]} beside `arguments`, not in it.")
    if fixed := sorted(_FIXED & config.arguments.keys()):
        raise BadConfig(f"The argument {fixed[0]!r} cannot be set: the trainer gets finished rows.", "Leave it out of `arguments`.")
    with quiet():
        toy, words = _toy(_reads_apart(_hollow(config, base)))
        _trainer(trl, config, toy, words, [{"input_ids": [0], "labels": [0]}], Path())


def _toy(reads_apart: bool) -> tuple[Any, Any]:
    """A model of a few weights and a tokenizer of one word."""
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast, T5Config, T5ForConditionalGeneration

    kind: Any = PreTrainedTokenizerFast
    words = kind(tokenizer_object=Tokenizer(WordLevel({"a": 0}, "a")), eos_token="a", pad_token="a")
    if reads_apart:
        return T5ForConditionalGeneration(T5Config(vocab_size=8, d_model=8, d_kv=8, d_ff=8, num_layers=1, num_heads=1)), words
    shape = LlamaConfig(vocab_size=8, hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=1)
    return LlamaForCausalLM(shape), words


@contextmanager
def _set_up() -> Iterator[None]:
    """What a library objects to while a training is set up, as BadConfig."""
    try:
        yield
    except (TypeError, ValueError, LookupError, ImportError, RuntimeError) as error:
        raise BadConfig(f"The trainer cannot be set up so: {first_line(error)}", "Look at tuning.stage1 and tuning.stage2.") from error


def check_adapter(config: Generator, base: str) -> None:
    """Raise BadConfig where `base` is a LoRA adapter that cannot learn on as `config` asks, which would not be seen in what comes out."""
    adapter = about_adapter(Path(base))
    if config.lora is None or adapter is None:
        return
    differ_in = {name: adapter[name] for name in _SHAPE if name in adapter and adapter[name] != getattr(config.lora, name)}
    if differ_in:
        has = ", ".join(f"{name}={value}" for name, value in differ_in.items())
        raise BadConfig(
            f"The LoRA adapter {base!r} learns on as it is, with {has}, and something else is asked for.",
            f"Say the same under `lora` (tuning.stage1, tuning.stage2): {has}. Or merge it into its base and give the folder of that.",
        )
    if config.reflection and not _knows_tokens(base):
        raise BadConfig(
            f"The LoRA adapter {base!r} knows no reflection tokens, and a finished adapter takes no new ones.",
            "Merge it into its base (PEFT's merge_and_unload) and give the folder of that, or set tuning.reflection.on=false.",
        )


def _knows_tokens(base: str) -> bool:
    from transformers import AutoTokenizer

    try:
        vocabulary = AutoTokenizer.from_pretrained(base).get_vocab()
    except Exception as error:
        raise BadModel(f"The generator {base!r} cannot be read: {first_line(error)}", "Give the folder of a whole model.") from error
    return all(token in vocabulary for token in TOKENS)


def turns(conversation: Conversation) -> list[tuple[list[Message], str]]:
    """Each turn of the assistant that answers somebody, with all that came before it."""
    messages = conversation.messages
    asked = next((place for place, message in enumerate(messages) if message.role == "user"), len(messages))
    return [
        (list(messages[:place]), message.content) for place, message in enumerate(messages) if message.role == "assistant" and place > asked
    ]


def _plain(one: Conversation) -> Conversation:
    """A conversation in which nothing reads as a reflection token: nobody wove any into it."""
    return replace(one, messages=tuple(Message(message.role, harmless(message.content)) for message in one.messages))


def tokens(tokenizer: Any, messages: Sequence[Message], answer: str, most: int, reads_apart: bool = False) -> dict[str, list[int]] | None:
    """A training row: the prompt just as it is read at answer time, and labels that are IGNORED but for the answer and its end.

    Of an answer with passages in it their text is IGNORED too. For an encoder-decoder (`reads_apart`) the prompt is the input, and `reply`
    the answer as its decoder reads it. None where the answer leaves no room.
    """
    written = opening(tokenizer, answer, reads_apart)
    ids = [*tokenizer(written, add_special_tokens=False)["input_ids"], tokenizer.eos_token_id]
    if len(ids) > (most - most // 8 if BEGIN in answer else most // 2):
        return None
    labels = without_passages(tokenizer, ids)
    if reads_apart:
        return {"input_ids": prompt_ids(tokenizer, messages, most), "labels": labels, "reply": ids}
    prompt = prompt_ids(tokenizer, messages, most - len(ids))
    return {"input_ids": prompt + ids, "labels": [IGNORED] * len(prompt) + labels}


def without_passages(tokenizer: Any, ids: Sequence[int]) -> list[int]:
    """`ids` with IGNORED for what stands inside each <paragraph>...</paragraph>; what is between two is learned, and one without an end."""
    begin, end = (tokenizer.get_vocab().get(token) for token in (BEGIN, END))
    opened, labels = None, list(ids)
    for place, id in enumerate(ids):
        if id == begin:
            opened = place
        elif id == end and opened is not None:
            labels[opened + 1 : place] = [IGNORED] * (place - opened - 1)
            opened = None
    return labels


@dataclass(frozen=True, slots=True)
class Need(Record):
    """What tuning takes on this machine, roughly."""

    memory_gib: float
    seconds: float


def needed(config: Generator, base: str, rows: float, tokens_a_row: int = 600) -> Need:
    """Memory and time from the shape of the model alone, whose weights are not loaded.

    Memory: weights; 16 bytes for each that learns (it, its gradient and two moments of AdamW in fp32); and what a batch of the longest rows
    leaves on its way through (`_passing`). Time: 6 multiply-adds for each weight and token (arXiv 2001.08361), at half of what a matrix
    product reaches here.
    """
    import time

    import torch

    with quiet():
        model = _hollow(config, base)
    weights = sum(weight.numel() for weight in model.parameters())
    held = _held(config, model)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    one = torch.randn(2048, 2048, device=device, dtype=torch.bfloat16 if has_bf16() else torch.float32)
    one @ one
    began = time.perf_counter()
    float((one @ one).sum())
    flops = 2 * 2048**3 / (time.perf_counter() - began)
    seen = rows * config.num_train_epochs * min(tokens_a_row, config.max_length)
    return Need(round((held + _passing(config, model)) / 2**30, 3), round(6 * weights * seen / (0.5 * flops), 3))


def _held(config: Generator, model: Any) -> float:
    """Bytes of the weights and of what learning adds to them; four bits are made of linear layers alone, and not of the last one."""
    from torch.nn import Linear
    from transformers.pytorch_utils import Conv1D

    last, small = model.get_output_embeddings(), config.lora is not None and config.lora.load_in_4bit
    sizes: dict[int, float] = {}
    for module in model.modules():
        frozen = 0.5 if small and isinstance(module, Linear | Conv1D) and module is not last else 2 if small else _half()
        for weight in module.parameters(recurse=False):
            sizes[id(weight)] = (16.0 if weight.requires_grad else frozen) * weight.numel()
    return sum(sizes.values())


def _half() -> int:
    """Bytes of a number that nothing is learned in."""
    return 2 if has_bf16() else 4


def _passing(config: Generator, model: Any) -> float:
    """Bytes that a batch leaves behind on its way through: 48 for each token, layer and dimension in 16 bits (measured on Llama's layers;
    arXiv 2205.05198 counts 34 for GPT's), or 2 and one layer at a time where only checkpoints are kept; and 12 for each token and word of
    the vocabulary, whose logits, their copy in fp32 and the gradients of both stand side by side.
    """
    about = model.config.get_text_config()
    tokens = config.per_device_train_batch_size * config.max_length
    layers = sum(getattr(about, name, None) or 0 for name in ("num_hidden_layers", "num_decoder_layers", "decoder_layers"))
    kept = 2 * layers + 48 if config.activation_checkpointing else 48 * layers
    return float(tokens * (kept * about.hidden_size * _half() / 2 + 12 * about.vocab_size))


def _hollow(config: Generator, base: str) -> Any:
    """The model that would be trained, without its weights, on the device "meta"; with LoRA its adapters. Raises BadModel, BadConfig."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSeq2SeqLM

    under = beneath(Path(base)) or base
    try:
        about = AutoConfig.from_pretrained(under)
    except Exception as error:
        raise BadModel(f"The generator {base!r} cannot be read: {first_line(error)}", "Give the folder of a whole model.") from error
    kind: Any = AutoModelForSeq2SeqLM if about.is_encoder_decoder else AutoModelForCausalLM
    with torch.device("meta"):
        model = kind.from_config(about)
        if config.lora is None:
            return model
        if under == base:
            return _adapted(config, model, range(len(TOKENS)))
        peft = extra("peft", "full")
        adapter = peft.PeftConfig.from_pretrained(base)
        adapter.inference_mode = False
        return peft.get_peft_model(model, adapter)


def _reads_apart(model: Any) -> bool:
    return bool(model.config.is_encoder_decoder)


def _load(config: Generator, base: str) -> tuple[Any, Any]:
    """The model to be trained and its tokenizer; with LoRA a new adapter, or that of the stage before, which learns on."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSeq2SeqLM, AutoTokenizer

    under = beneath(Path(base)) or base
    adapted_before = under != base
    check_adapter(config, base)
    under = str(Path(under).resolve()) if Path(under).is_dir() else under  # PEFT writes it down, and it must hold from every folder
    try:
        about = AutoConfig.from_pretrained(under)
        kind: Any = AutoModelForSeq2SeqLM if about.is_encoder_decoder else AutoModelForCausalLM
        options = _precision(config)
        model, tokenizer = kind.from_pretrained(under, **options), AutoTokenizer.from_pretrained(base)
    except Exception as error:  # every format of weights has its own
        raise BadModel(f"The generator {base!r} cannot be loaded: {first_line(error)}", "Give the folder of a whole model.") from error
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    added = [token for token in TOKENS if token not in tokenizer.get_vocab()] if config.reflection else []
    if added:
        tokenizer.add_special_tokens({"additional_special_tokens": added}, replace_extra_special_tokens=False)
    if len(tokenizer) > model.get_input_embeddings().weight.shape[0]:
        torch.manual_seed(config.seed)
        model.resize_token_embeddings(len(tokenizer))
    if adapted_before:
        adapted = extra("peft", "full").PeftModel.from_pretrained(model, base, is_trainable=config.lora is not None)
        return (adapted if config.lora is not None else adapted.merge_and_unload().requires_grad_(True)), tokenizer
    if config.lora is not None:
        model = _adapted(config, model, [id for token, id in tokenizer.get_vocab().items() if token in TOKENS])
    return model, tokenizer


def _adapted(config: Generator, model: Any, tokens: Sequence[int]) -> Any:
    """`model` with a new adapter, beside which the vectors of the reflection tokens, `tokens`, learn where it is to have them."""
    peft, lora = extra("peft", "full"), config.lora or Lora()
    task = "SEQ_2_SEQ_LM" if _reads_apart(model) else "CAUSAL_LM"
    modules = lora.target_modules if isinstance(lora.target_modules, str) else list(lora.target_modules)
    chosen = lora.model_dump(exclude={"load_in_4bit", "target_modules"})
    chosen |= _learning_tokens(model, tokens) if config.reflection else {}
    with _set_up():
        return peft.get_peft_model(model, peft.LoraConfig(task_type=task, target_modules=modules, **chosen))


def _learning_tokens(model: Any, tokens: Sequence[int]) -> dict[str, Any]:
    """What lets the vectors of the reflection tokens learn beside LoRA: their rows alone, or all of a matrix where it has no twin.

    Rows alone need input and output to be one matrix; else the token could be read and never be written.
    """
    if model.config.tie_word_embeddings and not model.config.is_encoder_decoder:
        return {"trainable_token_indices": list(tokens)}
    ends = (model.get_input_embeddings(), model.get_output_embeddings())
    names = {name.rpartition(".")[2] for name, module in model.named_modules(remove_duplicate=False) if any(module is end for end in ends)}
    return {"modules_to_save": sorted(names)}


def _precision(config: Generator) -> dict[str, Any]:
    """How the weights are loaded: those that learn in fp32, since steps of 5e-7 vanish in bf16; those beneath LoRA as small as can be."""
    import torch

    if config.lora is not None and config.lora.load_in_4bit:
        return {"quantization_config": _four_bits(), "dtype": torch.bfloat16}
    return {"dtype": torch.bfloat16 if config.lora is not None and has_bf16() else torch.float32}


def _four_bits() -> Any:
    import torch
    from transformers import BitsAndBytesConfig

    config: Any = BitsAndBytesConfig
    return config(load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=torch.bfloat16)


def _trainer(trl: Any, config: Generator, model: Any, tokenizer: Any, learned: list[dict[str, list[int]]], folder: Path) -> Any:
    """TRL's SFTTrainer for a causal model, transformers' Seq2SeqTrainer for an encoder-decoder, which TRL does not train."""
    from datasets import Dataset
    from transformers import Seq2SeqTrainer

    data = Dataset.from_list(learned)
    with _set_up():
        arguments = _arguments(trl, config, _reads_apart(model), len(learned), folder)
        if _reads_apart(model):
            return Seq2SeqTrainer(model=model, args=arguments, train_dataset=data, data_collator=_Collator(tokenizer.pad_token_id))
        return trl.SFTTrainer(model=model, args=arguments, train_dataset=data, processing_class=tokenizer)


def _arguments(trl: Any, config: Generator, reads_apart: bool, rows: int, folder: Path) -> Any:
    """The trainer's arguments for so many `rows`, with checkpoints in `folder`."""
    from transformers import Seq2SeqTrainingArguments

    steps = max(1, -(-rows // (config.per_device_train_batch_size * config.gradient_accumulation_steps)))
    options = {name: getattr(config, name) for name in _PASSED} | shared_arguments(folder) | {
        "warmup_steps": int(config.warmup_ratio * steps * config.num_train_epochs)
    } | config.arguments  # fmt: skip
    if reads_apart:
        return Seq2SeqTrainingArguments(**options)
    return trl.SFTConfig(**{"pad_to_multiple_of": LENGTHS} | options, max_length=None, packing=False)


class _Collator:
    """Rows of an encoder-decoder side by side. transformers' own makes the decoder read the labels, where passages are IGNORED."""

    def __init__(self, pad: int) -> None:
        self.fills = {"input_ids": pad, "labels": IGNORED, "decoder_input_ids": pad, "attention_mask": 0}

    def __call__(self, rows: Sequence[dict[str, list[int]]]) -> dict[str, Any]:
        import torch

        masked = [{**row, "attention_mask": [1] * len(row["input_ids"])} for row in rows]
        return {name: torch.from_numpy(padded([row[name] for row in masked], fill, LENGTHS)) for name, fill in self.fills.items()}
