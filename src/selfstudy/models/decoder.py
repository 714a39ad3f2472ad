"""A model of transformers that is led token by token: replies are begun for it, and what they share is read once."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

from selfstudy.core.errors import BadModel, first_line
from selfstudy.core.ports import Begun
from selfstudy.core.prompts import opening, prompt_ids
from selfstudy.core.quiet import quiet
from selfstudy.core.records import Reply, Token
from selfstudy.models.hf import HF, ends, in_groups, longest_reply, room

Forward = Callable[..., Any]


class HFDecoder:
    """`llm` as a `core.ports.Decoder`."""

    def __init__(self, llm: HF, batch_size: int = 8) -> None:
        self.llm = llm
        self._batch_size = batch_size

    @property
    def name(self) -> str:
        return self.llm.name

    def knows(self, tokens: Sequence[str]) -> bool:
        """As `core.ports.Decoder.knows`."""
        tokenizer = self.llm.parts()[1]  # asked for each token: a vocabulary as a whole takes a tenth of a second to come out
        return all(tokenizer.convert_tokens_to_ids(token) not in (None, tokenizer.unk_token_id) for token in tokens)

    def fits(self, begun: Begun, more: int) -> bool:
        """As `core.ports.Decoder.fits`; an encoder-decoder reads the conversation apart from the reply."""
        model, tokenizer = self.llm.parts()
        messages, shared, branch = begun
        most = room(model, tokenizer, 0)
        asked = len(prompt_ids(tokenizer, messages, most + 1))
        reply = len(self._ids(shared, True)) + len(self._ids(branch, not shared)) + more
        if model.config.is_encoder_decoder:
            return asked <= most and reply <= longest_reply(model, tokenizer, reply, 0)
        return asked + reply <= most

    def weigh(self, begun: Sequence[Begun], texts: Sequence[str]) -> list[dict[str, float]]:
        """As `core.ports.Decoder.weigh`; a text of several tokens has the sum of their log-probabilities.

        The longest conversations come first, so that what does not fit into memory is known at once.
        """
        found: dict[int, dict[str, float]] = {}
        order = sorted(range(len(begun)), key=lambda place: -_characters(begun[place]))

        def weighed(group: list[int]) -> list[dict[str, float]]:
            return self._weighed([begun[place] for place in group], texts)

        for group, made in in_groups(order, self._batch_size, weighed, self.name):
            found.update(zip(group, made, strict=True))
        return [found[place] for place in range(len(begun))]

    def _weighed(self, begun: Sequence[Begun], texts: Sequence[str]) -> list[dict[str, float]]:
        """As `weigh`, all in one batch."""
        import torch

        _, tokenizer = self.llm.parts()
        heads = [self._opening(shared + branch == "", texts) for _, shared, branch in begun]
        ids = [[tokenizer(text, add_special_tokens=False)["input_ids"] for text in written] for written in heads]
        if all(len(one) == 1 for row in ids for one in row):
            with self.llm.lock, torch.inference_mode(), quiet():
                logits, _, _, _ = self._started(begun, [[] for _ in begun], 1)
                scores = torch.log_softmax(logits[:, -1].float(), dim=-1).cpu()
            return [{text: float(scores[row, one[0]]) for text, one in zip(texts, ids[row], strict=True)} for row in range(len(begun))]
        rows = [(row, place) for row in range(len(begun)) for place in range(len(texts))]
        forced = [ids[row][place] for row, place in rows]
        found: list[dict[str, float]] = [{} for _ in begun]
        with self.llm.lock, torch.inference_mode(), quiet():
            logits, _, _, _ = self._started([begun[row] for row, _ in rows], forced, 1)
            scores = torch.log_softmax(logits.float(), dim=-1).cpu()
        for at, (row, place) in enumerate(rows):
            size = len(forced[at])
            found[row][texts[place]] = sum(float(scores[at, scores.shape[1] - 1 - size + n, id]) for n, id in enumerate(forced[at]))
        return found

    def write(self, begun: Sequence[Begun], stop: Sequence[str], watch: Sequence[str], max_tokens: int = 100) -> list[Reply]:
        """As `core.ports.Decoder.write`."""
        import torch

        model, tokenizer = self.llm.parts()
        if not begun:
            return []
        if model.config.is_encoder_decoder and not _relative(model) and len(begun) > 1:  # padding would move its positions
            return [self.write([one], stop, watch, max_tokens)[0] for one in begun]
        vocabulary = tokenizer.get_vocab()
        watched = [token for token in watch if token in vocabulary]
        places = torch.tensor([vocabulary[token] for token in watched], dtype=torch.long, device=model.device)
        over = ends(model, tokenizer)
        stops = torch.tensor(sorted(over | {vocabulary[token] for token in stop if token in vocabulary}), device=model.device)
        try:
            with self.llm.lock, torch.inference_mode(), quiet():
                logits, mask, cache, forward = self._started(begun, [[] for _ in begun], max_tokens)
                written, of_written, of_watched = [], [], []
                ended = torch.zeros(len(begun), dtype=torch.bool, device=model.device)
                for _ in range(max_tokens):
                    scores = torch.log_softmax(logits[:, -1].float(), dim=-1)
                    best = scores.max(dim=-1)
                    written.append(best.indices)
                    of_written.append(best.values)
                    of_watched.append(scores[:, places])
                    ended |= torch.isin(best.indices, stops)
                    if bool(ended.all()):
                        break
                    mask = torch.cat([mask, torch.ones_like(mask[:, :1])], dim=1)
                    logits = forward(best.indices[:, None], mask, cache).logits
        except (MemoryError, RuntimeError, IndexError) as error:  # IndexError: more tokens than it has positions
            raise BadModel(f"{self.name} failed: {first_line(error)}", "Give a smaller model, or fewer passages.") from error
        ids, values, tops = (torch.stack(found, dim=1).cpu() for found in (written, of_written, of_watched))
        halting = set(stops.tolist())
        return [
            _reply(tokenizer, self.name, ids[row].tolist(), values[row].tolist(), tops[row].tolist(), watched, halting, over, max_tokens)
            for row in range(len(begun))
        ]

    def _ids(self, text: str, first: bool) -> list[int]:
        """The tokens of what stands in a reply, at its beginning or later."""
        if not text:
            return []
        written = self._opening(first, [text])[0]
        return list(self.llm.parts()[1](written, add_special_tokens=False, verbose=False)["input_ids"])

    def _opening(self, first: bool, texts: Sequence[str]) -> list[str]:
        model, tokenizer = self.llm.parts()
        return [opening(tokenizer, text, model.config.is_encoder_decoder) if first else text for text in texts]

    def _started(self, begun: Sequence[Begun], forced: Sequence[list[int]], more: int) -> tuple[Any, Any, Any, Forward]:
        """Logits behind each reply as it was begun and at `forced`, which goes on, its mask, the cache, and how to go on."""
        model, tokenizer = self.llm.parts()
        apart = bool(model.config.is_encoder_decoder)

        ends_with = [self._ids(branch, not shared) + force for (_, shared, branch), force in zip(begun, forced, strict=True)]
        heads: dict[str, int] = {}
        which = [heads.setdefault(repr((list(messages), shared if not apart else "")), len(heads)) for messages, shared, _ in begun]
        firsts = [begun[which.index(place)] for place in range(len(heads))]
        if apart:
            prompts = [prompt_ids(tokenizer, messages, room(model, tokenizer, 0)) for messages, _, _ in firsts]
            start = model.config.decoder_start_token_id
            replies = [[start, *self._ids(shared, True), *end] for (_, shared, _), end in zip(begun, ends_with, strict=True)]
            return _read_apart(model, tokenizer, prompts, which, replies)
        shares = [self._ids(shared, True) for _, shared, _ in firsts]
        longest = [max(len(end) for at, end in zip(which, ends_with, strict=True) if at == place) for place in range(len(firsts))]
        prompts = [
            prompt_ids(tokenizer, messages, room(model, tokenizer, len(share) + end + more)) + share
            for (messages, _, _), share, end in zip(firsts, shares, longest, strict=True)
        ]
        last = [[prompts[place][-1], *end] for place, end in zip(which, ends_with, strict=True)]
        return _read(model, tokenizer, [prompt[:-1] for prompt in prompts], which, last, 1 + max(map(len, forced)))


def _read(
    model: Any, tokenizer: Any, prompts: list[list[int]], which: list[int], rest: list[list[int]], wanted: int
) -> tuple[Any, Any, Any, Forward]:
    """A causal model: each prompt once, then every rest behind the prompt that it belongs to. Of the logits the last `wanted`, or more."""
    import torch

    kept = _keeps_logits(model)

    def forward(ids: Any, mask: Any, cache: Any, wanted: int = 1) -> Any:
        positions = (mask.cumsum(dim=1) - 1).clamp(min=0)[:, -ids.shape[1] :]
        fewer = {"logits_to_keep": wanted} if kept else {}
        return model(input_ids=ids, attention_mask=mask, position_ids=positions, past_key_values=cache, use_cache=True, **fewer)

    ids, mask = _padded(tokenizer, rest, model.device)
    if not any(prompts):
        out = forward(ids, mask, None, wanted)
        return out.logits, mask, out.past_key_values, forward
    shared, before = _padded(tokenizer, prompts, model.device)
    cache = forward(shared, before, None).past_key_values
    rows = torch.tensor(which, device=model.device)
    if which != list(range(len(prompts))):
        cache.reorder_cache(rows)
    mask = torch.cat([before[rows], mask], dim=1)
    return forward(ids, mask, cache, wanted).logits, mask, cache, forward


def _read_apart(
    model: Any, tokenizer: Any, prompts: list[list[int]], which: list[int], replies: list[list[int]]
) -> tuple[Any, Any, Any, Forward]:
    """An encoder-decoder: each prompt is encoded once, for all replies to it."""
    import torch
    from transformers.modeling_outputs import BaseModelOutput

    shared, before = _padded(tokenizer, prompts, model.device)
    rows = torch.tensor(which, device=model.device)
    encoded = BaseModelOutput(model.get_encoder()(input_ids=shared, attention_mask=before).last_hidden_state[rows])

    def forward(ids: Any, mask: Any, cache: Any) -> Any:
        return model(
            encoder_outputs=encoded, attention_mask=before[rows], decoder_input_ids=ids, decoder_attention_mask=mask,
            past_key_values=cache, use_cache=True,
        )  # fmt: skip

    ids, mask = _padded(tokenizer, replies, model.device)
    out = forward(ids, mask, None)
    return out.logits, mask, out.past_key_values, forward


def _padded(tokenizer: Any, rows: Sequence[list[int]], device: Any) -> tuple[Any, Any]:
    """Rows of tokens, padded on the left, and their mask."""
    import torch

    longest = max(map(len, rows))
    ids = [[tokenizer.pad_token_id] * (longest - len(row)) + row for row in rows]
    mask = [[0] * (longest - len(row)) + [1] * len(row) for row in rows]
    return torch.tensor(ids, dtype=torch.long, device=device), torch.tensor(mask, dtype=torch.long, device=device)


def _keeps_logits(model: Any) -> bool:
    """Whether it can be told how many logits are wanted: over a whole prompt they take more room than all else. An adapter hands it on."""
    whole = model.get_base_model() if hasattr(model, "get_base_model") else model
    return "logits_to_keep" in inspect.signature(type(whole).forward).parameters


def _characters(begun: Begun) -> int:
    """How long the part is that replies may share; those that share it stay side by side."""
    messages, shared, _ = begun
    return sum(len(message.content) for message in messages) + len(shared)


def _relative(model: Any) -> bool:
    """Whether only the distance between tokens counts, so that padding on the left changes nothing."""
    return hasattr(model.config, "relative_attention_num_buckets")


def _reply(
    tokenizer: Any, name: str, ids: list[int], values: list[float], tops: list[list[float]],
    watched: list[str], halting: set[int], over: set[int], most: int,
) -> Reply:  # fmt: skip
    vocabulary = tokenizer.get_vocab()
    marks = {vocabulary[token]: token for token in watched}
    stop = next((place for place, id in enumerate(ids) if id in halting), len(ids))
    tokens = tuple(
        Token(marks.get(id) or ("" if id in over else tokenizer.decode([id])), value, dict(zip(watched, top, strict=True)))
        for id, value, top in zip(ids[: stop + 1], values, tops, strict=False)
    )
    words = [id for id in ids[:stop] if id not in marks]
    text = str(tokenizer.decode(words, skip_special_tokens=True)).strip()
    fault = "" if stop < len(ids) else f"cut off at {most} tokens"
    return Reply(text, None, fault, name, tokens, 0, len(tokens))
