"""A sentence-transformers model compiled by OpenVINO: about twice torch's speed on a CPU, and ready without importing torch.

The whole model (transformer, pooling, normalisation) is converted once, compared with the original on texts of every kind, and kept in
a cache folder beside its own tokenizer. OpenVINO chooses its precision: bf16 on CPUs that have it, else fp32.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from selfstudy.core.errors import HomeError
from selfstudy.core.files import sync_folder, write_json
from selfstudy.core.plugs import openvino as library
from selfstudy.core.ports import Progress, Vectors, silent
from selfstudy.models.folder import ModelFolder
from selfstudy.models.memory import ran_out

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

FORMAT = 1
ABOUT = "runtime.json"
LEAST_COSINE = 0.999  # to the original, on every probe; bf16 keeps .9995, a wrong token or mask falls far below
_CONVERTIBLE = {"Transformer", "Pooling", "Normalize", "Dense"}
_CHUNK = 2048  # texts tokenized at once
_TOKENS = 1024  # tokens of a batch: more does not go faster and costs memory
_MULTIPLE = 8  # lengths are rounded up, so that fewer shapes are prepared

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


class NotConvertible(Exception):
    """Why a model cannot run here; the caller uses torch instead."""


class OpenVinoRuntime:
    """Embeds with the converted model in `converted`. Safe to share between threads. Raises NotConvertible.

    Where memory runs out the batches become smaller, and stay so.
    """

    name = "openvino"

    def __init__(self, converted: Path, threads: int | None = None) -> None:
        openvino = library()
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
        options: dict[str, Any] = {"PERFORMANCE_HINT": "THROUGHPUT"}
        if threads is not None:
            options["INFERENCE_NUM_THREADS"] = threads
        try:
            compiled = openvino.Core().compile_model(str(converted / "model.xml"), "CPU", options)
        except RuntimeError as error:
            raise NotConvertible(f"OpenVINO cannot compile it: {str(error).splitlines()[0]}") from error
        self._queue = openvino.AsyncInferQueue(compiled)
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
        longest = max(len(ids) for ids in tokens)
        width = max(longest, min(-(-longest // _MULTIPLE) * _MULTIPLE, self._longest or longest))
        ids = np.full((len(tokens), width), self._pad, np.int64)
        mask = np.zeros((len(tokens), width), np.int64)
        for row, one in enumerate(tokens):
            ids[row, : len(one)] = one
            mask[row, : len(one)] = 1
        return ids, mask


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

    Without a cache, or where the cache cannot be written, the conversion lasts as long as the process.
    """
    openvino = library()

    version = openvino.__version__
    if cache is not None:
        kept = cache / folder.fingerprint
        about = kept_at(kept)
        if about is not None and about["why_not"] is None:
            return OpenVinoRuntime(kept, threads)
        if about is not None and about["openvino"] == version:
            raise NotConvertible(about["why_not"])
        try:
            cache.mkdir(parents=True, exist_ok=True)
            return _converted(folder, kept, threads)
        except (OSError, HomeError):
            pass  # the cache cannot be written
    with tempfile.TemporaryDirectory(prefix="selfstudy-") as passing:
        return _converted(folder, Path(passing) / folder.fingerprint, threads)


def kept_at(kept: Path) -> dict[str, Any] | None:
    """What was kept there, or None where it is of another format or not whole."""
    try:
        about: dict[str, Any] = json.loads((kept / ABOUT).read_text(encoding="utf-8"))
        whole = about["format"] == FORMAT and all((kept / name).stat().st_size == size for name, size in about["files"].items())
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return about if whole else None


def _converted(folder: ModelFolder, kept: Path, threads: int | None) -> OpenVinoRuntime:
    """Convert and check beside `kept`, then rename; that it cannot be done is kept too."""
    openvino = library()

    beside = Path(tempfile.mkdtemp(prefix=f".{kept.name}.", dir=kept.parent))
    try:
        about: dict[str, Any] = {"format": FORMAT, "openvino": openvino.__version__, "why_not": None, "files": {}}
        runtime: OpenVinoRuntime | NotConvertible
        try:
            runtime = _convert(folder, beside, about, threads)
        except NotConvertible as error:
            runtime = error
            about |= {"why_not": str(error), "files": {}}
        write_json(beside / ABOUT, about)
        beside.chmod(0o755)
        shutil.rmtree(kept, ignore_errors=True)
        try:
            os.rename(beside, kept)
            sync_folder(kept.parent)
        except OSError:
            if kept_at(kept) is None:  # else another process was first, with the same result
                raise
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    if isinstance(runtime, NotConvertible):
        raise runtime
    return runtime


def _convert(folder: ModelFolder, into: Path, about: dict[str, Any], threads: int | None) -> OpenVinoRuntime:
    openvino = library()

    from selfstudy.core.quiet import quiet
    from selfstudy.models.torch import load_model

    others = sorted({module.kind for module in folder.modules} - _CONVERTIBLE)
    if others:
        raise NotConvertible(f"it has {', '.join(others)} modules")
    prompted = folder.prompt("query") or folder.prompt("passage")
    if prompted and any(module.config.get("include_prompt") is False for module in folder.modules):
        raise NotConvertible("its pooling leaves out the prompt")
    model = load_model(folder).to("cpu")
    tokenizer: Any = model.tokenizer
    if getattr(tokenizer, "backend_tokenizer", None) is None:
        raise NotConvertible("its tokenizer has no tokenizer.json form")
    if tokenizer.padding_side != "right" or tokenizer.pad_token_id is None:
        raise NotConvertible("its tokenizer does not pad on the right")
    try:
        with quiet():
            openvino.save_model(_graph(model), str(into / "model.xml"), compress_to_fp16=False)
            tokenizer.backend_tokenizer.save(str(into / "tokenizer.json"))
        expected = model.encode(list(_PROBES), prompt="", normalize_embeddings=True, show_progress_bar=False)
        about |= {"dim": int(expected.shape[1]), "pad": int(tokenizer.pad_token_id), "max_seq_length": model.max_seq_length}
        write_json(into / ABOUT, about)
        runtime = OpenVinoRuntime(into, threads)
        cosine = (runtime.vectors(_PROBES, "", silent) * expected).sum(axis=1).min()
    except (RuntimeError, ValueError, TypeError, KeyError, AttributeError, NotImplementedError) as error:
        raise NotConvertible(f"its conversion failed: {(str(error) or type(error).__name__).splitlines()[0]}") from error
    if not cosine >= LEAST_COSINE:
        raise NotConvertible(f"converted, its vectors differ (least cosine {cosine:.4f})")
    for path in into.iterdir():
        with open(path, "rb") as file:
            os.fsync(file.fileno())
    about["files"] = {path.name: path.stat().st_size for path in into.iterdir() if path.name != ABOUT}
    return runtime


def _graph(model: SentenceTransformer) -> Any:
    """The model as OpenVINO's, from (ids, mask) to vectors of unit length, for any number and length of texts.

    Through the front end itself: openvino.convert_model would report its use over the network, and torch.onnx needs one more package
    and gives a graph with neither attention nor GELU in one piece.
    """
    import torch
    from openvino.frontend import FrontEndManager
    from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder

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
    with torch.no_grad():
        decoder = TorchScriptPythonDecoder(Whole().eval(), example_input={"input_ids": ids, "attention_mask": mask})
        front = FrontEndManager().load_by_framework("pytorch")
        return front.convert(front.load(decoder))
