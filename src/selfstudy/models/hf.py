"""Any LLM that transformers can load: `hf:<name or folder>`, causal or encoder-decoder, with a LoRA adapter where the folder is one."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar

from selfstudy.core.adapters import beneath
from selfstudy.core.errors import BadModel, first_line
from selfstudy.core.memory import ran_out
from selfstudy.core.plugs import extra
from selfstudy.core.ports import Progress, silent
from selfstudy.core.prompts import prompt_ids, rendered, shortened
from selfstudy.core.quiet import quiet
from selfstudy.core.records import Message, Reply, Token, digest
from selfstudy.models.folder import sha256_of
from selfstudy.models.replies import Remembered, Replies
from selfstudy.models.structured import complaint, instruction, spoken, value_of

T = TypeVar("T")
_log = logging.getLogger("selfstudy")
_TRIES = 2
_WEIGHTS = ("*.safetensors", "*.bin", "*.json", "*.jinja", "*.model", "*.txt")


class HF:
    """A model of transformers, loaded when it is first asked. Safe to share between threads: one batch after the other.

    Replies are kept in `replies`, as those of an endpoint are; faults are not.
    """

    def __init__(self, name: str, batch_size: int = 8, replies: Replies | None = None) -> None:
        if not name.strip():
            raise BadModel("'hf:' names no model.", "Write hf:<name on the hub> or hf:<folder>.")
        self._name = name
        self._batch_size = batch_size
        self._replies = replies
        self.lock = Lock()
        self._loaded: tuple[Any, Any] | None = None

    @property
    def name(self) -> str:
        return f"hf:{self._name}"

    @property
    def fingerprint(self) -> str:
        """Of a folder the contents of its files, an adapter's with those of its base; of a hub's model its name."""
        folder = Path(self._name)
        if not folder.is_dir():
            return digest("hf", self._name)
        files = sorted({path for pattern in _WEIGHTS for path in folder.glob(pattern)})
        under = beneath(folder)
        others = [HF(under).fingerprint] if under is not None else []
        return digest("hf", *(f"{path.name} {sha256_of(path)}" for path in files), *others)

    def remembered(self) -> Remembered | None:
        """What was answered before, as an LLM that asks nothing; None where nothing is kept."""
        return Remembered(self.name, self.fingerprint, self._replies) if self._replies is not None else None

    @property
    def is_encoder_decoder(self) -> bool:
        """Whether the model reads with an encoder and writes with a decoder."""
        return bool(self.parts()[0].config.is_encoder_decoder)

    def chat(
        self,
        batch: Sequence[Sequence[Message]],
        schema: dict[str, Any] | None = None,
        logprobs: int = 0,
        max_tokens: int = 512,
        temperature: float = 0.0,
        progress: Progress = silent,
    ) -> list[Reply]:
        """As `core.ports.LLM.chat`; conversations of like length are generated together. `schema` is asked for in words, and checked."""
        asked_for = {"schema": schema, "logprobs": logprobs, "max_tokens": max_tokens, "temperature": temperature}
        found, keys = self._kept(batch, asked_for)
        asked = {place: list(messages) for place, messages in enumerate(batch) if found[place] is None}
        if schema is not None:
            asked = {place: _with(messages, instruction(schema)) for place, messages in asked.items()}
        for attempt in range(_TRIES if schema is not None else 1):
            done = len(batch) - len(asked)
            again: dict[int, list[Message]] = {}
            for places, replies in self._answered(asked, logprobs, max_tokens, temperature):
                for place, reply in zip(places, replies, strict=True):
                    found[place] = checked = _checked(reply, schema, found[place])
                    if self._replies is not None and not checked.fault:
                        self._replies.put(keys[place], checked)
                    if schema is not None and checked.fault and attempt < _TRIES - 1:
                        again[place] = [*asked[place], Message("assistant", reply.text or "-"), Message("user", complaint(reply.fault))]
                done += len(places)
                progress(min(done, len(batch)), len(batch))
            asked = again
        return [reply for reply in found if reply is not None]

    def _kept(self, batch: Sequence[Sequence[Message]], asked: dict[str, Any]) -> tuple[list[Reply | None], list[str]]:
        """For each conversation the reply from before, if there is one, and its key."""
        if self._replies is None:
            return [None] * len(batch), []
        llm = self.fingerprint
        keys = [Replies.key(llm=llm, messages=[one.json() for one in messages], **asked) for messages in batch]
        return [self._replies.get(key) for key in keys], keys

    def _answered(
        self, asked: dict[int, list[Message]], logprobs: int, max_tokens: int, temperature: float
    ) -> Iterator[tuple[list[int], list[Reply]]]:
        """Groups of places with their replies, the longest prompts first, so that what does not fit is known at once."""
        if not asked:
            return
        model, tokenizer = self.parts()
        order = sorted(asked, key=lambda place: -sum(len(message.content) for message in asked[place]))

        def answered(group: list[int]) -> list[Reply]:
            with self.lock:
                return self._generate(model, tokenizer, [asked[place] for place in group], logprobs, max_tokens, temperature)

        yield from in_groups(order, self._batch_size, answered, self.name)

    def prompt(self, messages: Sequence[Message]) -> str:
        """What the model reads."""
        with _templated(self.name):
            return rendered(self.parts()[1], messages)

    def _generate(
        self, model: Any, tokenizer: Any, conversations: Sequence[list[Message]], logprobs: int, max_tokens: int, temperature: float
    ) -> list[Reply]:
        import torch

        with _templated(self.name):
            whole = [prompt_ids(tokenizer, messages, room(model, tokenizer, 0)) for messages in conversations]
        max_tokens = longest_reply(model, tokenizer, max_tokens, max(map(len, whole)))
        ids = [shortened(one, room(model, tokenizer, max_tokens)) for one in whole]
        encoded = tokenizer.pad({"input_ids": ids}, return_tensors="pt")
        encoded = {name: encoded[name].to(model.device) for name in ("input_ids", "attention_mask")}
        sampling: dict[str, Any] = (
            {"do_sample": True, "temperature": temperature, "top_p": 1.0, "top_k": 0} if temperature > 0 else {"do_sample": False}
        )
        sampling |= {"num_beams": 1, "num_return_sequences": 1}  # what a model ships may ask for beams: their rows are other sequences
        with torch.inference_mode(), quiet():
            made = model.generate(
                **encoded, **sampling, max_new_tokens=max_tokens, pad_token_id=tokenizer.pad_token_id,
                return_dict_in_generate=True, output_logits=bool(logprobs),
            )  # fmt: skip
        begin = 0 if model.config.is_encoder_decoder else encoded["input_ids"].shape[1]
        begin += 1 if model.config.is_encoder_decoder else 0  # the token that starts the decoder was not written
        over = ends(model, tokenizer)
        replies = []
        for row in range(len(conversations)):
            ids = made.sequences[row, begin:].tolist()
            stop = next((place for place, id in enumerate(ids) if id in over), len(ids))
            tokens = _tokens(tokenizer, ids[:stop], made.logits, row, logprobs) if logprobs else ()
            text = spoken(str(tokenizer.decode(ids[:stop], skip_special_tokens=True)))
            cut = stop == len(ids)
            fault = "" if text else f"cut off at {max_tokens} tokens before it said a word" if cut else "the reply is empty"
            prompt_tokens = int(encoded["attention_mask"][row].sum())
            written = min(stop + 1, len(ids))
            replies.append(Reply(text, None, fault, self.name, tokens, prompt_tokens, written, cut=cut))
        return replies

    def parts(self) -> tuple[Any, Any]:
        """The model and its tokenizer, which pads on the left for a causal model."""
        if self._loaded is None:
            with self.lock:
                if self._loaded is None:
                    self._loaded = _load(self._name)
        return self._loaded


def _load(name: str) -> tuple[Any, Any]:
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSeq2SeqLM, AutoTokenizer

    device = "cuda" if torch.cuda.is_available() else "cpu"
    dtype = torch.bfloat16 if device == "cuda" else torch.float32
    folder = Path(name)
    under = beneath(folder)
    base = under or name
    if not Path(base).is_dir() and _fetches(base):
        _log.warning("hf:%s is no folder here; asking the hub for it.", base)
    with quiet():
        try:
            config = AutoConfig.from_pretrained(base)
            kind: Any = AutoModelForSeq2SeqLM if config.is_encoder_decoder else AutoModelForCausalLM
            tokenizer = AutoTokenizer.from_pretrained(name if (folder / "tokenizer_config.json").is_file() else base)
            model = kind.from_pretrained(base, dtype=dtype)
            if under is not None:
                model.resize_token_embeddings(max(len(tokenizer), model.get_input_embeddings().weight.shape[0]))
                model = extra("peft", "full").PeftModel.from_pretrained(model, name)
        except Exception as error:  # every format of weights has its own
            reason = first_line(error)
            raise BadModel(
                f"hf:{name} cannot be loaded: {reason}", "Give the folder of a whole model, or a name that the hub knows."
            ) from error
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    if not config.is_encoder_decoder:
        tokenizer.padding_side = "left"
    return model.to(device).eval(), tokenizer


def _fetches(name: str) -> bool:
    """Whether a model of this name has to be fetched from the hub."""
    from huggingface_hub import try_to_load_from_cache

    try:
        return not isinstance(try_to_load_from_cache(name, "config.json"), str)
    except ValueError:
        return False  # the hub has no such names


def in_groups(order: list[int], size: int, work: Callable[[list[int]], T], name: str) -> Iterator[tuple[list[int], T]]:
    """Groups of `order` with what the model called `name` makes of them: `size` at once, fewer where memory runs out. Raises BadModel."""
    while order:
        group = order[:size]
        try:
            made = work(group)
        except (MemoryError, RuntimeError, IndexError) as error:
            if not ran_out(error) or len(group) == 1:
                raise BadModel(f"{name} failed: {first_line(error)}", "Give a smaller model, or shorter passages.") from error
            size = len(group) // 2
            continue
        order = order[len(group) :]
        yield group, made


def room(model: Any, tokenizer: Any, max_tokens: int) -> int:
    """The tokens that a prompt may have, so that the reply still fits."""
    longest = _positions(model, tokenizer)
    return longest if model.config.is_encoder_decoder else max(16, longest - max_tokens)


def longest_reply(model: Any, tokenizer: Any, max_tokens: int, prompt: int) -> int:
    """The tokens that a reply may have: what a prompt of so many leaves, a quarter of the model's positions at least."""
    longest = _positions(model, tokenizer)
    if not model.config.is_encoder_decoder:
        return min(max_tokens, max(longest // 4, longest - prompt))
    learned = getattr(model.config, "max_position_embeddings", None)  # T5 has none: its decoder may write on
    return min(max_tokens, longest - 1) if learned else max_tokens


def _positions(model: Any, tokenizer: Any) -> int:
    return int(min(getattr(model.config, "max_position_embeddings", None) or tokenizer.model_max_length, 10**6))


def ends(model: Any, tokenizer: Any) -> set[int]:
    """The tokens that end a reply."""
    said = model.generation_config.eos_token_id
    found = {said} if isinstance(said, int) else set(said or ())
    return (found | {tokenizer.eos_token_id, tokenizer.pad_token_id}) - {None}


def _tokens(tokenizer: Any, ids: Sequence[int], logits: Any, row: int, most: int) -> tuple[Token, ...]:
    """Each token that was written with its log-probability and those of the `most` likeliest in its place."""
    import torch

    found = []
    for place, id in enumerate(ids):
        scores = torch.log_softmax(logits[place][row].float(), dim=-1)
        top = torch.topk(scores, min(most, len(scores)))
        ranked = list(zip(top.values.tolist(), top.indices.tolist(), strict=True))
        likeliest = {tokenizer.decode([other]): score for score, other in reversed(ranked)}  # of equal texts (half characters) the likelier
        found.append(Token(tokenizer.decode([id]), float(scores[id]), likeliest))
    return tuple(found)


def _with(messages: list[Message], told: str) -> list[Message]:
    """The conversation with one more instruction in its system turn."""
    if messages and messages[0].role == "system":
        return [Message("system", f"{messages[0].content}\n\n{told}"), *messages[1:]]
    return [Message("system", told), *messages]


def _checked(reply: Reply, schema: dict[str, Any] | None, before: Reply | None) -> Reply:
    """The reply with its value, and the tokens of the try before counted in."""
    data, fault = None, reply.fault
    if schema is not None and not fault:
        try:
            data = value_of(reply.text, schema)
        except ValueError as error:
            fault = str(error)
    spent = (before.prompt_tokens, before.completion_tokens) if before is not None else (0, 0)
    return replace(
        reply, data=data, fault=fault, prompt_tokens=reply.prompt_tokens + spent[0], completion_tokens=reply.completion_tokens + spent[1]
    )


@contextmanager
def _templated(name: str) -> Iterator[None]:
    """Raises BadModel where a chat template refuses the conversation."""
    try:
        yield
    except Exception as error:  # jinja2's, which is not ours to import
        if not type(error).__module__.startswith("jinja2"):
            raise
        raise BadModel(
            f"The chat template of {name} refuses the conversation: {first_line(error)}",
            "Give a model whose template takes any turns, or take the template out of its tokenizer_config.json.",
        ) from error


def load(name: str, *, cache: Path | None = None, **_: Any) -> HF:
    """The LLM `hf:<name or folder>`; replies are kept under `cache`. Raises BadModel."""
    return HF(name, replies=Replies(cache) if cache is not None else None)
