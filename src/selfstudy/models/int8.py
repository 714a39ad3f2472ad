"""A sentence-transformers model in int8, calibrated on the user's own passages by nncf: about twice as fast as fp32, a quarter of its size.

Matrix products run in int8 with scales that were measured on the passages (post-training quantisation, SmoothQuant for the
transformer's outliers); word vectors are only kept in int8. Vectors differ a little from those of the original (cosine about .995), so the
fingerprint is another, and whether that is good enough is for questions to say: see `evals.paired.compare`.
"""

from __future__ import annotations

import contextlib
import io
import json
import logging
import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from selfstudy.core.errors import BadInput, BadModel
from selfstudy.core.files import sync_folder, write_json
from selfstudy.core.plugs import extra
from selfstudy.core.plugs import openvino as library
from selfstudy.core.records import digest
from selfstudy.models.openvino import ABOUT, NotConvertible, OpenVinoRuntime, kept_at, open_runtime
from selfstudy.models.sentence import SentenceEmbedder

MOST = 128
"""Passages that calibration looks at; more change the scales no more."""


class Int8Embedder(SentenceEmbedder):
    """A `core.ports.Embedder` over a sentence-transformers folder, in int8; `passages` are what it is calibrated on.

    Calibrated once and kept in `cache`. Needs OpenVINO; the first time, nncf. Raises BadModel, BadInput without passages, MissingExtra.
    """

    def __init__(self, folder: Path, passages: Sequence[str], cache: Path, name: str | None = None, *, threads: int | None = None) -> None:
        super().__init__(folder, f"{name or f'st:{folder}'} int8", cache=cache, threads=threads)
        step = max(1, len(passages) // MOST)
        self.passages = list(passages[::step][:MOST])
        self.cache = cache
        if not self.passages:
            raise BadInput("There are no passages to calibrate on.", "Give some hundred passages, or use the model as it is.")

    @property
    def fingerprint(self) -> str:
        return digest("int8", self.folder.fingerprint, *self.passages)

    def _load(self) -> OpenVinoRuntime:
        threads = self.threads
        try:
            kept = self.cache / self.fingerprint
            if kept_at(kept) is None:
                _calibrate(open_runtime(self.folder, self.cache, threads), self.cache / self.folder.fingerprint, self.passages, kept)
            return OpenVinoRuntime(kept, threads)
        except NotConvertible as error:
            raise BadModel(f"{self.name} cannot run on OpenVINO: {error}.", "Use the model as it is.") from error


def _calibrate(runtime: OpenVinoRuntime, floating: Path, passages: Sequence[str], kept: Path) -> None:
    """Quantise the model in `floating` beside `kept`, then rename."""
    openvino = library()
    nncf: Any = extra("nncf", "int8")

    nncf.set_log_level(logging.ERROR)
    beside = Path(tempfile.mkdtemp(prefix=f".{kept.name}.", dir=kept.parent))
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # nncf draws its progress there
            made = nncf.quantize(
                openvino.Core().read_model(str(floating / "model.xml")),
                nncf.Dataset([runtime.inputs([text]) for text in passages]),
                model_type=nncf.ModelType.TRANSFORMER,
                subset_size=len(passages),
                ignored_scope=nncf.IgnoredScope(types=["Gather"], validate=False),  # word vectors are looked up, not multiplied
                advanced_parameters=nncf.AdvancedQuantizationParameters(disable_bias_correction=True),
            )
            made = nncf.compress_weights(made, mode=nncf.CompressWeightsMode.INT8_ASYM)  # those word vectors
        openvino.save_model(made, str(beside / "model.xml"), compress_to_fp16=False)
        shutil.copy(floating / "tokenizer.json", beside)
        about = json.loads((floating / ABOUT).read_text(encoding="utf-8"))
        for path in beside.iterdir():
            with open(path, "rb") as file:
                os.fsync(file.fileno())
        about["files"] = {path.name: path.stat().st_size for path in beside.iterdir()}
        write_json(beside / ABOUT, about)
        beside.chmod(0o755)
        shutil.rmtree(kept, ignore_errors=True)
        os.rename(beside, kept)
        sync_folder(kept.parent)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
