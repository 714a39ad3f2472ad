"""Models in the form in which OpenVINO runs them: converted once, kept in a cache folder, opened without importing torch."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal, TypeVar

from selfstudy.core.errors import HomeError
from selfstudy.core.files import whole_folder, write_json
from selfstudy.core.plugs import openvino as library

FORMAT = 1
ABOUT = "runtime.json"
MODEL = "model.xml"
KEPT = 6
"""Models that a cache holds, some 90 MB each; those that were not opened for longest go first. A study makes one for each candidate."""
R = TypeVar("R")


class NotConvertible(Exception):
    """Why a model cannot run here; the caller uses torch instead."""


def opened(cache: Path | None, key: str, load: Callable[[Path], R], convert: Callable[[Path, dict[str, Any]], R]) -> R:
    """What `load` makes of the folder of the model `key`, which `convert` fills first where `cache` does not hold it yet.

    `convert` is given a folder and what is kept about it, which it may add to, and returns what `load` would; that it raised
    NotConvertible is kept too. Without a cache, or where the cache cannot be written, the conversion lasts as long as the process. Raises
    NotConvertible.
    """
    if cache is not None:
        kept = cache / key
        about = kept_at(kept)
        if about is not None and about["why_not"] is None:
            with suppress(OSError):  # of a home that may only be read
                os.utime(kept)
            try:
                return load(kept)
            except Exception:
                if kept_at(kept) is not None:
                    raise
                about = None  # another process took it away in between: it is made again
        if about is not None and about["openvino"] == library().__version__:
            raise NotConvertible(about["why_not"])
        try:
            cache.mkdir(parents=True, exist_ok=True)
            made = _converted(kept, convert)
            _forget_oldest(cache)
            return made
        except (OSError, HomeError):
            pass  # the cache cannot be written
    with tempfile.TemporaryDirectory(prefix="selfstudy-") as passing:
        return _converted(Path(passing) / key, convert)


def adopt(other: Path, kept: Path) -> None:
    """Have the folder `kept` hold the converted model of `other`, by links or copies; where that fails it is left to be converted."""
    with suppress(OSError):
        kept.parent.mkdir(parents=True, exist_ok=True)
        with whole_folder(kept) as beside:
            shutil.copytree(other, beside, copy_function=_linked, dirs_exist_ok=True)


def _linked(source: str, target: str) -> None:
    try:
        os.link(source, target)  # a model that was converted is never changed
    except OSError:
        shutil.copy2(source, target)


def _forget_oldest(cache: Path) -> None:
    """Take away what was not opened for longest, beyond KEPT models; a process that runs one of them goes on with it."""
    with suppress(OSError):
        held = sorted((path for path in cache.iterdir() if not path.name.startswith(".")), key=lambda path: path.stat().st_mtime)
        for path in held[:-KEPT]:
            shutil.rmtree(path, ignore_errors=True)


def kept_at(kept: Path) -> dict[str, Any] | None:
    """What was kept there, or None where it is of another format or not whole."""
    try:
        about: dict[str, Any] = json.loads((kept / ABOUT).read_text(encoding="utf-8"))
        whole = about["format"] == FORMAT and all((kept / name).stat().st_size == size for name, size in about["files"].items())
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return about if whole else None


def _converted(kept: Path, convert: Callable[[Path, dict[str, Any]], R]) -> R:
    """What `convert` made; its folder is kept then, in the place of what did not serve."""
    with whole_folder(kept) as beside:
        about: dict[str, Any] = {"format": FORMAT, "openvino": library().__version__, "why_not": None, "files": {}}
        made: R | NotConvertible
        try:
            made = convert(beside, about)
            about["files"] = {path.name: path.stat().st_size for path in beside.iterdir() if path.name != ABOUT}
        except NotConvertible as error:
            made = error
            about["why_not"] = str(error)
        write_json(beside / ABOUT, about)
        shutil.rmtree(kept, ignore_errors=True)
    if isinstance(made, NotConvertible):
        raise made
    return made


def compiled(folder: Path, hint: Literal["THROUGHPUT", "LATENCY"], threads: int | None) -> Any:
    """The converted model in `folder`, ready to run on so many cores (None: all). Raises NotConvertible."""
    options: dict[str, Any] = {"PERFORMANCE_HINT": hint} | ({} if threads is None else {"INFERENCE_NUM_THREADS": threads})
    try:
        return library().Core().compile_model(str(folder / MODEL), "CPU", options)
    except RuntimeError as error:
        raise NotConvertible(f"OpenVINO cannot compile it: {str(error).splitlines()[0]}") from error


def graph(module: Any, example: Mapping[str, Any]) -> Any:
    """A torch module as OpenVINO's, its inputs those of `example` in their order, of any size.

    Through the front end itself: openvino.convert_model would report its use over the network, and torch.onnx needs one more package
    and gives a graph with neither attention nor GELU in one piece.
    """
    import torch
    from openvino.frontend import FrontEndManager
    from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder

    with torch.no_grad():
        decoder = TorchScriptPythonDecoder(module.eval(), example_input=dict(example))
        front = FrontEndManager().load_by_framework("pytorch")
        return front.convert(front.load(decoder))
