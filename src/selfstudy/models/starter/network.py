"""The network that reads: one encoder that sees a question and a passage together, and what it learns from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from selfstudy.core.ports import SUPPORT

ABSENT = -100
"""The label of what is not known of a row."""


def network(encoder: Any, width: int) -> Any:
    """A torch module: the encoder with three heads, for the start and end of the answer at each token, relevance, and support.

    `heads(input_ids, attention_mask, token_type_ids)` gives their scores, (rows, tokens, 2), (rows,) and (rows, 3); forward, which takes
    labels too, the `loss`. The first token stands for "no answer here" (Rajpurkar et al. 2018, arXiv 1806.03822). Rows of one number in
    `lists` (rows,) are one question beside several passages, its own first: the others together count as much as that one, and its
    relevance is to be the highest (the softmax over a list of Gao et al. 2021, arXiv 2101.08751).
    """
    import torch
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

        def heads(self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor) -> tuple[Tensor, Tensor, Tensor]:
            hidden = self.encoder(input_ids=input_ids, attention_mask=attention_mask, token_type_ids=token_type_ids).last_hidden_state
            return self.span(hidden), self.relevant(hidden[:, 0]).squeeze(-1), self.support(hidden[:, 0])

        def forward(
            self,
            input_ids: Tensor,
            attention_mask: Tensor,
            token_type_ids: Tensor,
            start: Tensor,
            end: Tensor,
            relevant: Tensor,
            support: Tensor,
            lists: Tensor | None = None,
        ) -> dict[str, Tensor]:
            span, judged, supported = self.heads(input_ids, attention_mask, token_type_ids)
            allowed = (token_type_ids == 1) & (attention_mask == 1)
            allowed = allowed.scatter(1, attention_mask.sum(1, keepdim=True) - 1, value=False)  # the mark that ends the passage
            allowed[:, 0] = True
            lists = torch.arange(len(span), device=span.device) if lists is None else lists
            spans = span.masked_fill(~allowed.unsqueeze(-1), -1e4)
            return {"loss": loss((spans, judged, supported), start, end, relevant, support, lists)}

    def loss(found: Sequence[Tensor], start: Tensor, end: Tensor, relevant: Tensor, support: Tensor, lists: Tensor) -> Tensor:
        """The mean over all lists of what each of their rows can say; a kind of label that a batch lacks adds nothing."""
        spans, judged, supported = found
        own = torch.ones_like(lists, dtype=torch.bool)
        own[1:] = lists[1:] != lists[:-1]
        weights = torch.where(own, 1.0, 1.0 / (torch.bincount(lists)[lists] - 1).clamp(min=1))
        each = cross_entropy(supported, support, ignore_index=ABSENT, reduction="none")
        for place, label in enumerate((start, end)):
            each = each + cross_entropy(spans[:, :, place], label, ignore_index=ABSENT, reduction="none") / 2
        known = relevant != ABSENT
        each = each + known * binary_cross_entropy_with_logits(judged, relevant.clamp(min=0).float(), reduction="none")
        total = (weights * each).sum()
        for one in set(lists[~own].tolist()):
            total = total - torch.log_softmax(judged[lists == one], dim=0)[0]
        return total / own.sum()

    return Network()
