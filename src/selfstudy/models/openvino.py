"""A sentence-transformers model compiled by OpenVINO: about twice torch's speed on a CPU, and ready without importing torch.

The whole model (transformer, pooling, normalisation) is converted once, compared with the original on texts of every kind, and kept in
a cache folder beside its own tokenizer. OpenVINO chooses its precision: bf16 on CPUs that have it, else fp32.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

import numpy as np
from numpy.typing import NDArray

from selfstudy.core.files import write_json
from selfstudy.core.memory import ran_out
from selfstudy.core.padding import padded
from selfstudy.core.plugs import openvino as library
from selfstudy.core.ports import Progress, Vectors, silent
from selfstudy.models.converted import ABOUT, MODEL, NotConvertible, adopt, compiled, graph, kept_at, opened
from selfstudy.models.folder import ModelFolder

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

LEAST_COSINE = 0.999  # to the original, on every probe; bf16 keeps .9995, a wrong token or mask falls far below
_CONVERTIBLE = {"Transformer", "Pooling", "Normalize", "Dense"}
_KNOWN = {"bert", "roberta", "xlm-roberta", "mpnet", "distilbert"}  # OpenVINO compiles these; others are tried apart first
_CHUNK = 2048  # texts tokenized at once
_TOKENS = 1024  # tokens of a batch: more does not go faster and costs memory
MULTIPLE = 8  # lengths are rounded up, so that fewer shapes are prepared

_PROBES = (
    "",
    "Where is it?",
    "A sentence of ordinary length about nothing in particular, with a comma and the number 3.14.",
    "量子力学描述微观世界的规律。什么是叠加态？",
    "🙂🚀 naïve café — “quoted” ﬁne print\ttab\nnew line",
    "<s> [MASK] <pad> </s>",
    "word " * 40,
    "The quick brown fox jumps over the lazy dog, and then it writes a long report about it. " * 120,
)
_TRY = "import sys; from pathlib import Path; from selfstudy.models.openvino import OpenVinoRuntime as Runtime, _PROBES; "
_TRY += "Runtime(Path(sys.argv[1]), int(sys.argv[2]) or None).vectors(_PROBES, '', lambda done, total: None)"


_OPENING = Lock()
_RUNNING: WeakValueDictionary[tuple[str, int | None], OpenVinoRuntime] = WeakValueDictionary()


class OpenVinoRuntime:
    """Embeds with the converted model in `converted`. Safe to share between threads. Raises NotConvertible.

    Where memory runs out the batches become smaller, and stay so.
    """

    name = "openvino"
    kept: Path | None = None
    """Where the converted model stays."""

    def __init__(self, converted: Path, threads: int | None = None) -> None:
        from tokenizers import Tokenizer

        about = json.loads((converted / ABOUT).read_text(encoding="utf-8"))
        self.dim = int(about["dim"])
        self._pad = int(about["pad"])
        self._longest = about["max_seq_length"]
        self._tokenizer = Tokenizer.from_file(str(converted / "tokenizer.json"))
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        if self._longest is not None:
            self._tokenizer.enable_truncation(self._longest)
        # Throughput: each stream takes a batch of its own, which is faster than all cores on one batch.
        self._queue = library().AsyncInferQueue(compiled(converted, "THROUGHPUT", threads))
        self._lock = Lock()
        self._tokens = _TOKENS

    def vectors(self, texts: Sequence[str], prompt: str, progress: Progress) -> Vectors:
        """(len(texts), dim) float32, rows of unit length."""
        out: Vectors = np.empty((len(texts), self.dim), np.float32)
        done = 0
        for start in range(0, len(texts), _CHUNK):
            part = [prompt + text for text in texts[start : start + _CHUNK]]
            tokens = [encoding.ids for encoding in self._tokenizer.encode_batch(part)]
            with self._lock:
                done = self._inferred(tokens, out[start : start + len(part)], done, len(texts), progress)
        return out

    def _inferred(self, tokens: Sequence[list[int]], out: Vectors, done: int, total: int, progress: Progress) -> int:
        while True:
            try:
                return self._infer(tokens, out, done, total, progress)
            except (RuntimeError, MemoryError) as error:
                if not ran_out(error) or self._tokens == 1:
                    raise
            self._tokens = max(1, self._tokens // 4)

    def _infer(self, tokens: Sequence[list[int]], out: Vectors, done: int, total: int, progress: Progress) -> int:
        def keep(request: Any, rows: list[int]) -> None:
            out[rows] = request.get_output_tensor(0).data

        self._queue.set_callback(keep)
        try:
            for rows in batches([len(ids) for ids in tokens], self._tokens):
                ids, mask = self._padded([tokens[row] for row in rows])
                self._queue.start_async({0: ids, 1: mask}, rows)
                done += len(rows)
                progress(done, total)
        finally:
            self._queue.wait_all()
        return done

    def inputs(self, texts: Sequence[str]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """(len(texts), tokens) ids and mask, as the model takes them."""
        return self._padded([encoding.ids for encoding in self._tokenizer.encode_batch(list(texts))])

    def _padded(self, tokens: Sequence[list[int]]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        ids = padded(tokens, self._pad, MULTIPLE, self._longest)
        return ids, (np.arange(ids.shape[1]) < np.array([[len(one)] for one in tokens])).astype(np.int64)


def batches(lengths: Sequence[int], tokens: int = _TOKENS) -> list[list[int]]:
    """The indices of `lengths`, the longest first, in batches that hold about `tokens` when padded to their longest."""
    made: list[list[int]] = []
    for index in sorted(range(len(lengths)), key=lambda at: -lengths[at]):
        if made and lengths[made[-1][0]] * (len(made[-1]) + 1) <= tokens:
            made[-1].append(index)
        else:
            made.append([index])
    return made


def open_runtime(folder: ModelFolder, cache: Path | None, threads: int | None = None) -> OpenVinoRuntime:
    """The compiled model of `folder`, converted first where `cache` does not hold it yet. Raises NotConvertible.

    In one process all share it, whoever's cache it came from: the tenants of a service have the same base.
    """
    load = partial(OpenVinoRuntime, threads=threads)
    key = folder.fingerprint, threads
    with _OPENING:
        running, kept = _RUNNING.get(key), None if cache is None else cache / folder.fingerprint
        if running is not None and running.kept is not None and kept is not None and kept_at(kept) is None:
            adopt(running.kept, kept)
        if running is None or kept is None or kept_at(kept) is None:
            made = opened(cache, folder.fingerprint, load, lambda into, about: _convert(folder, into, about, load, threads))
            made.kept = kept
            running = _RUNNING.setdefault(key, made)
        return running


def _convert(
    folder: ModelFolder, into: Path, about: dict[str, Any], load: Callable[[Path], OpenVinoRuntime], threads: int | None
) -> OpenVinoRuntime:
    from selfstudy.core.quiet import quiet
    from selfstudy.models.torch import load_model

    others = sorted({module.kind for module in folder.modules} - _CONVERTIBLE)
    if others:
        raise NotConvertible(f"it has {', '.join(others)} modules")
    prompted = folder.prompt("query") or folder.prompt("passage")
    if prompted and any(module.config.get("include_prompt") is False for module in folder.modules):
        raise NotConvertible("its pooling leaves out the prompt")
    model: Any = load_model(folder).to("cpu")
    tokenizer: Any = model.tokenizer
    if getattr(tokenizer, "backend_tokenizer", None) is None:
        raise NotConvertible("its tokenizer has no tokenizer.json form")
    if tokenizer.padding_side != "right" or tokenizer.pad_token_id is None:
        raise NotConvertible("its tokenizer does not pad on the right")
    try:
        with quiet():
            library().save_model(_graph(model), str(into / MODEL), compress_to_fp16=False)
            tokenizer.backend_tokenizer.save(str(into / "tokenizer.json"))
        expected = model.encode(list(_PROBES), prompt="", normalize_embeddings=True, show_progress_bar=False)
        about |= {"dim": int(expected.shape[1]), "pad": int(tokenizer.pad_token_id), "max_seq_length": model.max_seq_length}
        write_json(into / ABOUT, about)
        if model[0].auto_model.config.model_type not in _KNOWN and not _survives(into, threads):
            raise NotConvertible("OpenVINO dies of it")
        runtime = load(into)
        cosine = (runtime.vectors(_PROBES, "", silent) * expected).sum(axis=1).min()
    except (RuntimeError, ValueError, TypeError, KeyError, AttributeError, NotImplementedError) as error:
        raise NotConvertible(f"its conversion failed: {(str(error) or type(error).__name__).splitlines()[0]}") from error
    if not cosine >= LEAST_COSINE:
        raise NotConvertible(f"converted, its vectors differ (least cosine {cosine:.4f})")
    return runtime


def _survives(folder: Path, threads: int | None) -> bool:
    """Whether a process of its own lives through the probes: on some CPUs OpenVINO dies of decoders without an exception."""
    tried = subprocess.run([sys.executable, "-c", _TRY, str(folder), str(threads or 0)], capture_output=True, check=False)
    return tried.returncode >= 0


def _graph(model: SentenceTransformer) -> Any:
    """The model as OpenVINO's, from (ids, mask) to vectors of unit length, for any number and length of texts."""
    import torch

    class Whole(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
            out = self.model({"input_ids": input_ids, "attention_mask": attention_mask})["sentence_embedding"]
            return torch.nn.functional.normalize(out, dim=-1)

    ids = torch.ones((3, 11), dtype=torch.long)
    mask = torch.ones_like(ids)
    mask[0, 5:] = 0
    return graph(Whole(), {"input_ids": ids, "attention_mask": mask})
