"""Plug-ins: a name `"scheme:rest"` becomes an object through the entry points, and the built-ins use the same door.

In another package's pyproject.toml:

    [project.entry-points."selfstudy.embedders"]
    acme = "acme_vectors:load"          # load(rest: str, **options) -> Embedder

and `resolve("acme:small-v2")` calls `load("small-v2")`.
"""

from __future__ import annotations

import importlib
import sys
from importlib.metadata import EntryPoint, entry_points
from types import ModuleType
from typing import Any

from selfstudy.core.errors import MissingExtra, UnknownPlugin, nearest

EMBEDDERS = "selfstudy.embedders"
LLMS = "selfstudy.llms"


def resolve(what: Any, group: str = EMBEDDERS, **options: Any) -> Any:
    """The object that the name `what` stands for, made with `options`; an object that is no string passes through.

    Raises UnknownPlugin for a name without a scheme or with one that nobody registered, MissingExtra where a package is missing.
    """
    if not isinstance(what, str):
        return what
    scheme, colon, rest = what.partition(":")
    known: dict[str, EntryPoint] = {point.name: point for point in entry_points(group=group)}
    listed = ", ".join(f"{name}:" for name in sorted(known)) or "none"
    if not colon:
        raise UnknownPlugin(f"{what!r} has no scheme; expected a name like 'scheme:rest'.", f"Known schemes: {listed}.")
    if scheme not in known:
        raise UnknownPlugin(
            f"Nobody registered the scheme {scheme!r} of {what!r}{nearest(scheme, known) or '.'}",
            f"Known schemes: {listed}. Install the package that brings it, or pass an object that fits.",
        )
    point = known[scheme]
    try:
        factory = point.load()
    except ModuleNotFoundError as error:
        package = point.dist.name if point.dist is not None else point.module
        raise MissingExtra(
            f"{what!r} needs the module {error.name!r}, which is not installed.", f"pip install {error.name}, or see the page of {package}."
        ) from error
    return factory(rest, **options)


def extra(module: str, extra_name: str | None = None) -> ModuleType:
    """The module called `module`. Raises MissingExtra with the pip line where it, or what it needs, is not installed.

    `extra_name`: the extra of this package that brings it; without it the package itself does.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        package = f"selfstudy[{extra_name}]" if extra_name else "selfstudy"
        raise MissingExtra(f"The module {error.name or module!r} is not installed.", f"pip install '{package}'") from error


def openvino() -> Any:
    """OpenVINO without its telemetry: as it comes, its import alone forks a process that reports to a server."""
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # its import fails, and OpenVINO takes a stub of its own
    return importlib.import_module("openvino")
