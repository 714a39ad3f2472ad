"""Embedders in the format of sentence-transformers: `st:<folder>` or `st:<name on the hub>`."""

from __future__ import annotations

import logging
import os
import re
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np

from selfstudy.core.errors import BadModel
from selfstudy.core.ports import Progress, Role, Vectors, silent
from selfstudy.core.quiet import without_advice
from selfstudy.models.folder import ModelFolder
from selfstudy.models.prompted import prompted

_log = logging.getLogger("selfstudy")
Which = Literal["auto", "openvino", "torch"]


class Runtime(Protocol):
    """What runs a model."""

    @property
    def name(self) -> str: ...

    @property
    def dim(self) -> int: ...

    def vectors(self, texts: Sequence[str], prompt: str, progress: Progress) -> Vectors: ...


class SentenceEmbedder:
    """A `core.ports.Embedder` over a sentence-transformers folder; the model is loaded with the first vector.

    `runtime`: "openvino", "torch", or "auto", which is OpenVINO where the model can be converted and torch elsewhere (`why_torch`
    then says why). `cache`: a folder for converted models; with it the next process starts without torch. `threads`: all cores by
    default, or OMP_NUM_THREADS. Raises BadModel.
    """

    def __init__(
        self,
        folder: Path,
        name: str | None = None,
        *,
        cache: Path | None = None,
        runtime: Which = "auto",
        threads: int | None = None,
    ) -> None:
        self.folder = ModelFolder(folder)
        self.why_torch: str | None = None
        self._name = name or f"st:{folder}"
        self._cache = cache
        self._which = runtime
        self._threads = threads
        self._runtime: Runtime | None = None
        self._fingerprint: str | None = None

    @property
    def name(self) -> str:
        return self._name

    @property
    def dim(self) -> int:
        return self._loaded().dim

    @property
    def fingerprint(self) -> str:
        if self._fingerprint is None:
            self._fingerprint = self.folder.fingerprint
        return self._fingerprint

    @property
    def model_folder(self) -> Path:
        """The folder of the model."""
        return self.folder.path

    @property
    def runtime(self) -> str:
        """What runs the model: "openvino" or "torch"."""
        return self._loaded().name

    def embed(self, texts: Sequence[str], role: Role = "passage", progress: Progress = silent) -> Vectors:
        """(len(texts), dim) float32, rows of unit length, in the order given; texts are cut after the model's longest length."""
        if not texts:
            return np.empty((0, self.dim), np.float32)
        return self._loaded().vectors([encodable(text) for text in texts], self.folder.prompt(role), progress)

    def known(self, texts: Sequence[str]) -> float:
        """The share of the tokens of `texts` that are in the vocabulary; what is not is read as one and the same unknown token."""
        return known_tokens(self.folder.transformer / "tokenizer.json", texts)

    @property
    def threads(self) -> int | None:
        """How many cores are used; None: all."""
        return self._threads or threads_of_environment()

    def _loaded(self) -> Runtime:
        if self._runtime is None:
            self._runtime = self._load()
        return self._runtime

    def _load(self) -> Runtime:
        threads = self.threads
        if self._which != "torch":
            from selfstudy.models.converted import NotConvertible
            from selfstudy.models.openvino import open_runtime

            try:
                return open_runtime(self.folder, self._cache, threads)
            except ImportError as error:
                self.why_torch = f"OpenVINO cannot be imported: {error}"
            except NotConvertible as error:
                self.why_torch = str(error)
            if self._which == "openvino":
                raise BadModel(f"{self.name} cannot run on OpenVINO: {self.why_torch}.", "Use the runtime 'auto' or 'torch'.")
        from selfstudy.models.torch import TorchRuntime

        return TorchRuntime(self.folder, threads)


def load(
    rest: str, *, prompts: Mapping[str, str] | None = None, max_seq_length: int | None = None, cache: Path | None = None, **options: Any
) -> SentenceEmbedder:
    """The embedder `st:<rest>`: a folder, or a name on the hub, fetched once. `options` are SentenceEmbedder's.

    `prompts` ({"query": "query: ", "passage": "passage: "}) and `max_seq_length` stand in for what the folder says, beside `cache`.
    """
    folder = Path(rest).expanduser()
    folder = folder if folder.is_dir() else _fetch(rest)
    if prompts is not None or max_seq_length is not None:
        beside = cache.parent / "prompted" if cache is not None else Path(tempfile.mkdtemp(prefix="selfstudy-"))
        folder = prompted(folder, beside, prompts, max_seq_length)
    return SentenceEmbedder(folder, f"st:{rest}", cache=cache, **options)


def _fetch(name: str) -> Path:
    """The folder of the hub's model `name`, from the hub's local cache or else from the hub."""
    mend = "Give the path of a folder that sentence-transformers saved, or run this where the hub can be reached."
    if not re.fullmatch(r"[\w.-]+(/[\w.-]+)?", name) or name.startswith("."):
        raise BadModel(f"'st:{name}' is neither a folder here nor a name on the hub.", mend)
    from huggingface_hub import HfApi, snapshot_download

    full = name if "/" in name else f"sentence-transformers/{name}"
    try:
        return Path(snapshot_download(full, local_files_only=True))
    except (OSError, ValueError):
        pass  # not fetched before
    _log.warning("st:%s is no folder here; asking the hub for it.", name)
    try:
        with without_advice():  # its client tells of every attempt
            files = HfApi().list_repo_files(full)
            only_torch = not any(file.endswith(".safetensors") for file in files)
            wanted = ["*.json", "*.txt", "*.model", "*.bin" if only_torch else "*.safetensors"]
            return Path(snapshot_download(full, allow_patterns=wanted, ignore_patterns=["onnx/*", "openvino/*"]))
    except Exception as error:  # whatever the network, the hub and its client may raise
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise BadModel(f"'st:{name}' is no folder here and could not be fetched from the hub: {reason}", mend) from error


def known_tokens(tokenizer: Path, texts: Sequence[str]) -> float:
    """The share of the tokens of `texts` that the tokenizer in this file knows; 1 where there is no such file."""
    from tokenizers import Tokenizer

    if not tokenizer.is_file():
        return 1.0
    read = Tokenizer.from_file(str(tokenizer))
    tokens = [token for encoding in read.encode_batch([encodable(text) for text in texts]) for token in encoding.tokens]
    return 1 - sum(token in {"[UNK]", "<unk>"} for token in tokens) / max(1, len(tokens))


def threads_of_environment() -> int | None:
    """OMP_NUM_THREADS, where it is a number above 0."""
    said = os.environ.get("OMP_NUM_THREADS", "")
    return int(said) if said.isdigit() and int(said) > 0 else None


def encodable(text: str) -> str:
    """`text`, with what cannot be written as UTF-8 (lone surrogates) replaced."""
    return text.encode("utf-8", "replace").decode("utf-8")
