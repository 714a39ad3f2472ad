"""The starter's models: made anew from all-MiniLM-L6-v2, or read from what is shipped."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from selfstudy.core.quiet import quiet
from selfstudy.models import minilm
from selfstudy.models.starter import deltas, reading
from selfstudy.models.starter.reading import ABSENT, NAMES, Reader, encode, first_part
from selfstudy.models.starter.rows import Row

READING = "reading.safetensors"
FOLDER = Path(__file__).parent / "weights"
"""Where the shipped files are."""


def reader(path: Path | None = None, **options: Any) -> Reader:
    """The Reader out of a file that `ship` wrote, the shipped one unless given; `options` are Reader's. Raises BadModel."""
    model, tokenizer = fresh()
    model.load_state_dict(deltas.load(path or FOLDER / READING, base_of(model), minilm.SHA256))
    return Reader(model, tokenizer, **options)


def ship(model: Any, path: Path, about: dict[str, str]) -> None:
    """Write what `model` has learned over all-MiniLM-L6-v2; what started at random, whole."""
    deltas.save(path, model.cpu().state_dict(), base_of(fresh()[0]), {**about, deltas.BASE: minilm.SHA256})


def base_of(model: Any) -> dict[str, Any]:
    """The weights that every network begins with."""
    return {name: weight for name, weight in model.state_dict().items() if name.startswith("encoder.")}


def fresh(seed: int = 0, trains: bool = False) -> tuple[Any, Any]:
    """An untrained `reading.network` over all-MiniLM-L6-v2, its word vectors frozen, and the tokenizer.

    With `trains` attention drops nothing: drawing what to drop takes half of a step on a CPU.
    """
    encoder, tokenizer = _minilm(seed, {"attn_implementation": "eager", "attention_probs_dropout_prob": 0.0} if trains else {})
    encoder.embeddings.requires_grad_(False)
    return reading.network(encoder, encoder.config.hidden_size), tokenizer


def _minilm(seed: int, options: dict[str, Any]) -> tuple[Any, Any]:
    import torch
    from transformers import AutoModel, AutoTokenizer

    torch.manual_seed(seed)
    with quiet():
        encoder = AutoModel.from_pretrained(minilm.folder(), add_pooling_layer=False, local_files_only=True, **options)
        return encoder, AutoTokenizer.from_pretrained(minilm.folder(), local_files_only=True)


def prepared(tokenizer: Any, rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Tokens and labels of each row; what was cut off with the end of its passage is not known: an answer, or what supports one."""
    pairs = [(first_part(row.question, row.answer), row.passage) for row in rows]
    encoded = encode(tokenizer, pairs)
    found = []
    for place, row in enumerate(rows):
        start, end = _labels(row, encoded.sequence_ids(place), encoded["offset_mapping"][place])
        item = {name: encoded[name][place] for name in NAMES}
        item |= {"start": start, "end": end}
        item |= {"relevant": ABSENT if row.relevant is None else row.relevant, "support": _support(row, encoded["offset_mapping"][place])}
        found.append(item)
    return found


def _support(row: Row, offsets: Sequence[tuple[int, int]]) -> int:
    """The label, unless the passage lost more than its last words."""
    return ABSENT if row.support is None or max(end for _, end in offsets) < 0.97 * len(row.passage.rstrip()) else row.support


def _labels(row: Row, parts: Sequence[int | None], offsets: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """The tokens at which the answer starts and ends; 0 for no answer."""
    if row.span is None:
        return ABSENT, ABSENT
    if row.span == (0, 0):
        return 0, 0
    first, last = row.span
    inside = [place for place, part in enumerate(parts) if part == 1 and offsets[place][0] < last and offsets[place][1] > first]
    if not inside or offsets[inside[-1]][1] < last:
        return ABSENT, ABSENT
    return inside[0], inside[-1]
