"""Going on where memory runs out: the same batches, fewer rows of them at once."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

from selfstudy.core.errors import BadModel, first_line
from selfstudy.core.memory import ran_out

T = TypeVar("T")


class MicroBatch:
    """How many rows of a batch go through the model at once: all of them, and half as many whenever memory has run out."""

    def __init__(self, size: int) -> None:
        self.size = size

    def fitted(self, step: Callable[[], T], clear: Callable[[], object]) -> T:
        """What `step` gives, which is made again with fewer rows at once wherever memory runs out; `clear` drops what it left behind.

        Raises BadModel where one row is too much.
        """
        while True:
            try:
                return step()
            except (RuntimeError, MemoryError) as error:
                if not ran_out(error):
                    raise
                if self.size == 1:
                    raise BadModel(
                        f"Memory ran out in training, even with one row at a time: {first_line(error)}",
                        "Let texts be cut sooner (training.passage_tokens, pretraining.tokens, reranker.training.tokens, max_length),"
                        " give a smaller model, or take a machine with more memory.",
                    ) from error
            self.size = (self.size + 1) // 2  # after the except block, whose error would hold on to the memory
            clear()


def pieces(batch: Mapping[str, Any], size: int) -> list[dict[str, Any]]:
    """`batch` in pieces of at most `size` rows, nearly alike; in one where it does not hold a value for each row (a static model's)."""
    columns = {name: value for name, value in batch.items() if _rows(value)}
    rows = {len(value) for value in columns.values()}
    flat = any(name.endswith("input_ids") and value.ndim == 1 for name, value in columns.items())
    if len(rows) != 1 or flat or (whole := rows.pop()) <= size:
        return [dict(batch)]
    count = -(-whole // size)
    ends = [whole * place // count for place in range(count + 1)]
    return [{**batch, **{name: value[start:end] for name, value in columns.items()}} for start, end in itertools.pairwise(ends)]


def _rows(value: Any) -> int:
    """How many rows a column of a batch has: a tensor's, or a list's of texts; 0 for what belongs to the whole batch."""
    return len(value) if isinstance(value, list | tuple) or getattr(value, "ndim", 0) > 0 else 0


@contextmanager
def reading(module: Any, micro: MicroBatch) -> Iterator[None]:
    """Inside the block `module` reads the features of a batch `micro.size` rows at once.

    Of each piece only what comes out is kept; the rest is made again for the backward pass (arXiv 1604.06174, as GradCache does it,
    arXiv 2101.06983). So a loss that compares all rows of a batch with one another stays what it is, and so does its gradient.
    """
    import torch
    from torch.utils.checkpoint import checkpoint

    whole = module.forward

    def forward(features: dict[str, Any], **options: Any) -> dict[str, Any]:
        parts = pieces(features, micro.size)
        if len(parts) == 1:
            return dict(whole(features, **options))
        made = [checkpoint(lambda part: whole(dict(part), **options), part, use_reentrant=False) for part in parts]
        return {name: torch.cat([one[name] for one in made]) if getattr(value, "ndim", 0) else value for name, value in made[0].items()}

    module.forward = forward
    try:
        yield
    finally:
        del module.forward


def spare(trainer: Any, clear: Callable[[], object], micro: MicroBatch | None = None) -> None:
    """Let `trainer` make a step again, with fewer rows at once, where memory runs out.

    `micro`: what the model reads by, see `reading`. By default the gradients of the pieces are summed up, which is the same only where the
    loss is a mean over rows.
    """
    step = trainer.training_step
    summed = micro is None
    micro = micro or MicroBatch(trainer.args.train_batch_size)

    def in_pieces(model: Any, inputs: Any, items: Any) -> Any:
        parts = pieces(inputs, micro.size) if summed else [inputs]
        if len(parts) == 1:
            return step(model, inputs, items)
        accumulated = trainer.current_gradient_accumulation_steps
        trainer.current_gradient_accumulation_steps = accumulated * len(parts)  # which the trainer divides each loss by
        try:
            return sum(step(model, part, None) for part in parts)
        finally:
            trainer.current_gradient_accumulation_steps = accumulated

    def cleared() -> None:
        for group in trainer.optimizer.param_groups:  # gradients of half a step; what was accumulated before goes with them
            for weight in group["params"]:
                weight.grad = None
        clear()

    def training_step(model: Any, inputs: Any, num_items_in_batch: Any = None) -> Any:
        return micro.fitted(lambda: in_pieces(model, inputs, num_items_in_batch), cleared)

    trainer.training_step = training_step
