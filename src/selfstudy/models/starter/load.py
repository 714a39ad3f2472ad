"""The starter's models: made anew from all-MiniLM-L6-v2, or read from what is shipped."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from selfstudy.core.errors import BadModel
from selfstudy.core.quiet import quiet
from selfstudy.core.records import digest
from selfstudy.models import minilm
from selfstudy.models.converted import NotConvertible, opened
from selfstudy.models.folder import sha256_of
from selfstudy.models.starter import deltas, heads
from selfstudy.models.starter.network import ABSENT, network
from selfstudy.models.starter.reading import Heads, StarterReader, encode, first_part, inputs
from selfstudy.models.starter.rows import Row

if TYPE_CHECKING:
    from tokenizers import Encoding, Tokenizer

READING = "reading.safetensors"
FOLDER = Path(__file__).parent / "weights"
"""Where the shipped files are."""
NAMES = ("input_ids", "attention_mask", "token_type_ids")
"""What of a row is filled up to the length of others."""
_PROBES = (
    ("Where is it?", "It stands beside the door, on the left."),
    ("", ""),
    ("When was the bridge opened, and who paid for it?", "The bridge, 3.14 km long, was paid for by the town. " * 40),
)


def reader(path: Path | None = None, cache: Path | None = None, **options: Any) -> StarterReader:
    """The reader out of a file that `ship` wrote, the shipped one unless given; `options` are StarterReader's. Raises BadModel.

    It runs on OpenVINO where it can, converted first where `cache` does not hold it yet, and without torch where it does.
    """
    file = path or FOLDER / READING
    if not file.is_file():
        raise BadModel(f"{file} is missing.", "Build it with `make starter`, or install selfstudy again.")

    def convert(into: Path, about: dict[str, Any]) -> heads.OpenVino:
        return heads.convert(trained(file), [inputs(encode(tokenizer(), _PROBES))], into)

    try:
        run: Heads = opened(cache, digest("reading", sha256_of(file), minilm.SHA256), heads.OpenVino, convert)
    except (ImportError, NotConvertible):
        run = heads.Torch(trained(file))
    return StarterReader(run, tokenizer(), **options)


def trained(path: Path | None = None) -> Any:
    """The network out of a file that `ship` wrote, the shipped one unless given. Raises BadModel."""
    model = fresh()
    model.load_state_dict(deltas.load(path or FOLDER / READING, base_of(model), minilm.SHA256))
    return model.eval()


def tokenizer() -> Tokenizer:
    """all-MiniLM-L6-v2's, one's own. Raises BadModel."""
    from tokenizers import Tokenizer

    found: Tokenizer = Tokenizer.from_file(str(minilm.folder() / "tokenizer.json"))
    return found


def ship(model: Any, path: Path, about: dict[str, str]) -> None:
    """Write what `model` has learned over all-MiniLM-L6-v2; what started at random, whole."""
    deltas.save(path, model.cpu().state_dict(), base_of(fresh()), {**about, deltas.BASE: minilm.SHA256})


def base_of(model: Any) -> dict[str, Any]:
    """The weights that every network begins with."""
    return {name: weight for name, weight in model.state_dict().items() if name.startswith("encoder.")}


def fresh(seed: int = 0, trains: bool = False) -> Any:
    """An untrained `network` over all-MiniLM-L6-v2, its word vectors frozen.

    With `trains` attention drops nothing: drawing what to drop takes half of a step on a CPU.
    """
    import torch
    from transformers import AutoModel

    torch.manual_seed(seed)
    options: dict[str, Any] = {"attn_implementation": "eager", "attention_probs_dropout_prob": 0.0} if trains else {}
    with quiet():
        encoder = AutoModel.from_pretrained(minilm.folder(), add_pooling_layer=False, local_files_only=True, **options)
    encoder.embeddings.requires_grad_(False)
    return network(encoder, encoder.config.hidden_size)


def prepared(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Tokens and labels of each row; what was cut off with the end of its passage is not known: an answer, or what supports one."""
    encoded = encode(tokenizer(), [(first_part(row.question, row.answer), row.passage) for row in rows])
    found = []
    for row, one in zip(rows, encoded, strict=True):
        start, end = _labels(row, one)
        item: dict[str, Any] = dict(zip(NAMES, (one.ids, one.attention_mask, one.type_ids), strict=True))
        item |= {"start": start, "end": end, "relevant": ABSENT if row.relevant is None else row.relevant, "support": _support(row, one)}
        found.append(item)
    return found


def _support(row: Row, encoding: Encoding) -> int:
    """The label, unless the passage lost more than its last words."""
    lost = max(end for _, end in encoding.offsets) < 0.97 * len(row.passage.rstrip())
    return ABSENT if row.support is None or lost else row.support


def _labels(row: Row, encoding: Encoding) -> tuple[int, int]:
    """The tokens at which the answer starts and ends; 0 for no answer."""
    if row.span is None:
        return ABSENT, ABSENT
    if row.span == (0, 0):
        return 0, 0
    first, last = row.span
    places = enumerate(zip(encoding.sequence_ids, encoding.offsets, strict=True))
    inside = [place for place, (part, (start, end)) in places if part == 1 and start < last and end > first]
    if not inside or encoding.offsets[inside[-1]][1] < last:
        return ABSENT, ABSENT
    return inside[0], inside[-1]
