"""One encoder that sees a question and a passage together: where the answer stands, whether there is one, relevance and support."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from selfstudy.core.ports import SUPPORT
from selfstudy.core.records import Reading

ABSENT = -100
"""The label of what is not known of a row."""
MOST_TOKENS = 224
"""Of question and passage together; what is beyond is cut off the passage."""


def network(encoder: Any, width: int) -> Any:
    """A torch module: the encoder with three heads, (start and end of the answer for each token), relevance, support.

    Its forward gives `span` (rows, tokens, 2), `relevant` (rows,), `support` (rows, 3), and `loss` where labels are given. The first token
    stands for "no answer here" (Rajpurkar et al. 2018, arXiv 1806.03822).
    """
    from torch import Tensor, nn
    from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.encoder = encoder
            self.span = nn.Linear(width, 2)
            self.relevant = nn.Linear(width, 1)
            self.support = nn.Linear(width, len(SUPPORT))
            for head in (self.span, self.relevant, self.support):
                nn.init.normal_(head.weight, std=0.02)
                nn.init.zeros_(head.bias)

        def forward(
            self,
            input_ids: Tensor,
            attention_mask: Tensor,
            token_type_ids: Tensor,
            start: Tensor | None = None,
            end: Tensor | None = None,
            relevant: Tensor | None = None,
            support: Tensor | None = None,
        ) -> dict[str, Tensor]:
            hidden = self.encoder(input_ids=input_ids, attention_mask=attention_mask, token_type_ids=token_type_ids).last_hidden_state
            first = hidden[:, 0]
            allowed = (token_type_ids == 1) & (attention_mask == 1)
            allowed = allowed.scatter(1, attention_mask.sum(1, keepdim=True) - 1, value=False)  # the mark that ends the passage
            allowed[:, 0] = True
            span = self.span(hidden).masked_fill(~allowed.unsqueeze(-1), -1e4)
            found = {"span": span, "relevant": self.relevant(first).squeeze(-1), "support": self.support(first)}
            if start is not None and end is not None and relevant is not None and support is not None:
                found = {"loss": loss(found, start, end, relevant, support), **found}
            return found

    def loss(found: dict[str, Tensor], start: Tensor, end: Tensor, relevant: Tensor, support: Tensor) -> Tensor:
        """The mean over all rows of what each of them can say; a kind of label that a batch lacks adds nothing."""
        total = found["span"].sum() * 0.0
        for place, label in enumerate((start, end)):
            total = total + cross_entropy(found["span"][:, :, place], label, ignore_index=ABSENT, reduction="sum") / 2
        known = relevant != ABSENT
        total = total + binary_cross_entropy_with_logits(found["relevant"][known], relevant[known].float(), reduction="sum")
        total = total + cross_entropy(found["support"], support, ignore_index=ABSENT, reduction="sum")
        return total / start.shape[0]

    return Network()


def first_part(question: str, answer: str | None = None) -> str:
    """What stands before the passage: the question, and behind it the answer whose support is asked for."""
    return question if answer is None else f"{question} [SEP] {answer}"


class Reader:
    """Reads pairs with a `network`, for one thread after the other: a tokenizer may not serve two at once."""

    def __init__(self, model: Any, tokenizer: Any, batch_size: int = 32, longest: int = 40) -> None:
        self.model = model.eval()
        self.tokenizer = tokenizer
        self.batch_size = batch_size
        self.longest = longest
        self._turn = Lock()

    def read(self, pairs: Sequence[tuple[str, str]]) -> list[Reading]:
        """For each (question, passage) the likeliest span of at most `longest` tokens, as characters of the passage."""
        import torch

        found: list[Reading] = []
        for outputs, encoded in self._batches([(first_part(question), passage) for question, passage in pairs]):
            starts, ends = (torch.log_softmax(outputs["span"][:, :, side], dim=1).numpy() for side in (0, 1))
            relevant = torch.sigmoid(outputs["relevant"]).numpy()
            for row in range(len(starts)):
                start, end, answered = _best(starts[row], ends[row], self.longest)
                offsets = encoded["offset_mapping"][row]
                found.append(Reading(int(offsets[start][0]), int(offsets[end][1]), answered, float(relevant[row])))
        return self._restored(found, [(first_part(question), passage) for question, passage in pairs])

    def supported(self, triples: Sequence[tuple[str, str, str]]) -> NDArray[np.float32]:
        """(len(triples), 3) probabilities that the passage of (question, answer, passage) supports the answer: no, partly, fully."""
        import torch

        pairs = [(first_part(question, answer), passage) for question, answer, passage in triples]
        rows = [row for outputs, _ in self._batches(pairs) for row in torch.softmax(outputs["support"], dim=1).numpy()]
        return np.array(self._restored(rows, pairs), np.float32).reshape(len(rows), len(SUPPORT))

    def _order(self, pairs: Sequence[tuple[str, str]]) -> list[int]:
        return sorted(range(len(pairs)), key=lambda place: -len(pairs[place][0]) - len(pairs[place][1]))

    def _batches(self, pairs: Sequence[tuple[str, str]]) -> Any:
        import torch

        order = self._order(pairs)
        for begin in range(0, len(order), self.batch_size):
            chosen = [pairs[place] for place in order[begin : begin + self.batch_size]]
            with self._turn, torch.inference_mode():
                encoded = encode(self.tokenizer, chosen)
                outputs = self.model(**self.tokenizer.pad({name: encoded[name] for name in NAMES}, return_tensors="pt"))
            yield outputs, encoded

    def _restored(self, found: list[Any], pairs: Sequence[tuple[str, str]]) -> list[Any]:
        placed: list[Any] = [None] * len(found)
        for place, one in zip(self._order(pairs), found, strict=True):
            placed[place] = one
        return placed


NAMES = ("input_ids", "attention_mask", "token_type_ids")


def encode(tokenizer: Any, pairs: Sequence[tuple[str, str]], most: int = MOST_TOKENS) -> Any:
    """Tokens of (first part, passage) pairs with the passage cut short, and the characters that each token stands for."""
    firsts, passages = [first[:2000] for first, _ in pairs], [passage for _, passage in pairs]
    cut = tokenizer(firsts, add_special_tokens=False, truncation=True, max_length=most // 2)["input_ids"]
    short = [tokenizer.decode(ids) if len(ids) == most // 2 else first for first, ids in zip(firsts, cut, strict=True)]
    return tokenizer(short, passages, truncation="only_second", max_length=most, return_offsets_mapping=True)


def _best(start: Any, end: Any, longest: int) -> tuple[int, int, float]:
    """The likeliest start and end, and the probability that there is an answer at all, against "no answer" (both at the first token)."""
    scores = start[1:, None] + end[None, 1:]
    size = len(scores)
    apart = np.arange(size)[None, :] - np.arange(size)[:, None]
    scores = np.where((apart >= 0) & (apart < longest), scores, -np.inf)
    at = int(scores.argmax())
    none, some = float(start[0] + end[0]), float(np.logaddexp.reduce(scores[np.isfinite(scores)]))
    return at // size + 1, at % size + 1, float(1 / (1 + np.exp(min(50.0, none - some))))
