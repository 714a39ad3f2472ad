"""A sentence-transformers model in int8, calibrated on the user's own passages by nncf: about twice as fast as fp32, a quarter of its size.

Matrix products run in int8 with scales that were measured on the passages (post-training quantisation, SmoothQuant for the
transformer's outliers); word vectors are only kept in int8. Vectors differ a little from those of the original (cosine about .995), so the
fingerprint is another, and whether that is good enough is for questions to say: see `evals.gate.judge_int8`.
"""

from __future__ import annotations

import contextlib
import io
import logging
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from selfstudy.core.errors import BadInput, BadModel
from selfstudy.core.files import read_json, write_json
from selfstudy.core.plugs import extra
from selfstudy.core.plugs import openvino as library
from selfstudy.core.ports import Progress, Role, Vectors, silent
from selfstudy.core.records import digest
from selfstudy.models.converted import ABOUT, MODEL, NotConvertible
from selfstudy.models.folder import ModelFolder
from selfstudy.models.openvino import OpenVinoRuntime, open_runtime
from selfstudy.models.sentence import encodable, known_tokens, threads_of_environment

MOST = 128
"""Passages that calibration looks at; more change the scales no more."""


def quantise(folder: Path, passages: Sequence[str], into: Path, cache: Path) -> None:
    """Write the model of a sentence-transformers `folder` in int8 into the folder `into`, calibrated on some of `passages`.

    `cache` holds, or will hold, the model as OpenVINO runs it in full precision. Needs nncf. Raises BadModel for one that OpenVINO cannot
    run, BadInput without passages, MissingExtra.
    """
    if not passages:
        raise BadInput("There are no passages to calibrate on.", "Give some hundred passages, or use the model as it is.")
    chosen = list(passages[:: max(1, len(passages) // MOST)][:MOST])
    whole = ModelFolder(folder)
    try:
        runtime = open_runtime(whole, cache)
    except NotConvertible as error:
        raise BadModel(f"{folder} cannot run on OpenVINO: {error}.", "Use the model as it is.") from error
    floating = cache / whole.fingerprint
    into.mkdir(parents=True, exist_ok=True)
    read = [whole.prompt("passage") + text for text in chosen]
    library().save_model(_calibrated(floating / MODEL, runtime, read), str(into / MODEL), compress_to_fp16=False)
    shutil.copy(floating / "tokenizer.json", into)
    about: dict[str, Any] = read_json(floating / ABOUT)
    about["files"] = {path.name: path.stat().st_size for path in into.iterdir() if path.name != ABOUT}
    about["prompts"] = {"query": whole.prompt("query"), "passage": whole.prompt("passage")}
    about["fingerprint"] = digest("int8", whole.fingerprint, *chosen)
    write_json(into / ABOUT, about)


def _calibrated(model: Path, runtime: OpenVinoRuntime, passages: Sequence[str]) -> Any:
    nncf: Any = extra("nncf", "int8")
    nncf.set_log_level(logging.ERROR)
    with contextlib.redirect_stdout(io.StringIO()):  # nncf draws its progress there
        made = nncf.quantize(
            library().Core().read_model(str(model)),
            nncf.Dataset([runtime.inputs([text]) for text in passages]),
            model_type=nncf.ModelType.TRANSFORMER,
            subset_size=len(passages),
            ignored_scope=nncf.IgnoredScope(types=["Gather"], validate=False),  # word vectors are looked up, not multiplied
            advanced_parameters=nncf.AdvancedQuantizationParameters(disable_bias_correction=True),
        )
        return nncf.compress_weights(made, mode=nncf.CompressWeightsMode.INT8_ASYM)  # those word vectors


class Int8Embedder:
    """A `core.ports.Embedder` over a folder that `quantise` wrote; the model is loaded with the first vector.

    `threads`: all cores by default, or OMP_NUM_THREADS. Raises BadModel for a folder that is none.
    """

    def __init__(self, folder: Path, name: str | None = None, *, threads: int | None = None) -> None:
        if not holds_int8(folder):
            raise BadModel(f"{folder} holds no model in int8.", "Give a folder that selfstudy.models.int8.quantise wrote.")
        self._folder = folder
        self._name = name or f"{folder} in int8"
        self._about: dict[str, Any] = read_json(folder / ABOUT)
        self._threads = threads
        self._runtime: OpenVinoRuntime | None = None

    @property
    def name(self) -> str:
        return self._name

    @property
    def dim(self) -> int:
        return int(self._about["dim"])

    @property
    def fingerprint(self) -> str:
        return str(self._about["fingerprint"])

    def embed(self, texts: Sequence[str], role: Role = "passage", progress: Progress = silent) -> Vectors:
        """(len(texts), dim) float32, rows of unit length, in the order given; texts are cut after the model's longest length."""
        if not texts:
            return np.empty((0, self.dim), np.float32)
        return self._loaded().vectors([encodable(text) for text in texts], self._about["prompts"][role], progress)

    def known(self, texts: Sequence[str]) -> float:
        """The share of the tokens of `texts` that are in the vocabulary; what is not is read as one and the same unknown token."""
        return known_tokens(self._folder / "tokenizer.json", texts)

    def _loaded(self) -> OpenVinoRuntime:
        if self._runtime is None:
            try:
                self._runtime = OpenVinoRuntime(self._folder, self._threads or threads_of_environment())
            except NotConvertible as error:
                raise BadModel(f"{self._name} cannot run on OpenVINO: {error}.", "Use the model as it was before.") from error
        return self._runtime


def holds_int8(folder: Path) -> bool:
    """Whether `quantise` wrote this folder."""
    return (folder / ABOUT).is_file() and (folder / MODEL).is_file()
